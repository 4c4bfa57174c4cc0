//! Checks of settings.

use sori_datasets::FeatureKind;
use sori_models::{Architecture, ConfigError, Role};

use super::schema::{Settings, TextSettings};
use super::training::{BestBy, MAX_WORKERS, OptimizerKind, Precision, ScheduleKind, TrainSettings};
use crate::{Error, Result};

/// More than fits into any memory.
const MAX_BATCH: usize = 1 << 20;

fn require(ok: bool, key: &str, value: impl ToString, expected: &str) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::Setting {
        key: key.to_string(),
        value: value.to_string(),
        expected: expected.to_string(),
    })
}

impl TextSettings {
    fn check(&self) -> Result<()> {
        require(
            self.end_threshold > 0.0 && self.end_threshold <= 1.0,
            "text.end_threshold",
            self.end_threshold,
            "it must be above 0 and at most 1, such as 0.5",
        )?;
        require(
            self.max_symbols_per_step.is_finite() && self.max_symbols_per_step > 0.0,
            "text.max_symbols_per_step",
            self.max_symbols_per_step,
            "it must be above 0, such as 3",
        )
    }
}

impl TrainSettings {
    /// # Errors
    /// When a value is out of range. The message names the setting.
    pub fn check(&self) -> Result<()> {
        require(
            self.epochs > 0,
            "train.epochs",
            self.epochs,
            "it must be at least 1",
        )?;
        require(
            self.learning_rate.is_finite() && self.learning_rate > 0.0,
            "train.learning_rate",
            self.learning_rate,
            "it must be above 0, such as 0.001",
        )?;
        require(
            (0.0..1.0).contains(&self.momentum),
            "train.momentum",
            self.momentum,
            "it must be from 0 to below 1, such as 0.9",
        )?;
        require(
            self.workers <= MAX_WORKERS,
            "train.workers",
            self.workers,
            "it must be at most 256; 0 is as many as compute",
        )?;
        for (key, value) in [
            ("train.ema_decay", self.ema_decay),
            ("train.label_smoothing", self.label_smoothing),
            ("train.scheduled_sampling", self.scheduled_sampling),
        ] {
            require(
                (0.0..1.0).contains(&value),
                key,
                value,
                "it must be from 0 (none) to below 1",
            )?;
        }
        require(
            (0.0..=100.0).contains(&self.blank_offset),
            "train.blank_offset",
            self.blank_offset,
            "it must be from 0 (none) to 100, such as 5",
        )?;
        require(
            self.decay_factor > 0.0 && self.decay_factor <= 1.0,
            "train.decay_factor",
            self.decay_factor,
            "it must be above 0 and at most 1, such as 0.5",
        )?;
        require(
            self.decay_epochs > 0,
            "train.decay_epochs",
            self.decay_epochs,
            "it must be at least 1",
        )?;
        for (key, value) in [
            ("train.batch_size", self.batch_size),
            ("train.accumulate", self.accumulate),
        ] {
            let expected = format!("it must be from 1 to {MAX_BATCH}");
            require((1..=MAX_BATCH).contains(&value), key, value, &expected)?;
        }
        for (key, value) in [
            ("train.weight_decay", self.weight_decay),
            ("train.l1_penalty", self.l1_penalty),
            ("train.adversary_weight", self.adversary_weight),
            ("train.clip_norm", self.clip_norm),
            ("train.warmup_epochs", self.warmup_epochs),
            ("train.max_minutes", self.max_minutes),
        ] {
            require(
                value.is_finite() && value >= 0.0,
                key,
                value,
                "it must be 0 (none) or above",
            )?;
        }
        require(
            self.optimizer != OptimizerKind::Lbfgs || self.l1_penalty == 0.0,
            "train.l1_penalty",
            self.l1_penalty,
            "it must be 0 with lbfgs, which needs a slope everywhere; weight_decay has one",
        )?;
        require(
            self.optimizer != OptimizerKind::Lbfgs || self.precision == Precision::F32,
            "train.precision",
            self.precision,
            "it must be f32 with lbfgs, which compares losses that differ by less than half precision can tell",
        )?;
        let waits = self.patience > 0 || self.schedule == ScheduleKind::Plateau;
        require(
            self.best_by != BestBy::Last || !waits,
            "train.best_by",
            "last",
            "it must be metric or loss with patience or the schedule plateau, which wait for a better epoch",
        )?;
        require(
            self.join_valid > 0.0 && self.join_valid <= 1.0,
            "train.join_valid",
            self.join_valid,
            "it must be above 0 and at most 1, such as 0.5; 1 is never",
        )?;
        require(
            self.optimizer != OptimizerKind::Lbfgs || self.adversary_weight == 0.0,
            "train.adversary_weight",
            self.adversary_weight,
            "it must be 0 with lbfgs, which makes one thing small, and not two against each other",
        )
    }
}

impl<A: Architecture> Settings<A> {
    /// # Errors
    /// When a value is out of range. The message names the setting.
    pub fn check(&self) -> Result<()> {
        require(
            self.data.valid_fraction > 0.0 && self.data.valid_fraction < 1.0,
            "data.valid_fraction",
            self.data.valid_fraction,
            "it must be between 0 and 1, such as 0.1",
        )?;
        self.features.check()?;
        self.augment.check()?;
        self.check_model()?;
        self.train.check()?;
        let role = self.model.role();
        let mix = self.augment.mix.probability;
        require(
            mix == 0.0 || self.train.adversary_weight == 0.0,
            "augment.mix.probability",
            mix,
            "it must be 0 with train.adversary_weight: a mixture may be of two domains",
        )?;
        if role.generates() {
            self.check_without_labels("patches are made")?;
            require(
                self.train.optimizer != OptimizerKind::Lbfgs,
                "train.optimizer",
                "lbfgs",
                "it must be another here, as what is minimised is drawn anew in each step",
            )?;
        }
        if role.transcribes() {
            self.check_without_labels("transcripts are learned")?;
        }
        if let Some(text) = &self.text {
            text.check()?;
        }
        Ok(())
    }

    /// Checks the model with the bins of these features.
    fn check_model(&self) -> Result<()> {
        let model = self.model.clone();
        let (frames, outputs) = (model.fixed_frames().unwrap_or(0), model.num_outputs());
        let features = &self.features;
        let bins = features.num_bins();
        let checked = model.with_input(frames, bins, outputs).check();
        let Err(ConfigError::Field {
            field: "num_bins",
            expected,
            ..
        }) = checked
        else {
            return Ok(checked?);
        };
        let (key, value) = match features.kind {
            FeatureKind::Mel | FeatureKind::LogMel | FeatureKind::Log1pMel | FeatureKind::MelDb => {
                ("features.num_mels", features.num_mels.to_string())
            }
            FeatureKind::Mfcc => ("features.num_mfccs", features.num_mfccs.to_string()),
            kind => ("features.kind", kind.to_string()),
        };
        let name = self.model.card().name;
        let expected =
            format!("a frame has {bins} bins with it, but for {name} it must have {expected}");
        require(false, key, value, &expected)
    }

    /// Refuses settings that need labels. `what` is the reason why there are none.
    fn check_without_labels(&self, what: &str) -> Result<()> {
        let train = &self.train;
        let mix = self.augment.mix.probability;
        let smoothing = train.label_smoothing;
        require(
            smoothing == 0.0,
            "train.label_smoothing",
            smoothing,
            &match self.model.role() {
                Role::Speller => format!(
                    "it must be 0 where {what}; `model.label_smoothing` is {}'s",
                    self.model.card().name
                ),
                _ => format!("it must be 0 where {what}"),
            },
        )?;
        let adversary = train.adversary_weight;
        for (key, ok, value) in [
            (
                "train.adversary_weight",
                adversary == 0.0,
                adversary.to_string(),
            ),
            ("augment.mix.probability", mix == 0.0, mix.to_string()),
            (
                "train.class_weights",
                !train.class_weights,
                train.class_weights.to_string(),
            ),
            ("train.balance", !train.balance, train.balance.to_string()),
        ] {
            let off = if value.parse::<bool>().is_ok() {
                "false"
            } else {
                "0"
            };
            let expected = format!("it must be {off} where {what}");
            require(ok, key, value, &expected)?;
        }
        Ok(())
    }
}
