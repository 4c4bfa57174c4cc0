//! Examples become padded tensors with their lengths.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use sori_datasets::{Alphabet, Features, Target};
use sori_models::ModelConfig;

use crate::Result;
use crate::task::Scale;

/// A batch on the device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// Features, zero past each length: `[batch, frames, bins]`.
    pub features: Tensor<B, 3>,
    /// Valid frames of each row.
    pub lengths: Vec<usize>,
    /// The right answer of each row.
    pub targets: Targets,
    /// The domain of each row, by index; none where domains are not looked at.
    pub domains: Vec<usize>,
}

/// The right answers of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// The class of each row.
    Classes(Vec<usize>),
    /// How much of each label is in each row, `[rows, labels]`: 0 or 1 of tags, a share where rows
    /// were mixed.
    Weights(Vec<f32>),
    /// The symbols that each row says.
    Transcripts(Vec<Vec<usize>>),
    /// How much there is in each row, as [`Scale`] has it.
    Values(Vec<f32>),
    /// None, where patches are made.
    Nothing,
}

/// How answers become numbers.
#[derive(Clone, Debug)]
pub enum Coding {
    /// They are of so many labels, by index.
    Labels(usize),
    /// They are transcripts, by the symbols of an alphabet.
    Symbols(Arc<Alphabet>),
    /// They are numbers.
    Value(Scale),
    /// There are none: patches are made.
    Nothing,
}

impl Coding {
    /// How many labels there are; none of other answers.
    pub fn num_labels(&self) -> usize {
        match self {
            Self::Labels(labels) => *labels,
            _ => 0,
        }
    }
}

impl Targets {
    /// How much of each of `labels` labels is in each row, `[rows, labels]`.
    ///
    /// # Panics
    /// For other answers, which have no labels.
    pub fn to_weights(&self, labels: usize) -> Vec<f32> {
        match self {
            Self::Weights(weights) => weights.clone(),
            Self::Classes(classes) => {
                let mut weights = vec![0.0; classes.len() * labels];
                for (row, class) in classes.iter().enumerate() {
                    weights[row * labels + class] = 1.0;
                }
                weights
            }
            _ => panic!("there are no labels"),
        }
    }
}

/// A row of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What the model sees.
    pub features: Features,
    /// Its right answer; where recordings were mixed, each one's and its share.
    pub targets: Vec<(Target, f32)>,
    /// Its domain, where domains are looked at.
    pub domain: Option<usize>,
}

impl Row {
    /// Of one recording.
    pub fn new(features: Features, target: Target) -> Self {
        Self {
            features,
            targets: vec![(target, 1.0)],
            domain: None,
        }
    }
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
#[derive(Clone, Debug, PartialEq)]
pub struct HostBatch {
    features: Vec<f32>,
    frames: usize,
    bins: usize,
    lengths: Vec<usize>,
    targets: Targets,
    domains: Vec<usize>,
}

impl HostBatch {
    /// Pads `rows` to the longest of them, within `limits`, with answers by `coding`.
    ///
    /// # Errors
    /// When a transcript has symbols that the alphabet does not have.
    ///
    /// # Panics
    /// When `rows` differ in bins, or an answer is not of the coding's kind: callers open only
    /// corpora of one kind.
    pub fn collate(rows: &[Row], limits: FrameLimits, coding: &Coding) -> Result<Self> {
        let bins = rows.first().map_or(0, |row| row.features.bins);
        let valid = |row: &Row| {
            let frames = row.features.frames.max(limits.min);
            limits.fixed.map_or(frames, |fixed| frames.min(fixed))
        };
        let lengths: Vec<usize> = rows.iter().map(valid).collect();
        let frames = limits
            .fixed
            .unwrap_or_else(|| lengths.iter().copied().max().unwrap_or(0));
        let mut padded = vec![0.0; rows.len() * frames * bins];
        for (row, padded) in rows.iter().zip(padded.chunks_mut((frames * bins).max(1))) {
            assert_eq!(
                row.features.bins, bins,
                "rows of a batch have the same bins"
            );
            let values = row.features.values.len().min(padded.len());
            padded[..values].copy_from_slice(&row.features.values[..values]);
        }
        Ok(Self {
            features: padded,
            frames,
            bins,
            lengths,
            targets: match coding {
                Coding::Labels(labels) => of_labels(rows, *labels),
                Coding::Symbols(alphabet) => of_symbols(rows, alphabet)?,
                Coding::Value(scale) => of_values(rows, *scale),
                Coding::Nothing => Targets::Nothing,
            },
            domains: rows.iter().filter_map(|row| row.domain).collect(),
        })
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
        Batch {
            features: Tensor::from_data(
                TensorData::new(self.features, [rows, self.frames, self.bins]),
                device,
            ),
            lengths: self.lengths,
            targets: self.targets,
            domains: self.domains,
        }
    }
}

/// One class of each row where each has one, otherwise how much of each label.
fn of_labels(rows: &[Row], labels: usize) -> Targets {
    let class = |row: &Row| match row.targets.as_slice() {
        [(Target::Class(class), _)] => Some(*class),
        _ => None,
    };
    if let Some(classes) = rows.iter().map(class).collect() {
        return Targets::Classes(classes);
    }
    let mut weights = vec![0.0f32; rows.len() * labels];
    for (row, weights) in rows.iter().zip(weights.chunks_exact_mut(labels.max(1))) {
        for (target, share) in &row.targets {
            let found = match target {
                Target::Class(class) => std::slice::from_ref(class),
                Target::Tags(tags) => tags.as_slice(),
                Target::Text(_) | Target::Value(_) => panic!("a row of labels has no label"),
            };
            for &label in found {
                weights[label] = (weights[label] + share).min(1.0);
            }
        }
    }
    Targets::Weights(weights)
}

/// The number of each row; where rows were mixed, so are their numbers.
fn of_values(rows: &[Row], scale: Scale) -> Targets {
    let scaled = |(target, share): &(Target, f32)| match target {
        Target::Value(value) => *share * scale.scaled(*value) as f32,
        _ => panic!("a row of numbers has another answer"),
    };
    let value = |row: &Row| row.targets.iter().map(scaled).sum();
    Targets::Values(rows.iter().map(value).collect())
}

fn of_symbols(rows: &[Row], alphabet: &Alphabet) -> Result<Targets> {
    let symbols = |row: &Row| match row.targets.as_slice() {
        [(Target::Text(text), _)] => Ok(alphabet.encode(text)?),
        _ => panic!("a row of transcripts has labels, or two transcripts"),
    };
    let transcripts = rows.iter().map(symbols).collect::<Result<_>>()?;
    Ok(Targets::Transcripts(transcripts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sori_datasets::{AlphabetKind, Normalization};

    fn collate(rows: &[Row], limits: FrameLimits, labels: usize) -> HostBatch {
        HostBatch::collate(rows, limits, &Coding::Labels(labels)).unwrap()
    }

    #[test]
    fn transcripts_become_symbols_and_a_strange_one_is_named() {
        let kind = AlphabetKind::Characters;
        let alphabet = Alphabet::build(kind, Normalization::default(), ["ab"]).unwrap();
        let coding = Coding::Symbols(Arc::new(alphabet));
        let said = |text: &str| Row {
            targets: vec![(Target::Text(text.to_string()), 1.0)],
            ..row(1, 0)
        };
        let batch = HostBatch::collate(&[said("ba"), said("")], FrameLimits::default(), &coding);
        let expected = Targets::Transcripts(vec![vec![2, 1], vec![]]);
        assert_eq!(batch.unwrap().targets, expected);
        let error = HostBatch::collate(&[said("abc")], FrameLimits::default(), &coding);
        assert!(error.unwrap_err().to_string().contains("'c'"));
    }

    fn row(frames: usize, class: usize) -> Row {
        let values = (0..frames * 2).map(|i| i as f32 + 1.0).collect();
        let features = Features {
            frames,
            bins: 2,
            values,
        };
        Row::new(features, Target::Class(class))
    }

    #[test]
    fn rows_are_padded_with_zeros_to_the_longest() {
        let batch = collate(&[row(1, 0), row(3, 1)], FrameLimits::default(), 2);
        assert_eq!((batch.frames, batch.len()), (3, 2));
        assert_eq!(batch.lengths, [1, 3]);
        assert_eq!(batch.features[..6], [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(batch.targets, Targets::Classes(vec![0, 1]));
    }

    #[test]
    fn short_rows_grow_to_the_least_a_model_takes() {
        let limits = FrameLimits {
            min: 4,
            fixed: None,
        };
        let batch = collate(&[row(1, 0)], limits, 2);
        assert_eq!((batch.frames, batch.lengths.as_slice()), (4, &[4][..]));
    }

    #[test]
    fn a_fixed_size_cuts_and_pads() {
        let limits = FrameLimits {
            min: 1,
            fixed: Some(2),
        };
        let batch = collate(&[row(1, 0), row(3, 0)], limits, 2);
        assert_eq!(batch.lengths, [1, 2]);
        assert_eq!(batch.features, [1.0, 2.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn tags_and_mixed_rows_become_shares_of_labels() {
        let tags = |tags: &[usize]| Row {
            targets: vec![(Target::Tags(tags.to_vec()), 1.0)],
            ..row(1, 0)
        };
        let of = |rows: &[Row]| collate(rows, FrameLimits::default(), 3).targets;
        let expected = Targets::Weights(vec![1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(of(&[tags(&[0, 2]), tags(&[])]), expected);
        let mixed = Row {
            targets: vec![(Target::Class(1), 0.75), (Target::Class(2), 0.25)],
            ..row(1, 0)
        };
        let expected = Targets::Weights(vec![0.0, 0.75, 0.25, 1.0, 0.0, 0.0]);
        assert_eq!(of(&[mixed, row(2, 0)]), expected);
    }
}
