//! Maxima and averages over windows side by side, and over all valid frames.

use rayon::prelude::*;

use super::tasks::Tasks;
use super::{Real, buffer};

/// An image `[batch, frames, bins, channels]` and the frames and bins of its windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) size: [usize; 4],
    pub(crate) pool: [usize; 2],
}

impl Windows {
    /// `[batch, steps, bands, channels]`; remainders are dropped.
    pub(crate) fn size_out(&self) -> [usize; 4] {
        let [batch, frames, bins, channels] = self.size;
        [batch, frames / self.pool[0], bins / self.pool[1], channels]
    }

    /// Values of one line of the output.
    fn line(&self) -> usize {
        let [_, _, bands, channels] = self.size_out();
        bands * channels
    }

    /// The largest value of each window, and which of the window's it was, the first of equals.
    ///
    /// # Panics
    /// If a window has more than 256 positions.
    pub(crate) fn max<T: Real>(&self, x: &[T]) -> (Vec<T>, Vec<u8>) {
        assert!(self.pool[0] * self.pool[1] <= 256);
        let len = self.size_out().iter().product();
        let mut y = buffer::take(len);
        let mut which = vec![0u8; len];
        let line = self.line().max(1);
        y.par_chunks_mut(line)
            .zip(which.par_chunks_mut(line))
            .enumerate()
            .run(|(index, (y, which))| max_line(self, &x[self.first(index)..], y, which));
        (y, which)
    }

    /// The gradient of the input of [`Self::max`].
    pub(crate) fn max_backward<T: Real>(&self, which: &[u8], gradient: &[T]) -> Vec<T> {
        self.spread(|from, to, position| {
            pass_largest(&gradient[from..], &which[from..], position, to)
        })
    }

    /// The average of each window.
    pub(crate) fn average<T: Real>(&self, x: &[T]) -> Vec<T> {
        let mut y = buffer::take(self.size_out().iter().product());
        y.par_chunks_mut(self.line().max(1))
            .enumerate()
            .run(|(index, y)| average_line(self, &x[self.first(index)..], y));
        y
    }

    /// The gradient of the input of [`Self::average`].
    pub(crate) fn average_backward<T: Real>(&self, gradient: &[T]) -> Vec<T> {
        self.spread(|from, to, _| scale(&gradient[from..], self.share(), to))
    }

    /// One over the positions of a window.
    fn share<T: Real>(&self) -> T {
        T::from_f64(1.0 / (self.pool[0] * self.pool[1]) as f64)
    }

    /// Starts of the windows of an output line in the input.
    fn first(&self, line: usize) -> usize {
        let [_, frames, bins, channels] = self.size;
        let steps = self.size_out()[1];
        let frame = line / steps * frames + line % steps * self.pool[0];
        frame * bins * channels
    }

    /// Positions of a window, counted from the beginning of its line, in order.
    #[inline(always)]
    fn window(&self, band: usize) -> impl Iterator<Item = usize> {
        let [_, _, bins, channels] = self.size;
        let [pool_frames, pool_bins] = self.pool;
        (0..pool_frames).flat_map(move |k| {
            (0..pool_bins).map(move |l| (k * bins + band * pool_bins + l) * channels)
        })
    }

    /// A gradient of the input, from where the output of each position's window begins, and the
    /// position in its window; zero where no window is.
    fn spread<T: Real>(&self, set: impl Fn(usize, &mut [T], usize) + Sync) -> Vec<T> {
        let [_, frames, bins, channels] = self.size;
        let [_, steps, bands, _] = self.size_out();
        let [pool_frames, pool_bins] = self.pool;
        let mut x = buffer::take(self.size.iter().product());
        x.par_chunks_mut((bins * channels).max(1))
            .enumerate()
            .run(|(index, x)| {
                let (row, frame) = (index / frames, index % frames);
                let (step, k) = (frame / pool_frames, frame % pool_frames);
                for (bin, x) in x.chunks_exact_mut(channels).enumerate() {
                    let (band, l) = (bin / pool_bins, bin % pool_bins);
                    if step >= steps || band >= bands {
                        x.fill(T::ZERO);
                        continue;
                    }
                    let from = ((row * steps + step) * bands + band) * channels;
                    set(from, x, k * pool_bins + l);
                }
            });
        x
    }
}

/// The mean over the valid frames of each row: `[batch, frames, channels]` to `[batch, channels]`.
/// A row without any is zero.
pub(crate) fn mean<T: Real>(
    x: &[T],
    [_, frames, channels]: [usize; 3],
    lengths: &[usize],
) -> Vec<T> {
    let mut y = buffer::take(lengths.len() * channels);
    y.par_chunks_mut(channels.max(1))
        .zip(lengths)
        .enumerate()
        .run(|(row, (y, &length))| {
            let valid = length.min(frames);
            mean_row(&x[row * frames * channels..][..valid * channels], y);
        });
    y
}

/// The gradient of the input of [`mean`].
pub(crate) fn mean_backward<T: Real>(
    gradient: &[T],
    [batch, frames, channels]: [usize; 3],
    lengths: &[usize],
) -> Vec<T> {
    let mut x = buffer::take(batch * frames * channels);
    x.par_chunks_mut((frames * channels).max(1))
        .zip(lengths)
        .enumerate()
        .run(|(row, (x, &length))| {
            let valid = length.min(frames);
            let share = T::from_f64(1.0 / valid.max(1) as f64);
            let gradient = &gradient[row * channels..][..channels];
            let (values, padding) = x.split_at_mut(valid * channels);
            for frame in values.chunks_exact_mut(channels) {
                scale(gradient, share, frame);
            }
            padding.fill(T::ZERO);
        });
    x
}

/// The largest value over the valid frames of each row, and the frame it is in, the first of
/// equals: `[batch, frames, channels]` to twice `[batch, channels]`. Each row has a valid frame.
pub(crate) fn max<T: Real>(
    x: &[T],
    [_, frames, channels]: [usize; 3],
    lengths: &[usize],
) -> (Vec<T>, Vec<u32>) {
    let mut y = buffer::take(lengths.len() * channels);
    let mut which = vec![0u32; y.len()];
    y.par_chunks_mut(channels.max(1))
        .zip(which.par_chunks_mut(channels.max(1)))
        .zip(lengths)
        .enumerate()
        .run(|(row, ((y, which), &length))| {
            let valid = length.min(frames);
            max_row(&x[row * frames * channels..][..valid * channels], y, which);
        });
    (y, which)
}

/// The gradient of the input of [`max`].
pub(crate) fn max_backward<T: Real>(
    gradient: &[T],
    which: &[u32],
    [batch, frames, channels]: [usize; 3],
) -> Vec<T> {
    let mut x = buffer::take_zeroed(batch * frames * channels);
    x.par_chunks_mut((frames * channels).max(1))
        .zip(gradient.par_chunks(channels.max(1)))
        .zip(which.par_chunks(channels.max(1)))
        .run(|((x, gradient), which)| {
            for (channel, (&gradient, &frame)) in gradient.iter().zip(which).enumerate() {
                x[frame as usize * channels + channel] = gradient;
            }
        });
    x
}

vectorised! {
    fn max_row<T: Real>(x: &[T], y: &mut [T], which: &mut [u32]) {
        let channels = y.len();
        y.copy_from_slice(&x[..channels]);
        which.fill(0);
        for (frame, x) in x.chunks_exact(channels).enumerate().skip(1) {
            for ((y, which), &x) in y.iter_mut().zip(&mut *which).zip(x) {
                let larger = x > *y;
                *y = if larger { x } else { *y };
                *which = if larger { frame as u32 } else { *which };
            }
        }
    }

    fn max_line<T: Real>(windows: &Windows, x: &[T], y: &mut [T], which: &mut [u8]) {
        let channels = windows.size[3];
        let lines = y.chunks_exact_mut(channels).zip(which.chunks_exact_mut(channels));
        for (band, (y, which)) in lines.enumerate() {
            for (position, from) in windows.window(band).enumerate() {
                let x = &x[from..from + channels];
                if position == 0 {
                    y.copy_from_slice(x);
                    which.fill(0);
                    continue;
                }
                for ((y, which), &x) in y.iter_mut().zip(&mut *which).zip(x) {
                    let larger = x > *y;
                    *y = if larger { x } else { *y };
                    *which = if larger { position as u8 } else { *which };
                }
            }
        }
    }

    fn average_line<T: Real>(windows: &Windows, x: &[T], y: &mut [T]) {
        let channels = windows.size[3];
        let share = windows.share();
        for (band, y) in y.chunks_exact_mut(channels).enumerate() {
            y.fill(T::ZERO);
            for from in windows.window(band) {
                for (y, &x) in y.iter_mut().zip(&x[from..from + channels]) {
                    *y += x;
                }
            }
            for y in y {
                *y = *y * share;
            }
        }
    }

    /// The gradient where `position` held the largest value, zero elsewhere.
    fn pass_largest<T: Real>(gradient: &[T], which: &[u8], position: usize, to: &mut [T]) {
        for ((to, &g), &which) in to.iter_mut().zip(gradient).zip(which) {
            *to = if usize::from(which) == position { g } else { T::ZERO };
        }
    }

    fn scale<T: Real>(values: &[T], factor: T, to: &mut [T]) {
        for (to, &value) in to.iter_mut().zip(values) {
            *to = value * factor;
        }
    }

    fn mean_row<T: Real>(x: &[T], y: &mut [T]) {
        let channels = y.len();
        y.fill(T::ZERO);
        for frame in x.chunks_exact(channels) {
            for (y, &x) in y.iter_mut().zip(frame) {
                *y += x;
            }
        }
        let share = T::from_f64(1.0 / (x.len() / channels).max(1) as f64);
        for y in y {
            *y = *y * share;
        }
    }
}
