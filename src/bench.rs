//! Workloads of fixed shape and parameter count, for comparing backends and programs.

mod prediction;

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
use sori_models::ops::products_in;
use sori_models::{
    Architecture, BenchShape, DeepSpeech2Config, Emitter, LasConfig, ModelConfig, Purpose, Role,
    Speller, catalogue, num_params,
};

use crate::backend::{BackendName, Job, run_on};
use crate::data::batch::FrameLimits;
use crate::data::lesson::{HostLesson, Row};
use crate::optim::gradients::Gradients;
use crate::optim::optimizer::Optimizer;
use crate::settings::training::{Precision, TrainSettings};
use crate::task::contract::Task;
use crate::task::{Classify, Tag};
use crate::train::begin::random_network;
use crate::train::network_and_adversary::draw_parameters;
use crate::train::precision::check_precision;
use crate::train::step::{Stepper, one_at_a_time};
use crate::{Error, Result};

/// The kind of work of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A training step with cross entropy over classes: forward, loss, backward, Adam.
    Classify,
    /// A training step with binary cross entropy over tags.
    Tag,
    /// A training step with CTC over transcripts of [`Preset::labels`] symbols.
    Transcribe,
    /// A training step with cross entropy over the symbols and ends of such transcripts, with teacher
    /// forcing.
    Spell,
    /// The CTC loss of such transcripts and its gradient, from raw scores through log-softmax.
    Ctc,
    /// Log-mel features (80 bins, 25 ms windows every 10 ms, transforms of exactly the window) of
    /// one recording, on one thread.
    Features,
}

/// A workload of fixed shape on random data.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// The preset's name, which is its model's if it has one.
    pub name: &'static str,
    /// The kind of work.
    pub work: Work,
    /// Rows of the batch.
    pub batch: usize,
    /// Frames of each row. For waveforms samples, for scores steps.
    pub frames: usize,
    /// Bins of each frame. Scores have none.
    pub bins: usize,
    /// Classes or tags, or symbols including the blank or the end.
    pub outputs: usize,
    /// The precision of training steps.
    pub precision: Precision,
}

/// The presets: every architecture with a bench shape in the order of the zoo, the CTC loss alone, and
/// features.
pub fn presets() -> Vec<Preset> {
    let zoo = catalogue().iter().filter_map(|card| {
        let BenchShape {
            batch,
            frames,
            bins,
        } = card.bench?;
        let work = match (card.purpose, ModelConfig::from_name(card.name).ok()?.role()) {
            (Purpose::Tag, Role::Classifier) => Work::Tag,
            (_, Role::Classifier) => Work::Classify,
            (_, Role::Emitter) => Work::Transcribe,
            (_, Role::Speller) => Work::Spell,
            (_, Role::Autoencoder | Role::Adversarial) => return None,
        };
        Some(Preset::new(card.name, work, batch, frames, bins))
    });
    let alone = [
        Preset::new("ctc", Work::Ctc, 8, 200, 0),
        Preset::new("log_mel", Work::Features, 1, 960_000, 1),
    ];
    zoo.chain(alone).collect()
}

/// The measurements of a preset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Median time of a training step, or of the features, in milliseconds.
    pub median_ms: f64,
    /// Trainable parameters. 0 if nothing is trained.
    pub params: usize,
    /// Largest resident memory of the process so far in MiB, if the system reports it.
    pub peak_mib: Option<f64>,
}

impl Preset {
    fn new(name: &'static str, work: Work, batch: usize, frames: usize, bins: usize) -> Self {
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
            precision: Precision::F32,
        }
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// When there is none. The error lists the presets.
    pub fn find(name: &str) -> Result<Self> {
        let all = presets();
        let known: Vec<_> = all.iter().map(|preset| preset.name).collect();
        let unknown = Error::Input(format!(
            "there is no preset `{name}`; there are {}",
            known.join(", ")
        ));
        let found = all.into_iter().find(|preset| preset.name == name);
        found.ok_or(unknown)
    }

    /// Symbols of each transcript, if there are any.
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

    /// The speller of the preset, without dropout and label smoothing.
    pub fn speller(&self) -> LasConfig {
        LasConfig {
            num_bins: self.bins,
            num_symbols: self.outputs,
            dropout: 0.0,
            label_smoothing: 0.0,
            ..LasConfig::default()
        }
    }

    /// The classifier or tagger of the preset. Only taggers, whose papers use dropout, have it.
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

    /// Times `steps` repetitions of the work after `warm_up` others.
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

    /// The settings of its steps.
    fn settings(&self) -> TrainSettings {
        TrainSettings {
            precision: self.precision,
            ..TrainSettings::default()
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

    /// Random features and targets for `task`.
    fn random_lesson<T: Task>(
        &self,
        task: &T,
        limits: FrameLimits,
        mut target: impl FnMut(usize, &mut ChaCha8Rng) -> Target,
    ) -> Result<HostLesson<T>> {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let rows = (0..self.batch).map(|row| {
            let features = Features {
                frames: self.frames,
                bins: self.bins,
                values: (0..self.frames * self.bins)
                    .map(|_| rng.random_range(-1.0..1.0))
                    .collect(),
            };
            Row::new(features, target(row, &mut rng))
        });
        HostLesson::collate(rows.collect(), limits, task)
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
        let labels = (0..self.preset.outputs).map(|label| label.to_string());
        let labels = labels.collect();
        match self.preset.work {
            Work::Tag => {
                let thresholds = Vec::new();
                let outputs = self.preset.outputs;
                self.time::<B, _>(
                    Tag {
                        labels,
                        thresholds,
                        mean_over_windows: false,
                    },
                    device,
                    |_, rng| Target::Tags((0..outputs).filter(|_| rng.random_bool(0.1)).collect()),
                )
            }
            _ => {
                let outputs = self.preset.outputs;
                self.time::<B, _>(Classify { labels }, device, |row, _| {
                    Target::Class(row % outputs)
                })
            }
        }
    }
}

impl TimeSteps<'_> {
    /// Times training steps of a classifier or tagger.
    fn time<B: AutodiffBackend, T: Task>(
        self,
        task: T,
        device: &B::Device,
        target: impl FnMut(usize, &mut ChaCha8Rng) -> Target,
    ) -> Result<Timing> {
        check_precision::<B::InnerBackend>(self.preset.precision, device)?;
        let config = self.preset.model()?;
        let model = random_network::<_, B>(&config, 0, device)?;
        let params = num_params(&model);
        let limits = FrameLimits::of(&config);
        let lesson = self.preset.random_lesson(&task, limits, target)?;
        let lesson = lesson.to_device::<B>(device);
        let mut stepper = Stepper::<B, _, _>::new(model, task, &self.preset.settings());
        let median_ms = median_ms(self.warm_up, self.steps, || {
            stepper.step(lesson.clone(), 1e-3)?;
            // Wait for the device, which may only have queued the step.
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
            let emissions = model.emit(batch.features.clone(), &batch.lengths);
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
            let spelled = model.spell(features.clone(), lengths, transcripts, Sampling::default());
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
        check_precision::<B::InnerBackend>(preset.precision, device)?;
        draw_parameters(&model);
        let params = num_params(&model);
        let batch = Transcribed {
            features: preset.random_tensor(preset.bins, device),
            lengths: vec![preset.frames; preset.batch],
            transcripts: preset.random_transcripts(),
        };
        let mut optimizer = Optimizer::new(&preset.settings());
        let mut model = Some(model);
        let median_ms = median_ms(self.warm_up, self.steps, || {
            model = model.take().map(|model| {
                one_at_a_time::<B::InnerBackend, _>(|| {
                    let scale = optimizer.loss_scale.map_or(1.0, |it| it.factor);
                    let mut gradients = products_in(preset.precision.half(), || {
                        let loss = loss(&model, &batch);
                        match scale == 1.0 {
                            true => loss,
                            false => loss * scale,
                        }
                        .backward()
                    });
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
        check_precision::<B::InnerBackend>(preset.precision, device)?;
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

/// The largest resident memory of this process so far, from Linux's `/proc`.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_times_no_preset_in_half_precision() {
        for name in ["mlp", "deep_speech2", "las", "ctc"] {
            let preset = Preset {
                precision: Precision::Bf16,
                ..Preset::find(name).unwrap()
            };
            let error = preset.time(BackendName::Ndarray, 0, 1).unwrap_err();
            assert!(error.to_string().contains("train.precision"), "{error}");
        }
    }
}
