//! The options that define a run.

use std::path::PathBuf;

use clap::Args;
use sori_datasets::audio::EXTENSIONS;
use sori_datasets::features::Normalize;
use sori_datasets::{Corpus, OpenOptions, Spec};
use sori_models::{Architecture, ModelConfig, Purpose, catalogue};

use super::groups;
use super::options::{Common, SettingArgs};
use super::output::remark;
use crate::run::folder::best_checkpoint_in;
use crate::settings::{BestBy, ScheduleKind, TrainSettings};
use crate::{Error, RecipeName, Result, Settings};

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

/// What a run is made of.
#[derive(Args)]
pub(super) struct RunArgs {
    /// What to train on, such as fsdd:DIR, folder:DIR or manifest:FILE.jsonl [default: synth:dtmf,
    /// synth:scenes for models made for tags, synth:morse for those that transcribe]
    #[arg(long, value_name = "SPEC")]
    pub(super) data: Option<String>,
    /// What to validate on [default: part of the training data]
    #[arg(long, value_name = "SPEC")]
    pub(super) valid_data: Option<String>,
    /// What to test on [default: the corpus's own test part]
    #[arg(long, value_name = "SPEC")]
    pub(super) test_data: Option<String>,
    /// The settings to start from
    #[arg(long, value_enum, default_value_t)]
    recipe: RecipeName,
    #[command(flatten)]
    settings: SettingArgs,
    /// Passes over the training data
    #[arg(long)]
    epochs: Option<usize>,
    /// Stop after so many minutes of training
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    max_minutes: Option<f64>,
    /// Take symbols that the alphabet of transcripts does not have for one of their own, rather than
    /// refuse them
    #[arg(long)]
    unk: bool,
    /// Where all randomness starts from
    #[arg(long)]
    seed: Option<u64>,
    /// Start from the weights of this run, where names and shapes agree
    #[arg(long, value_name = "RUN")]
    from: Option<PathBuf>,
}

impl RunArgs {
    /// The settings of a run of this model at the sample rate of its corpus, and the corpus.
    pub(super) fn resolve(&self, common: &Common, model: &str) -> Result<(Settings, Corpus)> {
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
        if let Some(from) = &self.from {
            best_checkpoint_in(from)?;
        }
        let start = Settings::by_recipe(ModelConfig::from_name(model)?, self.recipe, &corpus)?;
        let settings = self.settings_over(common, start, &spec)?;
        if !common.quiet {
            remarks_on(&corpus, &settings);
        }
        Ok((settings, corpus))
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
