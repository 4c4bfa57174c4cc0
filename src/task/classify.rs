//! One label of several for each recording.

use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use sori_models::{Model, loss::cross_entropy};

use crate::Result;
use crate::batch::HostBatch;
use crate::metric::ConfusionMatrix;

/// The task's name in run folders and results.
pub const TASK: &str = "classify";
/// The metric that chooses the best checkpoint.
pub const HEADLINE: &str = "accuracy";

/// Metrics over a whole part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Share of the recordings that was classified right.
    pub accuracy: f64,
    /// Mean over the classes of F₁.
    pub macro_f1: f64,
}

/// What a model made of a whole part.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean cross entropy.
    pub loss: f64,
    /// How often each class was taken for each other.
    pub confusion: ConfusionMatrix,
}

impl Evaluation {
    /// The metrics.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            accuracy: self.confusion.accuracy(),
            macro_f1: self.confusion.macro_f1(),
        }
    }
}

/// Runs `model` over `batches`.
///
/// # Errors
/// The first error of a batch.
pub fn evaluate<B: Backend>(
    model: &Model<B>,
    batches: impl Iterator<Item = Result<HostBatch>>,
    num_classes: usize,
    device: &B::Device,
) -> Result<Evaluation> {
    let mut confusion = ConfusionMatrix::new(num_classes);
    let mut loss = 0.0;
    for batch in batches {
        let host = batch?;
        let targets = host.targets.clone();
        let batch = host.to_device::<B>(device);
        let logits = model.forward(batch.features, &batch.lengths);
        let mean = scalar(cross_entropy(logits.clone(), batch.targets));
        loss += mean * targets.len() as f64;
        for (&truth, row) in targets.iter().zip(rows(logits)) {
            confusion.add(truth, argmax(&row));
        }
    }
    Ok(Evaluation {
        loss: loss / confusion.total().max(1) as f64,
        confusion,
    })
}

/// How many rows of `logits` `[batch, classes]` have their largest value at the target.
pub fn count_right<B: Backend>(logits: Tensor<B, 2>, targets: &[usize]) -> usize {
    rows(logits)
        .iter()
        .zip(targets)
        .filter(|(row, target)| argmax(row) == **target)
        .count()
}

/// Probabilities of the classes, row by row, from `logits` `[batch, classes]`.
pub fn probabilities<B: Backend>(logits: Tensor<B, 2>) -> Vec<Vec<f32>> {
    rows(softmax(logits, 1))
}

/// Index of the largest value, the first of equals.
pub fn argmax(values: &[f32]) -> usize {
    values.iter().enumerate().fold(
        0,
        |best, (i, value)| if *value > values[best] { i } else { best },
    )
}

/// The one number of a tensor.
pub(crate) fn scalar<B: Backend>(tensor: Tensor<B, 1>) -> f64 {
    host(tensor).first().copied().map_or(f64::NAN, f64::from)
}

fn rows<B: Backend>(tensor: Tensor<B, 2>) -> Vec<Vec<f32>> {
    let columns = tensor.dims()[1];
    host(tensor).chunks(columns).map(<[f32]>::to_vec).collect()
}

fn host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert_dtype(DType::F32)
        .into_vec()
        .expect("the data was just converted to f32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(argmax(&[0.0, 2.0, 2.0, 1.0]), 1);
        assert_eq!(argmax(&[f32::NEG_INFINITY, -3.0]), 1);
    }
}
