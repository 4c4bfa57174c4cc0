//! The adversary of a domain-adversarial network.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::Linear;
use crate::ops::{self, Activation};

/// Predicts the domain of a recording, such as its speaker, from a classifier's embedding, behind a
/// reversal of the gradient: the layers below learn to remove all evidence of it ([Ganin et al.
/// 2016](https://jmlr.org/papers/v17/15-239.html)). One hidden layer, as there.
#[derive(Module, Debug)]
pub struct DomainClassifier<B: Backend> {
    /// `[d_input, d_hidden]`
    pub hidden: Linear<B>,
    /// `[d_hidden, domains]`
    pub output: Linear<B>,
}

impl<B: Backend> DomainClassifier<B> {
    /// Features of the hidden layer.
    pub const D_HIDDEN: usize = 128;

    /// A classifier of `num_domains` domains, with random weights.
    pub fn new(d_input: usize, num_domains: usize, device: &B::Device) -> Self {
        Self {
            hidden: Linear::new(d_input, Self::D_HIDDEN, device),
            output: Linear::new(Self::D_HIDDEN, num_domains, device),
        }
    }

    /// `[batch, d_input]` to logits `[batch, domains]`; the gradient that goes down again is multiplied
    /// by `−weight`.
    pub fn forward(&self, x: Tensor<B, 2>, weight: f64) -> Tensor<B, 2> {
        let x = self.hidden.forward(ops::reverse_gradient(x, weight)); // [batch, d_hidden]
        self.output.forward(ops::activate(x, Activation::Relu)) // [batch, domains]
    }
}
