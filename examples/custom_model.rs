//! Trains a custom Burn module with Sori's loop: `cargo run --release --example custom_model`.
//! The same command resumes an interrupted run.
#![allow(clippy::print_stderr, reason = "an example shows what it found")]
use sori::burn::tensor::{Tensor, activation::relu, backend::AutodiffBackend, backend::Backend};
use sori::burn::{self, module::AutodiffModule, module::Module};
use sori::models::layers::{Linear, masked_mean};
use sori::models::{Architecture, Card, ConfigError, Contract, LinearHead, Network, Purpose};
use sori::{BackendName, Settings, Show, fit_as, guesses_as, resume_as};

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct FrameNetConfig {
    num_bins: usize,
    num_classes: usize,
}
#[derive(Module, Debug)]
struct FrameNet<B: Backend> {
    frames: Linear<B>,
    output: Linear<B>,
}
impl<B: Backend> LinearHead<B> for FrameNet<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        masked_mean(relu(self.frames.forward(features)), lengths)
    }
    fn head(&self) -> &Linear<B> {
        &self.output
    }
}
impl<B: Backend> Network<B> for FrameNet<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}
#[rustfmt::skip] // a line each
impl Architecture for FrameNetConfig {
    type Network<B: Backend> = FrameNet<B>;
    fn card(&self) -> &'static Card { &const { Card::new("frame_net", "Frame network", Purpose::Classify) } }
    fn with_input(self, _: usize, num_bins: usize, num_classes: usize) -> Self { Self { num_bins, num_classes } }
    fn num_outputs(&self) -> usize { self.num_classes }
    fn init<B: Backend>(&self, device: &B::Device) -> Result<FrameNet<B>, ConfigError> {
        Ok(FrameNet {
            frames: Linear::new(self.num_bins, 128, device),
            output: Linear::new(128, self.num_classes, device),
        })
    }
    fn without_autodiff<B: AutodiffBackend>(it: &FrameNet<B>) -> FrameNet<B::InnerBackend> { it.valid() }
}

fn main() -> sori::Result<()> {
    let (path, backend) = ("runs/frame_net".as_ref(), BackendName::default());
    let settings = Settings::of(FrameNetConfig::default(), "synth:dtmf", 8000)?;
    let trained = match std::fs::exists(path).unwrap_or(false) {
        true => resume_as::<FrameNetConfig>(path, backend, Show::Auto)?,
        false => fit_as(&settings, path, backend, Show::Auto)?,
    };
    eprintln!("accuracy on the test part: {}", trained.result.value);
    for it in guesses_as(&trained.run, 5, backend)? {
        eprintln!("key {} heard as {}", it.truth, it.prediction.answer);
    }
    Ok(())
}
