//! Transcripts, held against what is said.

use std::ops::AddAssign;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use sori_datasets::Alphabet;
use sori_models::las::{Hypothesis as Spelling, Las, Listened};
use sori_models::loss::BLANK;
use sori_models::ops::in_pool;
use sori_models::{Emissions, Model};

use super::{Metrics, Output, argmax, host};
use crate::Result;
use crate::decode::{Beam, Decoding, Hypothesis, Symbol, greedy, log_softmax, spell};
use crate::metric::TranscriptErrors;
use crate::predict::check_finite;

/// What was heard in a whole part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcripts {
    /// Against what is said.
    pub errors: TranscriptErrors,
    blanks: Blanks,
}

impl Transcripts {
    /// What was heard of one recording more, of which `text` is said.
    ///
    /// # Panics
    /// If it has what is no symbol of the alphabet.
    pub fn add(&mut self, id: &str, text: &str, heard: &Heard, alphabet: &Alphabet) {
        self.blanks += heard.blanks;
        let reference = alphabet.normalization().apply(text);
        let hypothesis = written(alphabet, &heard.symbols);
        self.errors.add(id, &reference, &hypothesis);
    }

    pub(super) fn metrics(&self) -> Metrics {
        let words = self.errors.words();
        let mut metrics = Metrics::new([
            ("wer", words.rate()),
            ("cer", self.errors.characters().rate()),
            ("substitutions", words.substitutions as f64),
            ("deletions", words.deletions as f64),
            ("insertions", words.insertions as f64),
        ]);
        if self.blanks.steps > 0 {
            metrics.0.insert("blank".to_string(), self.blanks.share());
        }
        if let Some(jamo) = self.errors.jamo() {
            metrics.0.insert("jamo_cer".to_string(), jamo.rate());
        }
        metrics
    }
}

/// What was heard in one recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// The symbols, by index into the alphabet.
    pub symbols: Vec<usize>,
    /// The steps of a model that may say nothing at each.
    pub blanks: Blanks,
}

/// What a recogniser that writes in `alphabet` heard in each row of a batch, of which it has said
/// `output`.
pub(super) fn heard<B: Backend>(
    model: &Model<B>,
    output: Output<B>,
    decoding: &Decoding,
    alphabet: &Alphabet,
) -> Result<Vec<Heard>> {
    match (model, output) {
        (Model::Las(model), Output::Spelled(spelled)) => {
            let found = spelled_best(model, &spelled.listened, spelled.ctc_logits, decoding)?;
            Ok(found
                .into_iter()
                .map(|hypotheses| Heard {
                    symbols: hypotheses.into_iter().next().unwrap_or_default().symbols,
                    blanks: Blanks::default(),
                })
                .collect())
        }
        (_, Output::Symbols(emissions)) => {
            let paths = best_paths(&emissions);
            let found: Vec<Vec<usize>> = match &decoding.beam {
                None => paths.iter().map(|path| indices(&greedy(path))).collect(),
                Some(beam) => {
                    let rows = log_probs(&emissions);
                    let best = |row: &Vec<Vec<f32>>| {
                        Ok(indices(&searched(row, beam, alphabet, 1)?[0].symbols))
                    };
                    rows.par_iter().map(best).collect::<Result<_>>()?
                }
            };
            let heard = found.into_iter().zip(&paths);
            Ok(heard
                .map(|(symbols, path)| Heard {
                    symbols,
                    blanks: Blanks::of(path),
                })
                .collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// What a speller writes of each row that was listened to, the best first.
pub(crate) fn spelled_best<B: Backend>(
    model: &Las<B>,
    listened: &Listened<B>,
    ctc_logits: Option<Tensor<B, 3>>,
    decoding: &Decoding,
) -> Result<Vec<Vec<Spelling>>> {
    in_pool::<B, _>(|| match &decoding.beam {
        None => {
            let found = model.spell(listened, decoding.end).into_iter();
            Ok(found.map(|hypothesis| vec![hypothesis]).collect())
        }
        Some(beam) => spell(
            model,
            listened,
            ctc_logits,
            decoding.end,
            &beam.options,
            beam.fusion.as_deref(),
        ),
    })
}

/// The `most` best transcripts of the log-probabilities of each symbol at each step; there is always
/// one.
pub(crate) fn searched(
    log_probs: &[Vec<f32>],
    beam: &Beam,
    alphabet: &Alphabet,
    most: usize,
) -> Result<Vec<Hypothesis>> {
    check_finite(log_probs.iter().flatten())?;
    let mut search = beam.search(alphabet)?;
    log_probs.iter().for_each(|step| search.push(step));
    Ok(search.finish(most))
}

pub(crate) fn indices(symbols: &[Symbol]) -> Vec<usize> {
    symbols.iter().map(|symbol| symbol.index).collect()
}

/// The log-probability of each symbol at each valid step, row by row.
pub(crate) fn log_probs<B: Backend>(emissions: &Emissions<B>) -> Vec<Vec<Vec<f32>>> {
    let [_, steps, symbols] = emissions.logits.dims();
    let logits = host(emissions.logits.clone());
    let rows = logits.chunks_exact((steps * symbols).max(1));
    rows.zip(&emissions.lengths)
        .map(|(row, &length)| {
            let valid = row.chunks_exact(symbols).take(length);
            valid.map(log_softmax).collect()
        })
        .collect()
}

/// What symbols read as, without spaces at the ends and with single ones between words.
pub(crate) fn written(alphabet: &Alphabet, symbols: &[usize]) -> String {
    let text = alphabet.decode(symbols);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many of the steps said nothing: all of them where a model has only learned to say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Blanks {
    /// Steps whose largest score is the blank's.
    pub blanks: usize,
    /// All steps.
    pub steps: usize,
}

impl Blanks {
    /// Of a path of one symbol for each step.
    pub fn of(path: &[usize]) -> Self {
        Self {
            blanks: path.iter().filter(|&&symbol| symbol == BLANK).count(),
            steps: path.len(),
        }
    }

    /// The share of blanks; 0 of no steps.
    pub fn share(&self) -> f64 {
        self.blanks as f64 / self.steps.max(1) as f64
    }
}

impl AddAssign for Blanks {
    fn add_assign(&mut self, other: Self) {
        self.blanks += other.blanks;
        self.steps += other.steps;
    }
}

/// The symbol of the largest score at each step, row by row.
pub fn best_paths<B: Backend>(emissions: &Emissions<B>) -> Vec<Vec<usize>> {
    let [_, steps, symbols] = emissions.logits.dims();
    let scores = host(emissions.logits.clone());
    let rows = scores.chunks_exact((steps * symbols).max(1));
    rows.zip(&emissions.lengths)
        .map(|(row, &length)| {
            let valid = row.chunks_exact(symbols).take(length);
            valid.map(argmax).collect()
        })
        .collect()
}
