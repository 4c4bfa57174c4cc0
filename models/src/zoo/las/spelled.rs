//! The scores of given transcripts, and the loss they make.

use burn::tensor::{Tensor, backend::Backend};

use super::config::SENTENCE_END;
use super::listener::Listened;
use crate::loss::{CtcOptions, Reduction, ctc, sequence_cross_entropy};

/// The scores of the symbols of given transcripts.
#[derive(Debug, Clone)]
pub struct Spelled<B: Backend> {
    /// Logits at each symbol and at the end, `[batch, longest + 1, symbols]`.
    pub logits: Tensor<B, 3>,
    /// Valid rows of logits: a transcript's symbols and its end.
    pub lengths: Vec<usize>,
    /// Logits of the CTC head, `[batch, steps, symbols]`, blank first.
    pub ctc_logits: Option<Tensor<B, 3>>,
    /// The states of the listener.
    pub listened: Listened<B>,
}

impl<B: Backend> Spelled<B> {
    /// Cross entropy against the transcripts and their ends, averaged over all symbols and ends of
    /// the batch, in nats: `[1]`. The share `smoothing` of each target's probability is spread
    /// evenly over all symbols.
    ///
    /// # Panics
    /// If these are not the transcripts that were spelled.
    pub fn cross_entropy(&self, transcripts: &[Vec<usize>], smoothing: f64) -> Tensor<B, 1> {
        let targets: Vec<Vec<usize>> = transcripts
            .iter()
            .map(|row| row.iter().copied().chain([SENTENCE_END]).collect())
            .collect();
        let lengths = targets.iter().map(Vec::len);
        assert!(
            lengths.eq(self.lengths.iter().copied()),
            "other transcripts than those spelled"
        );
        sequence_cross_entropy(self.logits.clone(), &targets, smoothing)
    }

    /// [`Self::cross_entropy`], and where there is a CTC head `(1 − λ) · cross entropy + λ · CTC` with
    /// λ = `ctc_weight`: `[1]`.
    ///
    /// CTC is averaged as in [`Reduction::Mean`]. A transcript that needs more steps than the
    /// listener leaves (see [`steps_needed`](crate::loss::steps_needed)) counts zero in it, so that
    /// the speller still learns from it.
    ///
    /// # Panics
    /// If these are not the transcripts that were spelled.
    pub fn loss(
        &self,
        transcripts: &[Vec<usize>],
        smoothing: f64,
        ctc_weight: f64,
    ) -> Tensor<B, 1> {
        let spelling = self.cross_entropy(transcripts, smoothing);
        let Some(logits) = self.ctc_logits.clone().filter(|_| ctc_weight > 0.0) else {
            return spelling;
        };
        let options = CtcOptions {
            reduction: Reduction::Mean,
            zero_infinity: true,
        };
        let listening = ctc(logits, &self.listened.lengths, transcripts, options);
        spelling * (1.0 - ctc_weight) + listening * ctc_weight
    }
}
