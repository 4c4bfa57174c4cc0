//! The measurements of a run: the lines of `metrics.jsonl`, and `result.json`.

use serde::{Deserialize, Serialize};

use crate::task::metrics::Metrics;
use crate::task::name::TaskName;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps taken since the run began.
    pub step: usize,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Mean loss over the epoch's training recordings, computed during training.
    pub train_loss: f64,
    /// Share of them classified correctly, computed during training. Only for classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Share of their steps whose best symbol was the blank. Only for transcripts by CTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_blank: Option<f64>,
    /// Share of them whose domain the adversary predicted correctly, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_domain_accuracy: Option<f64>,
    /// Over the whole validation part.
    pub valid_loss: f64,
    /// Over the whole validation part.
    pub valid: Metrics,
    /// Whether the validation part was learned from in this epoch. Its figures are then those of the last
    /// epoch before, which are a forecast.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joined: bool,
    /// Whether this is the best checkpoint so far.
    pub best: bool,
    /// Seconds of training since the run began, without pauses.
    pub seconds: f64,
    /// Training recordings per second in this epoch.
    pub items_per_second: f64,
    /// Share of the epoch's training time that steps waited for data.
    pub waited: f64,
}

/// The contents of a run folder's `result.json`, also the last line of `sori train --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The task.
    pub task: TaskName,
    /// The architecture.
    pub model: String,
    /// The task's headline metric: `accuracy`, `map` for tags, `wer` for transcripts, `mae` for
    /// numbers, `bound` for autoencoders, or `frechet` for generators.
    pub metric: String,
    /// The part `value` is from: `test` where there is one, otherwise `valid`.
    pub split: String,
    /// The headline metric of the best checkpoint.
    pub value: f64,
    /// All metrics of that part.
    pub metrics: Metrics,
    /// Trainable parameters.
    pub params: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// Epochs trained.
    pub epochs: usize,
    /// The backend.
    pub backend: String,
    /// The seed.
    pub seed: u64,
    /// The epoch of the best checkpoint.
    pub best_epoch: usize,
    /// Metrics of the best checkpoint on the validation part; of a part that was learned from in the end,
    /// the last ones before.
    pub valid: Metrics,
    /// Its worst mistakes there, one per line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub valid_worst: Vec<String>,
    /// Tags that no recording of the part has. Means over tags leave them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels_left_out: Vec<String>,
}
