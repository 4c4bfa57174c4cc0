//! A batch with its targets, for training or evaluation.

use burn::tensor::backend::Backend;
use sori_datasets::{Features, Target};

use super::batch::{Batch, FrameLimits, HostBatch};
use crate::Result;
use crate::task::contract::Task;
use crate::task::truth::Truth;

/// A row of a lesson.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its features.
    pub features: Features,
    /// Its target.
    pub truth: Truth,
    /// Its domain, if domains are used.
    pub domain: Option<usize>,
}

impl Row {
    /// A row of one recording.
    pub fn new(features: Features, target: Target) -> Self {
        Self {
            features,
            truth: target.into(),
            domain: None,
        }
    }
}

/// A batch on the device with its targets.
#[derive(Clone, Debug)]
pub struct Lesson<B: Backend, T: Task> {
    /// The features.
    pub batch: Batch<B>,
    /// The targets.
    pub targets: T::Targets,
    /// The domain of each row, by index. Empty if domains are not used.
    pub domains: Vec<usize>,
}

/// A lesson in host memory, as loading threads produce it.
#[derive(Clone, Debug)]
pub struct HostLesson<T: Task> {
    batch: HostBatch,
    targets: T::Targets,
    domains: Vec<usize>,
}

impl<T: Task> HostLesson<T> {
    /// Pads `rows` to the longest of them, within `limits`, and encodes their targets for `task`.
    ///
    /// # Errors
    /// As [`Task::encode`].
    ///
    /// # Panics
    /// When `rows` differ in bins.
    pub fn collate(rows: Vec<Row>, limits: FrameLimits, task: &T) -> Result<Self> {
        let features: Vec<&Features> = rows.iter().map(|row| &row.features).collect();
        let batch = HostBatch::collate(&features, limits);
        let domains = rows.iter().filter_map(|row| row.domain).collect();
        let truths: Vec<Truth> = rows.into_iter().map(|row| row.truth).collect();
        Ok(Self {
            batch,
            targets: task.encode(&truths)?,
            domains,
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Moves the lesson to `device`.
    pub fn to_device<B: Backend>(self, device: &B::Device) -> Lesson<B, T> {
        Lesson {
            batch: self.batch.to_device(device),
            targets: self.targets,
            domains: self.domains,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sori_datasets::{Alphabet, AlphabetKind, Normalization};

    use super::*;
    use crate::task::Transcribe;

    #[test]
    fn transcripts_become_symbols_and_strange_ones_are_refused() {
        let kind = AlphabetKind::Characters;
        let alphabet = Alphabet::build(kind, Normalization::default(), ["ab"]).unwrap();
        let task = Transcribe {
            alphabet: Arc::new(alphabet),
        };
        let collate = |text: &str| {
            let features = Features {
                frames: 1,
                bins: 1,
                values: vec![0.0],
            };
            let row = Row::new(features, Target::Text(text.to_string()));
            HostLesson::collate(vec![row], FrameLimits::default(), &task)
        };
        assert_eq!(collate("ba").unwrap().targets, [[2, 1]]);
        let error = collate("abc").unwrap_err().to_string();
        assert!(error.contains("'c'"), "{error}");
    }
}
