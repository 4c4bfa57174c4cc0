//! The evidence lower bound and its terms, in nats
//! ([Kingma and Welling 2014](https://arxiv.org/abs/1312.6114)).
//!
//! ```text
//! log p(x) ≥ E_q(z|x)[log p(x|z)] − KL(q(z|x) ‖ p(z))
//! ```
//!
//! The expectation is estimated from one sample of the posterior q; the divergence from the prior p, a
//! standard normal distribution, has a closed form. [`importance_bound`] takes several samples, and is
//! the tighter the more there are.

use std::f64::consts::PI;

use burn::tensor::{Tensor, backend::Backend};

use crate::ops;

/// Log-density of each row's valid frames under independent normal distributions, in nats:
/// `Σ −½ ((x − mean) / σ)² − log σ − ½ log 2π`, where the deviation σ is one for each bin.
///
/// # Shapes
/// - `x`, `mean`: `[batch, frames, bins]`, finite; frames past a row's length count for nothing
/// - `log_deviation`: `[bins]`, log σ
/// - `lengths`: valid frames of each row
/// - output: `[batch]`
///
/// # Panics
/// If the shapes differ or there is not one length for each row.
pub fn gaussian_log_likelihood<B: Backend>(
    x: Tensor<B, 3>,
    mean: Tensor<B, 3>,
    log_deviation: Tensor<B, 1>,
    lengths: &[usize],
) -> Tensor<B, 1> {
    assert_eq!(x.dims(), mean.dims(), "one mean for each value");
    let log_deviation = log_deviation.unsqueeze::<3>(); // [1, 1, bins]
    let error = (x - mean) * log_deviation.clone().neg().exp(); // [batch, frames, bins]
    let cost = error.powi_scalar(2) * 0.5 + log_deviation + 0.5 * (2.0 * PI).ln();
    let cost = ops::zero_padding(cost, lengths).flatten::<2>(1, 2); // [batch, frames·bins]
    cost.sum_dim(1).squeeze_dim::<1>(1).neg() // [batch]
}

/// Kullback–Leibler divergence of a normal distribution of independent values from the standard one, in
/// nats: `½ Σ mean² + σ² − log σ² − 1`, Appendix B of the paper.
///
/// # Shapes
/// - `mean`, `log_variance`: `[batch, latent]`
/// - output: `[batch]`
///
/// # Panics
/// If the shapes differ.
pub fn gaussian_divergence<B: Backend>(
    mean: Tensor<B, 2>,
    log_variance: Tensor<B, 2>,
) -> Tensor<B, 1> {
    assert_eq!(mean.dims(), log_variance.dims(), "one variance for each");
    let sums = mean.powi_scalar(2) + log_variance.clone().exp() - log_variance - 1.0;
    sums.sum_dim(1).squeeze_dim::<1>(1) * 0.5 // [batch]
}

/// The bound of the importance-weighted autoencoder, `log 1/K Σ_k w_k`, in nats ([Burda et al.
/// 2016](https://arxiv.org/abs/1509.00519)). Its expectation rises with the samples K, towards log p(x).
/// Finite where one weight of each row is.
///
/// # Shapes
/// - `log_weights`: for each sample z of the posterior `log p(x|z) + log p(z) − log q(z|x)`, `[batch]`
/// - output: `[batch]`
///
/// # Panics
/// If there is no sample, or the shapes differ.
pub fn importance_bound<B: Backend>(log_weights: Vec<Tensor<B, 1>>) -> Tensor<B, 1> {
    assert!(!log_weights.is_empty(), "a bound takes a sample");
    let count = log_weights.len() as f64;
    let log_weights = Tensor::stack::<2>(log_weights, 0); // [samples, batch]
    // The largest cancels, and is no way for a gradient.
    let largest = log_weights.clone().detach().max_dim(0); // [1, batch]
    let sum = (log_weights - largest.clone()).exp().sum_dim(0); // [1, batch]
    (sum.log() + largest).squeeze_dim::<1>(0) - count.ln() // [batch]
}

/// The evidence lower bound of each row of a batch, term by term.
#[derive(Debug, Clone)]
pub struct Bound<B: Backend> {
    /// Log-density of the row's values under a sample of its posterior, in nats, `[batch]`.
    pub log_likelihood: Tensor<B, 1>,
    /// Divergence of its posterior from the prior, in nats, `[batch]`.
    pub divergence: Tensor<B, 1>,
    /// Values that all rows have together: bins of valid frames.
    pub num_values: usize,
}

impl<B: Backend> Bound<B> {
    /// The bound of each row, in nats, `[batch]`.
    pub fn evidence(&self) -> Tensor<B, 1> {
        self.log_likelihood.clone() - self.divergence.clone()
    }

    /// The loss, in nats for each valid value of the batch, `[1]`: the negative bound
    /// where `kl_weight` is 1, and less of the divergence below.
    pub fn loss(&self, kl_weight: f64) -> Tensor<B, 1> {
        let cost = self.divergence.clone() * kl_weight - self.log_likelihood.clone(); // [batch]
        cost.sum() / self.num_values as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_ndarray::NdArray;

    type Vector = Tensor<NdArray<f32>, 1>;

    fn vector<const N: usize>(values: [f32; N]) -> Vector {
        Tensor::from_floats(values, &Default::default())
    }

    fn assert_near<const N: usize>(found: Vector, expected: [f32; N]) {
        let found: Vec<f32> = found.into_data().iter().collect();
        assert_eq!(found.len(), N);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} and {expected}");
        }
    }

    #[test]
    fn padding_has_no_density() {
        let device = Default::default();
        let x = [
            [[1.0f32, 2.0], [3.0, -1.0]],
            [[0.5, 0.0], [f32::NAN, f32::NAN]],
        ];
        let x = Tensor::from_floats(x, &device);
        let mean = Tensor::ones([2, 2, 2], &device);
        let found = gaussian_log_likelihood(x, mean, vector([0.0, 2f32.ln()]), &[2, 1]);
        let constant = (2.0 * std::f32::consts::PI).ln() / 2.0;
        let first = -(4.0 + 0.25 + 1.0) / 2.0 - 2.0 * 2f32.ln() - 4.0 * constant;
        let second = -(0.25 + 0.25) / 2.0 - 2f32.ln() - 2.0 * constant;
        assert_near(found, [first, second]);
    }

    #[test]
    fn a_posterior_that_is_the_prior_tells_nothing() {
        let device = Default::default();
        let mean = Tensor::from_floats([[0.0f32, 0.0], [2.0, -1.0]], &device);
        let log_variance = Tensor::from_floats([[0.0f32, 0.0], [4f32.ln(), 0.0]], &device);
        let expected = (4.0 + 4.0 - 4f32.ln() - 1.0 + 1.0) / 2.0;
        assert_near(gaussian_divergence(mean, log_variance), [0.0, expected]);
    }

    #[test]
    fn weights_are_averaged_whatever_their_size() {
        let one = vector([-1234.5, 3.0]);
        assert_near(importance_bound(vec![one.clone()]), [-1234.5, 3.0]);
        let other = vector([-1234.5, f32::NEG_INFINITY]);
        let expected = [-1234.5, 3.0 - 2f32.ln()];
        assert_near(importance_bound(vec![one, other]), expected);
    }

    #[test]
    fn a_loss_is_of_all_values_of_the_batch() {
        let bound = Bound {
            log_likelihood: vector([-30.0, -6.0]),
            divergence: vector([4.0, 2.0]),
            num_values: 12,
        };
        assert_near(bound.evidence(), [-34.0, -8.0]);
        assert_near(bound.loss(1.0), [3.5]);
        assert_near(bound.loss(0.5), [3.25]);
    }
}
