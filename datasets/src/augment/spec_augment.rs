//! Masks over features.

use super::SpecAugmentConfig;
use crate::Features;
use crate::draw::Draw;

/// Sets bands of bins and stretches of frames to 0, by [Park et al. 2019](https://arxiv.org/abs/1904.08779):
/// the width of each from 0 to the most allowed, its place anywhere.
pub(super) fn mask(features: &mut Features, config: &SpecAugmentConfig, draw: &mut Draw) {
    let (frames, bins) = (features.frames, features.bins);
    // A band of a single bin would be all there is.
    if bins > 1 {
        for _ in 0..config.num_bands {
            let (start, width) = span(draw, bins, config.max_bins);
            for row in features.values.chunks_exact_mut(bins) {
                row[start..start + width].fill(0.0);
            }
        }
    }
    let longest = (config.max_fraction * frames as f64) as usize;
    for _ in 0..config.num_stretches {
        let (start, width) = span(draw, frames, config.max_frames.min(longest));
        features.values[start * bins..(start + width) * bins].fill(0.0);
    }
}

/// Start and width of a mask over `count` places, at most `widest` of them.
fn span(draw: &mut Draw, count: usize, widest: usize) -> (usize, usize) {
    let width = draw.below(widest.min(count) + 1);
    (draw.below(count - width + 1), width)
}
