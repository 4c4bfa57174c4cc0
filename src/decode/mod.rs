//! From what a recogniser says to transcripts.

mod beam;
mod ctc;
mod ctc_prefix;
mod fusion;
mod ngram;
mod spell;
mod tree;

use sori_models::las::DecodeOptions;

pub use beam::{BeamOptions, BeamSearch, Hypothesis};
pub use ctc::{Symbol, Word, greedy, words};
pub use fusion::{Fusion, FusionOptions, FusionState};
pub use ngram::{
    Context, Discounts, HIGHEST_ORDER, NgramCounts, NgramEstimate, NgramModel, SPACE_TOKEN,
    TokenId, TokenKind,
};
pub use spell::{SpellOptions, spell};

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
    pub fusion: Option<Fusion>,
}
