//! Cepstra of a mel spectrum in decibels.

use std::f64::consts::PI;

/// The first rows of the orthonormal DCT-II:
/// `c[k] = sqrt(2/N) Σ x[n] cos(π k (2n + 1) / 2N)`, and `c[0]` divided by `sqrt(2)`.
#[derive(Clone)]
pub(super) struct Cosines {
    num_mels: usize,
    rows: Vec<f32>,
}

impl Cosines {
    pub(super) fn new(num_mels: usize, num_mfccs: usize) -> Self {
        let size = num_mels as f64;
        let rows = (0..num_mfccs)
            .flat_map(|k| {
                let scale = if k == 0 {
                    (1.0 / size).sqrt()
                } else {
                    (2.0 / size).sqrt()
                };
                (0..num_mels).map(move |n| {
                    (scale * (PI * k as f64 * (2 * n + 1) as f64 / (2.0 * size)).cos()) as f32
                })
            })
            .collect();
        Self { num_mels, rows }
    }

    /// The rows, `[num_mfccs, num_mels]`.
    pub(super) fn into_rows(self) -> Vec<f32> {
        self.rows
    }

    /// Cepstra `[num_mfccs]` of one frame `[num_mels]`.
    pub(super) fn apply(&self, mels: &[f32], cepstra: &mut [f32]) {
        for (cepstrum, row) in cepstra
            .iter_mut()
            .zip(self.rows.chunks_exact(self.num_mels))
        {
            *cepstrum = row
                .iter()
                .zip(mels)
                .map(|(&weight, &mel)| weight * mel)
                .sum();
        }
    }
}
