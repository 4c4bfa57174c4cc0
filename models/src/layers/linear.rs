use burn::module::{Initializer, Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::conv::fan_in_uniform;
use crate::ops;

/// An affine map of the last axis, `y = x · W + b`.
///
/// Weights start uniform in ±1/√d_input, as in PyTorch, whose `Linear` weight is the transpose of
/// this one.
#[derive(Module, Debug)]
pub struct Linear<B: Backend> {
    /// `[d_input, d_output]`
    pub weight: Param<Tensor<B, 2>>,
    /// `[d_output]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Linear<B> {
    /// A layer from `d_input` to `d_output` features.
    pub fn new(d_input: usize, d_output: usize, device: &B::Device) -> Self {
        let uniform: Initializer = fan_in_uniform(d_input);
        Self {
            weight: uniform.init([d_input, d_output], device),
            bias: uniform.init([d_output], device),
        }
    }

    /// `[..., d_input]` to `[..., d_output]`.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        ops::linear(x, self.weight.val(), Some(self.bias.val()))
    }
}
