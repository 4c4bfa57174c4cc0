use burn::module::Module;
use burn::tensor::activation::{softmax, tanh};
use burn::tensor::{Bool, Tensor, TensorData, backend::Backend};

use super::{Linear, assert_lengths};

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
        let scores = self.score.forward(tanh(self.hidden.forward(x))); // [batch, frames, 1]
        let scores = scores.reshape([batch, frames]);
        if lengths.iter().all(|&length| length == frames) {
            return softmax(scores, 1);
        }
        let padding: Vec<bool> = lengths
            .iter()
            .flat_map(|&length| (0..frames).map(move |frame| frame >= length))
            .collect();
        let padding = TensorData::new(padding, [batch, frames]);
        let padding = Tensor::<B, 2, Bool>::from_data(padding, &scores.device());
        softmax(scores.mask_fill(padding, f32::NEG_INFINITY), 1)
    }

    /// `[batch, frames, channels]`, finite past `lengths`, to its weighted mean, `[batch, channels]`.
    ///
    /// # Panics
    /// As [`Self::weights`].
    pub fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        let weights = self.weights(x.clone(), lengths).unsqueeze_dim(1); // [batch, 1, frames]
        weights.matmul(x).squeeze_dim(1) // [batch, channels]
    }
}
