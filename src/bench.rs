//! Workloads of fixed shape and parameter count, to compare backends and programs by.

use std::time::Instant;

use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sori_datasets::{FeatureConfig, FeatureExtractor, Features, Target, Waveform};
use sori_models::las::Sampling;
use sori_models::loss::{CtcOptions, ctc};
use sori_models::{DeepSpeech2Config, LasConfig, ModelConfig, num_params};

use crate::backend::{BackendName, Job, run_on};
use crate::batch::{Coding, FrameLimits, HostBatch, Row};
use crate::task::{Objective, Task};
use crate::train::{
    Gradients, Optimizer, Stepper, TrainSettings, draw_parameters, one_at_a_time, random_model,
};
use crate::{Error, Result};

/// What a preset does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A training step with cross entropy over classes: forward, loss, backward, Adam.
    Classify,
    /// A training step with binary cross entropy over tags.
    Tag,
    /// A training step with CTC over transcripts of [`Preset::labels`] symbols.
    Transcribe,
    /// A training step with cross entropy over the symbols and ends of such transcripts, each of
    /// them read after the one before.
    Spell,
    /// The CTC loss of such transcripts and its gradient, from raw scores through log-softmax.
    Ctc,
    /// Log-mel features (80 bins, 25 ms windows every 10 ms, transforms of exactly the window) of
    /// one recording, on one thread.
    Features,
}

/// Some work on random data, of fixed shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// The preset's name, which is its model's where it has one.
    pub name: &'static str,
    /// What it does.
    pub work: Work,
    /// Rows of the batch.
    pub batch: usize,
    /// Frames of each row; samples of waveforms, steps of scores.
    pub frames: usize,
    /// Bins of each frame; none of scores.
    pub bins: usize,
    /// Classes, tags, or symbols with the blank or the end.
    pub outputs: usize,
}

/// The presets, in the order they run.
pub const PRESETS: &[Preset] = &[
    Preset::new("mlp", Work::Classify, 64, 100, 40),
    Preset::new("cnn1d", Work::Classify, 32, 128, 96),
    Preset::new("cnn2d", Work::Classify, 16, 100, 64),
    Preset::new("dilated_cnn", Work::Classify, 16, 100, 64),
    Preset::new("sample_cnn", Work::Tag, 4, 59_049, 1),
    Preset::new("res_cnn", Work::Tag, 2, 59_049, 1),
    Preset::new("fcn", Work::Tag, 2, 1366, 96),
    Preset::new("crnn", Work::Tag, 2, 1366, 96),
    Preset::new("musicnn", Work::Tag, 4, 187, 96),
    Preset::new("matchboxnet", Work::Classify, 32, 101, 64),
    Preset::new("random_wired", Work::Classify, 16, 100, 64),
    Preset::new("rnn", Work::Classify, 8, 100, 161),
    Preset::new("lstm", Work::Classify, 8, 100, 161),
    Preset::new("gru", Work::Classify, 8, 100, 161),
    Preset::new("attention", Work::Classify, 8, 100, 161),
    Preset::new("deep_speech2", Work::Transcribe, 8, 400, 161),
    Preset::new("ctc", Work::Ctc, 8, 200, 0),
    Preset::new("las", Work::Spell, 8, 400, 40),
    Preset::new("log_mel", Work::Features, 1, 960_000, 1),
];

/// What a preset took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Median time of a training step, or of the features, in milliseconds.
    pub median_ms: f64,
    /// Trainable parameters; 0 where nothing is trained.
    pub params: usize,
    /// Largest resident memory of the process so far in MiB, where the system tells.
    pub peak_mib: Option<f64>,
}

impl Preset {
    const fn new(name: &'static str, work: Work, batch: usize, frames: usize, bins: usize) -> Self {
        Self {
            name,
            work,
            batch,
            frames,
            bins,
            outputs: match work {
                Work::Tag => 50,
                Work::Transcribe | Work::Ctc => 29,
                Work::Spell => 30,
                Work::Classify | Work::Features => 10,
            },
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

    /// Symbols of each transcript, where there are any.
    pub fn labels(&self) -> usize {
        match self.work {
            Work::Transcribe => 60,
            Work::Spell => 80,
            Work::Ctc => 40,
            Work::Classify | Work::Tag | Work::Features => 0,
        }
    }

    /// The recogniser of the preset.
    pub fn recogniser(&self) -> DeepSpeech2Config {
        DeepSpeech2Config {
            num_bins: self.bins,
            num_symbols: self.outputs,
            ..DeepSpeech2Config::default()
        }
    }

    /// The speller of the preset. Dropout and label smoothing are left out.
    pub fn speller(&self) -> LasConfig {
        LasConfig {
            num_bins: self.bins,
            num_symbols: self.outputs,
            dropout: 0.0,
            label_smoothing: 0.0,
            ..LasConfig::default()
        }
    }

    /// The classifier or tagger of the preset. Dropout is left to those whose papers have it, the taggers.
    ///
    /// # Errors
    /// When the preset has none.
    pub fn model(&self) -> Result<ModelConfig> {
        let config = ModelConfig::from_name(self.name)?;
        let config = config.with_input(self.frames, self.bins, self.outputs);
        if self.work == Work::Tag {
            return Ok(config);
        }
        let broken = |e: serde_json::Error| Error::Input(format!("preset {}: {e}", self.name));
        let mut fields = serde_json::to_value(config).map_err(broken)?;
        fields["dropout"] = 0.0.into();
        serde_json::from_value(fields).map_err(broken)
    }

    /// Times `steps` times the work after `warm_up` others.
    ///
    /// # Errors
    /// When the backend cannot be used.
    pub fn time(&self, backend: BackendName, warm_up: usize, steps: usize) -> Result<Timing> {
        let job = TimeSteps {
            preset: self,
            warm_up,
            steps,
        };
        match self.work {
            Work::Features => self.time_features(warm_up, steps),
            Work::Classify | Work::Tag => run_on(backend, job)?,
            Work::Transcribe => run_on(backend, TimeTranscription(job))?,
            Work::Spell => run_on(backend, TimeSpelling(job))?,
            Work::Ctc => run_on(backend, TimeCtc(job))?,
        }
    }

    fn time_features(&self, warm_up: usize, steps: usize) -> Result<Timing> {
        let config = FeatureConfig {
            num_mels: 80,
            fft_size: 400,
            ..FeatureConfig::default()
        };
        let mut extractor = FeatureExtractor::new(&config)?;
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let waveform = Waveform {
            samples: (0..self.frames)
                .map(|_| rng.random_range(-1.0..1.0))
                .collect(),
            sample_rate_hz: config.sample_rate_hz,
        };
        let median_ms = median_ms(warm_up, steps, || {
            extractor.extract(&waveform)?;
            Ok(())
        })?;
        Ok(Timing {
            median_ms,
            params: 0,
            peak_mib: peak_mib(),
        })
    }

    fn random_batch(&self, limits: FrameLimits) -> Result<HostBatch> {
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
                let target = match self.work {
                    Work::Tag => {
                        Target::Tags((0..self.outputs).filter(|_| rng.random_bool(0.1)).collect())
                    }
                    _ => Target::Class(row % self.outputs),
                };
                Row::new(features, target)
            })
            .collect();
        let coding = Coding::Labels(self.outputs);
        HostBatch::collate(&rows, limits, &coding)
    }

    /// Random numbers in ±1, `[batch, frames, last]`.
    fn random_tensor<B: Backend>(&self, last: usize, device: &B::Device) -> Tensor<B, 3> {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let dims = [self.batch, self.frames, last];
        let values: Vec<f32> = (0..dims.iter().product())
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        Tensor::from_data(TensorData::new(values, dims), device)
    }

    fn random_transcripts(&self) -> Vec<Vec<usize>> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut transcript = |_| {
            let labels = 0..self.labels();
            labels.map(|_| rng.random_range(1..self.outputs)).collect()
        };
        (0..self.batch).map(&mut transcript).collect()
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
        let batch = self.preset.random_batch(FrameLimits::from(&config))?;
        let batch = batch.to_device::<B>(device);
        let mut stepper = Stepper::<B>::new(model, &TrainSettings::default());
        let objective = Objective::plain(match self.preset.work {
            Work::Tag => Task::Tag,
            _ => Task::Classify,
        });
        let median_ms = median_ms(self.warm_up, self.steps, || {
            stepper.step(batch.clone(), &objective, 1e-3);
            // A step that the device has only queued has not been taken.
            B::sync(device).map_err(|e| Error::Input(format!("the device failed: {e}")))
        })?;
        Ok(Timing {
            median_ms,
            params,
            peak_mib: peak_mib(),
        })
    }
}

struct TimeTranscription<'a>(TimeSteps<'a>);

impl Job for TimeTranscription<'_> {
    type Output = Result<Timing>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Timing> {
        B::seed(device, 0);
        let model = self.0.preset.recogniser().init::<B>(device)?;
        self.0.time_transcripts(model, device, |model, batch| {
            let emissions = model.forward(batch.features.clone(), &batch.lengths);
            emissions.ctc(&batch.transcripts, CtcOptions::default())
        })
    }
}

struct TimeSpelling<'a>(TimeSteps<'a>);

impl Job for TimeSpelling<'_> {
    type Output = Result<Timing>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Timing> {
        B::seed(device, 0);
        let model = self.0.preset.speller().init::<B>(device)?;
        self.0.time_transcripts(model, device, |model, batch| {
            let Transcribed {
                features,
                lengths,
                transcripts,
            } = batch;
            let spelled =
                model.forward(features.clone(), lengths, transcripts, Sampling::default());
            model.loss(&spelled, transcripts)
        })
    }
}

/// Recordings with their transcripts.
struct Transcribed<B: Backend> {
    features: Tensor<B, 3>,
    lengths: Vec<usize>,
    transcripts: Vec<Vec<usize>>,
}

impl TimeSteps<'_> {
    /// Times training steps of a model on random transcripts.
    fn time_transcripts<B: AutodiffBackend, M: AutodiffModule<B>>(
        self,
        model: M,
        device: &B::Device,
        loss: impl Fn(&M, &Transcribed<B>) -> Tensor<B, 1> + Sync,
    ) -> Result<Timing> {
        let preset = self.preset;
        draw_parameters(&model);
        let params = num_params(&model);
        let batch = Transcribed {
            features: preset.random_tensor(preset.bins, device),
            lengths: vec![preset.frames; preset.batch],
            transcripts: preset.random_transcripts(),
        };
        let mut optimizer = Optimizer::new(&TrainSettings::default());
        let mut model = Some(model);
        let median_ms = median_ms(self.warm_up, self.steps, || {
            model = model.take().map(|model| {
                one_at_a_time::<B::InnerBackend, _>(|| {
                    let mut gradients = loss(&model, &batch).backward();
                    let gradients = Gradients::take::<B, _>(&model, &mut gradients, &[]);
                    optimizer.step::<B, _>(model, gradients, 1e-3)
                })
            });
            B::sync(device).map_err(|e| Error::Input(format!("the device failed: {e}")))
        })?;
        Ok(Timing {
            median_ms,
            params,
            peak_mib: peak_mib(),
        })
    }
}

struct TimeCtc<'a>(TimeSteps<'a>);

impl Job for TimeCtc<'_> {
    type Output = Result<Timing>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Timing> {
        let TimeSteps {
            preset,
            warm_up,
            steps,
        } = self.0;
        let scores = preset
            .random_tensor::<B>(preset.outputs, device)
            .require_grad();
        let lengths = vec![preset.frames; preset.batch];
        let transcripts = preset.random_transcripts();
        let median_ms = median_ms(warm_up, steps, || {
            let gradient = one_at_a_time::<B::InnerBackend, _>(|| {
                let options = CtcOptions::default();
                let loss = ctc(scores.clone(), &lengths, &transcripts, options);
                scores.grad(&loss.backward())
            });
            assert!(gradient.is_some(), "the scores have a gradient");
            B::sync(device).map_err(|e| Error::Input(format!("the device failed: {e}")))
        })?;
        Ok(Timing {
            median_ms,
            params: 0,
            peak_mib: peak_mib(),
        })
    }
}

fn median_ms(warm_up: usize, steps: usize, mut step: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::with_capacity(steps);
    for index in 0..warm_up + steps {
        let start = Instant::now();
        step()?;
        if index >= warm_up {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(f64::NAN))
}

/// The largest resident memory this process has had, from Linux's `/proc`.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
