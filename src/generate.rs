//! What a run that makes patches of features makes, beside recordings it has not learned from.

use std::path::Path;

use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_datasets::{BinStats, FeatureConfig, Features, Item};
use sori_models::Model;

use crate::backend::{Job, run_on};
use crate::file::write_atomically;
use crate::picture::patches_picture;
use crate::predict::spread;
use crate::task::{generated, host};
use crate::train::{Data, RunFolder, open};
use crate::{BackendName, Error, Result};

/// Patches that are made together.
const AT_ONCE: usize = 64;

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
        let (model, loader, _) = open::<B::InnerBackend>(run, device)?;
        let patches = |patches| patches_of(patches, info.stats.as_ref());
        let data = Data::of_run(run)?;
        let (items, _) = data.held_out();
        let items: Vec<&Item> = spread(&items, count).collect();
        let (mut recorded, mut decoded) = (Vec::new(), Vec::new());
        for batch in loader.batches(&items) {
            let batch = batch?.to_device::<B::InnerBackend>(device);
            let features = batch.features;
            if let Model::Vae(model) = &model {
                decoded.extend(patches(model.reconstruct(features.clone(), &batch.lengths)));
            }
            recorded.extend(patches(features));
        }
        B::InnerBackend::seed(device, seed);
        let mut made = Vec::with_capacity(count);
        while made.len() < count {
            let rows = AT_ONCE.min(count - made.len());
            made.extend(patches(generated(&model, rows, device)));
        }
        Ok(Gallery {
            recorded,
            decoded,
            made,
            config: settings.features,
        })
    }
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
