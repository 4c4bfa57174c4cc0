//! Transcripts, held against what is said.

use burn::tensor::backend::Backend;
use sori_datasets::Alphabet;
use sori_models::Emissions;
use sori_models::loss::BLANK;

use super::{Metrics, argmax, host};
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
    /// The best path through the steps of one recording more, of which `text` is said.
    ///
    /// # Panics
    /// If the path has what is no symbol of the alphabet.
    pub fn add(&mut self, id: &str, text: &str, path: &[usize], alphabet: &Alphabet) {
        self.blanks.add(path);
        let symbols: Vec<usize> = greedy(path).iter().map(|symbol| symbol.index).collect();
        let reference = alphabet.normalization().apply(text);
        self.errors
            .add(id, &reference, &single_spaced(&alphabet.decode(&symbols)));
    }

    pub(super) fn metrics(&self) -> Metrics {
        let words = self.errors.words();
        let mut metrics = Metrics::new([
            ("wer", words.rate()),
            ("cer", self.errors.characters().rate()),
            ("substitutions", words.substitutions as f64),
            ("deletions", words.deletions as f64),
            ("insertions", words.insertions as f64),
            ("blank", self.blanks.share()),
        ]);
        if let Some(jamo) = self.errors.jamo() {
            metrics.0.insert("jamo_cer".to_string(), jamo.rate());
        }
        metrics
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
    /// Counts the steps of a path more.
    pub fn add(&mut self, path: &[usize]) {
        self.blanks += path.iter().filter(|&&symbol| symbol == BLANK).count();
        self.steps += path.len();
    }

    /// The share of blanks; 0 of no steps.
    pub fn share(&self) -> f64 {
        self.blanks as f64 / self.steps.max(1) as f64
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
