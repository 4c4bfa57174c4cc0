//! Pooling over time, and over time and bins.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::onnx::{OnnxGraph, OnnxValue, Padded};
use crate::ops;

/// Pooling of a sequence of states to one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean of the outputs over the valid frames.
    Mean,
    /// The state each direction ends with.
    Last,
}

/// Pooling of the output of convolutions to one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GlobalPooling {
    /// The mean over the valid frames and all bins.
    Mean,
    /// The mean over the bins; of that, over the valid frames, the mean and the largest, added up, so
    /// that a short event counts in a long recording
    /// ([Kong et al. 2020](https://arxiv.org/abs/1912.10211)).
    MeanMax,
    /// Beside that the standard deviation of the means over the valid frames, as many values again: a
    /// measure of how much a sound comes and goes ([Snyder et al. 2018](https://doi.org/10.1109/ICASSP.2018.8461375)
    /// pool mean and deviation).
    MeanMaxDeviation,
}

impl GlobalPooling {
    /// Values of the vector for each channel.
    pub fn values_per_channel(self) -> usize {
        match self {
            Self::Mean | Self::MeanMax => 1,
            Self::MeanMaxDeviation => 2,
        }
    }

    /// One vector for each row: `[batch, frames, bins, channels]` to `[batch, channels ·
    /// values_per_channel]`.
    ///
    /// # Panics
    /// If there is not one length for each row, or a length is not in `1..=frames`.
    pub fn forward<B: Backend>(self, x: Tensor<B, 4>, lengths: &[usize]) -> Tensor<B, 2> {
        match self {
            Self::Mean => masked_mean2d(x, lengths),
            Self::MeanMax => {
                let x = x.mean_dim(2).squeeze_dim::<3>(2); // [batch, frames, channels]
                masked_mean(x.clone(), lengths) + masked_max(x, lengths)
            }
            Self::MeanMaxDeviation => {
                let x = x.mean_dim(2).squeeze_dim::<3>(2); // [batch, frames, channels]
                let pooled = masked_mean(x.clone(), lengths) + masked_max(x.clone(), lengths);
                Tensor::cat(vec![pooled, masked_deviation(x, lengths)], 1)
            }
        }
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(self, graph: &mut OnnxGraph, x: Padded) -> OnnxValue {
        let x = Padded {
            values: graph.mean(x.values, 2),
            rank: 3,
            ..x
        }; // [batch, frames, channels]
        let mean = x.mean(graph);
        if self == Self::Mean {
            return mean;
        }
        let largest = x.largest(graph);
        let pooled = graph.add(mean, largest);
        if self == Self::MeanMax {
            return pooled;
        }
        let deviation = x.deviation(graph, LEAST_VARIANCE);
        graph.concat(&[pooled, deviation], 1)
    }
}

/// Below this the root of a variance is so steep that rounding would show in its gradient.
const LEAST_VARIANCE: f64 = 1e-4;

/// The mean over the valid frames of each row: `[batch, frames, channels]` to `[batch, channels]`.
///
/// # Panics
/// If there is not one length for each row, or a length is not in `1..=frames`.
pub fn masked_mean<B: Backend>(x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
    let [batch, frames, _] = x.dims();
    super::assert_lengths(lengths, batch, frames, 1);
    ops::masked_mean(x, lengths)
}

/// The mean over the valid frames of each row and all bins: `[batch, frames, bins, channels]` to
/// `[batch, channels]`.
///
/// # Panics
/// If there is not one length for each row, or a length is not in `1..=frames`.
pub fn masked_mean2d<B: Backend>(x: Tensor<B, 4>, lengths: &[usize]) -> Tensor<B, 2> {
    let bins = x.dims()[2];
    let positions: Vec<usize> = lengths.iter().map(|&length| length * bins).collect();
    masked_mean(x.flatten(1, 2), &positions)
}

/// The largest value of the valid frames of each row: `[batch, frames, channels]` to `[batch,
/// channels]`.
///
/// # Panics
/// If there is not one length for each row, or a length is not in `1..=frames`.
pub fn masked_max<B: Backend>(x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
    let [batch, frames, _] = x.dims();
    super::assert_lengths(lengths, batch, frames, 1);
    ops::masked_max(x, lengths)
}

/// The standard deviation over the valid frames of each row, at least 0.01: `[batch, frames,
/// channels]` to `[batch, channels]`. For values of the order of one, as batch norm leaves them.
///
/// # Panics
/// If there is not one length for each row, or a length is not in `1..=frames`.
pub fn masked_deviation<B: Backend>(x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
    let mean = masked_mean(x.clone(), lengths);
    (masked_mean(x.clone() * x, lengths) - mean.clone() * mean)
        .clamp_min(LEAST_VARIANCE)
        .sqrt()
}

/// The valid steps that are left when every `size` frames become one and a remainder is dropped.
pub fn pooled_lengths(lengths: &[usize], size: usize) -> Vec<usize> {
    lengths.iter().map(|&length| length / size).collect()
}
