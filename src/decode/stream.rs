use super::{BeamSearch, Greedy, Symbol, log_softmax};
use crate::task::argmax;

/// What reads a recogniser's steps one after another.
#[derive(Clone, Debug)]
pub enum StreamDecoder {
    /// The likeliest symbol of each step. What was read once stays.
    Greedy(Greedy),
    /// The best of many transcripts, which what comes later may change.
    Beam(Box<BeamSearch>),
}

impl StreamDecoder {
    /// Reads the next step: the logits of its symbols, before any softmax.
    pub fn push(&mut self, logits: &[f32]) {
        match self {
            Self::Greedy(greedy) => greedy.push(argmax(logits)),
            Self::Beam(search) => search.push(&log_softmax(logits)),
        }
    }

    /// What the steps so far most likely say.
    pub fn best(&self) -> Vec<Symbol> {
        match self {
            Self::Greedy(greedy) => greedy.symbols().to_vec(),
            Self::Beam(search) => search.best(),
        }
    }

    /// When the last symbol of that begins.
    pub fn last_start(&self) -> Option<usize> {
        match self {
            Self::Greedy(greedy) => greedy.symbols().last().map(|symbol| symbol.start),
            Self::Beam(search) => search.best().last().map(|symbol| symbol.start),
        }
    }

    /// What all steps most likely say, where the sound ends here.
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
