//! The sum of the two directions of a recurrent layer, which lie side by side.

use rayon::prelude::*;

use super::tasks::Tasks;
use super::{Real, buffer};

/// Values that one task takes.
const TASK: usize = 1 << 14;

/// `[positions, 2·hidden]` to `[positions, hidden]`.
pub(crate) fn sum<T: Real>(x: &[T], hidden: usize) -> Vec<T> {
    let mut y = buffer::take(x.len() / 2);
    let lines = TASK.div_ceil(hidden.max(1));
    y.par_chunks_mut((lines * hidden).max(1))
        .zip(x.par_chunks((lines * 2 * hidden).max(1)))
        .run(|(y, x)| {
            for (y, x) in y.chunks_exact_mut(hidden).zip(x.chunks_exact(2 * hidden)) {
                let (forward, backward) = x.split_at(hidden);
                for ((y, &a), &b) in y.iter_mut().zip(forward).zip(backward) {
                    *y = a + b;
                }
            }
        });
    y
}

/// The gradient of the input of [`sum`]: that of the output, for both.
pub(crate) fn sum_backward<T: Real>(gradient: &[T], hidden: usize) -> Vec<T> {
    let mut x = buffer::take(gradient.len() * 2);
    let lines = TASK.div_ceil(hidden.max(1));
    x.par_chunks_mut((lines * 2 * hidden).max(1))
        .zip(gradient.par_chunks((lines * hidden).max(1)))
        .run(|(x, y)| {
            for (x, y) in x.chunks_exact_mut(2 * hidden).zip(y.chunks_exact(hidden)) {
                let (forward, backward) = x.split_at_mut(hidden);
                forward.copy_from_slice(y);
                backward.copy_from_slice(y);
            }
        });
    x
}
