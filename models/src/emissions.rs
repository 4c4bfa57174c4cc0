//! The output of a recogniser trained by CTC.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData, backend::Backend};

use crate::loss::{BLANK, CtcOptions, ctc};

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

    /// The same with `offset`, in nats, added to the blank's score at every step.
    ///
    /// A network that starts with this offset says nothing at first, and learns a symbol at a time where it pays.
    /// Without it a network of few recordings may never use the blank, and give silence to the symbols beside it.
    #[must_use]
    pub fn with_blank_offset(&self, offset: f64) -> Self {
        let [_, _, symbols] = self.logits.dims();
        let mut offsets = vec![0.0; symbols];
        offsets[BLANK] = offset as f32;
        let offsets = TensorData::new(offsets, [1, 1, symbols]);
        let offsets = Tensor::from_data(offsets, &self.logits.device());
        Self {
            logits: self.logits.clone() + offsets,
            lengths: self.lengths.clone(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use burn_ndarray::NdArray;

    #[test]
    fn the_offset_is_the_blanks_alone() {
        let emissions = Emissions::<NdArray> {
            logits: Tensor::zeros([1, 2, 3], &Default::default()),
            lengths: vec![2],
        };
        let raised = emissions.with_blank_offset(5.0);
        // Of two blanks, e⁵ / (e⁵ + 2) each.
        let loss = raised.ctc(&[vec![]], CtcOptions::default()).into_scalar();
        let expected = -2.0 * (5f32.exp() / (5f32.exp() + 2.0)).ln();
        assert!((loss - expected).abs() < 1e-5, "{loss}, not {expected}");
        let symbols = raised.logits.narrow(2, 1, 2).into_data();
        symbols.assert_eq(&emissions.logits.narrow(2, 1, 2).into_data(), true);
    }
}
