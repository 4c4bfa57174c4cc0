//! What a run that makes patches of features makes, beside recordings it has not learned from.

use std::path::Path;

use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_datasets::{BinStats, FeatureConfig, Features};
use sori_models::Model;

use crate::backend::{Job, run_on};
use crate::batch::{Batch, FrameLimits, HostBatch, Row};
use crate::file::write_atomically;
use crate::picture::patches_picture;
use crate::predict::spread;
use crate::task::{generated, host};
use crate::train::{Checkpoint, Data, RunFolder, pipeline};
use crate::{BackendName, Error, Result};

/// Patches, in the units of the run's features.
#[derive(Clone, Debug)]
pub struct Gallery {
    /// Of recordings of the test part (where there is none, of the validation part).
    pub recorded: Vec<Features>,
    /// What a variational autoencoder decodes from the middle of each one's posterior; of another model
    /// nothing.
    pub decoded: Vec<Features>,
    /// Made of noise.
    pub made: Vec<Features>,
    /// What the features are.
    pub config: FeatureConfig,
}

/// So many patches that the best checkpoint of `run` makes, of noise drawn from `seed`, beside as many of
/// recordings.
///
/// # Errors
/// When the run or its data cannot be read, or its model makes no patches.
pub fn generate(run: &RunFolder, count: usize, seed: u64, backend: BackendName) -> Result<Gallery> {
    run_on(backend, Generate { run, count, seed })?
}

struct Generate<'a> {
    run: &'a RunFolder,
    count: usize,
    seed: u64,
}

impl Job for Generate<'_> {
    type Output = Result<Gallery>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let Self { run, count, seed } = self;
        let (settings, info) = (run.settings()?, run.info()?);
        if !info.task.generates() {
            return Err(Error::run(
                run.path(),
                format!("its {} makes no patches; vae and gan do", info.model),
            ));
        }
        let checkpoint = Checkpoint::read(&run.best_checkpoint()?)?;
        let model = settings.model.init::<B::InnerBackend>(device)?;
        let model = checkpoint.load_model(model)?;

        let data = Data::of_run(run)?;
        let (items, _) = data.held_out();
        let pipeline = pipeline(&settings.features, &settings.data, info.stats.as_ref())?;
        let mut loader = pipeline.loader()?;
        let rows = spread(&items, count)
            .map(|item| {
                let example = loader.load(item)?;
                Ok(Row::new(example.features, example.target))
            })
            .collect::<Result<Vec<_>>>()?;
        let limits = FrameLimits::from(&settings.model);
        let batch = HostBatch::collate(&rows, limits, &run.coding(&info)?)?;
        let batch = batch.to_device::<B::InnerBackend>(device);

        B::InnerBackend::seed(device, seed);
        let made = generated(&model, count, device);
        let patches = |patches| patches_of(patches, info.stats.as_ref());
        Ok(Gallery {
            decoded: decoded(&model, &batch).map_or_else(Vec::new, patches),
            recorded: patches(batch.features),
            made: patches(made),
            config: settings.features,
        })
    }
}

/// What a variational autoencoder decodes from the middle of the posteriors.
fn decoded<B: Backend>(model: &Model<B>, batch: &Batch<B>) -> Option<Tensor<B, 3>> {
    let Model::Vae(model) = model else {
        return None;
    };
    let (features, lengths) = (batch.features.clone(), &batch.lengths);
    let middle = Tensor::zeros([lengths.len(), model.d_latent()], &features.device());
    Some(model.forward(features, lengths, middle).mean)
}

/// Each row of `[rows, frames, bins]`, without the normalisation by `stats`.
fn patches_of<B: Backend>(patches: Tensor<B, 3>, stats: Option<&BinStats>) -> Vec<Features> {
    let [_, frames, bins] = patches.dims();
    let values = host(patches);
    let rows = values.chunks_exact((frames * bins).max(1));
    rows.map(|row| {
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
    })
    .collect()
}

impl Gallery {
    /// Draws it as a PNG file: each patch with time to the right and frequency upwards, all on one scale.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn draw(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.picture()?)
    }

    pub(crate) fn picture(&self) -> Result<Vec<u8>> {
        let seconds = self.made.first().map_or(0.0, |patch| {
            patch.frames as f64 * self.config.frame_period_s()
        });
        let recorded = format!("recordings, {seconds:.2} s of each");
        let rows = [
            (recorded.as_str(), &self.recorded),
            ("the same, encoded and decoded again", &self.decoded),
            ("made of noise", &self.made),
        ];
        patches_picture(&rows)
    }
}
