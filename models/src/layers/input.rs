//! Checks of the input of a model.

use burn::tensor::{Tensor, backend::Backend};

/// Checks features `[batch, frames, bins]` against the configuration of the model that takes them: the
/// bins, and the valid frames of each row as [`assert_lengths`] does.
///
/// # Panics
/// If they do not fit; the message names the field, its value and what came.
pub(crate) fn assert_input<B: Backend>(
    features: &Tensor<B, 3>,
    lengths: &[usize],
    min_frames: usize,
    num_bins: usize,
) {
    let [batch, frames, bins] = features.dims();
    assert_bins(bins, num_bins);
    assert_lengths(lengths, batch, frames, min_frames);
}

/// Checks the bins of features against the configuration.
///
/// # Panics
/// If they are others.
pub(crate) fn assert_bins(bins: usize, num_bins: usize) {
    assert_eq!(
        bins, num_bins,
        "`num_bins` of this model is {num_bins}, but the features have {bins} bins"
    );
}

/// Checks the valid frames of the rows of a batch: one length for each row, and each from `min_frames`
/// to the frames there are.
///
/// # Panics
/// If they do not fit.
pub(crate) fn assert_lengths(lengths: &[usize], batch: usize, frames: usize, min_frames: usize) {
    assert_eq!(lengths.len(), batch, "one length for each row of the batch");
    for (row, &length) in lengths.iter().enumerate() {
        assert!(
            (min_frames..=frames).contains(&length),
            "row {row} has length {length}, but this model takes {min_frames} to {frames} of these frames"
        );
    }
}
