//! The description of a run: `run.json`.

use serde::{Deserialize, Serialize};
use sori_datasets::BinStats;

use crate::task::name::TaskName;
use crate::task::reading::Reading;
use crate::task::scale::Scale;

/// The contents of a run folder's `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The version of Sori that began the run.
    pub sori_version: String,
    /// The task.
    pub task: TaskName,
    /// The architecture.
    pub model: String,
    /// The backend it was begun on.
    pub backend: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// Trainable parameters.
    pub params: usize,
    /// Names of the labels, in the order of the model's outputs. For transcripts the symbols, which
    /// come after the blank; for numbers their quantity.
    pub labels: Vec<String>,
    /// Number of recordings in each part.
    pub splits: SplitSizes,
    /// The epoch from which on the validation part is learned from as well, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins_at: Option<usize>,
    /// Number of recordings left out.
    pub skipped: usize,
    /// The longest training recording in seconds.
    pub longest_s: f64,
    /// The length of the model's input in seconds. Longer recordings are predicted window by window.
    pub window_s: f64,
    /// Whether tags of longer recordings have the mean score of windows side by side, rather than the largest
    /// of windows that overlap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mean_over_windows: bool,
    /// What its network gives besides the answer of its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// Mean and deviation of the training part's features, if the settings normalise by them.
    pub stats: Option<BinStats>,
    /// Mean and deviation of the training part's numbers. None for other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// The domains of the training part, sorted, if the model learns to hide them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// The file that the weights were imported from. None of a run that was trained here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

/// The file that weights were imported from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The file as it was named, with the member of an archive.
    pub file: String,
    /// SHA-256 of the file, or of the archive.
    pub sha256: String,
    /// The name of the published model, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
}

/// Number of recordings in each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the three parts")]
pub struct SplitSizes {
    pub train: usize,
    pub valid: usize,
    pub test: usize,
}
