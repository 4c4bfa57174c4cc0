//! What the tasks of a classifier share: the network and its outputs.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sori_models::{Classifier, Contract};

use super::contract::wrong_network;
use super::name::TaskName;
use crate::Result;
use crate::data::batch::Batch;

/// The classifier that keeps this contract.
pub(super) fn classifier<B: Backend>(
    task: TaskName,
    contract: Contract<'_, B>,
) -> Result<&dyn Classifier<B>> {
    match contract {
        Contract::Classifier(network) => Ok(network),
        other => Err(wrong_network(task, &other)),
    }
}

/// The outputs `[batch, outputs]` of a batch.
pub(super) fn outputs<B: Backend>(network: &dyn Classifier<B>, batch: &Batch<B>) -> Tensor<B, 2> {
    network.forward(batch.features.clone(), &batch.lengths)
}

/// The same, and the embedding `[batch, d_embedding]` they are made of.
pub(super) fn outputs_and_embedding<B: Backend>(
    network: &dyn Classifier<B>,
    batch: &Batch<B>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let embedding = network.embed(batch.features.clone(), &batch.lengths);
    (network.classify(embedding.clone()), embedding)
}
