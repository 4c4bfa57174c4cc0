//! The options that define a run.

use std::path::PathBuf;

use clap::Args;
use sori_datasets::{Corpus, OpenOptions, Spec};
use sori_models::{Purpose, catalogue};

use super::options::{Common, SettingArgs};
use crate::run::folder::best_checkpoint_in;
use crate::{Error, Result, Settings};

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

/// What a run is made of.
#[derive(Args)]
pub(super) struct RunArgs {
    /// What to train on, such as fsdd:DIR, folder:DIR or manifest:FILE.jsonl [default: synth:dtmf,
    /// synth:scenes for models made for tags, synth:morse for those that transcribe]
    #[arg(long, value_name = "SPEC")]
    pub(super) data: Option<String>,
    /// What to choose the best checkpoint on [default: part of the training data]
    #[arg(long, value_name = "SPEC")]
    pub(super) valid_data: Option<String>,
    /// What to test on [default: the corpus's own test part]
    #[arg(long, value_name = "SPEC")]
    pub(super) test_data: Option<String>,
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
        let spec = self.data.clone().unwrap_or(named.data.train);
        let options = OpenOptions {
            skip_bad: common.skip_bad || named.data.skip_bad,
            labels: None,
        };
        let corpus = Corpus::open_with(&spec.parse::<Spec>()?, &options)?;
        if let Some(from) = &self.from {
            best_checkpoint_in(from)?;
        }
        // Features use the rate of the corpus, unless a setting changes it.
        let settings = self.settings_of(common, model, &spec, corpus.native_rate_hz)?;
        Ok((settings, corpus))
    }

    /// The settings of a run of this model on this corpus, at this rate. Reads neither the corpus nor
    /// another run.
    pub(super) fn settings_of(
        &self,
        common: &Common,
        model: &str,
        spec: &str,
        sample_rate_hz: u32,
    ) -> Result<Settings> {
        let mut settings = self
            .settings
            .apply(Settings::new(model, spec, sample_rate_hz)?)?;
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
                    "--unk is for models that write transcripts; {model} does not"
                )));
            }
            None => {}
        }
        settings.check()?;
        Ok(settings)
    }
}
