//! Zeros past the end of each row.

use super::{Real, buffer};

/// Sets the frames past each row's length to zero; `x` is `[batch, frames, ...]`.
pub(crate) fn zero_padding<T: Real>(x: &mut [T], lengths: &[usize], frames: usize) {
    let row_len = x.len() / lengths.len().max(1);
    for (row, &length) in x.chunks_exact_mut(row_len.max(1)).zip(lengths) {
        let valid = length.min(frames) * (row_len / frames.max(1));
        row[valid..].fill(T::ZERO);
    }
}

/// A copy with zeros past each row's length.
pub(crate) fn copy_valid<T: Real>(x: &[T], lengths: &[usize], frames: usize) -> Vec<T> {
    let mut y = buffer::take(x.len());
    y.copy_from_slice(x);
    zero_padding(&mut y, lengths, frames);
    y
}
