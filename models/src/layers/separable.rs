//! Separable and 1×1 convolutions over frames.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::Init;
use crate::onnx::{OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, ConvOptions};

/// A convolution whose kernel spans a single frame: the same linear map of every frame's channels,
/// without bias.
#[derive(Module, Debug)]
pub struct PointwiseConv1d<B: Backend> {
    /// `[channels_in, channels_out]`; PyTorch's `[out, in, 1]` by `squeeze(2).T`.
    pub weight: Param<Tensor<B, 2>>,
}

impl<B: Backend> PointwiseConv1d<B> {
    /// A layer between so many channels (in, out).
    pub fn new(channels: [usize; 2], init: Init, device: &B::Device) -> Self {
        let weight = init.weight(channels[0], channels[1]);
        Self {
            weight: weight.init(channels, device),
        }
    }

    /// `[batch, frames, channels_in]` to `[batch, frames, channels_out]`.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        ops::linear(x, self.weight.val(), None)
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: OnnxValue) -> OnnxValue {
        let weight = graph.tensor(self.weight.val());
        graph.matmul(x, weight)
    }
}

/// A time-channel separable convolution ([Kriman et al. 2019](https://arxiv.org/abs/1910.10261)):
/// first every channel by itself in time, then every frame by itself across the channels. No
/// biases.
#[derive(Module, Debug)]
pub struct SeparableConv1d<B: Backend> {
    /// `[kernel, 1, channels_in]`; PyTorch's `[in, 1, kernel]` by `permute(2, 1, 0)`.
    pub depthwise: Param<Tensor<B, 3>>,
    /// Across the channels.
    pub pointwise: PointwiseConv1d<B>,
    /// Frames from one window to the next.
    pub stride: usize,
    /// Frames from one tap of the kernel to the next.
    pub dilation: usize,
}

impl<B: Backend> SeparableConv1d<B> {
    /// A layer between so many channels (in, out), with a kernel of `kernel` frames.
    ///
    /// # Panics
    /// If `kernel` is even: no symmetric padding would keep the number of frames.
    pub fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        dilation: usize,
        init: Init,
        device: &B::Device,
    ) -> Self {
        assert!(kernel % 2 == 1, "a kernel of {kernel} frames is even");
        let weight = init.weight(kernel, kernel);
        Self {
            depthwise: weight.init([kernel, 1, channels[0]], device),
            pointwise: PointwiseConv1d::new(channels, init, device),
            stride,
            dilation,
        }
    }

    /// `[batch, frames, channels_in]`, zero past `lengths`, to `[batch, steps, channels_out]` and the
    /// valid steps of each row, past which anything may stand; `steps` is `frames / stride`, rounded
    /// up.
    pub fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> (Tensor<B, 3>, Vec<usize>) {
        let x = ops::conv1d(x, self.depthwise.val(), None, self.options()); // [batch, steps, channels_in]
        let lengths = lengths.iter().map(|length| length.div_ceil(self.stride));
        (self.pointwise.forward(x), lengths.collect())
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let values = graph.conv1d(x.values, self.depthwise.val(), None, self.options());
        Padded {
            values: self.pointwise.onnx(graph, values),
            time: x.time.divided_up(graph, self.stride),
            ..x
        }
    }

    fn options(&self) -> ConvOptions<1> {
        let [kernel, _, channels] = self.depthwise.dims();
        ConvOptions {
            stride: [self.stride],
            padding: [kernel / 2 * self.dilation],
            dilation: [self.dilation],
            groups: channels,
        }
    }
}
