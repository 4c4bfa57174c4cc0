//! Transcripts, held against what is said.

use std::ops::AddAssign;

use burn::tensor::backend::Backend;
use sori_datasets::Alphabet;
use sori_models::las::DecodeOptions;
use sori_models::loss::BLANK;
use sori_models::{Emissions, Model};

use super::{Metrics, Output, argmax, host};
use crate::decode::greedy;
use crate::metric::TranscriptErrors;

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
        let hypothesis = single_spaced(&alphabet.decode(&heard.symbols));
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

/// What a recogniser heard in each row of a batch, of which it has said `output`.
pub(super) fn heard<B: Backend>(
    model: &Model<B>,
    output: Output<B>,
    decoding: DecodeOptions,
) -> Vec<Heard> {
    match (model, output) {
        (Model::Las(model), Output::Spelled(spelled)) => {
            let found = model.spell(&spelled.listened, decoding).into_iter();
            found
                .map(|hypothesis| Heard {
                    symbols: hypothesis.symbols,
                    blanks: Blanks::default(),
                })
                .collect()
        }
        (_, Output::Symbols(emissions)) => {
            let paths = best_paths(emissions).into_iter();
            paths
                .map(|path| Heard {
                    symbols: greedy(&path).iter().map(|symbol| symbol.index).collect(),
                    blanks: Blanks::of(&path),
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Text without spaces at its ends and with single ones between its words.
pub(crate) fn single_spaced(text: &str) -> String {
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
pub fn best_paths<B: Backend>(emissions: Emissions<B>) -> Vec<Vec<usize>> {
    let [_, steps, symbols] = emissions.logits.dims();
    let scores = host(emissions.logits);
    let rows = scores.chunks_exact((steps * symbols).max(1));
    rows.zip(emissions.lengths)
        .map(|(row, length)| {
            let valid = row.chunks_exact(symbols).take(length);
            valid.map(argmax).collect()
        })
        .collect()
}
