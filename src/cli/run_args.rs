//! The options that define a run.

use std::path::{Path, PathBuf};

use clap::Args;
use sori_datasets::audio::EXTENSIONS;
use sori_datasets::features::Normalize;
use sori_datasets::{Corpus, OpenOptions, Spec};
use sori_models::{Architecture, ModelConfig, Purpose, catalogue};

use super::groups;
use super::options::{Common, SettingArgs};
use super::output::remark;
use crate::run::folder::best_checkpoint_in;
use crate::settings::{BestBy, ScheduleKind, Source, TrainSettings};
use crate::{Error, RecipeName, Result, RunFolder, Settings};

/// The default corpus of a model: sound scenes for taggers, Morse code for models that write
/// transcripts, otherwise telephone keys.
fn embedded(model: &str) -> &'static str {
    let card = catalogue().iter().find(|card| card.name == model);
    match card.map(|card| card.purpose) {
        Some(Purpose::Tag) => "synth:scenes",
        Some(Purpose::Transcribe) => "synth:morse",
        _ => "synth:dtmf",
    }
}

/// Says what a corpus leaves out or resamples, and what of it may belong together.
fn remarks_on(corpus: &Corpus, settings: &Settings) {
    let spec = &settings.data.train;
    let counts = |counts: Vec<String>| counts.join(", ");
    if !corpus.unread_sounds.is_empty() {
        let kinds = corpus.unread_sounds.iter();
        let kinds = kinds.map(|(extension, count)| format!("{count} .{extension}"));
        remark(&format!(
            "{spec}: sounds of other kinds are passed over ({}); {} are read",
            counts(kinds.collect()),
            EXTENSIONS.join(", "),
        ));
    }
    if corpus.rates_hz.len() > 1 {
        let rates = corpus.rates_hz.iter();
        let rates = rates.map(|(rate_hz, count)| format!("{count} at {rate_hz} Hz"));
        remark(&format!(
            "{spec}: recordings have several sample rates ({}); all are resampled to {} Hz, the setting \
             features.sample_rate_hz",
            counts(rates.collect()),
            settings.features.sample_rate_hz,
        ));
    }
    if let Some(line) = groups::remark_on(corpus, settings) {
        remark(&line);
    }
}

/// Says which features differ from those of the run that another starts from.
fn remark_on_features(from: &RunFolder, settings: &Settings) {
    let values = |features| match serde_json::to_value(features) {
        Ok(serde_json::Value::Object(values)) => values,
        _ => serde_json::Map::new(),
    };
    let (was, is) = (
        values(&from.settings().features),
        values(&settings.features),
    );
    let other = is.iter().filter_map(|(key, is)| {
        let was = was.get(key).filter(|was| *was != is)?;
        Some(format!("features.{key} is {is}, there {was}"))
    });
    let other: Vec<String> = other.collect();
    if !other.is_empty() {
        remark(&format!(
            "the features are not those of {}, for which its weights were trained: {}",
            from.path().display(),
            other.join("; ")
        ));
    }
}

/// Values of a recipe that contradict a setting that was changed give way, unless they were `set` too.
fn give_way(recipe: &Settings, settings: &mut Settings, set: &[String]) {
    let is_set = |key: &str| set.iter().any(|set| set == key);
    let (was, train) = (&recipe.train, &mut settings.train);
    let waits =
        |train: &TrainSettings| train.patience > 0 || train.schedule == ScheduleKind::Plateau;
    if waits(train) && !waits(was) && was.best_by == BestBy::Last && !is_set("train.best_by") {
        train.best_by = BestBy::Metric;
    }
    let hides = train.adversary_weight > 0.0 && was.adversary_weight == 0.0;
    let (was, augment) = (&recipe.augment, &mut settings.augment);
    if hides && augment.mix == was.mix && !is_set("augment.mix.probability") {
        augment.mix.probability = 0.0;
    }
    let plain = settings.features.normalize == Normalize::None;
    let masks = augment.spec_augment == was.spec_augment;
    if plain && masks && !is_set("augment.spec_augment.probability") {
        augment.spec_augment.probability = 0.0;
    }
}

/// The name of a corpus in run folders: `fsdd` for `fsdd:DIR`, `dtmf` for `synth:dtmf`, or the
/// name of the folder or file if that tells more.
pub(super) fn short_name(spec: &str) -> String {
    let (corpus, location) = spec.split_once(':').unwrap_or((spec, ""));
    let location = location.split('?').next().unwrap_or_default();
    match corpus {
        "synth" | "folder" | "manifest" => Path::new(location).file_stem().map_or_else(
            || corpus.to_string(),
            |name| name.to_string_lossy().into_owned(),
        ),
        _ => corpus.to_string(),
    }
}

/// What a run is made of.
#[derive(Args)]
pub(super) struct RunArgs {
    /// What to train on, such as fsdd:DIR, folder:DIR or manifest:FILE.jsonl [default: synth:dtmf,
    /// synth:scenes for models made for tags, synth:morse for those that transcribe]
    #[arg(long, value_name = "SPEC", help_heading = "Data")]
    pub(super) data: Option<String>,
    /// What to validate on [default: part of the training data]
    #[arg(long, value_name = "SPEC", help_heading = "Data")]
    pub(super) valid_data: Option<String>,
    /// What to test on [default: the corpus's own test part]
    #[arg(long, value_name = "SPEC", help_heading = "Data")]
    pub(super) test_data: Option<String>,
    /// Take symbols that the alphabet of transcripts does not have for one of their own, rather than
    /// refuse them
    #[arg(long, help_heading = "Data")]
    unk: bool,
    /// The settings to start from
    #[arg(long, value_enum, default_value_t, help_heading = "Model")]
    recipe: RecipeName,
    #[command(flatten)]
    settings: SettingArgs,
    /// Start from the weights of this run, where names and shapes agree
    #[arg(long, value_name = "RUN", help_heading = "Model")]
    from: Option<PathBuf>,
    /// Passes over the training data
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) epochs: Option<usize>,
    /// Learning rate at the end of the warm-up
    #[arg(
        long,
        visible_alias = "lr",
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    learning_rate: Option<f64>,
    /// Recordings in a batch
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch_size: Option<usize>,
    /// Stop after so many minutes of training
    #[arg(
        long,
        value_name = "M",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    max_minutes: Option<f64>,
    /// Where all randomness starts from
    #[arg(long, value_name = "N", help_heading = "Training")]
    seed: Option<u64>,
    /// Write each epoch's measurements for TensorBoard as well, beside metrics.jsonl
    #[arg(long, help_heading = "Output")]
    tensorboard: bool,
}

impl RunArgs {
    /// The settings of a run of this model at the sample rate of its corpus, and the corpus.
    pub(super) fn resolve(&self, common: &Common, model: &str) -> Result<(Settings, Corpus)> {
        let (layers, corpus) = self.layers(common, model)?;
        let Some((_, settings)) = layers.into_iter().next_back() else {
            return Err(Error::Input("there are no settings".to_string()));
        };
        if !common.quiet {
            remarks_on(&corpus, &settings);
        }
        Ok((settings, corpus))
    }

    /// The layers that those settings are made of, and the corpus.
    pub(super) fn layers(
        &self,
        common: &Common,
        model: &str,
    ) -> Result<(Vec<(Source, Settings)>, Corpus)> {
        // A file or a --set may also name the data.
        let default = self.data.as_deref().unwrap_or(embedded(model));
        let named = self
            .settings
            .apply(Settings::new(model, default, 16_000)?)?;
        self.check_given_once(&named)?;
        let spec = self.data.clone().unwrap_or(named.data.train);
        let options = OpenOptions {
            skip_bad: common.skip_bad || named.data.skip_bad,
            labels: None,
        };
        let corpus = Corpus::open_with(&spec.parse::<Spec>()?, &options)?;
        let from = self.from.clone().unwrap_or(named.data.from.into());
        let from = match from.as_os_str().is_empty() {
            true => None,
            false => {
                best_checkpoint_in(&from)?;
                Some(RunFolder::open(&from)?)
            }
        };
        let mut layers = Settings::layers_of(ModelConfig::from_name(model)?, self.recipe, &corpus)?;
        if let Some((_, start)) = layers.last() {
            let mut start = start.clone();
            if let Some(from) = &from {
                // Its weights are made for them.
                start.features = from.settings().features.clone();
            }
            let given = self.settings_over(common, start, &spec)?;
            if let (false, Some(from)) = (common.quiet, &from) {
                remark_on_features(from, &given);
            }
            layers.push((Source::Given, given));
        }
        Ok((layers, corpus))
    }

    /// Whether any of these options is given.
    pub(super) fn is_given(&self) -> bool {
        let specs = [&self.data, &self.valid_data, &self.test_data];
        specs.iter().any(|spec| spec.is_some())
            || self.settings.is_given()
            || self.recipe != RecipeName::default()
            || self.from.is_some()
            || self.epochs.is_some()
            || self.learning_rate.is_some()
            || self.batch_size.is_some()
            || self.max_minutes.is_some()
            || self.seed.is_some()
            || self.unk
            || self.tensorboard
    }

    /// Refuses an option beside a --set of the same setting.
    fn check_given_once(&self, settings: &Settings) -> Result<()> {
        let options = [
            (self.data.is_some(), "--data", "data.train"),
            (self.valid_data.is_some(), "--valid-data", "data.valid"),
            (self.test_data.is_some(), "--test-data", "data.test"),
            (self.from.is_some(), "--from", "data.from"),
            (self.epochs.is_some(), "--epochs", "train.epochs"),
            (
                self.learning_rate.is_some(),
                "--learning-rate",
                "train.learning_rate",
            ),
            (
                self.batch_size.is_some(),
                "--batch-size",
                "train.batch_size",
            ),
            (
                self.max_minutes.is_some(),
                "--max-minutes",
                "train.max_minutes",
            ),
            (self.seed.is_some(), "--seed", "train.seed"),
        ];
        let set = self.settings.set_keys(settings)?;
        let twice = |(given, _, setting): &&(bool, &str, &str)| {
            *given && set.iter().any(|key| key == setting)
        };
        match options.iter().find(twice) {
            None => Ok(()),
            Some((_, option, setting)) => Err(Error::Input(format!(
                "{option} and --set {setting} name the same setting; give one of them"
            ))),
        }
    }

    /// These settings of a run on the corpus `spec`, changed by the options. Reads neither the corpus nor
    /// another run.
    pub(super) fn settings_over(
        &self,
        common: &Common,
        start: Settings,
        spec: &str,
    ) -> Result<Settings> {
        let mut settings = self.settings.apply(start.clone())?;
        let set = self.settings.set_keys(&settings)?;
        give_way(&start, &mut settings, &set);
        settings.data.train = spec.to_string();
        let data = &mut settings.data;
        data.skip_bad |= common.skip_bad;
        if let Some(spec) = &self.valid_data {
            data.valid.clone_from(spec);
        }
        if let Some(spec) = &self.test_data {
            data.test.clone_from(spec);
        }
        if let Some(from) = &self.from {
            data.from = from.display().to_string();
        }
        let train = &mut settings.train;
        train.epochs = self.epochs.unwrap_or(train.epochs);
        train.learning_rate = self.learning_rate.unwrap_or(train.learning_rate);
        train.batch_size = self.batch_size.unwrap_or(train.batch_size);
        train.tensorboard |= self.tensorboard;
        train.max_minutes = self.max_minutes.unwrap_or(train.max_minutes);
        train.seed = self.seed.unwrap_or(train.seed);
        match &mut settings.text {
            Some(text) => text.unk |= self.unk,
            None if self.unk => {
                return Err(Error::Input(format!(
                    "--unk is for models that write transcripts; {} does not",
                    settings.model.card().name
                )));
            }
            None => {}
        }
        settings.check()?;
        Ok(settings)
    }
}
