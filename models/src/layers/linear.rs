//! Fully-connected layers.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::Init;
use crate::onnx::{OnnxGraph, OnnxValue};
use crate::ops;

/// An affine map of the last axis, `y = x · W + b`.
///
/// PyTorch's `Linear` weight is the transpose of this one.
#[derive(Module, Debug)]
pub struct Linear<B: Backend> {
    /// `[d_input, d_output]`
    pub weight: Param<Tensor<B, 2>>,
    /// `[d_output]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Linear<B> {
    /// A layer from `d_input` to `d_output` features that starts as PyTorch's does.
    pub fn new(d_input: usize, d_output: usize, device: &B::Device) -> Self {
        Self::with_init(d_input, d_output, Init::Default, device)
    }

    /// A layer from `d_input` to `d_output` features.
    pub fn with_init(d_input: usize, d_output: usize, init: Init, device: &B::Device) -> Self {
        let (weight, bias) = init.of_layer([d_input, d_output], d_input, d_output, device);
        Self { weight, bias }
    }

    /// `[..., d_input]` to `[..., d_output]`.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        ops::linear(x, self.weight.val(), Some(self.bias.val()))
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: OnnxValue) -> OnnxValue {
        let [weight, bias] = [
            graph.tensor(self.weight.val()),
            graph.tensor(self.bias.val()),
        ];
        let product = graph.matmul(x, weight);
        graph.add(product, bias)
    }
}
