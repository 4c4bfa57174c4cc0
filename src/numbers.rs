//! Numbers on the host: copies of tensors, argmax, log-softmax and finite checks.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};

use crate::error::{Error, Result};

/// The index of the largest value; of equal ones the first.
pub fn argmax(values: &[f32]) -> usize {
    values.iter().enumerate().fold(
        0,
        |best, (i, value)| if *value > values[best] { i } else { best },
    )
}

/// Copies a tensor to the host, in row-major order.
pub(crate) fn host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert_dtype(DType::F32)
        .into_vec()
        .expect("the data was just converted to f32")
}

/// Copies the first value of a tensor to the host; NaN if the tensor is empty.
pub(crate) fn scalar<B: Backend>(tensor: Tensor<B, 1>) -> f64 {
    host(tensor).first().copied().map_or(f64::NAN, f64::from)
}

/// Copies a matrix to the host, row by row.
pub(crate) fn rows<B: Backend>(tensor: Tensor<B, 2>) -> Vec<Vec<f32>> {
    let columns = tensor.dims()[1];
    host(tensor).chunks(columns).map(<[f32]>::to_vec).collect()
}

/// The natural logarithm of the softmax of one step's logits. Each step is computed by itself, so the
/// result does not depend on how a recording is cut.
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

/// Returns an error unless all scores of a model are finite.
pub(crate) fn check_finite<'a>(mut scores: impl Iterator<Item = &'a f32>) -> Result<()> {
    if scores.all(|score| score.is_finite()) {
        return Ok(());
    }
    Err(Error::Input(
        "the model's answer is not a number; the recording's level may be far outside of what it was \
         trained on"
            .to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_ndarray::NdArray;

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(argmax(&[0.0, 2.0, 2.0, 1.0]), 1);
        assert_eq!(argmax(&[f32::NEG_INFINITY, -3.0]), 1);
    }

    #[test]
    fn a_matrix_is_copied_row_by_row() {
        let values = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let tensor = Tensor::<NdArray<f32>, 2>::from_floats(values, &Default::default());
        assert_eq!(rows(tensor.clone()), values);
        assert_eq!(scalar(tensor.sum()), 21.0);
    }

    #[test]
    fn log_softmax_of_large_logits_does_not_overflow() {
        let half = 0.5f32.ln();
        assert_eq!(log_softmax(&[1000.0, 1000.0]), [half, half]);
        assert_eq!(log_softmax(&[0.0, f32::NEG_INFINITY])[0], 0.0);
    }

    #[test]
    fn infinite_and_missing_scores_are_refused() {
        assert!(check_finite([0.0, -1.5].iter()).is_ok());
        for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(check_finite([0.0, score].iter()).is_err(), "{score}");
        }
    }
}
