//! Lookahead convolution.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::Init;
use crate::onnx::{OnnxGraph, OnnxValue};
use crate::ops::{self, ConvOptions};

/// Lookahead convolution ([Wang et al. 2016](https://arxiv.org/abs/1609.03193)): each feature of a
/// step is a weighted sum of itself and of the same feature in the next few steps, without bias.
///
/// `y[t] = Σ_j w[j] ∘ x[t + j]`, `j` from 0 to the context. Above layers that read forward in time
/// only, it is the only latency of a recogniser besides its convolutions.
#[derive(Module, Debug)]
pub struct Lookahead<B: Backend> {
    /// `[context + 1, 1, channels]`; PyTorch's depthwise `[channels, 1, context + 1]` by `permute(2,
    /// 1, 0)`.
    pub weight: Param<Tensor<B, 3>>,
}

impl<B: Backend> Lookahead<B> {
    /// A layer over so many channels that reads `context` steps ahead.
    pub fn new(channels: usize, context: usize, device: &B::Device) -> Self {
        let taps = context + 1;
        Self {
            weight: Init::Default
                .weight(taps, taps)
                .init([taps, 1, channels], device),
        }
    }

    /// `[batch, steps, channels]`, zero past each row's length, to the same.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [_, steps, channels] = x.dims();
        let context = self.weight.dims()[0] - 1;
        let options = ConvOptions {
            padding: [context],
            groups: channels,
            ..Default::default()
        };
        // With as many zeros on both sides; what reads the steps before the first is left out.
        let y = ops::conv1d(x, self.weight.val(), None, options); // [batch, steps + context, channels]
        y.narrow(1, context, steps)
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: OnnxValue) -> OnnxValue {
        let [taps, _, channels] = self.weight.dims();
        let options = ConvOptions {
            groups: channels,
            ..Default::default()
        };
        let ahead = graph.pad(x, &[0, 0, 0, 0, taps as i64 - 1, 0]); // [batch, steps + context, channels]
        graph.conv1d(ahead, self.weight.val(), None, options)
    }

    /// [`Self::forward`] of the steps whose context is there: `[batch, steps + context, channels]` to
    /// `[batch, steps, channels]`.
    pub(crate) fn forward_within(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let options = ConvOptions {
            groups: x.dims()[2],
            ..Default::default()
        };
        ops::conv1d(x, self.weight.val(), None, options)
    }
}
