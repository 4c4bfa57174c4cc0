//! From what a recogniser says to transcripts.

mod beam;
mod ctc;
mod ctc_prefix;
mod fusion;
mod ngram;
mod spell;
mod stream;
mod tree;

use std::sync::Arc;

use sori_datasets::Alphabet;
use sori_models::las::DecodeOptions;

use crate::Result;

pub use beam::{BeamOptions, BeamSearch, Hypothesis};
pub use ctc::{Greedy, Symbol, Word, greedy, words};
pub use fusion::{Fusion, FusionOptions, FusionState};
pub use ngram::{
    Context, Discounts, HIGHEST_ORDER, NgramCounts, NgramEstimate, NgramModel, SPACE_TOKEN,
    TokenId, TokenKind,
};
pub use spell::{SpellOptions, spell};
pub use stream::StreamDecoder;

/// How transcripts are found.
#[derive(Clone, Debug, Default)]
pub struct Decoding {
    /// When a speller's transcript ends.
    pub end: DecodeOptions,
    /// A search for the best; without it the likeliest symbol is taken each time.
    pub beam: Option<Beam>,
}

/// A beam search.
#[derive(Clone, Debug)]
pub struct Beam {
    /// How wide it is, and how it ranks what a speller writes.
    pub options: SpellOptions,
    /// The language model that takes part in it.
    pub fusion: Option<Arc<Fusion>>,
}

impl Beam {
    /// A search over the steps of one recording.
    ///
    /// # Errors
    /// As [`BeamOptions::check`].
    pub fn search(&self, alphabet: &Alphabet) -> Result<BeamSearch> {
        BeamSearch::new(self.options.beam, alphabet.index(' '), self.fusion.clone())
    }
}

/// The logarithm of each symbol's probability, from the scores of one step. Of one step at a time, so that
/// it is the same however a recording is cut.
pub(crate) fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = |&logit: &f32| f64::from(logit - largest);
    let total = logits
        .iter()
        .map(|logit| shifted(logit).exp())
        .sum::<f64>()
        .ln();
    logits
        .iter()
        .map(|logit| (shifted(logit) - total) as f32)
        .collect()
}
