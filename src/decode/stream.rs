//! Decoding of steps that arrive one by one.

use super::beam::BeamSearch;
use super::ctc::{Greedy, Symbol};
use crate::numbers::{argmax, log_softmax};

/// A CTC decoder that takes the steps of a recogniser one by one.
#[derive(Clone, Debug)]
pub enum StreamDecoder {
    /// Greedy decoding: the most probable symbol of each step. Symbols once found stay.
    Greedy(Greedy),
    /// Beam search. Later steps can change the best transcript.
    Beam(Box<BeamSearch>),
}

impl StreamDecoder {
    /// Takes the next step: the logits of its symbols.
    pub fn push(&mut self, logits: &[f32]) {
        match self {
            Self::Greedy(greedy) => greedy.push(argmax(logits)),
            Self::Beam(search) => search.push(&log_softmax(logits)),
        }
    }

    /// The best transcript of the steps so far.
    pub fn best(&self) -> Vec<Symbol> {
        match self {
            Self::Greedy(greedy) => greedy.symbols().to_vec(),
            Self::Beam(search) => search.best(),
        }
    }

    /// The first step of the last symbol of [`best`](Self::best).
    pub fn last_start(&self) -> Option<usize> {
        match self {
            Self::Greedy(greedy) => greedy.symbols().last().map(|symbol| symbol.start),
            Self::Beam(search) => search.best().last().map(|symbol| symbol.start),
        }
    }

    /// The best transcript if the recording ends here.
    pub fn finish(&self) -> Vec<Symbol> {
        match self {
            Self::Greedy(greedy) => greedy.symbols().to_vec(),
            Self::Beam(search) => {
                let best = search.finish(1).into_iter().next();
                best.map_or_else(Vec::new, |best| best.symbols)
            }
        }
    }
}
