use super::{Greedy, Symbol};
use crate::task::argmax;

/// What reads a recogniser's steps one after another.
#[derive(Clone, Debug)]
pub enum StreamDecoder {
    /// The likeliest symbol of each step. What was read once stays.
    Greedy(Greedy),
}

impl StreamDecoder {
    /// Reads the next step: the logits of its symbols, before any softmax.
    pub fn push(&mut self, logits: &[f32]) {
        match self {
            Self::Greedy(greedy) => greedy.push(argmax(logits)),
        }
    }

    /// What the steps so far most likely say.
    pub fn best(&self) -> &[Symbol] {
        match self {
            Self::Greedy(greedy) => greedy.symbols(),
        }
    }
}
