//! Metrics over a whole part, by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Metrics over a whole part, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metrics(pub BTreeMap<String, f64>);

impl Metrics {
    pub(crate) fn new<const N: usize>(metrics: [(&str, f64); N]) -> Self {
        Self(
            metrics
                .map(|(name, value)| (name.to_string(), value))
                .into(),
        )
    }

    /// The name and value of each metric as text, `headline` first.
    pub fn named(&self, headline: &str) -> impl Iterator<Item = (String, String)> {
        let shown = |(name, value): (&String, &f64)| {
            let value = match name.as_str() {
                "substitutions" | "deletions" | "insertions" => value.to_string(),
                _ => format!("{value:.4}"),
            };
            (title(name).to_string(), value)
        };
        let (first, others): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(name, _)| *name == headline);
        first.into_iter().chain(others).map(shown)
    }

    /// All metrics as text, `headline` first.
    pub fn text(&self, headline: &str) -> String {
        let all = self.named(headline);
        let all = all.map(|(name, value)| format!("{name} {value}"));
        all.collect::<Vec<_>>().join("  ")
    }

    /// The metric of this name, or NaN.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }
}

/// The name of a metric as a person reads it: `WER` for `wer`.
pub(crate) fn title(name: &str) -> &str {
    match name {
        "macro_f1" => "macro F1",
        "map" => "mAP",
        "map_micro" => "micro mAP",
        "roc_auc" => "ROC-AUC",
        "roc_auc_micro" => "micro ROC-AUC",
        "wer" => "WER",
        "cer" => "CER",
        "jamo_cer" => "jamo CER",
        "mae" => "MAE",
        "rmse" => "RMSE",
        "r2" => "R²",
        "nll" => "NLL",
        "importance_bound" => "importance bound",
        "kl" => "KL",
        "frechet" => "Fréchet distance",
        "told_apart" => "told apart",
        other => other,
    }
}
