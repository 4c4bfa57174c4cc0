//! Examples become padded tensors with their lengths.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use sori_datasets::{Features, Target};
use sori_models::ModelConfig;

/// A batch on the device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// Features, zero past each length: `[batch, frames, bins]`.
    pub features: Tensor<B, 3>,
    /// Valid frames of each row.
    pub lengths: Vec<usize>,
    /// Class of each row: `[batch]`.
    pub targets: Tensor<B, 1, Int>,
}

/// What a model asks of the number of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameLimits {
    /// Rows are padded to at least so many frames, which count as valid.
    pub min: usize,
    /// Rows are padded or cut to exactly so many frames.
    pub fixed: Option<usize>,
}

impl From<&ModelConfig> for FrameLimits {
    fn from(model: &ModelConfig) -> Self {
        Self {
            min: model.min_frames(),
            fixed: model.fixed_frames(),
        }
    }
}

/// A batch in host memory, as the loading threads make it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostBatch {
    features: Vec<f32>,
    frames: usize,
    bins: usize,
    lengths: Vec<usize>,
    /// Class of each row.
    pub targets: Vec<usize>,
}

impl HostBatch {
    /// Pads `rows` to the longest of them, within `limits`.
    ///
    /// # Panics
    /// When `rows` differ in bins, or a target is not a class: callers open only corpora of
    /// classes.
    pub fn collate(rows: &[(Features, Target)], limits: FrameLimits) -> Self {
        let bins = rows.first().map_or(0, |(features, _)| features.bins);
        let valid = |features: &Features| {
            let frames = features.frames.max(limits.min);
            limits.fixed.map_or(frames, |fixed| frames.min(fixed))
        };
        let lengths: Vec<usize> = rows.iter().map(|(features, _)| valid(features)).collect();
        let frames = limits
            .fixed
            .unwrap_or_else(|| lengths.iter().copied().max().unwrap_or(0));
        let mut padded = vec![0.0; rows.len() * frames * bins];
        for ((features, _), row) in rows.iter().zip(padded.chunks_mut((frames * bins).max(1))) {
            assert_eq!(features.bins, bins, "rows of a batch have the same bins");
            let values = features.values.len().min(row.len());
            row[..values].copy_from_slice(&features.values[..values]);
        }
        let targets = rows
            .iter()
            .map(|(_, target)| match target {
                Target::Class(class) => *class,
                other => panic!("a row of a classification batch has the target {other:?}"),
            })
            .collect();
        Self {
            features: padded,
            frames,
            bins,
            lengths,
            targets,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Moves the batch to `device`.
    pub fn to_device<B: Backend>(self, device: &B::Device) -> Batch<B> {
        let rows = self.lengths.len();
        let targets: Vec<i64> = self.targets.iter().map(|&class| class as i64).collect();
        Batch {
            features: Tensor::from_data(
                TensorData::new(self.features, [rows, self.frames, self.bins]),
                device,
            ),
            lengths: self.lengths,
            targets: Tensor::from_data(TensorData::new(targets, [rows]), device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(frames: usize, class: usize) -> (Features, Target) {
        let values = (0..frames * 2).map(|i| i as f32 + 1.0).collect();
        let features = Features {
            frames,
            bins: 2,
            values,
        };
        (features, Target::Class(class))
    }

    #[test]
    fn rows_are_padded_with_zeros_to_the_longest() {
        let batch = HostBatch::collate(&[row(1, 0), row(3, 1)], FrameLimits::default());
        assert_eq!((batch.frames, batch.len()), (3, 2));
        assert_eq!(batch.lengths, [1, 3]);
        assert_eq!(batch.features[..6], [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(batch.targets, [0, 1]);
    }

    #[test]
    fn short_rows_grow_to_the_least_a_model_takes() {
        let limits = FrameLimits {
            min: 4,
            fixed: None,
        };
        let batch = HostBatch::collate(&[row(1, 0)], limits);
        assert_eq!((batch.frames, batch.lengths.as_slice()), (4, &[4][..]));
    }

    #[test]
    fn a_fixed_size_cuts_and_pads() {
        let limits = FrameLimits {
            min: 1,
            fixed: Some(2),
        };
        let batch = HostBatch::collate(&[row(1, 0), row(3, 0)], limits);
        assert_eq!(batch.lengths, [1, 2]);
        assert_eq!(batch.features, [1.0, 2.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
    }
}
