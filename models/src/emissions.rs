//! The output of a recogniser trained by CTC.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, backend::Backend};

use crate::loss::{CtcOptions, ctc};

/// The scores of the symbols at each step of a recogniser. Symbol 0 is the blank.
#[derive(Debug, Clone)]
pub struct Emissions<B: Backend> {
    /// Scores of the symbols before their softmax, `[batch, steps, symbols]`; anything past a row's
    /// length.
    pub logits: Tensor<B, 3>,
    /// Valid steps of each row.
    pub lengths: Vec<usize>,
}

impl<B: Backend> Emissions<B> {
    /// The logarithm of each symbol's probability, `[batch, steps, symbols]`; anything past a row's
    /// length.
    pub fn log_probs(&self) -> Tensor<B, 3> {
        log_softmax(self.logits.clone(), 2)
    }

    /// The CTC loss of the transcripts, `[batch]` without a reduction and otherwise `[1]`; see
    /// [`ctc`](fn@ctc).
    ///
    /// # Panics
    /// If there is not one transcript for each row, or one holds what is none of the symbols.
    pub fn ctc(&self, targets: &[Vec<usize>], options: CtcOptions) -> Tensor<B, 1> {
        ctc(self.logits.clone(), &self.lengths, targets, options)
    }
}
