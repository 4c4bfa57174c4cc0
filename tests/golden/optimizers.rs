//! Optimizers against PyTorch's: the loss of every step and the parameters after the last.
//! `optimizers.py` beside this file wrote the values.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use serde::Deserialize;
use sori::data::{FrameLimits, HostLesson, Row};
use sori::datasets::{Features, Target};
use sori::models::{Architecture, ModelConfig};
use sori::settings::TrainSettings;
use sori::task::Classify;
use sori::train::Stepper;

type Cpu = Autodiff<NdArray<f32>>;

/// PyTorch computed in double precision. Eight steps in single precision add up to some units of
/// 1e-7, relative for values above one.
const TOLERANCE: f64 = 2e-6;

#[derive(Deserialize)]
struct Golden {
    features: Vec<f32>,
    targets: Vec<usize>,
    before: HashMap<String, Vec<f32>>,
    cases: HashMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    settings: serde_json::Map<String, serde_json::Value>,
    losses: Vec<f64>,
    after: HashMap<String, Vec<f64>>,
}

struct Write<'a>(Vec<String>, &'a HashMap<String, Vec<f32>>);

impl<B: Backend> ModuleMapper<B> for Write<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.0.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.0.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        // The first part is the variant of the zoo's model.
        let values = self.1[&self.0[1..].join(".")].clone();
        let (id, value, mapper) = param.consume();
        let data = TensorData::new(values, value.dims());
        let value = Tensor::from_data(data, &value.device()).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

struct Compare<'a>(Vec<String>, &'a str, &'a HashMap<String, Vec<f64>>);

impl<B: Backend> ModuleVisitor<B> for Compare<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.0.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.0.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let path = self.0[1..].join(".");
        let values: Vec<f32> = param.val().into_data().to_vec().unwrap();
        for (value, expected) in values.iter().zip(&self.2[&path]) {
            assert!(
                (f64::from(*value) - expected).abs() < TOLERANCE * expected.abs().max(1.0),
                "{}: {path} holds {value} instead of {expected}",
                self.1
            );
        }
    }
}

#[test]
fn every_optimizer_steps_as_torchs_does() {
    let text = include_str!("optimizers.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    let device = Default::default();
    let bins = golden.features.len() / golden.targets.len();
    let rows: Vec<_> = golden
        .features
        .chunks(bins)
        .zip(&golden.targets)
        .map(|(values, &class)| {
            let features = Features {
                frames: 1,
                bins,
                values: values.to_vec(),
            };
            Row::new(features, Target::Class(class))
        })
        .collect();
    let task = Classify {
        labels: ["0", "1", "2"].map(String::from).to_vec(),
    };
    let lesson = HostLesson::collate(rows, FrameLimits::default(), &task).unwrap();
    let lesson = lesson.to_device::<Cpu>(&device);
    let config: ModelConfig =
        toml::from_str("name = \"mlp\"\nd_hidden = [5]\ndropout = 0.0").unwrap();
    let config = config.with_input(1, bins, 3);

    for (name, case) in &golden.cases {
        // Settings that a case does not name are off, as in PyTorch.
        let mut settings = serde_json::json!({"clip_norm": 0.0});
        settings
            .as_object_mut()
            .unwrap()
            .extend(case.settings.clone());
        let settings: TrainSettings = serde_json::from_value(settings).unwrap();
        let model = config.init::<Cpu>(&device).unwrap();
        let model = model.map(&mut Write(Vec::new(), &golden.before));
        let mut stepper = Stepper::new(model, task.clone(), &settings);
        for (step, expected) in case.losses.iter().enumerate() {
            let step_taken = stepper.step(lesson.clone(), settings.learning_rate);
            let loss = step_taken.unwrap().loss;
            assert!(
                (loss - expected).abs() < TOLERANCE,
                "{name}: the loss of step {step} is {loss} instead of {expected}"
            );
        }
        stepper
            .network()
            .visit(&mut Compare(Vec::new(), name, &case.after));
    }
}
