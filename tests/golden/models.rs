//! Models against their PyTorch twins: outputs, loss, every gradient and the running statistics,
//! from the same weights, with padding full of garbage. `models.py` beside this file wrote the
//! values and says what they are.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use safetensors::{Dtype, SafeTensors};
use sori_models::loss::cross_entropy;
use sori_models::{Model, ModelConfig};

type Cpu = Autodiff<NdArray<f32>>;

/// How far values may be apart, relative to the largest of their tensor. The twins compute in
/// double precision; Sori's sums of up to a few hundred terms in single precision lose some units
/// of 1e-7 each, and backward through time adds some ten of them up.
const TOLERANCE: f32 = 1e-5;
/// The largest value a tensor is taken to have at least: the gradient of a bias ahead of batch norm
/// is zero but for cancellation, and so, almost, is that of the one scale of a normalised input.
const FLOOR: f32 = 0.05;

#[test]
fn mlp_equals_its_torch_twin() {
    equals_twin::<Cpu>("mlp_crops");
    equals_twin::<Cpu>("mlp_fills");
    equals_twin::<Cpu>("mlp_tanh");
}

#[test]
fn cnn1d_equals_its_torch_twin() {
    equals_twin::<Cpu>("cnn1d");
    equals_twin::<Cpu>("cnn1d_sigmoid");
    equals_twin::<Cpu>("cnn1d_leaky_relu");
}

#[test]
fn cnn2d_equals_its_torch_twin() {
    equals_twin::<Cpu>("cnn2d");
    equals_twin::<Cpu>("cnn2d_gelu");
}

#[test]
fn rnn_equals_its_torch_twin() {
    recurrent_equals_twin("rnn");
}

#[test]
fn lstm_equals_its_torch_twin() {
    recurrent_equals_twin("lstm");
}

#[test]
fn gru_equals_its_torch_twin() {
    recurrent_equals_twin("gru");
}

#[test]
fn attention_equals_its_torch_twin() {
    equals_twin::<Cpu>("attention_forward");
    equals_twin::<Cpu>("attention_both_ways");
}

#[test]
fn sample_cnn_equals_its_torch_twin() {
    equals_twin::<Cpu>("sample_cnn");
}

#[test]
fn fcn_equals_its_torch_twin() {
    equals_twin::<Cpu>("fcn");
}

#[test]
fn crnn_equals_its_torch_twin() {
    equals_twin::<Cpu>("crnn");
}

#[test]
fn musicnn_equals_its_torch_twin() {
    equals_twin::<Cpu>("musicnn");
}

#[test]
fn matchboxnet_equals_its_torch_twin() {
    equals_twin::<Cpu>("matchboxnet_1");
    equals_twin::<Cpu>("matchboxnet_2");
}

fn recurrent_equals_twin(name: &str) {
    for ways in ["forward", "both_ways"] {
        for pooling in ["mean", "last"] {
            equals_twin::<Cpu>(&format!("{name}_{ways}_{pooling}"));
        }
    }
}

fn equals_twin<B: AutodiffBackend>(name: &str) {
    let golden = Golden::read(name);
    let device = Default::default();
    let model: Model<B> = golden
        .config
        .init(&device)
        .expect("the golden configuration");
    let mut load = Load {
        golden: &golden,
        path: Vec::new(),
        loaded: 0,
    };
    let model = model.map(&mut load);
    assert_eq!(
        load.loaded,
        golden.count("param.") + golden.count("state."),
        "{name}: parameters"
    );

    let features = Tensor::<B, 3>::from_data(golden.floats("features"), &device).require_grad();
    let targets = Tensor::<B, 1, Int>::from_data(golden.data["targets"].clone(), &device);
    let lengths: Vec<usize> = golden.data["lengths"]
        .iter::<i64>()
        .map(|length| length as usize)
        .collect();

    let logits = model.forward(features.clone(), &lengths);
    let loss = cross_entropy(logits.clone(), targets);
    golden.compare("train.logits", logits.into_data());
    golden.compare("train.loss", loss.to_data());
    let gradients = loss.backward();
    let of_features = features
        .grad(&gradients)
        .expect("a gradient of the features");
    golden.compare("grad.features", of_features.into_data());
    let mut compare = Compare::<B> {
        golden: &golden,
        gradients: &gradients,
        path: Vec::new(),
        compared: 0,
    };
    model.visit(&mut compare);
    assert_eq!(
        compare.compared,
        golden.count("grad.") - 1 + golden.count("after."),
        "{name}: gradients"
    );

    let logits = model.valid().forward(features.inner(), &lengths);
    golden.compare("eval.logits", logits.into_data());
}

struct Golden {
    name: String,
    config: ModelConfig,
    data: HashMap<String, TensorData>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/models");
        let bytes =
            std::fs::read(folder.join(format!("{name}.safetensors"))).expect("a golden file");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("its header");
        let metadata = metadata.metadata().as_ref().expect("its metadata");
        let file = SafeTensors::deserialize(&bytes).expect("its tensors");
        let data = file.iter().map(|(name, tensor)| {
            let shape = tensor.shape().to_vec();
            let data = match tensor.dtype() {
                Dtype::F32 => TensorData::new(numbers(tensor.data(), f32::from_le_bytes), shape),
                Dtype::I64 => TensorData::new(numbers(tensor.data(), i64::from_le_bytes), shape),
                other => panic!("{name} has type {other:?}"),
            };
            (name.to_owned(), data)
        });
        Self {
            name: name.to_owned(),
            config: serde_json::from_str(&metadata["config"]).expect("its configuration"),
            data: data.collect(),
        }
    }

    fn floats(&self, key: &str) -> TensorData {
        let data = self.data.get(key);
        data.unwrap_or_else(|| panic!("{} has no {key}", self.name))
            .clone()
    }

    fn count(&self, prefix: &str) -> usize {
        self.data
            .keys()
            .filter(|key| key.starts_with(prefix))
            .count()
    }

    fn compare(&self, key: &str, actual: TensorData) {
        let expected = self.floats(key);
        assert_eq!(
            actual.shape, expected.shape,
            "{}: shape of {key}",
            self.name
        );
        let largest = expected
            .iter::<f32>()
            .fold(FLOOR, |largest, value| largest.max(value.abs()));
        for (index, (actual, expected)) in
            actual.iter::<f32>().zip(expected.iter::<f32>()).enumerate()
        {
            let error = (actual - expected).abs();
            assert!(
                error <= TOLERANCE * largest,
                "{}: {key}[{index}] is {actual}, PyTorch has {expected}, the largest is {largest}",
                self.name
            );
        }
    }
}

fn numbers<T, const N: usize>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|&chunk| read(chunk)).collect()
}

/// Is this field a running statistic rather than a parameter?
fn is_state(path: &[String]) -> bool {
    path.last().is_some_and(|name| name.starts_with("running_"))
}

/// The golden key of a field; the first step of its path is the variant of [`Model`].
fn key(kind: &str, path: &[String]) -> String {
    format!("{kind}.{}", path[1..].join("."))
}

struct Load<'a> {
    golden: &'a Golden,
    path: Vec<String>,
    loaded: usize,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Load<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        self.loaded += 1;
        let state = is_state(&self.path);
        let key = key(if state { "state" } else { "param" }, &self.path);
        let data = self.golden.floats(&key);
        param.map(|before| {
            assert_eq!(
                data.shape,
                before.shape(),
                "{}: shape of {key}",
                self.golden.name
            );
            Tensor::from_data(data, &before.device()).set_require_grad(!state)
        })
    }
}

struct Compare<'a, B: AutodiffBackend> {
    golden: &'a Golden,
    gradients: &'a B::Gradients,
    path: Vec<String>,
    compared: usize,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Compare<'_, B> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.compared += 1;
        if is_state(&self.path) {
            let value = param.val().into_data();
            return self.golden.compare(&key("after", &self.path), value);
        }
        let key = key("grad", &self.path);
        let gradient = param
            .val()
            .grad(self.gradients)
            .expect("a gradient of each parameter");
        self.golden.compare(&key, gradient.into_data());
    }
}
