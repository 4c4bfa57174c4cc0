//! The product of a hyperbolic tangent and a logistic gate, and its derivative.

use rayon::prelude::*;

use super::special::sigmoid;
use super::tasks::Tasks;
use super::{Real, buffer};

/// Values of the output that one task takes.
const TASK: usize = 1 << 13;

/// `tanh(x[c]) · σ(x[channels + c])` of each valid frame, zero past them: `[batch, frames,
/// 2·channels]` to `dims`, `[batch, frames, channels]`.
pub(crate) fn forward<T: Real>(x: &[T], dims: [usize; 3], lengths: &[usize]) -> Vec<T> {
    let [batch, frames, channels] = dims;
    let mut y = buffer::take(batch * frames * channels);
    let task = TASK.div_ceil(channels);
    y.par_chunks_mut(frames * channels)
        .zip(x.par_chunks(frames * 2 * channels))
        .zip(lengths)
        .run(|((y, x), &length)| {
            let (y, padding) = y.split_at_mut(length.min(frames) * channels);
            padding.fill(T::ZERO);
            y.par_chunks_mut(task * channels)
                .zip(x.par_chunks(task * 2 * channels))
                .run(|(y, x)| apply(x, channels, y));
        });
    y
}

/// The gradient of the input of [`forward`].
pub(crate) fn backward<T: Real>(
    x: &[T],
    dims: [usize; 3],
    lengths: &[usize],
    gradient: &[T],
) -> Vec<T> {
    let [_, frames, channels] = dims;
    let mut found = buffer::take(x.len());
    let task = TASK.div_ceil(channels);
    found
        .par_chunks_mut(frames * 2 * channels)
        .zip(x.par_chunks(frames * 2 * channels))
        .zip(gradient.par_chunks(frames * channels))
        .zip(lengths)
        .run(|(((found, x), gradient), &length)| {
            let (found, padding) = found.split_at_mut(length.min(frames) * 2 * channels);
            padding.fill(T::ZERO);
            found
                .par_chunks_mut(task * 2 * channels)
                .zip(x.par_chunks(task * 2 * channels))
                .zip(gradient.par_chunks(task * channels))
                .run(|((found, x), gradient)| derive(x, gradient, channels, found));
        });
    found
}

vectorised! {
    fn apply<T: Real>(x: &[T], channels: usize, y: &mut [T]) {
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(2 * channels)) {
            let (filter, gate) = x.split_at(channels);
            for ((y, &filter), &gate) in y.iter_mut().zip(filter).zip(gate) {
                *y = filter.tanh() * sigmoid(gate);
            }
        }
    }

    fn derive<T: Real>(x: &[T], gradient: &[T], channels: usize, found: &mut [T]) {
        let frames = found
            .chunks_exact_mut(2 * channels)
            .zip(x.chunks_exact(2 * channels))
            .zip(gradient.chunks_exact(channels));
        for ((found, x), gradient) in frames {
            let (of_filter, of_gate) = found.split_at_mut(channels);
            let (filter, gate) = x.split_at(channels);
            let outputs = of_filter.iter_mut().zip(of_gate).zip(gradient);
            for (((of_filter, of_gate), &gradient), (&filter, &gate)) in
                outputs.zip(filter.iter().zip(gate))
            {
                let (filter, gate) = (filter.tanh(), sigmoid(gate));
                *of_filter = gradient * gate * (T::ONE - filter * filter);
                *of_gate = gradient * filter * gate * (T::ONE - gate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_a_finite_difference_and_zero_past_the_lengths() {
        let (dims, lengths) = ([2, 3, 2], [3, 1]);
        let x: Vec<f64> = (0..24).map(|i| f64::from(i * 7 % 24) * 0.2 - 2.3).collect();
        let weights: Vec<f64> = (0..12).map(|i| f64::from(i * 5 % 12) - 4.5).collect();
        let loss = |x: &[f64]| -> f64 {
            let y = forward(x, dims, &lengths);
            y.iter().zip(&weights).map(|(y, w)| y * w).sum()
        };
        let found = backward(&x, dims, &lengths, &weights);
        let h = 1e-5;
        for (i, found) in found.iter().enumerate() {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[i] += by;
                loss(&x)
            };
            let expected = (moved(h) - moved(-h)) / (2.0 * h);
            assert!((found - expected).abs() < 1e-7, "{i}: {found}, {expected}");
        }
        assert!(found[16..].iter().all(|&value| value == 0.0));
    }
}
