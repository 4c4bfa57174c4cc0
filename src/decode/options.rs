//! The choice of a decoder: greedy, or a beam search with or without a language model.

use std::sync::Arc;

use sori_datasets::Alphabet;
use sori_models::las::DecodeOptions;

use super::beam::BeamSearch;
use super::fusion::Fusion;
use super::spell::SpellOptions;
use crate::error::Result;

/// Settings of a decoder.
#[derive(Clone, Debug, Default)]
pub struct Decoding {
    /// The end of a speller's transcript.
    pub end: DecodeOptions,
    /// The beam search; without one decoding is greedy.
    pub beam: Option<Beam>,
}

/// Settings of a beam search.
#[derive(Clone, Debug)]
pub struct Beam {
    /// The width of the beam, and the ranking of a speller's transcripts.
    pub options: SpellOptions,
    /// The language model fused into the search.
    pub fusion: Option<Arc<Fusion>>,
}

impl Beam {
    /// Begins a CTC search over the steps of one recording.
    ///
    /// # Errors
    /// As [`BeamOptions::check`](super::BeamOptions::check).
    pub fn search(&self, alphabet: &Alphabet) -> Result<BeamSearch> {
        BeamSearch::new(self.options.beam, alphabet.index(' '), self.fusion.clone())
    }
}
