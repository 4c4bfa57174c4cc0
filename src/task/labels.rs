//! The target labels of a batch, and functions shared by classes and tags.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// The target classes of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// The class of each row.
    Classes(Vec<usize>),
    /// Label weights, `[rows, labels]`, where rows were mixed.
    Weights(Vec<f32>),
}

impl Labels {
    /// Label weights, `[rows, num_labels]`.
    pub fn weights(&self, num_labels: usize) -> Vec<f32> {
        match self {
            Self::Weights(weights) => weights.clone(),
            Self::Classes(classes) => {
                let mut weights = vec![0.0; classes.len() * num_labels];
                for (row, class) in classes.iter().enumerate() {
                    weights[row * num_labels + class] = 1.0;
                }
                weights
            }
        }
    }
}

/// Adds one recording's share to its label weights in a row.
pub(super) fn add_share(row: &mut [f32], labels: &[usize], share: f32) {
    for &label in labels {
        row[label] = (row[label] + share).min(1.0);
    }
}

/// A matrix `[rows, columns]` on the device.
pub(super) fn matrix<B: Backend>(
    values: Vec<f32>,
    [rows, columns]: [usize; 2],
    device: &B::Device,
) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}
