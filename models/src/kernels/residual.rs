//! The end of a residual block of a sequence: the sum of branch and shortcut, ReLU and max pooling in
//! one pass.

use rayon::prelude::*;

use super::tasks::Tasks;
use super::{Real, buffer};

/// Output values that one task takes, about.
const TASK: usize = 1 << 13;

/// What `which` holds where ReLU let nothing through.
const NONE: u8 = u8::MAX;

/// A sequence `[batch, frames, channels]` and the frames of its windows, fewer than 255.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) size: [usize; 3],
    pub(crate) pool: usize,
}

impl Ends {
    /// `[batch, steps, channels]`; a remainder of frames is dropped.
    pub(crate) fn size_out(&self) -> [usize; 3] {
        let [batch, frames, channels] = self.size;
        [batch, frames / self.pool, channels]
    }

    /// The largest value of each window of `max(x + around, 0)`, and which of the window's it was.
    pub(crate) fn forward<T: Real>(&self, x: &[T], around: &[T]) -> (Vec<T>, Vec<u8>) {
        let [batch, steps, channels] = self.size_out();
        let len = batch * steps * channels;
        let mut y = buffer::take(len);
        let mut which = vec![0; len];
        let task = TASK.div_ceil(channels) * channels;
        let window = self.pool * channels;
        for (row, (y, which)) in y
            .chunks_mut((steps * channels).max(1))
            .zip(which.chunks_mut((steps * channels).max(1)))
            .enumerate()
        {
            let from = row * self.size[1] * channels;
            let (x, around) = (
                &x[from..][..steps * window],
                &around[from..][..steps * window],
            );
            y.par_chunks_mut(task)
                .zip(which.par_chunks_mut(task))
                .zip(x.par_chunks(task * self.pool))
                .zip(around.par_chunks(task * self.pool))
                .run(|(((y, which), x), around)| largest(x, around, channels, y, which));
        }
        (y, which)
    }

    /// The gradient of the sum in [`Self::forward`], hence of either input.
    pub(crate) fn backward<T: Real>(&self, which: &[u8], gradient: &[T]) -> Vec<T> {
        let [batch, frames, channels] = self.size;
        let steps = frames / self.pool;
        let mut x = buffer::take(batch * frames * channels);
        let task = (TASK / self.pool).div_ceil(channels) * channels;
        for (row, x) in x.chunks_mut((frames * channels).max(1)).enumerate() {
            let (x, remainder) = x.split_at_mut(steps * self.pool * channels);
            remainder.fill(T::ZERO);
            let from = row * steps * channels;
            x.par_chunks_mut(task * self.pool)
                .zip(which[from..][..steps * channels].par_chunks(task))
                .zip(gradient[from..][..steps * channels].par_chunks(task))
                .run(|((x, which), gradient)| pass_back(gradient, which, channels, x));
        }
        x
    }
}

vectorised! {
    fn largest<T: Real>(x: &[T], around: &[T], channels: usize, y: &mut [T], which: &mut [u8]) {
        let window = x.len() / (y.len() / channels);
        let lines = y.chunks_exact_mut(channels).zip(which.chunks_exact_mut(channels));
        let windows = x.chunks_exact(window).zip(around.chunks_exact(window));
        for ((y, which), (x, around)) in lines.zip(windows) {
            y.fill(T::ZERO);
            which.fill(NONE);
            let frames = x.chunks_exact(channels).zip(around.chunks_exact(channels));
            for (k, (x, around)) in (0u8..).zip(frames) {
                let values = x.iter().zip(around);
                for ((y, which), (&x, &around)) in y.iter_mut().zip(which.iter_mut()).zip(values) {
                    let sum = x + around;
                    // What is not a number gets through, and so do the gradients of its inputs.
                    let is_kept = sum <= *y;
                    *y = if is_kept { *y } else { sum };
                    *which = if is_kept { *which } else { k };
                }
            }
        }
    }

    fn pass_back<T: Real>(gradient: &[T], which: &[u8], channels: usize, x: &mut [T]) {
        let window = x.len() / (gradient.len() / channels);
        let lines = gradient.chunks_exact(channels).zip(which.chunks_exact(channels));
        for (x, (gradient, which)) in x.chunks_exact_mut(window).zip(lines) {
            for (k, x) in (0u8..).zip(x.chunks_exact_mut(channels)) {
                for (x, (&gradient, &which)) in x.iter_mut().zip(gradient.iter().zip(which)) {
                    *x = if which == k { gradient } else { T::ZERO };
                }
            }
        }
    }
}
