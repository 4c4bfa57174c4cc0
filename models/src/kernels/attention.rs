//! Attention over the frames of each row.

use rayon::prelude::*;

use super::tasks::Tasks;
use super::{Real, buffer};

/// The softmax of each row's valid scores, `[batch, frames]`; zero past its length.
pub(crate) fn softmax<T: Real>(scores: &[T], lengths: &[usize]) -> Vec<T> {
    let frames = scores.len() / lengths.len().max(1);
    let mut weights = buffer::take(scores.len());
    let rows = weights.chunks_exact_mut(frames.max(1));
    for ((weights, scores), &length) in rows.zip(scores.chunks_exact(frames.max(1))).zip(lengths) {
        let valid = length.min(frames);
        weights[..valid].copy_from_slice(&scores[..valid]);
        softmax_row(&mut weights[..valid]);
        weights[valid..].fill(T::ZERO);
    }
    weights
}

/// The gradient of the scores from that of the weights: `w (g − Σ w g)`.
pub(crate) fn softmax_backward<T: Real>(weights: &[T], gradient: &[T], frames: usize) -> Vec<T> {
    let mut scores = buffer::take(weights.len());
    for ((scores, weights), gradient) in scores
        .chunks_exact_mut(frames.max(1))
        .zip(weights.chunks_exact(frames.max(1)))
        .zip(gradient.chunks_exact(frames.max(1)))
    {
        let products = weights.iter().zip(gradient);
        let mean: f64 = products.map(|(w, g)| w.to_f64() * g.to_f64()).sum();
        let mean = T::from_f64(mean);
        for ((score, &w), &g) in scores.iter_mut().zip(weights).zip(gradient) {
            *score = w * (g - mean);
        }
    }
    scores
}

/// `Σ weights[t] · x[t]` of each row: `[batch, frames]` and `[batch, frames, channels]` to `[batch,
/// channels]`. Frames that weigh nothing are not looked at.
pub(crate) fn weighted_sum<T: Real>(
    weights: &[T],
    x: &[T],
    [batch, frames, channels]: [usize; 3],
) -> Vec<T> {
    let mut y = buffer::take(batch * channels);
    y.par_chunks_mut(channels.max(1))
        .enumerate()
        .run(|(row, y)| {
            let x = &x[row * frames * channels..][..frames * channels];
            sum_row(&weights[row * frames..][..frames], x, y);
        });
    y
}

/// The gradients of weights and `x` of [`weighted_sum`].
pub(crate) fn weighted_sum_backward<T: Real>(
    weights: &[T],
    x: &[T],
    gradient: &[T],
    [batch, frames, channels]: [usize; 3],
) -> (Vec<T>, Vec<T>) {
    let mut weights_gradient = buffer::take(batch * frames);
    let mut x_gradient = buffer::take(batch * frames * channels);
    x_gradient
        .par_chunks_mut((frames * channels).max(1))
        .zip(weights_gradient.par_chunks_mut(frames.max(1)))
        .enumerate()
        .run(|(row, (dx, dw))| {
            let x = &x[row * frames * channels..][..frames * channels];
            let gradient = &gradient[row * channels..][..channels];
            sum_row_backward(&weights[row * frames..][..frames], x, gradient, dx, dw);
        });
    (weights_gradient, x_gradient)
}

vectorised! {
    /// Scores become weights.
    pub(super) fn softmax_row<T: Real>(weights: &mut [T]) {
        let Some(&first) = weights.first() else { return };
        let largest = weights.iter().fold(first, |max, &x| if x > max { x } else { max });
        for weight in weights.iter_mut() {
            *weight = (*weight - largest).exp();
        }
        let sum: f64 = weights.iter().map(|w| w.to_f64()).sum();
        let share = T::from_f64(1.0 / sum);
        for weight in weights {
            *weight = *weight * share;
        }
    }

    fn sum_row<T: Real>(weights: &[T], x: &[T], y: &mut [T]) {
        y.fill(T::ZERO);
        for (&weight, x) in weights.iter().zip(x.chunks_exact(y.len().max(1))) {
            if weight == T::ZERO {
                continue;
            }
            for (y, &x) in y.iter_mut().zip(x) {
                *y += weight * x;
            }
        }
    }

    fn sum_row_backward<T: Real>(
        weights: &[T],
        x: &[T],
        gradient: &[T],
        dx: &mut [T],
        dw: &mut [T],
    ) {
        let channels = gradient.len().max(1);
        let frames = x.chunks_exact(channels).zip(dx.chunks_exact_mut(channels));
        for ((x, dx), (&weight, dw)) in frames.zip(weights.iter().zip(dw)) {
            // Sixteen sums at once are a vector's.
            let mut sums = [T::ZERO; 16];
            for ((x, dx), gradient) in
                x.chunks(16).zip(dx.chunks_mut(16)).zip(gradient.chunks(16))
            {
                for (i, ((&x, dx), &g)) in x.iter().zip(dx).zip(gradient).enumerate() {
                    sums[i] += x * g;
                    *dx = weight * g;
                }
            }
            *dw = sums.into_iter().fold(T::ZERO, |sum, x| sum + x);
        }
    }
}
