//! Workloads of fixed shape and parameter count, to compare backends and programs by.

use std::time::Instant;

use burn::tensor::backend::AutodiffBackend;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sori_datasets::{Features, Target};
use sori_models::{ModelConfig, num_params};

use crate::backend::{BackendName, Job, run_on};
use crate::batch::{FrameLimits, HostBatch};
use crate::train::{Stepper, TrainSettings, random_model};
use crate::{Error, Result};

/// One training step of a model on random data: forward, loss, backward, Adam.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// The preset's name.
    pub name: &'static str,
    /// Rows of the batch.
    pub batch: usize,
    /// Frames of each row.
    pub frames: usize,
    /// Bins of each frame.
    pub bins: usize,
    /// Classes.
    pub classes: usize,
}

/// The presets, in the order they run.
pub const PRESETS: &[Preset] = &[
    Preset::new("mlp", 64, 100, 40),
    Preset::new("cnn1d", 32, 128, 96),
    Preset::new("cnn2d", 16, 100, 64),
    Preset::new("rnn", 8, 100, 161),
    Preset::new("lstm", 8, 100, 161),
    Preset::new("gru", 8, 100, 161),
];

/// What a preset took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Median time of a training step in milliseconds.
    pub median_ms: f64,
    /// Trainable parameters.
    pub params: usize,
    /// Largest resident memory of the process so far in MiB, where the system tells.
    pub peak_mib: Option<f64>,
}

impl Preset {
    const fn new(name: &'static str, batch: usize, frames: usize, bins: usize) -> Self {
        Self {
            name,
            batch,
            frames,
            bins,
            classes: 10,
        }
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// When there is none, with those there are.
    pub fn find(name: &str) -> Result<&'static Self> {
        PRESETS
            .iter()
            .find(|preset| preset.name == name)
            .ok_or_else(|| {
                let known: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
                Error::Input(format!(
                    "there is no preset `{name}`; there are {}",
                    known.join(", ")
                ))
            })
    }

    /// The model of the preset.
    ///
    /// # Errors
    /// Never, as long as the zoo has the presets' models.
    pub fn model(&self) -> Result<ModelConfig> {
        Ok(ModelConfig::from_name(self.name)?.with_input(self.frames, self.bins, self.classes))
    }

    /// Times `steps` training steps after `warm_up` others.
    ///
    /// # Errors
    /// When the backend cannot be used.
    pub fn time(&self, backend: BackendName, warm_up: usize, steps: usize) -> Result<Timing> {
        run_on(
            backend,
            TimeSteps {
                preset: self,
                warm_up,
                steps,
            },
        )?
    }

    fn random_batch(&self, limits: FrameLimits) -> HostBatch {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let rows: Vec<_> = (0..self.batch)
            .map(|row| {
                let features = Features {
                    frames: self.frames,
                    bins: self.bins,
                    values: (0..self.frames * self.bins)
                        .map(|_| rng.random_range(-1.0..1.0))
                        .collect(),
                };
                (features, Target::Class(row % self.classes))
            })
            .collect();
        HostBatch::collate(&rows, limits)
    }
}

struct TimeSteps<'a> {
    preset: &'a Preset,
    warm_up: usize,
    steps: usize,
}

impl Job for TimeSteps<'_> {
    type Output = Result<Timing>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Timing> {
        let config = self.preset.model()?;
        let model = random_model::<B>(&config, 0, device)?;
        let params = num_params(&model);
        let batch = self
            .preset
            .random_batch(FrameLimits::from(&config))
            .to_device::<B>(device);
        let mut stepper = Stepper::<B>::new(model, &TrainSettings::default());
        let mut times: Vec<f64> = (0..self.warm_up + self.steps)
            .map(|_| {
                let start = Instant::now();
                stepper.step(batch.clone(), 1e-3);
                // A step that the device has only queued has not been taken.
                B::sync(device).map_err(|e| Error::Input(format!("the device failed: {e}")))?;
                Ok(start.elapsed().as_secs_f64() * 1e3)
            })
            .skip(self.warm_up)
            .collect::<Result<_>>()?;
        times.sort_by(f64::total_cmp);
        Ok(Timing {
            median_ms: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
            params,
            peak_mib: peak_mib(),
        })
    }
}

/// The largest resident memory this process has had, from Linux's `/proc`.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
