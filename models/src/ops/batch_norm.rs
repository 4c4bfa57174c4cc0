use burn::tensor::{Tensor, backend::Backend};

use super::zero_padding;

/// What one training batch says of each channel, without gradient. Shapes `[channels]`.
#[derive(Debug, Clone)]
pub struct BatchStatistics<B: Backend> {
    /// The mean over the valid positions.
    pub mean: Tensor<B, 1>,
    /// The unbiased variance over the valid positions (divided by their count less one, and by one
    /// where there is a single position).
    pub variance: Tensor<B, 1>,
}

/// Batch normalisation by the statistics of the batch itself, taken over valid positions only.
///
/// `y = γ · (x − E[x]) / √(Var[x] + ε) + β`, with the biased variance, as the paper has it ([Ioffe
/// and Szegedy 2015](https://arxiv.org/abs/1502.03167)). Padding comes out as some finite value.
///
/// # Shapes
/// - `x`: `[batch, positions, channels]`
/// - `lengths`: valid positions of each row
/// - `gamma`, `beta`: `[channels]`
/// - output: as `x`
///
/// # Panics
/// If there is not one length for each row, or no valid position at all.
pub fn batch_norm_training<B: Backend>(
    x: Tensor<B, 3>,
    lengths: &[usize],
    gamma: Tensor<B, 1>,
    beta: Tensor<B, 1>,
    epsilon: f64,
) -> (Tensor<B, 3>, BatchStatistics<B>) {
    let dims @ [batch, positions, channels] = x.dims();
    let rows = batch * positions;
    let count: usize = lengths.iter().map(|&length| length.min(positions)).sum();
    assert!(count > 0, "batch norm: a batch without a valid position");

    let x = zero_padding(x, lengths);
    let mean = x.clone().reshape([rows, channels]).sum_dim(0) / count as f64; // [1, channels]
    let centred = zero_padding(x - mean.clone().unsqueeze(), lengths); // [batch, positions, channels]
    let centred = centred.reshape([rows, channels]);
    let squares = (centred.clone() * centred.clone()).sum_dim(0); // [1, channels]

    let scale = gamma.unsqueeze::<2>() / (squares.clone() / count as f64 + epsilon).sqrt();
    let y = (centred * scale + beta.unsqueeze::<2>()).reshape(dims);
    let statistics = BatchStatistics {
        mean: mean.detach().reshape([channels]),
        variance: squares.detach().reshape([channels]) / (count.max(2) - 1) as f64,
    };
    (y, statistics)
}

/// Batch normalisation by given statistics: `y = γ · (x − mean) / √(variance + ε) + β`.
///
/// # Shapes
/// - `x`: `[batch, positions, channels]`
/// - `mean`, `variance`, `gamma`, `beta`: `[channels]`
/// - output: as `x`
pub fn batch_norm_inference<B: Backend>(
    x: Tensor<B, 3>,
    mean: Tensor<B, 1>,
    variance: Tensor<B, 1>,
    gamma: Tensor<B, 1>,
    beta: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, 3> {
    let scale = gamma / (variance + epsilon).sqrt(); // [channels]
    let shift = beta - mean * scale.clone(); // [channels]
    x * scale.unsqueeze() + shift.unsqueeze()
}
