//! The settings that a run begins with: general defaults, and the recipe of the architecture.

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;
use sori_datasets::features::Normalize;
use sori_datasets::{AugmentConfig, Corpus, FeatureConfig, Spec};
use sori_models::recipe::FEW;
use sori_models::{Architecture, ModelConfig};

use super::facts::facts;
use super::layers;
use super::schema::{DataSettings, Settings, TextSettings};
use super::training::TrainSettings;
use crate::{Error, Result};

/// The share of a recipe's epochs that its quick form takes, and the fewest.
const QUICK_SHARE: f64 = 0.25;
const QUICK_EPOCHS: usize = 5;
/// The fewest steps of it on few recordings, if the recipe has as many.
const QUICK_STEPS: usize = 500;

/// Sizes of models that follow from the data.
pub(super) const OF_THE_DATA: [&str; 3] = ["num_bins", "num_classes", "num_symbols"];

/// The recipes of an architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RecipeName {
    /// What does well on new recordings: features, augmentation and epochs that suit the data
    #[default]
    Best,
    /// The same with a quarter of the epochs, or more of few recordings
    Quick,
    /// The plain settings of the architecture's paper, without augmentation
    Paper,
}

/// Where the value of a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Source {
    /// The general default, or the architecture's own.
    Default,
    /// The recordings.
    Corpus,
    /// The paper of the architecture.
    Paper,
    /// The recipe of the architecture.
    Recipe,
    /// A settings file or an option.
    Given,
}

impl Settings {
    /// The settings of the paper of the architecture `model`, for the corpus `train`, with features of
    /// `sample_rate_hz`.
    ///
    /// # Errors
    /// When there is no such architecture.
    ///
    /// ```
    /// let settings = sori::Settings::new("cnn1d", "synth:dtmf", 8000)?;
    /// let settings = settings.with_override("train.epochs=3")?;
    /// settings.check()?;
    /// # Ok::<(), sori::Error>(())
    /// ```
    pub fn new(model: &str, train: &str, sample_rate_hz: u32) -> Result<Self> {
        Self::of(ModelConfig::from_name(model)?, train, sample_rate_hz)
    }

    /// The settings of the best recipe of the architecture `model` for the corpus `train`, which is
    /// opened for it: as of `sori train MODEL --data SPEC`.
    ///
    /// # Errors
    /// When there is no such architecture, or the corpus cannot be opened.
    ///
    /// ```
    /// let settings = sori::Settings::for_data("cnn1d", "synth:dtmf")?;
    /// assert_eq!(settings.features.sample_rate_hz, 8000);
    /// # Ok::<(), sori::Error>(())
    /// ```
    pub fn for_data(model: &str, train: &str) -> Result<Self> {
        let corpus = Corpus::open(&train.parse::<Spec>()?)?;
        let model = ModelConfig::from_name(model)?;
        Self::by_recipe(model, RecipeName::Best, &corpus)
    }
}

impl<A: Architecture> Settings<A> {
    /// The settings of the paper of `model`, for the corpus `train`, with features of
    /// `sample_rate_hz`.
    ///
    /// # Errors
    /// When the card's settings do not fit the configuration.
    pub fn of(model: A, train: &str, sample_rate_hz: u32) -> Result<Self> {
        let (name, paper) = (model.card().name, model.card().paper_settings);
        Self::general(model, train, sample_rate_hz).with_toml(paper, name)
    }

    /// The general defaults with those of `model`.
    pub(super) fn general(model: A, train: &str, sample_rate_hz: u32) -> Self {
        Self {
            data: DataSettings {
                train: train.to_string(),
                ..DataSettings::default()
            },
            features: FeatureConfig {
                sample_rate_hz,
                normalize: Normalize::Corpus,
                ..FeatureConfig::default()
            },
            augment: AugmentConfig::default(),
            text: model.role().transcribes().then(TextSettings::default),
            model,
            train: TrainSettings::default(),
        }
    }

    /// The settings of a recipe of `model` for this corpus. Reads some of its recordings.
    ///
    /// # Errors
    /// When the recipe does not fit the configuration.
    pub fn by_recipe(model: A, recipe: RecipeName, corpus: &Corpus) -> Result<Self> {
        let card = model.card();
        let settings = Self::of(model, &corpus.spec.to_string(), corpus.native_rate_hz)?;
        if recipe == RecipeName::Paper {
            return Ok(settings);
        }
        let facts = facts(corpus);
        let text = (card.recipe)(&facts);
        let mut settings = settings.with_toml(&text, card.name)?;
        if recipe == RecipeName::Quick {
            let epochs = (settings.train.epochs as f64 * QUICK_SHARE).ceil() as usize;
            let least = match facts.num_recordings {
                // An epoch is a few steps, and takes no time.
                count @ 1..FEW => QUICK_STEPS.div_ceil(count.div_ceil(settings.train.batch_size)),
                _ => QUICK_EPOCHS,
            };
            settings
                .train
                .shorten(epochs.max(least).min(settings.train.epochs));
        }
        Ok(settings)
    }

    /// The layers that the settings of a recipe of `model` for this corpus are made of: each changes the one
    /// before it, and the last are [`by_recipe`](Self::by_recipe)'s.
    ///
    /// # Errors
    /// As [`by_recipe`](Self::by_recipe).
    pub fn layers_of(model: A, recipe: RecipeName, corpus: &Corpus) -> Result<Vec<(Source, Self)>> {
        let train = corpus.spec.to_string();
        let general = |rate_hz| Self::general(model.clone(), &train, rate_hz);
        Ok(vec![
            (
                Source::Default,
                general(FeatureConfig::default().sample_rate_hz),
            ),
            (Source::Corpus, general(corpus.native_rate_hz)),
            (
                Source::Paper,
                Self::of(model.clone(), &train, corpus.native_rate_hz)?,
            ),
            (Source::Recipe, Self::by_recipe(model, recipe, corpus)?),
        ])
    }

    /// These settings changed by the TOML text `text`. Errors call the text `origin`.
    ///
    /// # Errors
    /// When the text is not TOML, or has a setting that does not exist or has the wrong type.
    pub fn with_toml(&self, text: &str, origin: &str) -> Result<Self> {
        layers::with_toml(self, text, origin)
    }

    /// These settings changed by the file `path`.
    ///
    /// # Errors
    /// As [`with_toml`](Self::with_toml), and when the file cannot be read.
    pub fn with_file(&self, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
        self.with_toml(&text, &path.display().to_string())
    }

    /// These settings with one changed, given as `key=value`. The key is dotted
    /// (`train.learning_rate`) or, where it is unambiguous, only its last part (`learning_rate`). The
    /// value is TOML. A bare word is a string.
    ///
    /// # Errors
    /// When there is no such setting, the key is ambiguous, or the value has the wrong type.
    pub fn with_override(&self, assignment: &str) -> Result<Self> {
        layers::with_override(self, assignment, |path| match path.strip_prefix("model.") {
            Some(size) if OF_THE_DATA.contains(&size) => Some(format!(
                "the data and the features say what `{size}` is; leave it out (features.num_mels \
                     and the like set the bins)"
            )),
            _ => None,
        })
    }

    /// The dotted name of the setting that `assignment`, which is `key=value`, sets.
    pub(crate) fn key_of(&self, assignment: &str) -> Result<String> {
        layers::key_of(self, assignment)
    }

    /// The settings as TOML.
    ///
    /// # Errors
    /// When a value has no form in TOML, such as an integer above 2⁶³.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Config {
            origin: "settings".to_string(),
            reason: e.to_string(),
        })
    }

    /// The settings that a run folder keeps as `config.toml`.
    ///
    /// # Errors
    /// When the text is not TOML or lacks a part.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| Error::Config {
            origin: origin.to_string(),
            reason: e.to_string(),
        })
    }
}
