//! Batch normalisation, an activation that clamps, and max pooling in one: each value of the input
//! is read once for the statistics and once for the result.

use std::ops::Range;

use rayon::prelude::*;

use super::product::Shared;
use super::tasks::Tasks;
use super::{Real, buffer};

/// An image of channels, how much of it is valid, and what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Plan<T> {
    /// `[batch, frames, bins, channels]`
    pub(crate) size: [usize; 4],
    /// Valid frames of each row of the batch.
    pub(crate) lengths: Vec<usize>,
    /// Frames and bins that become one; a remainder is dropped.
    pub(crate) pool: [usize; 2],
    /// Bounds of the normalised values: `[0, ∞]` is ReLU.
    pub(crate) range: [T; 2],
}

/// The statistics of each channel over a training batch.
#[derive(Debug, Clone)]
pub(crate) struct Statistics {
    pub(crate) mean: Vec<f64>,
    /// The biased variance.
    pub(crate) variance: Vec<f64>,
    /// The positions they were taken over.
    pub(crate) count: usize,
}

/// Values of a training pass that its gradient needs.
#[derive(Debug, Clone)]
pub(crate) struct Saved<T> {
    statistics: Statistics,
    /// `γ / √(variance + ε)`
    scale: Vec<T>,
    /// `β − mean · scale`
    shift: Vec<T>,
    /// `1 / √(variance + ε)`
    inverse: Vec<f64>,
    /// The input at the largest value of each window, and which of the window's it was; empty
    /// without pooling.
    picked: Vec<T>,
    which: Vec<u8>,
}

impl<T> Saved<T> {
    pub(crate) fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}

/// Gradients of input, γ and β.
pub(crate) type Gradients<T> = (Vec<T>, Vec<T>, Vec<T>);

/// Positions that a task takes, and those that are summed before the sum is widened.
const TASK_POSITIONS: usize = 2048;
const SUM_POSITIONS: usize = 128;

impl<T: Real> Plan<T> {
    /// `[batch, steps, bands, channels]`
    pub(crate) fn size_out(&self) -> [usize; 4] {
        let [batch, frames, bins, channels] = self.size;
        let [steps, bands] = [frames / self.pool[0], bins / self.pool[1]];
        [batch, steps, bands, channels]
    }

    fn is_pooled(&self) -> bool {
        self.pool != [1, 1]
    }

    /// The ranges of valid positions, as indices of frames of all rows, cut into tasks.
    fn tasks(&self) -> Vec<Range<usize>> {
        let [_, frames, bins, _] = self.size;
        let step = TASK_POSITIONS.div_ceil(bins.max(1));
        let row = |(row, &length): (usize, &usize)| {
            let first = row * frames;
            let valid = length.min(frames);
            (0..valid)
                .step_by(step)
                .map(move |from| first + from..first + valid.min(from + step))
        };
        self.lengths.iter().enumerate().flat_map(row).collect()
    }

    /// Mean and variance of each channel over the valid positions.
    pub(crate) fn statistics(&self, x: &[T]) -> Statistics {
        let [_, _, bins, channels] = self.size;
        let line = bins * channels;
        let tasks = self.tasks();
        let count = tasks
            .iter()
            .map(|frames| frames.len() * bins)
            .sum::<usize>();
        assert!(count > 0, "batch norm: a batch without a valid position");
        // Sums of what differs from one of the values lose nothing where the mean is far from zero.
        let origin = &x[tasks[0].start * line..][..channels];
        let sums = sum_tasks(&tasks, channels, |frames, sums| {
            let values = &x[frames.start * line..frames.end * line];
            for block in values.chunks(SUM_POSITIONS * channels) {
                let mut part = vec![T::ZERO; 2 * channels];
                let (first, second) = part.split_at_mut(channels);
                add_differences(block, origin, first, second);
                for (sum, part) in sums.iter_mut().zip(&part) {
                    *sum += part.to_f64();
                }
            }
        });
        let (first, second) = sums.split_at(channels);
        let n = count as f64;
        let mean = first.iter().zip(origin).map(|(s, o)| o.to_f64() + s / n);
        let variance = first
            .iter()
            .zip(second)
            .map(|(s1, s2)| (s2 / n - (s1 / n).powi(2)).max(0.0));
        Statistics {
            mean: mean.collect(),
            variance: variance.collect(),
            count,
        }
    }

    /// `γ (x − mean) / √(variance + ε) + β`, clamped and pooled; zero past a row's pooled length.
    pub(crate) fn forward_training(
        &self,
        x: &[T],
        gamma: &[T],
        beta: &[T],
        epsilon: f64,
        keep: bool,
    ) -> (Vec<T>, Saved<T>) {
        let statistics = self.statistics(x);
        let inverse: Vec<f64> = statistics
            .variance
            .iter()
            .map(|variance| 1.0 / (variance + epsilon).sqrt())
            .collect();
        let scale: Vec<T> = gamma
            .iter()
            .zip(&inverse)
            .map(|(g, i)| T::from_f64(g.to_f64() * i))
            .collect();
        let shift: Vec<T> = beta
            .iter()
            .zip(&scale)
            .zip(&statistics.mean)
            .map(|((b, s), m)| T::from_f64(b.to_f64() - m * s.to_f64()))
            .collect();
        let (output, picked, which) = self.forward(x, &scale, &shift, keep && self.is_pooled());
        let saved = Saved {
            statistics,
            scale,
            shift,
            inverse,
            picked,
            which,
        };
        (output, saved)
    }

    /// `x · scale + shift`, clamped and pooled; zero past a row's pooled length. With `keep`, also
    /// what was picked of each window.
    pub(crate) fn forward(
        &self,
        x: &[T],
        scale: &[T],
        shift: &[T],
        keep: bool,
    ) -> (Vec<T>, Vec<T>, Vec<u8>) {
        let [batch, frames, bins, channels] = self.size;
        assert_eq!(x.len(), batch * frames * bins * channels);
        let [_, steps, bands, _] = self.size_out();
        let line = bands * channels;
        let len = batch * steps * line;
        let mut output = buffer::take(len);
        let mut picked = buffer::take(if keep { len } else { 0 });
        let mut which = vec![0u8; if keep { len } else { 0 }];
        let shared = Shared::new(&mut output);
        let (shared_picked, shared_which) = (Shared::new(&mut picked), Shared::new(&mut which));
        let block = TASK_POSITIONS.div_ceil(bins * self.pool[0]).max(1);
        let blocks = steps.div_ceil(block);
        (0..batch * blocks).into_par_iter().run(|task| {
            let row = task / blocks;
            let first = task % blocks * block;
            let valid = (self.lengths[row].min(frames) / self.pool[0]).min(steps);
            for step in first..steps.min(first + block) {
                let from = (row * steps + step) * line;
                // SAFETY: these three are lines of this step, which this task alone writes.
                let output = unsafe { shared.part(from, line) };
                if step >= valid {
                    output.fill(T::ZERO);
                    continue;
                }
                let kept = keep.then(|| unsafe {
                    (
                        shared_picked.part(from, line),
                        shared_which.part(from, line),
                    )
                });
                let frame = row * frames + step * self.pool[0];
                let line = bins * channels;
                let x = &x[frame * line..(frame + self.pool[0]) * line];
                match kept {
                    Some((picked, which)) => {
                        pick_line(self, x, scale, shift, output, picked, which)
                    }
                    None => pool_line(self, x, scale, shift, output),
                }
            }
        });
        (output, picked, which)
    }

    /// The gradients, from that of the output. The input's memory is used for its gradient.
    pub(crate) fn backward(&self, mut x: Vec<T>, saved: Saved<T>, gradient: &[T]) -> Gradients<T> {
        let [batch, frames, bins, channels] = self.size;
        let [_, steps, bands, _] = self.size_out();
        assert_eq!(gradient.len(), batch * steps * bands * channels);
        let (scale, shift) = (&saved.scale[..channels], &saved.shift[..channels]);
        let line_out = bands * channels;
        let line = bins * channels;

        // Σ g and Σ g·(x − mean) over all that the gradient passes through.
        let mean: Vec<T> = saved
            .statistics
            .mean
            .iter()
            .map(|&m| T::from_f64(m))
            .collect();
        let valid_steps: Vec<Range<usize>> = self
            .lengths
            .iter()
            .enumerate()
            .flat_map(|(row, &length)| {
                let valid = (length.min(frames) / self.pool[0]).min(steps);
                let block = TASK_POSITIONS.div_ceil(bands.max(1));
                (0..valid)
                    .step_by(block)
                    .map(move |from| row * steps + from..row * steps + valid.min(from + block))
            })
            .collect();
        let picked: &[T] = if self.is_pooled() { &saved.picked } else { &x };
        let sums = sum_tasks(&valid_steps, channels, |steps, sums| {
            let positions = steps.start * bands..steps.end * bands;
            for from in positions.clone().step_by(SUM_POSITIONS) {
                let mut part = vec![T::ZERO; 2 * channels];
                let to = positions.end.min(from + SUM_POSITIONS);
                let block = from * channels..to * channels;
                let (first, second) = part.split_at_mut(channels);
                let constants = [scale, shift, &mean];
                let range = self.range;
                add_gradients(
                    &picked[block.clone()],
                    &gradient[block],
                    constants,
                    range,
                    first,
                    second,
                );
                for (sum, part) in sums.iter_mut().zip(&part) {
                    *sum += part.to_f64();
                }
            }
        });
        let (sum, product) = sums.split_at(channels);

        // dx = scale · (g − mean of g − x̂ · mean of g·x̂) = scale · g − a − b · x
        let n = saved.statistics.count as f64;
        let slope: Vec<f64> = (0..channels)
            .map(|c| scale[c].to_f64() * saved.inverse[c].powi(2) * product[c] / n)
            .collect();
        let level: Vec<T> = (0..channels)
            .map(|c| scale[c].to_f64() * sum[c] / n - slope[c] * saved.statistics.mean[c])
            .map(T::from_f64)
            .collect();
        let slope: Vec<T> = slope.into_iter().map(T::from_f64).collect();
        let gradient_gamma = (0..channels)
            .map(|c| T::from_f64(product[c] * saved.inverse[c]))
            .collect();
        let gradient_beta = sum.iter().map(|&s| T::from_f64(s)).collect();

        let pool_frames = self.pool[0];
        let block = TASK_POSITIONS.div_ceil(bins * pool_frames).max(1) * pool_frames;
        let blocks = frames.div_ceil(block);
        let shared = Shared::new(&mut x);
        (0..batch * blocks).into_par_iter().run(|task| {
            let (row, first) = (task / blocks, task % blocks * block);
            let valid = self.lengths[row].min(frames);
            let valid_steps = (valid / pool_frames).min(steps);
            for frame in first..frames.min(first + block) {
                // SAFETY: this task alone reads and writes the frames of its block.
                let x = unsafe { shared.part((row * frames + frame) * line, line) };
                if frame >= valid {
                    x.fill(T::ZERO);
                    continue;
                }
                let (step, k) = (frame / pool_frames, frame % pool_frames);
                // Frames of a window that does not count meet no gradient of their own.
                let covered = if step < valid_steps { bands } else { 0 };
                let from = (row * steps + step) * line_out;
                let gradient = &gradient[from..from + covered * channels];
                let which = match saved.which.as_slice() {
                    [] => &[],
                    which => &which[from..from + covered * channels],
                };
                let constants = [scale, shift, &level, &slope];
                gradient_line(self, x, k, gradient, which, constants);
            }
        });
        buffer::give(saved.picked);
        (x, gradient_gamma, gradient_beta)
    }
}

vectorised! {
    /// Adds `x − origin` and its square, position by position.
    fn add_differences<T: Real>(x: &[T], origin: &[T], first: &mut [T], second: &mut [T]) {
        let channels = origin.len();
        let (first, second) = (&mut first[..channels], &mut second[..channels]);
        for x in x.chunks_exact(channels) {
            for c in 0..channels {
                let d = x[c] - origin[c];
                first[c] += d;
                second[c] += d * d;
            }
        }
    }

    /// One line of the output from the frames of its windows, and what was picked of each window.
    fn pick_line<T: Real>(
        plan: &Plan<T>,
        x: &[T],
        scale: &[T],
        shift: &[T],
        output: &mut [T],
        picked: &mut [T],
        which: &mut [u8],
    ) {
        let [_, _, bins, channels] = plan.size;
        let [pool_frames, pool_bins] = plan.pool;
        let (scale, shift) = (&scale[..channels], &shift[..channels]);
        let lines = output.chunks_exact_mut(channels);
        let kept = picked.chunks_exact_mut(channels).zip(which.chunks_exact_mut(channels));
        for (band, (output, (picked, which))) in lines.zip(kept).enumerate() {
            for k in 0..pool_frames {
                for l in 0..pool_bins {
                    let from = (k * bins + band * pool_bins + l) * channels;
                    let x = &x[from..from + channels];
                    let position = (k * pool_bins + l) as u8;
                    if position == 0 {
                        for c in 0..channels {
                            output[c] = x[c] * scale[c] + shift[c];
                        }
                        picked.copy_from_slice(x);
                        which.fill(0);
                        continue;
                    }
                    for c in 0..channels {
                        let y = x[c] * scale[c] + shift[c];
                        let larger = y > output[c];
                        output[c] = if larger { y } else { output[c] };
                        picked[c] = if larger { x[c] } else { picked[c] };
                        which[c] = if larger { position } else { which[c] };
                    }
                }
            }
            clamp(output, plan.range);
        }
    }

    /// One line of the output from the frames of its windows.
    fn pool_line<T: Real>(plan: &Plan<T>, x: &[T], scale: &[T], shift: &[T], output: &mut [T]) {
        let [_, _, bins, channels] = plan.size;
        let [pool_frames, pool_bins] = plan.pool;
        let (scale, shift) = (&scale[..channels], &shift[..channels]);
        for (band, output) in output.chunks_exact_mut(channels).enumerate() {
            for k in 0..pool_frames {
                for l in 0..pool_bins {
                    let from = (k * bins + band * pool_bins + l) * channels;
                    let x = &x[from..from + channels];
                    let first = k + l == 0;
                    for c in 0..channels {
                        let y = x[c] * scale[c] + shift[c];
                        output[c] = if first | (y > output[c]) { y } else { output[c] };
                    }
                }
            }
            clamp(output, plan.range);
        }
    }

    /// Adds the gradients that pass the activation, and their products with `x − mean`.
    fn add_gradients<T: Real>(
        x: &[T],
        gradient: &[T],
        [scale, shift, mean]: [&[T]; 3],
        [low, high]: [T; 2],
        first: &mut [T],
        second: &mut [T],
    ) {
        let channels = mean.len();
        let (scale, shift) = (&scale[..channels], &shift[..channels]);
        let (first, second) = (&mut first[..channels], &mut second[..channels]);
        for (x, g) in x.chunks_exact(channels).zip(gradient.chunks_exact(channels)) {
            for c in 0..channels {
                let y = x[c] * scale[c] + shift[c];
                let g = if (y > low) & (y < high) { g[c] } else { T::ZERO };
                first[c] += g;
                second[c] += g * (x[c] - mean[c]);
            }
        }
    }

    /// Turns one line of the input, in row `k` of its windows, into its gradient. Bins beyond those
    /// that `gradient` covers have none of their own.
    fn gradient_line<T: Real>(
        plan: &Plan<T>,
        x: &mut [T],
        k: usize,
        gradient: &[T],
        which: &[u8],
        [scale, shift, level, slope]: [&[T]; 4],
    ) {
        let [_, _, _, channels] = plan.size;
        let [low, high] = plan.range;
        let (level, slope) = (&level[..channels], &slope[..channels]);
        let (scale, shift) = (&scale[..channels], &shift[..channels]);
        let pool_bins = plan.pool[1];
        for (bin, x) in x.chunks_exact_mut(channels).enumerate() {
            let at = bin / pool_bins * channels;
            if at >= gradient.len() {
                for c in 0..channels {
                    x[c] = -(level[c] + slope[c] * x[c]);
                }
                continue;
            }
            let g = &gradient[at..at + channels];
            if which.is_empty() {
                for c in 0..channels {
                    let y = x[c] * scale[c] + shift[c];
                    let g = if (y > low) & (y < high) { g[c] } else { T::ZERO };
                    x[c] = scale[c] * g - (level[c] + slope[c] * x[c]);
                }
                continue;
            }
            let which = &which[at..at + channels];
            let here = (k * pool_bins + bin % pool_bins) as u8;
            for c in 0..channels {
                let y = x[c] * scale[c] + shift[c];
                let passes = (which[c] == here) & (y > low) & (y < high);
                let g = if passes { g[c] } else { T::ZERO };
                x[c] = scale[c] * g - (level[c] + slope[c] * x[c]);
            }
        }
    }
}

/// Clamps to a range; what is not a number stays so, as it does in a maximum with zero elsewhere.
#[inline(always)]
fn clamp<T: Real>(values: &mut [T], [low, high]: [T; 2]) {
    for y in values {
        let above = if *y < low { low } else { *y };
        *y = if above > high { high } else { above };
    }
}

/// What `add` adds to two sums for each channel, over all tasks, always in the same order.
fn sum_tasks(
    tasks: &[Range<usize>],
    channels: usize,
    add: impl Fn(&Range<usize>, &mut [f64]) + Sync,
) -> Vec<f64> {
    let parts: Vec<Vec<f64>> = tasks
        .par_iter()
        .map(|task| {
            let mut sums = vec![0.0; 2 * channels];
            add(task, &mut sums);
            sums
        })
        .gather();
    let mut sums = vec![0.0; 2 * channels];
    for part in parts {
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(len: usize, seed: usize) -> Vec<f64> {
        (0..len)
            .map(|i| ((i * 7919 + seed * 104_729 + 13) % 1009) as f64 / 504.0 - 1.0)
            .collect()
    }

    fn loss(plan: &Plan<f64>, x: &[f64], gamma: &[f64], beta: &[f64], weights: &[f64]) -> f64 {
        let (y, _) = plan.forward_training(x, gamma, beta, 1e-5, false);
        y.iter().zip(weights).map(|(y, w)| y * w).sum()
    }

    #[test]
    fn gradients_are_finite_differences() {
        for (pool, range, lengths) in [
            ([1, 1], [0.0, f64::INFINITY], [5, 3]),
            ([2, 2], [0.0, 0.9], [5, 4]),
            ([2, 1], [f64::NEG_INFINITY, f64::INFINITY], [5, 1]),
            ([1, 3], [0.0, f64::INFINITY], [4, 0]),
        ] {
            let plan = Plan {
                size: [2, 5, 4, 3],
                lengths: lengths.to_vec(),
                pool,
                range,
            };
            let mut x = values(2 * 5 * 4 * 3, 1);
            let mut gamma = vec![1.2, -0.7, 0.4];
            let mut beta = vec![0.1, 0.2, -0.1];
            let len = plan.size_out().iter().product();
            let weights = values(len, 2);
            let (y, saved) = plan.forward_training(&x, &gamma, &beta, 1e-5, true);
            assert_eq!(y.len(), len);
            let (dx, dgamma, dbeta) = plan.backward(x.clone(), saved, &weights);
            let h = 1e-6;
            let check = |found: f64, up: f64, down: f64| {
                let expected = (up - down) / (2.0 * h);
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{found} and {expected}, {pool:?}"
                );
            };
            for i in 0..x.len() {
                let old = x[i];
                x[i] = old + h;
                let up = loss(&plan, &x, &gamma, &beta, &weights);
                x[i] = old - h;
                let down = loss(&plan, &x, &gamma, &beta, &weights);
                x[i] = old;
                check(dx[i], up, down);
            }
            for c in 0..3 {
                let old = gamma[c];
                gamma[c] = old + h;
                let up = loss(&plan, &x, &gamma, &beta, &weights);
                gamma[c] = old - h;
                let down = loss(&plan, &x, &gamma, &beta, &weights);
                gamma[c] = old;
                check(dgamma[c], up, down);
                let old = beta[c];
                beta[c] = old + h;
                let up = loss(&plan, &x, &gamma, &beta, &weights);
                beta[c] = old - h;
                let down = loss(&plan, &x, &gamma, &beta, &weights);
                beta[c] = old;
                check(dbeta[c], up, down);
            }
        }
    }

    #[test]
    fn statistics_far_from_zero_keep_their_digits() {
        let x: Vec<f32> = values(4000, 5).iter().map(|v| 1e4 + *v as f32).collect();
        let plan = Plan {
            size: [1, 1000, 4, 1],
            lengths: vec![1000],
            pool: [1, 1],
            range: [f32::NEG_INFINITY, f32::INFINITY],
        };
        let found = plan.statistics(&x);
        let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / 4000.0;
        let variance = x
            .iter()
            .map(|&v| (f64::from(v) - mean).powi(2))
            .sum::<f64>()
            / 4000.0;
        assert!((found.mean[0] - mean).abs() < 1e-6);
        assert!((found.variance[0] / variance - 1.0).abs() < 1e-5);
    }
}
