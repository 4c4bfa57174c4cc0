//! Additive attention as a pooling over time.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::{Linear, assert_lengths};
use crate::onnx::{OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};

/// A weighted mean over the valid frames, by additive attention without a query
/// ([Raffel and Ellis 2015](https://arxiv.org/abs/1512.08756)): the score of a frame's state `h` is
/// `v · tanh(W h + b) + c`, and the weights are the softmax of the scores.
#[derive(Module, Debug)]
pub struct AdditivePooling<B: Backend> {
    /// `W` and `b`, `[channels, d_attention]`.
    pub hidden: Linear<B>,
    /// `v` and `c`, `[d_attention, 1]`.
    pub score: Linear<B>,
}

impl<B: Backend> AdditivePooling<B> {
    /// A layer over states of `channels` features.
    pub fn new(channels: usize, d_attention: usize, device: &B::Device) -> Self {
        Self {
            hidden: Linear::new(channels, d_attention, device),
            score: Linear::new(d_attention, 1, device),
        }
    }

    /// `[batch, frames, channels]` to the weight of each frame, `[batch, frames]`; zero past a row's
    /// length.
    ///
    /// # Panics
    /// If there is not one length for each row, or a length is not in `1..=frames`.
    pub fn weights(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        let [batch, frames, _] = x.dims();
        assert_lengths(lengths, batch, frames, 1);
        let hidden = ops::activate(self.hidden.forward(x), Activation::Tanh); // [batch, frames, d_attention]
        let scores = self.score.forward(hidden).reshape([batch, frames]);
        ops::masked_softmax(scores, lengths)
    }

    /// `[batch, frames, channels]`, finite past `lengths`, to its weighted mean, `[batch, channels]`.
    ///
    /// # Panics
    /// As [`Self::weights`].
    pub fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        ops::weighted_sum(self.weights(x.clone(), lengths), x)
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> OnnxValue {
        let hidden = self.hidden.onnx(graph, x.values);
        let hidden = graph.activate(hidden, Activation::Tanh); // [batch, frames, d_attention]
        let scores = self.score.onnx(graph, hidden); // [batch, frames, 1]
        let scores = Padded {
            values: graph.squeeze(scores, 2),
            rank: 2,
            ..x
        };
        let weights = scores.softmax(graph); // [batch, frames]
        let weights = graph.unsqueeze(weights, &[1]); // [batch, 1, frames]
        let sum = graph.matmul(weights, x.values); // [batch, 1, channels]
        graph.squeeze(sum, 1)
    }
}
