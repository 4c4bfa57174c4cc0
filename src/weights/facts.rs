//! What a file of weights says of the run that `sori export` wrote it from.

use std::collections::HashSet;

use serde::Deserialize;
use sori_datasets::Alphabet;
use sori_datasets::features::{BinStats, FeatureConfig, Normalize};

use crate::task::name::TaskName;
use crate::task::reading::Reading;
use crate::{Error, Result, Settings};

/// Whose names the tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NamedBy {
    /// Sori's own names and layouts.
    Sori,
    /// PyTorch's.
    Pytorch,
}

/// The facts. What is not needed here is left out.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Facts {
    /// Whose names the tensors have.
    pub(crate) names: NamedBy,
    /// The architecture.
    pub(crate) model: String,
    /// The task.
    pub(crate) task: TaskName,
    /// What the outputs or the embedding are read as.
    pub(crate) reading: Option<Reading>,
    /// The labels in the order of the outputs.
    pub(crate) labels: Vec<String>,
    /// The alphabet of transcripts.
    pub(crate) alphabet: Option<Alphabet>,
    /// The features.
    features: FeatureConfig,
    /// Settings beside the features.
    settings: serde_json::Map<String, serde_json::Value>,
    /// The length of sound that goes through the network at once, in seconds.
    pub(crate) window_s: f64,
    /// Whether tags of longer recordings have the mean score of windows side by side.
    #[serde(default)]
    pub(crate) mean_over_windows: bool,
    /// The threshold of each tag.
    #[serde(default)]
    pub(crate) thresholds: Vec<f32>,
    /// Mean and deviation of the training part's features, if they normalise by it.
    pub(crate) stats: Option<BinStats>,
}

impl Facts {
    /// `settings` with those of the run.
    ///
    /// # Errors
    /// When they are not settings of `model`.
    pub(crate) fn apply(&self, settings: Settings, file: &str) -> Result<Settings> {
        let wrong = |e: toml::ser::Error| Error::Input(format!("{file}: its settings: {e}"));
        let mut table = toml::Table::try_from(&self.settings).map_err(wrong)?;
        let features = toml::Table::try_from(&self.features).map_err(wrong)?;
        table.insert("features".into(), features.into());
        let settings = settings.with_toml(&table.to_string(), file)?;
        settings.features.check()?;
        self.check(&settings)
            .map_err(|reason| Error::Input(format!("{file}: what it says of its run: {reason}")))?;
        Ok(settings)
    }

    /// # Errors
    /// The reason why the facts contradict each other.
    fn check(&self, settings: &Settings) -> std::result::Result<(), String> {
        if !(self.window_s.is_finite() && self.window_s > 0.0) {
            return Err(format!(
                "window_s is {}, but must be above 0",
                self.window_s
            ));
        }
        let labels: HashSet<&String> = self.labels.iter().collect();
        if labels.len() != self.labels.len() {
            return Err("a label is there twice".to_string());
        }
        if !self.thresholds.is_empty() && self.thresholds.len() != self.labels.len() {
            return Err("there is not one threshold for each label".to_string());
        }
        let bins = settings.features.num_bins();
        let fits = |stats: &BinStats| stats.mean.len() == bins && stats.std.len() == bins;
        match (&self.stats, settings.features.normalize) {
            (Some(stats), _) if !fits(stats) => {
                Err(format!("the mean and deviation are not of {bins} bins"))
            }
            (None, Normalize::Corpus) => {
                Err("the mean and deviation of its features are not there".to_string())
            }
            _ => Ok(()),
        }
    }
}
