//! Generation against a discriminator: new patches that resemble the recordings.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sori_datasets::Item;
use sori_models::las::Sampling;
use sori_models::{Adversarial, Contract, GanLosses};

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

/// Generates new patches; has no target.
#[derive(Clone, Debug, PartialEq)]
pub struct Generate;

/// The statistics of a generator and its discriminator over a whole part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// The patches, and an equal number of generated ones.
    patches: Patches,
    /// Number of patches, real and generated, that the discriminator classified correctly.
    told_apart: usize,
}

impl Task for Generate {
    const NAME: TaskName = TaskName::Generate;
    const HEADLINE: Headline = Headline {
        metric: "frechet",
        lower_is_better: true,
    };
    const LABEL: [&'static str; 2] = ["labels", "labels"];

    type Targets = ();
    type Network<'a, B: Backend> = &'a dyn Adversarial<B>;
    /// The network, and the losses of its two parts.
    type Output<'a, B: Backend> = (&'a dyn Adversarial<B>, GanLosses<B>);
    type Answers = Generated;

    fn network<B: Backend>(contract: Contract<'_, B>) -> Result<Self::Network<'_, B>> {
        match contract {
            Contract::Adversarial(network) => Ok(network),
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
        (network, network.losses(features, lengths, noise))
    }

    /// The sum of both losses. The gradient of each reaches its own part only.
    fn loss<B: Backend>(
        &self,
        (_, losses): &(&dyn Adversarial<B>, GanLosses<B>),
        _targets: &(),
        _objective: &Objective,
    ) -> Tensor<B, 1> {
        losses.discriminator.clone() + losses.generator.clone()
    }

    fn no_answers<B: Backend>(&self, device: &B::Device) -> Generated {
        B::seed(device, EVALUATION_SEED);
        Generated::default()
    }

    fn add_answers<B: Backend>(
        &self,
        answers: &mut Generated,
        batch: &Batch<B>,
        (network, _): (&dyn Adversarial<B>, GanLosses<B>),
        _items: &[&Item],
        _decoding: &Decoding,
    ) -> Result<()> {
        let (features, lengths) = (batch.features.clone(), &batch.lengths);
        let device = features.device();
        let noise = || noise::<B>(lengths.len(), network.d_latent(), &device);
        let fake = network.generate(noise());
        let real = host(network.discriminate(features.clone(), lengths));
        let fake = host(network.discriminate(fake, lengths));
        answers.told_apart += real.iter().filter(|&&logit| logit > 0.0).count()
            + fake.iter().filter(|&&logit| logit <= 0.0).count();
        let generated = network.generate(noise());
        answers.patches.add(features, lengths, generated);
        Ok(())
    }

    fn metrics(&self, answers: &Generated) -> Metrics {
        let patches = 2 * answers.patches.len();
        let told_apart = answers.told_apart as f64 / patches.max(1) as f64;
        Metrics::new([
            ("frechet", answers.patches.frechet_distance()),
            ("told_apart", told_apart),
        ])
    }

    fn to_csv(&self, answers: &Generated) -> (&'static str, String) {
        ("patches.csv", answers.patches.to_csv())
    }

    fn epoch_text(&self, record: &EpochRecord) -> String {
        format!(
            "validation: Fréchet distance {:.4}  told apart {:.3}",
            record.valid.get("frechet"),
            record.valid.get("told_apart"),
        )
    }
}
