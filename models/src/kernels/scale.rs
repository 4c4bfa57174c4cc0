//! Every channel of a row times a factor of its own.

use rayon::prelude::*;

use super::tasks::Tasks;
use super::{Real, buffer};

/// Values that one task takes.
const TASK: usize = 1 << 14;

/// Frames that are summed before the sum is widened.
const SUM_FRAMES: usize = 128;

/// `x[row, frame, channel] · scale[row, channel]`; `dims` is `[batch, frames, channels]`.
pub(crate) fn forward<T: Real>(x: &[T], scale: &[T], dims: [usize; 3]) -> Vec<T> {
    let [_, frames, channels] = dims;
    let mut y = buffer::take(x.len());
    let task = TASK.div_ceil(channels) * channels;
    y.par_chunks_mut(frames * channels)
        .zip(x.par_chunks(frames * channels))
        .zip(scale.par_chunks(channels))
        .run(|((y, x), scale)| {
            y.par_chunks_mut(task)
                .zip(x.par_chunks(task))
                .run(|(y, x)| multiply(x, scale, y));
        });
    y
}

/// The gradient of the scale in [`forward`]; that of its input is the gradient, scaled.
pub(crate) fn backward_scale<T: Real>(x: &[T], dims: [usize; 3], gradient: &[T]) -> Vec<T> {
    let [batch, frames, channels] = dims;
    let mut found = buffer::take(batch * channels);
    let task = TASK.div_ceil(channels) * channels;
    found
        .par_chunks_mut(channels)
        .zip(x.par_chunks(frames * channels))
        .zip(gradient.par_chunks(frames * channels))
        .run(|((found, x), gradient)| {
            let parts: Vec<Vec<f64>> = x
                .par_chunks(task)
                .zip(gradient.par_chunks(task))
                .map(|(x, gradient)| sum_products(x, gradient, channels))
                .gather();
            for (channel, found) in found.iter_mut().enumerate() {
                *found = T::from_f64(parts.iter().map(|part| part[channel]).sum());
            }
        });
    found
}

fn sum_products<T: Real>(x: &[T], gradient: &[T], channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    let block = SUM_FRAMES * channels;
    for (x, gradient) in x.chunks(block).zip(gradient.chunks(block)) {
        let mut part = vec![T::ZERO; channels];
        add_products(x, gradient, &mut part);
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part.to_f64();
        }
    }
    sums
}

vectorised! {
    fn multiply<T: Real>(x: &[T], scale: &[T], y: &mut [T]) {
        let channels = scale.len();
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for ((y, &x), &scale) in y.iter_mut().zip(x).zip(scale) {
                *y = x * scale;
            }
        }
    }

    fn add_products<T: Real>(x: &[T], gradient: &[T], sums: &mut [T]) {
        let channels = sums.len();
        for (x, gradient) in x.chunks_exact(channels).zip(gradient.chunks_exact(channels)) {
            for ((sum, &x), &gradient) in sums.iter_mut().zip(x).zip(gradient) {
                *sum += x * gradient;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_the_sums_they_should_be() {
        let dims = [2, 300, 3];
        let numbers = |count: usize, step: usize| -> Vec<f64> {
            (0..count).map(|i| (i * step % 17) as f64 - 8.0).collect()
        };
        let (x, gradient, scale) = (numbers(1800, 5), numbers(1800, 7), numbers(6, 3));
        let y = forward(&x, &scale, dims);
        let found = backward_scale(&x, dims, &gradient);
        let at = |i: usize| i / 900 * 3 + i % 3;
        let mut expected = vec![0.0; 6];
        for i in 0..1800 {
            assert_eq!(y[i], x[i] * scale[at(i)]);
            expected[at(i)] += x[i] * gradient[i];
        }
        assert_eq!(found, expected);
    }
}
