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

/// A copy of `[batch, frames, channels]` with frames of zeros at the end of each row, or without its
/// last frames, so that there are `to` of them.
pub(crate) fn with_frames<T: Real>(
    x: &[T],
    [batch, frames, channels]: [usize; 3],
    to: usize,
) -> Vec<T> {
    let mut y = buffer::take(batch * to * channels);
    let kept = frames.min(to) * channels;
    for row in 0..batch {
        let y = &mut y[row * to * channels..][..to * channels];
        y[..kept].copy_from_slice(&x[row * frames * channels..][..kept]);
        y[kept..].fill(T::ZERO);
    }
    y
}
