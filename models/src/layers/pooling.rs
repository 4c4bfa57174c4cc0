use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::ops;

/// How a sequence of states becomes one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean of the outputs over the valid frames.
    Mean,
    /// The state each direction ends with.
    Last,
}

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

/// The valid steps that are left when every `size` frames become one and a remainder is dropped.
pub fn pooled_lengths(lengths: &[usize], size: usize) -> Vec<usize> {
    lengths.iter().map(|&length| length / size).collect()
}
