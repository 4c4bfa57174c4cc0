//! Features of several recordings, padded to one length.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use sori_datasets::Features;
use sori_models::Architecture;

/// A batch of features on the device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// Features, zero past each length: `[batch, frames, bins]`.
    pub features: Tensor<B, 3>,
    /// Valid frames of each row.
    pub lengths: Vec<usize>,
}

/// The constraints of a network on the number of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameLimits {
    /// Rows are padded to at least this many frames. The padding counts as valid.
    pub min: usize,
    /// Rows are padded or cut to exactly this many frames.
    pub fixed: Option<usize>,
}

impl FrameLimits {
    /// The limits of an architecture.
    pub fn of(model: &impl Architecture) -> Self {
        Self {
            min: model.min_frames(),
            fixed: model.fixed_frames(),
        }
    }
}

/// A batch of features in host memory, as loading threads produce it.
#[derive(Clone, Debug, PartialEq)]
pub struct HostBatch {
    features: Vec<f32>,
    frames: usize,
    bins: usize,
    lengths: Vec<usize>,
}

impl HostBatch {
    /// Pads `rows` to the longest of them, within `limits`.
    ///
    /// # Panics
    /// When `rows` differ in bins.
    pub fn collate(rows: &[&Features], limits: FrameLimits) -> Self {
        let bins = rows.first().map_or(0, |row| row.bins);
        let valid = |row: &&Features| {
            let frames = row.frames.max(limits.min);
            limits.fixed.map_or(frames, |fixed| frames.min(fixed))
        };
        let lengths: Vec<usize> = rows.iter().map(valid).collect();
        let frames = limits
            .fixed
            .unwrap_or_else(|| lengths.iter().copied().max().unwrap_or(0));
        let mut padded = vec![0.0; rows.len() * frames * bins];
        for (row, padded) in rows.iter().zip(padded.chunks_mut((frames * bins).max(1))) {
            assert_eq!(row.bins, bins, "rows of a batch have the same bins");
            let values = row.values.len().min(padded.len());
            padded[..values].copy_from_slice(&row.values[..values]);
        }
        Self {
            features: padded,
            frames,
            bins,
            lengths,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Moves the batch to `device`.
    pub fn to_device<B: Backend>(self, device: &B::Device) -> Batch<B> {
        let shape = [self.lengths.len(), self.frames, self.bins];
        Batch {
            features: Tensor::from_data(TensorData::new(self.features, shape), device),
            lengths: self.lengths,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(frames: usize) -> Features {
        Features {
            frames,
            bins: 2,
            values: (0..frames * 2).map(|i| i as f32 + 1.0).collect(),
        }
    }

    #[test]
    fn rows_are_padded_with_zeros_to_the_longest() {
        let batch = HostBatch::collate(&[&row(1), &row(3)], FrameLimits::default());
        assert_eq!((batch.frames, batch.len()), (3, 2));
        assert_eq!(batch.lengths, [1, 3]);
        assert_eq!(batch.features[..6], [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn short_rows_grow_to_the_least_a_model_takes() {
        let limits = FrameLimits {
            min: 4,
            fixed: None,
        };
        let batch = HostBatch::collate(&[&row(1)], limits);
        assert_eq!((batch.frames, batch.lengths.as_slice()), (4, &[4][..]));
    }

    #[test]
    fn a_fixed_size_cuts_and_pads() {
        let limits = FrameLimits {
            min: 1,
            fixed: Some(2),
        };
        let batch = HostBatch::collate(&[&row(1), &row(3)], limits);
        assert_eq!(batch.lengths, [1, 2]);
        assert_eq!(batch.features, [1.0, 2.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
    }
}
