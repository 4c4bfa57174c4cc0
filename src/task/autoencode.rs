//! Autoencoding: patches are encoded and decoded, and their likelihood is bounded from below.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sori_datasets::Item;
use sori_models::las::Sampling;
use sori_models::loss::Bound;
use sori_models::{Autoencoder, Contract};

use super::contract::{Headline, Task, wrong_network};
use super::metrics::Metrics;
use super::name::TaskName;
use super::objective::Objective;
use super::patches::{EVALUATION_SEED, Patches, noise};
use super::truth::Truth;
use crate::Result;
use crate::data::batch::Batch;
use crate::decode::Decoding;
use crate::numbers::host;
use crate::run::records::EpochRecord;

/// Samples of each posterior for the tighter bound.
const IMPORTANCE_SAMPLES: usize = 8;

/// Encodes patches and decodes them again. Ignores answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoencode;

/// The statistics of an autoencoder over a whole part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reconstructions {
    /// The patches, and an equal number of generated ones.
    patches: Patches,
    /// Number of values in the patches.
    num_values: usize,
    /// Sum of the evidence lower bounds, in nats.
    bound: f64,
    /// Sum of the bounds from several samples, in nats.
    importance_bound: f64,
    /// Sum of the divergences, in nats.
    divergence: f64,
    /// Sum of the squared errors of the patches decoded from the posteriors' means.
    squared_error: f64,
}

impl Task for Autoencode {
    const NAME: TaskName = TaskName::Autoencode;
    const HEADLINE: Headline = Headline {
        metric: "bound",
        lower_is_better: false,
    };
    const LABEL: [&'static str; 2] = ["labels", "labels"];

    type Targets = ();
    type Network<'a, B: Backend> = &'a dyn Autoencoder<B>;
    /// The network, and the evidence lower bound of each row.
    type Output<'a, B: Backend> = (&'a dyn Autoencoder<B>, Bound<B>);
    type Answers = Reconstructions;

    fn network<B: Backend>(contract: Contract<'_, B>) -> Result<Self::Network<'_, B>> {
        match contract {
            Contract::Autoencoder(network) => Ok(network),
            other => Err(wrong_network(Self::NAME, &other)),
        }
    }

    fn num_outputs(&self) -> usize {
        0
    }

    fn encode(&self, _rows: &[Truth]) -> Result<()> {
        Ok(())
    }

    fn output<'a, B: Backend>(
        &self,
        network: Self::Network<'a, B>,
        batch: &Batch<B>,
        _targets: &(),
        _sampling: Sampling,
    ) -> Self::Output<'a, B> {
        let (features, lengths) = (batch.features.clone(), &batch.lengths);
        let noise = noise(lengths.len(), network.d_latent(), &features.device());
        (network, network.bound(features, lengths, noise))
    }

    fn loss<B: Backend>(
        &self,
        (_, bound): &(&dyn Autoencoder<B>, Bound<B>),
        _targets: &(),
        objective: &Objective,
    ) -> Tensor<B, 1> {
        bound.loss(objective.kl_weight)
    }

    /// Valid frames.
    fn extent<B: Backend>(
        &self,
        _network: &dyn Autoencoder<B>,
        lengths: &[usize],
        _targets: &(),
        _objective: &Objective,
    ) -> f64 {
        lengths.iter().sum::<usize>() as f64
    }

    fn kl_weight_at<B: Backend>(network: &dyn Autoencoder<B>, epoch: f64) -> f64 {
        network.kl_weight_at(epoch)
    }

    fn no_answers<B: Backend>(&self, device: &B::Device) -> Reconstructions {
        B::seed(device, EVALUATION_SEED);
        Reconstructions::default()
    }

    fn add_answers<B: Backend>(
        &self,
        answers: &mut Reconstructions,
        batch: &Batch<B>,
        (network, _): (&dyn Autoencoder<B>, Bound<B>),
        _items: &[&Item],
        _decoding: &Decoding,
    ) -> Result<()> {
        let (features, lengths) = (batch.features.clone(), &batch.lengths);
        let [rows, frames, bins] = features.dims();
        let device = features.device();
        let total = |values: Tensor<B, 1>| host(values).iter().copied().map(f64::from).sum::<f64>();
        let noise = || noise::<B>(rows, network.d_latent(), &device);
        let bound = network.bound(features.clone(), lengths, noise());
        let noises: Vec<_> = (0..IMPORTANCE_SAMPLES).map(|_| noise()).collect();
        let tighter = network.log_likelihood_bound(features.clone(), lengths, &noises);
        let mean = network.reconstruct(features.clone(), lengths);
        let errors = host(mean - features.clone());
        let valid = errors.chunks_exact((frames * bins).max(1)).zip(lengths);
        let valid = valid.flat_map(|(row, &length)| &row[..length * bins]);
        answers.num_values += lengths.iter().sum::<usize>() * bins;
        answers.squared_error += valid.map(|&error| f64::from(error).powi(2)).sum::<f64>();
        answers.bound += total(bound.evidence());
        answers.importance_bound += total(tighter);
        answers.divergence += total(bound.divergence);
        let generated = network.generate(noise());
        answers.patches.add(features, lengths, generated);
        Ok(())
    }

    fn metrics(&self, answers: &Reconstructions) -> Metrics {
        let values = answers.num_values.max(1) as f64;
        let rows = answers.patches.len().max(1) as f64;
        Metrics::new([
            ("bound", answers.bound / values),
            ("importance_bound", answers.importance_bound / values),
            ("kl", answers.divergence / rows),
            ("rmse", (answers.squared_error / values).sqrt()),
            ("frechet", answers.patches.frechet_distance()),
        ])
    }

    fn to_csv(&self, answers: &Reconstructions) -> (&'static str, String) {
        ("patches.csv", answers.patches.to_csv())
    }

    fn epoch_text(&self, record: &EpochRecord) -> String {
        format!(
            "validation: bound {:.4} nats a value  KL {:.2}  Fréchet distance {:.4}",
            record.valid.get("bound"),
            record.valid.get("kl"),
            record.valid.get("frechet"),
        )
    }
}
