//! Derivatives in time by Savitzky-Golay filters (Savitzky and Golay, 1964).

use super::config::DELTA_WIDTH;

/// Writes the derivative of `order` 1 or 2 of each column, as `librosa.feature.delta` (width 9,
/// mode `interp`): that of the polynomial of the same degree fitted to nine frames. Within four
/// frames of an end it is that of the last whole fit, whose highest derivative is constant.
///
/// Each of the `frames` ≥ 9 rows is `stride` long: `bins` values to derive, then room for the
/// first derivatives, then for the second.
pub(super) fn delta(rows: &mut [f32], frames: usize, bins: usize, stride: usize, order: usize) {
    let filter = DeltaFilter::new(order);
    let mut sums = vec![0.0_f32; bins];
    for t in 0..frames {
        let center = t.clamp(HALF, frames - 1 - HALF);
        filter.apply(&rows[(center - HALF) * stride..], stride, &mut sums);
        rows[t * stride + order * bins..][..bins].copy_from_slice(&sums);
    }
}

/// Frames on either side of the one whose derivative is taken.
pub(super) const HALF: usize = DELTA_WIDTH / 2;

/// The filter of one order.
#[derive(Clone)]
pub(super) struct DeltaFilter([f32; DELTA_WIDTH]);

impl DeltaFilter {
    pub(super) fn new(order: usize) -> Self {
        Self(delta_weights(order))
    }

    /// The derivative in the middle of the nine first rows, of as many columns as `sums` has.
    pub(super) fn apply(&self, rows: &[f32], stride: usize, sums: &mut [f32]) {
        sums.fill(0.0);
        for (row, &weight) in rows.chunks(stride).zip(&self.0) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
}

/// The filter of the derivative of `order` 1 or 2 over nine frames: the least-squares slope, or twice the
/// least-squares curvature.
#[must_use]
pub fn delta_weights(order: usize) -> [f32; DELTA_WIDTH] {
    std::array::from_fn(|k| {
        let n = k as f64 - (DELTA_WIDTH / 2) as f64;
        // Σ n² = 60, and Σ (n² - 60/9)² = 308 over n = -4..4.
        let weight = match order {
            1 => n / 60.0,
            _ => 2.0 * (n * n - 60.0 / 9.0) / 308.0,
        };
        weight as f32
    })
}
