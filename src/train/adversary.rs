//! The adversary, which predicts domains from a classifier's embeddings.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use sori_datasets::Item;
use sori_models::layers::DomainClassifier;
use sori_models::loss::cross_entropy;
use sori_models::{Architecture, Contract, Network};

use crate::arrival::Arrival;
use crate::run::folder::RunFolder;
use crate::task::classify::count_right;
use crate::task::labels::Labels;
use crate::{Error, Result};

/// The adversary of a network that is to hide these domains, or none if there are no domains.
///
/// # Errors
/// When the network is not a classifier.
pub(crate) fn adversary<B: Backend, N: Network<B>>(
    domains: &[String],
    network: &N,
    device: &B::Device,
) -> Result<Option<DomainClassifier<B>>> {
    if domains.is_empty() {
        return Ok(None);
    }
    let Contract::Classifier(classifier) = network.contract() else {
        return Err(no_embedding());
    };
    let d_embedding = classifier.d_embedding();
    Ok(Some(DomainClassifier::new(
        d_embedding,
        domains.len(),
        device,
    )))
}

/// The error of a network without an embedding, from which domains could be predicted.
pub(crate) fn no_embedding() -> Error {
    Error::Setting {
        key: "train.adversary_weight".to_string(),
        value: "above 0".to_string(),
        expected: "it must be 0 for a model that is no classifier".to_string(),
    }
}

/// Refuses training recordings whose domain is not among those that the run began with.
pub(crate) fn check_domains<A: Architecture>(run: &RunFolder<A>, items: &[&Item]) -> Result<()> {
    let known = &run.info().domains;
    let is_known = |item: &&&Item| item.domain.as_ref().is_some_and(|it| known.contains(it));
    let stranger = items.iter().find(|item| !is_known(item));
    match stranger {
        Some(item) if !known.is_empty() => Err(Error::run(
            run.path(),
            format!(
                "the domain of its recording {} is {}, which is none of those it began with ({}); put its \
                 data back as it was",
                item.id,
                item.domain.as_deref().unwrap_or("not given any more"),
                known.join(", ")
            ),
        )),
        _ => Ok(()),
    }
}

/// The mean cross entropy of logits `[batch, domains]`, and the number of correctly predicted rows.
pub(crate) fn domain_loss<B: Backend>(
    logits: Tensor<B, 2>,
    domains: &[usize],
) -> (Tensor<B, 1>, Arrival<usize>) {
    let targets = Labels::Classes(domains.to_vec());
    let right = count_right(logits.clone(), &targets, |right| right);
    let device = logits.device();
    let targets: Vec<i64> = domains.iter().map(|&domain| domain as i64).collect();
    let targets = TensorData::new(targets, [domains.len()]);
    let targets = Tensor::<B, 1, Int>::from_data(targets, &device);
    (cross_entropy(logits, targets), right)
}
