//! Generated patches beside held-out recordings.

use std::path::Path;

use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_datasets::features::{Normalize, griffin_lim};
use sori_datasets::{BinStats, FeatureConfig, Features, Item, Waveform};
use sori_models::ops::in_pool;
use sori_models::{Architecture, Contract, Generator, Network};

use super::guesses::spread;
use crate::backend::{BackendName, Job, run_on};
use crate::data::loader::Loader;
use crate::data::parts::Data;
use crate::file::write_atomically;
use crate::numbers::{check_finite, host};
use crate::run::folder::RunFolder;
use crate::show::patches::patches_picture;
use crate::show::theme::Theme;
use crate::task::Autoencode;
use crate::task::patches::noise;
use crate::{Error, Result};

/// Number of patches generated at once.
const AT_ONCE: usize = 64;

/// Patches, in the units of the run's features.
#[derive(Clone, Debug)]
pub struct Gallery {
    /// Patches of recordings of the test part, or of the validation part if there is no test part. Empty for
    /// an imported run.
    pub recorded: Vec<Features>,
    /// Patches that an autoencoder decodes from the posteriors' means. Empty for other models.
    pub decoded: Vec<Features>,
    /// Patches generated from noise.
    pub made: Vec<Features>,
    /// The configuration of the features.
    pub config: FeatureConfig,
}

/// Generates `count` patches by the best checkpoint of `run`, from noise drawn from `seed`, and
/// takes as many patches from recordings.
///
/// # Errors
/// When the run or its data cannot be read, or its model does not generate patches.
pub fn generate(run: &RunFolder, count: usize, seed: u64, backend: BackendName) -> Result<Gallery> {
    generate_as(run, count, seed, backend)
}

/// As [`generate`], for a run of any architecture.
///
/// # Errors
/// As [`generate`].
pub fn generate_as<A: Architecture>(
    run: &RunFolder<A>,
    count: usize,
    seed: u64,
    backend: BackendName,
) -> Result<Gallery> {
    run_on(backend, Generate { run, count, seed })?
}

struct Generate<'a, A: Architecture> {
    run: &'a RunFolder<A>,
    count: usize,
    seed: u64,
}

impl<A: Architecture> Job for Generate<'_, A> {
    type Output = Result<Gallery>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let Self { run, count, seed } = self;
        let none = || {
            let model = &run.info().model;
            let reason = format!("its {model} makes no patches; vae and gan do");
            Error::run(run.path(), reason)
        };
        if !run.task().generates() {
            return Err(none());
        }
        let best = run.best::<B::InnerBackend>(device)?;
        let (generator, autoencoder): (&dyn Generator<B::InnerBackend>, _) =
            match best.network.contract() {
                Contract::Autoencoder(network) => (network, Some(network)),
                Contract::Adversarial(network) => (network, None),
                _ => return Err(none()),
            };
        let patches = |patches| patches_of(patches, run.info().stats.as_ref());
        // An imported run has no recordings of its own.
        let data = match run.info().imported {
            Some(_) => None,
            None => Some(Data::of_run(run)?),
        };
        let items = data
            .as_ref()
            .map_or_else(Vec::new, |data| data.held_out().0);
        let items: Vec<&Item> = spread(&items, count).collect();
        let (mut recorded, mut decoded) = (Vec::new(), Vec::new());
        // Only patches are needed, so the task does not matter.
        for lesson in Loader::new(run, Autoencode)?.lessons(&items) {
            let batch = lesson?.to_device::<B::InnerBackend>(device).batch;
            if let Some(network) = autoencoder {
                let features = batch.features.clone();
                decoded.extend(patches(network.reconstruct(features, &batch.lengths))?);
            }
            recorded.extend(patches(batch.features)?);
        }
        B::InnerBackend::seed(device, seed);
        let mut made = Vec::with_capacity(count);
        while made.len() < count {
            let rows = AT_ONCE.min(count - made.len());
            let noise = noise(rows, generator.d_latent(), device);
            let generated = in_pool::<B::InnerBackend, _>(|| generator.generate(noise));
            made.extend(patches(generated)?);
        }
        Ok(Gallery {
            recorded,
            decoded,
            made,
            config: run.settings().features.clone(),
        })
    }
}

/// The rows of `[rows, frames, bins]`, with the normalisation by `stats` undone.
///
/// # Errors
/// When a value is not finite.
fn patches_of<B: Backend>(
    patches: Tensor<B, 3>,
    stats: Option<&BinStats>,
) -> Result<Vec<Features>> {
    let [_, frames, bins] = patches.dims();
    let values = host(patches);
    check_finite(values.iter())?;
    let rows = values.chunks_exact((frames * bins).max(1));
    let patches = rows.map(|row| {
        let mut values = row.to_vec();
        if let Some(stats) = stats {
            for frame in values.chunks_exact_mut(bins) {
                let stats = stats.mean.iter().zip(&stats.std);
                for (value, (mean, std)) in frame.iter_mut().zip(stats) {
                    *value = *value * std + mean;
                }
            }
        }
        Features {
            frames,
            bins,
            values,
        }
    });
    Ok(patches.collect())
}

impl Gallery {
    /// The sound of each generated patch, its phases found by Griffin and Lim's algorithm.
    ///
    /// # Errors
    /// When the features keep too little of a sound, such as `mfcc`.
    pub fn sounds(&self) -> Result<Vec<Waveform>> {
        /// Steps of the algorithm.
        const ITERATIONS: usize = 64;
        let sound = |patch| griffin_lim(patch, &self.shown(), ITERATIONS);
        Ok(self
            .made
            .iter()
            .map(sound)
            .collect::<std::result::Result<_, _>>()?)
    }

    /// The configuration of the patches, which are in the units of features before their normalisation by
    /// the corpus.
    fn shown(&self) -> FeatureConfig {
        FeatureConfig {
            normalize: match self.config.normalize {
                Normalize::Corpus => Normalize::None,
                other => other,
            },
            ..self.config.clone()
        }
    }

    /// Draws a PNG file. Time runs to the right and frequency upwards. All patches share one scale.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn draw(&self, theme: Theme, path: &Path) -> Result<()> {
        write_atomically(path, &self.picture(theme)?)
    }

    pub(crate) fn picture(&self, theme: Theme) -> Result<Vec<u8>> {
        let seconds = self.made.first().map_or(0.0, |patch| {
            patch.frames as f64 * self.config.frame_period_s()
        });
        let recorded = format!("recordings, {seconds:.2} s of each");
        let rows = [
            (recorded.as_str(), &self.recorded),
            ("the same, encoded and decoded", &self.decoded),
            ("generated from noise", &self.made),
        ];
        patches_picture(&rows, &self.shown(), theme)
    }
}
