//! Every model of the zoo on `wgpu`, against the same model on `ndarray`.
//!
//! `cargo test --features wgpu-plain --test wgpu` runs a plain build of burn-wgpu. With
//! `--features wgpu`, the build with fusion and autotune that users have, only a smoke test runs,
//! because its first steps take minutes on a software adapter.
#![cfg(feature = "wgpu-plain")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed unwrap is a failed test; what is skipped is named"
)]

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori::backend::{BackendName, Job, run_on};
use sori::data::{FrameLimits, HostLesson, Row};
use sori::datasets::{Features, Target};
#[cfg(not(feature = "wgpu"))]
use sori::models::{
    Adversarial, Autoencoder, DeepSpeech2Config, Emitter, Generator, LasConfig, Role, Speller,
    catalogue,
    las::{DecodeOptions, Sampling},
    loss::CtcOptions,
};
use sori::models::{Architecture, Model, ModelConfig};
use sori::settings::{OptimizerKind, TrainSettings};
use sori::task::Classify;
use sori::train::{Stepper, random_network};

#[path = "wgpu/kernels.rs"]
mod kernels;
#[path = "wgpu/launches.rs"]
mod launches;
#[cfg(not(feature = "wgpu"))]
#[path = "wgpu/precision.rs"]
mod precision;
#[path = "wgpu/speller.rs"]
mod speller;

const FRAMES: usize = 20;
const BINS: usize = 8;
const CLASSES: usize = 3;

/// A small model of each architecture, so that a software adapter takes only seconds.
fn small(name: &str) -> ModelConfig {
    let table = match name {
        "mlp" => "d_hidden = [16, 8]",
        "cnn1d" => "channels = [6, 4]",
        "cnn2d" => "channels = [4, 3]",
        "sample_cnn" => "first_channels = 4\nchannels = [3]",
        "res_cnn" => {
            "first_channels = 4\nchannels = [3]\nexcitation_ratio = 2\nnum_levels = 1\n\
             block_dropout = 0.0"
        }
        "fcn" => "channels = [4, 3]\npools = [[2, 2], [2, 3]]",
        "crnn" => "channels = [4, 3]\npools = [[2, 2], [2, 3]]\nd_hidden = 5",
        "musicnn" => {
            "timbral_channels = 3\ntemporal_sizes = [5]\ntemporal_channels = 2\n\
             dense_channels = 3\nd_hidden = 5"
        }
        "matchboxnet" => "channels = 4\nkernel_sizes = [3, 5]\nouter_channels = 5",
        "dilated_cnn" => "channels = 4\nskip_channels = 5\nnum_layers_per_cycle = 2",
        "random_wired" => {
            "stem_channels = [4]\nchannels = [4, 5]\nnum_nodes = 5\nnum_neighbors = 2\n\
             head_channels = 6"
        }
        "rnn" | "lstm" | "gru" | "attention" => "d_hidden = 5",
        "speaker_encoder" => "d_hidden = 5\nnum_layers = 2\nd_embedding = 6",
        "crepe" => {
            "window_samples = 8\nchannels = [4, 3]\nfirst_kernel_size = 4\nfirst_stride = 2\n\
             kernel_size = 4"
        }
        "vad" => {
            "chunk_samples = 8\ncontext_samples = 2\nfft_size = 4\nhop_samples = 2\n\
             channels = [4, 3]\nstrides = [1, 2]\nd_hidden = 5"
        }
        _ => "",
    };
    configured(name, table)
}

fn configured(name: &str, table: &str) -> ModelConfig {
    let config: ModelConfig =
        toml::from_str(&format!("name = \"{name}\"\ndropout = 0.0\n{table}")).unwrap();
    config.with_input(FRAMES, BINS, CLASSES)
}

fn task() -> Classify {
    Classify {
        labels: (0..CLASSES).map(|class| class.to_string()).collect(),
    }
}

fn lesson(config: &ModelConfig) -> HostLesson<Classify> {
    let rows: Vec<_> = [FRAMES, 13, 7]
        .iter()
        .enumerate()
        .map(|(row, &frames)| {
            let values = (0..frames * BINS)
                .map(|i| ((i * 7 + row * 13) % 29) as f32 / 14.5 - 1.0)
                .collect();
            let features = Features {
                frames,
                bins: BINS,
                values,
            };
            Row::new(features, Target::Class(row))
        })
        .collect();
    HostLesson::collate(rows, FrameLimits::of(config), &task()).unwrap()
}

struct Read(Vec<TensorData>);

impl<B: Backend> ModuleVisitor<B> for Read {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.push(param.val().into_data());
    }
}

struct Write(std::vec::IntoIter<TensorData>);

impl<B: Backend> ModuleMapper<B> for Write {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, value, mapper) = param.consume();
        let tracked = value.is_require_grad();
        let data = self.0.next().unwrap();
        let value = Tensor::from_data(data, &value.device()).set_require_grad(tracked);
        Param::from_mapped_value(id, value, mapper)
    }
}

fn parameters<B: Backend>(model: &Model<B>) -> Vec<TensorData> {
    let mut read = Read(Vec::new());
    model.visit(&mut read);
    read.0
}

/// Losses of three training steps from the same parameters, and the parameters after the first.
struct Steps {
    config: ModelConfig,
    parameters: Vec<TensorData>,
}

impl Job for Steps {
    type Output = (Vec<f64>, Vec<TensorData>);

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let lesson = lesson(&self.config);
        let model = self.config.init::<B>(device).unwrap();
        let model = model.map(&mut Write(self.parameters.into_iter()));
        // Plain descent, whose step shows the gradient.
        let settings = TrainSettings {
            optimizer: OptimizerKind::Sgd,
            clip_norm: 0.0,
            ..TrainSettings::default()
        };
        let mut stepper = Stepper::<B, _, _>::new(model, task(), &settings);
        let mut losses = Vec::new();
        let mut after = Vec::new();
        for step in 0..3 {
            let lesson = lesson.clone().to_device(device);
            losses.push(stepper.step(lesson, 0.1).unwrap().loss);
            if step == 0 {
                after = parameters(stepper.network());
            }
        }
        (losses, after)
    }
}

/// Tolerates 1e-3 of the largest value, because shaders may fuse and reorder 32-bit sums; and 5e-5, since
/// what is left of a gradient that nearly cancels is the noise of its terms.
fn assert_trains_as_ndarray(config: &ModelConfig) {
    let name = config.name();
    let model =
        random_network::<_, Autodiff<NdArray>>(config, 1, &burn_ndarray::NdArrayDevice::Cpu)
            .unwrap();
    let run = |backend| {
        let steps = Steps {
            config: config.clone(),
            parameters: parameters(&model),
        };
        run_on(backend, steps).unwrap()
    };
    let (expected, expected_after) = run(BackendName::Ndarray);
    let (losses, after) = run(BackendName::Wgpu);
    for (loss, wanted) in losses.iter().zip(&expected) {
        assert!(
            (loss - wanted).abs() < 1e-3 * wanted.abs(),
            "{name}: {losses:?} instead of {expected:?}"
        );
    }
    assert_eq!(after.len(), expected_after.len());
    for (tensor, expected) in after.iter().zip(&expected_after) {
        let expected: Vec<f32> = expected.to_vec().unwrap();
        let scale = expected
            .iter()
            .fold(5e-2_f32, |scale, v| scale.max(v.abs()));
        for (value, expected) in tensor.to_vec::<f32>().unwrap().iter().zip(&expected) {
            assert!(
                (value - expected).abs() < 1e-3 * scale,
                "{name}: a parameter is {value} instead of {expected} after a step"
            );
        }
    }
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn every_model_trains_on_wgpu_as_on_ndarray() {
    // Recognisers and generative models have their own tests.
    let classifies = |name| ModelConfig::from_name(name).unwrap().role() == Role::Classifier;
    for card in catalogue().iter().filter(|card| classifies(card.name)) {
        let start = std::time::Instant::now();
        assert_trains_as_ndarray(&small(card.name));
        println!("{} in {:.1?}", card.name, start.elapsed());
    }
    for pooling in ["mean_max", "mean_max_deviation"] {
        let config = format!("channels = [4, 3]\npooling = \"{pooling}\"");
        assert_trains_as_ndarray(&configured("cnn2d", &config));
    }
}

/// CTC losses of a small Deep Speech 2, one of them infinite, and all gradients of their sum.
#[cfg(not(feature = "wgpu"))]
struct Transcription(Vec<TensorData>);

#[cfg(not(feature = "wgpu"))]
impl Job for Transcription {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let model = recogniser().init::<B>(device).unwrap();
        let model = model.map(&mut Write(self.0.into_iter()));
        let features = (0..3 * 9 * BINS).map(|i| (i * 37 % 29) as f32 / 14.5 - 1.0);
        let features = TensorData::new(features.collect::<Vec<_>>(), [3, 9, BINS]);
        let emissions = model.emit(Tensor::from_data(features, device), &[9, 6, 3]);
        let transcripts = [vec![1, 2, 2], vec![], vec![1, 1, 1]];
        let losses = |zero_infinity| {
            let reduction = sori::models::loss::Reduction::None;
            let options = CtcOptions {
                reduction,
                zero_infinity,
            };
            emissions.ctc(&transcripts, options)
        };
        let gradients = losses(true).sum().backward();
        let mut found = Collect::<B>(&gradients, vec![losses(false).into_data()]);
        model.visit(&mut found);
        found.1
    }
}

#[cfg(not(feature = "wgpu"))]
fn recogniser() -> DeepSpeech2Config {
    let table =
        "channels = [2]\nkernels = [[3, 5]]\nstrides = [[2, 2]]\nd_hidden = 4\nnum_layers = 1";
    DeepSpeech2Config {
        num_bins: BINS,
        num_symbols: 4,
        ..toml::from_str(table).unwrap()
    }
}

#[cfg(not(feature = "wgpu"))]
struct Collect<'a, B: AutodiffBackend>(&'a B::Gradients, Vec<TensorData>);

#[cfg(not(feature = "wgpu"))]
impl<B: AutodiffBackend> ModuleVisitor<B> for Collect<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.1
            .extend(param.val().grad(self.0).map(Tensor::into_data));
    }
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn ctc_has_the_losses_and_gradients_of_ndarray() {
    let mut read = Read(Vec::new());
    let model = recogniser().init::<NdArray>(&Default::default()).unwrap();
    model.visit(&mut read);
    let run = |backend| run_on(backend, Transcription(read.0.clone())).unwrap();
    let (found, expected) = (run(BackendName::Wgpu), run(BackendName::Ndarray));
    assert!(expected[0].to_vec::<f32>().unwrap()[2].is_infinite());
    assert_near(&found, &expected);
}

/// Within 1e-3 of each tensor's largest value.
#[cfg(not(feature = "wgpu"))]
fn assert_near(found: &[TensorData], expected: &[TensorData]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let expected: Vec<f32> = expected.to_vec().unwrap();
        let finite = expected.iter().filter(|v| v.is_finite());
        let scale = finite.fold(1e-2_f32, |scale, v| scale.max(v.abs()));
        for (value, expected) in found.to_vec::<f32>().unwrap().iter().zip(&expected) {
            let near = value == expected || (value - expected).abs() < 1e-3 * scale;
            assert!(near, "{value} instead of {expected}");
        }
    }
}

/// The joint loss of a small Listen, Attend and Spell, its logits, all gradients, and the symbols
/// it predicts.
#[cfg(not(feature = "wgpu"))]
struct Spelling {
    config: LasConfig,
    parameters: Vec<TensorData>,
}

#[cfg(not(feature = "wgpu"))]
impl Job for Spelling {
    type Output = (Vec<TensorData>, Vec<Vec<usize>>);

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let model = self.config.init::<B>(device).unwrap();
        let model = model.map(&mut Write(self.parameters.into_iter()));
        let values = (0..3 * 9 * BINS).map(|i| (i * 37 % 29) as f32 / 14.5 - 1.0);
        let features = TensorData::new(values.collect::<Vec<_>>(), [3, 9, BINS]);
        let features = Tensor::<B, 3>::from_data(features, device);
        let lengths = [9, 6, 3];
        let transcripts = [vec![1, 2, 2], vec![], vec![3]];
        let spelled = model.spell(
            features.clone(),
            &lengths,
            &transcripts,
            Sampling::default(),
        );
        let loss = model.loss(&spelled, &transcripts);
        let numbers = vec![loss.to_data(), spelled.logits.into_data()];
        let gradients = loss.backward();
        let mut found = Collect::<B>(&gradients, numbers);
        model.visit(&mut found);
        let hypotheses = model.transcribe(features, &lengths, DecodeOptions::default());
        let symbols = hypotheses.into_iter().map(|found| found.symbols);
        (found.1, symbols.collect())
    }
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn las_has_the_loss_gradients_and_transcripts_of_ndarray() {
    for attention in [
        "attention = \"dot\"\nd_speller = 6",
        "attention = \"location\"\nd_speller = 4\nd_attention = 4\nnum_heads = 2\nctc_weight = 0.3",
        "d_speller = 6\ncell = \"gru\"\nchannels = [2]\nkernels = [[3, 3]]\nstrides = [[2, 2]]",
    ] {
        let config = LasConfig {
            num_bins: BINS,
            num_symbols: 4,
            d_listener: 3,
            d_embedding: 3,
            num_pyramid_layers: 1,
            num_speller_layers: 1,
            location_kernel: 3,
            location_filters: 2,
            dropout: 0.0,
            ..toml::from_str(attention).unwrap()
        };
        let mut read = Read(Vec::new());
        let device = Default::default();
        <NdArray as Backend>::seed(&device, 1);
        let model = config.init::<NdArray>(&device).unwrap();
        model.visit(&mut read);
        let run = |backend| {
            let spelling = Spelling {
                config: config.clone(),
                parameters: read.0.clone(),
            };
            run_on(backend, spelling).unwrap()
        };
        let (found, expected) = (run(BackendName::Wgpu), run(BackendName::Ndarray));
        assert_near(&found.0, &expected.0);
        assert_eq!(found.1, expected.1, "{attention}");
    }
}

/// The outputs of a small model for three patches and fixed noise, and the gradients of its loss.
#[cfg(not(feature = "wgpu"))]
struct Patches {
    config: ModelConfig,
    parameters: Vec<TensorData>,
}

#[cfg(not(feature = "wgpu"))]
impl Job for Patches {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let model = self.config.init::<B>(device).unwrap();
        let model = model.map(&mut Write(self.parameters.into_iter()));
        let wave = |count: usize| {
            let values = (0..count).map(|i| (i * 37 % 29) as f32 / 14.5 - 1.0);
            values.collect::<Vec<_>>()
        };
        let features = TensorData::new(wave(3 * 8 * BINS), [3, 8, BINS]);
        let features = Tensor::<B, 3>::from_data(features, device);
        let noise = Tensor::<B, 2>::from_data(TensorData::new(wave(3 * 4), [3, 4]), device);
        let lengths = [8, 5, 3];
        let (loss, made) = match &model {
            Model::Vae(model) => {
                let bound = model.bound(features, &lengths, noise.clone());
                (bound.loss(0.5), model.decode(noise))
            }
            Model::Gan(model) => {
                let losses = model.losses(features, &lengths, noise.clone());
                (
                    losses.discriminator + losses.generator,
                    model.generate(noise),
                )
            }
            _ => unreachable!("no other makes patches"),
        };
        let numbers = vec![loss.to_data(), made.into_data()];
        let gradients = loss.backward();
        let mut found = Collect::<B>(&gradients, numbers);
        model.visit(&mut found);
        found.1
    }
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn models_that_make_patches_have_the_losses_and_gradients_of_ndarray() {
    for table in [
        "name = \"vae\"\nd_hidden = [6]\nd_latent = 4",
        "name = \"gan\"\nchannels = [3, 4]\nd_latent = 4",
        "name = \"gan\"\nchannels = [3]\nd_latent = 4\nloss = \"hinge\"",
    ] {
        let config: ModelConfig = toml::from_str(table).unwrap();
        let config = config.with_input(8, BINS, 0);
        let device = Default::default();
        let model = random_network::<_, NdArray>(&config, 1, &device).unwrap();
        let run = |backend| {
            let patches = Patches {
                config: config.clone(),
                parameters: parameters(&model),
            };
            run_on(backend, patches).unwrap()
        };
        assert_near(&run(BackendName::Wgpu), &run(BackendName::Ndarray));
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn the_tuned_build_trains_as_ndarray() {
    assert_trains_as_ndarray(&small("mlp"));
}
