//! The options of searches for transcripts.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use sori_models::{Architecture, Role};

use super::output::remark;
use crate::decode::{
    Beam, BeamOptions, Fusion, FusionOptions, NgramModel, SpellOptions, TokenKind,
};
use crate::{Error, Result, RunFolder};

/// How transcripts are found.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Transcripts")]
pub(super) struct DecodeArgs {
    /// Search for the best transcript among N at a time, rather than take the likeliest symbol each
    /// time
    #[arg(long, value_name = "N")]
    beam: Option<usize>,
    /// A language model that takes part in the search [--beam: 100, or 8 for las]
    #[arg(long, value_name = "FILE.arpa")]
    lm: Option<PathBuf>,
    /// What a token of the language model is [default: as its vocabulary shows]
    #[arg(long, value_name = "KIND", requires = "lm")]
    lm_kind: Option<TokenKind>,
    /// Weight of the language model [default: 0.5]
    #[arg(long, value_name = "A", requires = "lm", allow_negative_numbers = true)]
    alpha: Option<f64>,
    /// Bonus for each word or character of the language model, in nats [default: 1.5]
    #[arg(long, value_name = "B", requires = "lm", allow_negative_numbers = true)]
    beta: Option<f64>,
    /// Added to the log10-probability of a word the language model does not know [default: -10]
    #[arg(long, value_name = "U", requires = "lm", allow_negative_numbers = true)]
    unknown: Option<f64>,
    /// Symbols less likely than this, in nats, are not followed in a step [default: -5]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    symbol_threshold: Option<f64>,
    /// Transcripts so many nats below the best are given up [default: 10]
    #[arg(long, value_name = "D", allow_negative_numbers = true)]
    beam_threshold: Option<f64>,
    /// las: exponent of the length that scores are divided by [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    length_penalty: Option<f64>,
    /// las: weight of the penalty for what was not attended to [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    coverage: Option<f64>,
    /// las: share of the CTC head in the scores [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    ctc_weight: Option<f64>,
}

impl DecodeArgs {
    /// The search requested, if any.
    ///
    /// # Errors
    /// When an option is invalid or does not fit the run's model, or the language model cannot be
    /// used.
    pub(super) fn beam(&self, run: &RunFolder) -> Result<Option<Beam>> {
        let asked = [
            ("--symbol-threshold", self.symbol_threshold),
            ("--beam-threshold", self.beam_threshold),
            ("--length-penalty", self.length_penalty),
            ("--coverage", self.coverage),
            ("--ctc-weight", self.ctc_weight),
        ];
        let asked: Vec<&str> = asked
            .into_iter()
            .filter_map(|(name, value)| value.map(|_| name))
            .collect();
        if self.beam.is_none() && self.lm.is_none() {
            return match asked.first() {
                None => Ok(None),
                Some(name) => Err(Error::Input(format!(
                    "{name} is for a search: give --beam N too, such as --beam 8"
                ))),
            };
        }
        let Some(alphabet) = run.task().alphabet() else {
            return Err(Error::Input(
                "--beam and --lm are for transcripts; this run's model writes none".to_string(),
            ));
        };
        let spells = run.settings().model.role() == Role::Speller;
        if let Some(name) = asked.iter().find(|name| !name.ends_with("threshold"))
            && !spells
        {
            return Err(Error::Input(format!(
                "{name} is for las; this run's model is {}",
                run.info().model
            )));
        }
        let options = self.options(spells);
        options.check().map_err(of_option)?;
        if options.ctc_weight > 0.0 && !run.settings().model.learns_by_ctc() {
            return Err(Error::Input(
                "--ctc-weight: this model has no CTC head; train with model.ctc_weight above 0"
                    .to_string(),
            ));
        }
        let fusion = match &self.lm {
            None => None,
            Some(path) => {
                let default = FusionOptions::default();
                let options = FusionOptions {
                    alpha: self.alpha.unwrap_or(default.alpha),
                    beta: self.beta.unwrap_or(default.beta),
                    unknown: self.unknown.unwrap_or(default.unknown),
                };
                options.check().map_err(of_option)?;
                let model = NgramModel::read(path)?;
                let all = model.tokens().count();
                let fusion = Fusion::new(model, alphabet, self.lm_kind, options)?;
                let written = fusion.num_tokens();
                if written < all {
                    remark(&format!(
                        "{}: the run's alphabet writes {written} of its {all} tokens",
                        path.display()
                    ));
                }
                Some(Arc::new(fusion))
            }
        };
        Ok(Some(Beam { options, fusion }))
    }

    fn options(&self, spells: bool) -> SpellOptions {
        let default = SpellOptions::default();
        let beam = if spells {
            default.beam
        } else {
            BeamOptions::default()
        };
        SpellOptions {
            beam: BeamOptions {
                beam_size: self.beam.unwrap_or(beam.beam_size),
                symbol_threshold: self.symbol_threshold.unwrap_or(beam.symbol_threshold),
                beam_threshold: self.beam_threshold.unwrap_or(beam.beam_threshold),
            },
            length_penalty: self.length_penalty.unwrap_or(default.length_penalty),
            coverage: self.coverage.unwrap_or(default.coverage),
            ctc_weight: self.ctc_weight.unwrap_or(default.ctc_weight),
        }
    }
}

/// The error of a search's field, naming the command-line option.
fn of_option(error: Error) -> Error {
    match error {
        Error::Setting {
            key,
            value,
            expected,
        } => {
            let option = match key.as_str() {
                "beam_size" => "beam".to_string(),
                field => field.replace('_', "-"),
            };
            Error::Input(format!("--{option} {value}: {expected}"))
        }
        error => error,
    }
}
