//! Features of any length as patches of fixed size.

use burn::tensor::{Tensor, backend::Backend};

use super::{assert_bins, assert_lengths};
use crate::onnx::{OnnxGraph, OnnxValue, Padded};
use crate::ops;

/// Features `[batch, frames, bins]` to patches `[batch, num_frames, bins]`: zero past each row's length,
/// which is at most `num_frames`.
///
/// # Panics
/// If there is not one length for each row, a length is not in `1..=frames` or above `num_frames`, or
/// there are other than `num_bins` bins.
pub(crate) fn to_patches<B: Backend>(
    features: Tensor<B, 3>,
    lengths: &[usize],
    [num_frames, num_bins]: [usize; 2],
) -> Tensor<B, 3> {
    let [batch, frames, bins] = features.dims();
    assert_bins(bins, num_bins);
    let kept = frames.min(num_frames);
    assert_lengths(lengths, batch, kept, 1);
    let x = ops::zero_padding(features.narrow(1, 0, kept), lengths); // [batch, kept, bins]
    if kept == num_frames {
        return x;
    }
    let missing = Tensor::zeros([batch, num_frames - kept, bins], &x.device());
    Tensor::cat(vec![x, missing], 1) // [batch, num_frames, bins]
}

/// `[batch, frames, bins]` in ONNX, cropped or followed by zeros to `[batch, num_frames, bins]`; zero past each
/// row's length.
pub(crate) fn onnx_patches(graph: &mut OnnxGraph, x: Padded, num_frames: usize) -> OnnxValue {
    let num_frames = num_frames as i64;
    let x = x.zeroed(graph);
    let longer = graph.pad(x.values, &[0, 0, 0, 0, num_frames, 0]);
    graph.slice(longer, 1, 0, num_frames)
}
