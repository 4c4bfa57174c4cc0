//! A golden file of a model's PyTorch twin: its numbers go into the model, and the model's are
//! compared with them.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;

/// How far values may be apart, relative to the largest of their tensor. The twins compute in
/// double precision; Sori's sums of up to a few hundred terms in single precision lose some units
/// of 1e-7 each, and backward through time adds some ten of them up.
const TOLERANCE: f32 = 1e-5;
/// The largest value a tensor is taken to have at least: the gradient of a bias ahead of batch norm
/// is zero but for cancellation, and so, almost, is that of the one scale of a normalised input.
const FLOOR: f32 = 0.05;

pub struct Golden {
    name: String,
    config: String,
    data: HashMap<String, TensorData>,
}

impl Golden {
    /// The file of this name in a folder beside this one.
    pub fn read(folder: &str, name: &str) -> Self {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        let path = golden.join(folder).join(format!("{name}.safetensors"));
        let bytes = std::fs::read(path).expect("a golden file");
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
            config: metadata["config"].clone(),
            data: data.collect(),
        }
    }

    /// The configuration of the model.
    pub fn config<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.config).expect("a valid configuration")
    }

    pub fn data(&self, key: &str) -> TensorData {
        let data = self.data.get(key);
        data.unwrap_or_else(|| panic!("{} has no {key}", self.name))
            .clone()
    }

    /// Whole numbers.
    pub fn counts(&self, key: &str) -> Vec<usize> {
        let data = self.data(key);
        data.iter::<i64>().map(|count| count as usize).collect()
    }

    fn count(&self, prefix: &str) -> usize {
        self.data
            .keys()
            .filter(|key| key.starts_with(prefix))
            .count()
    }

    /// The model with the file's parameters and running statistics, all of them. The first `skip`
    /// steps of a field's path are not in the file.
    pub fn load<B: AutodiffBackend, M: Module<B>>(&self, model: M, skip: usize) -> M {
        let mut load = Load {
            golden: self,
            path: FieldPath::new(skip),
            loaded: 0,
        };
        let model = model.map(&mut load);
        let there = self.count("param.") + self.count("state.");
        assert_eq!(load.loaded, there, "{}: parameters", self.name);
        model
    }

    /// Compares the gradients of all parameters, and the running statistics after the step.
    pub fn compare_gradients<B: AutodiffBackend, M: Module<B>>(
        &self,
        model: &M,
        gradients: &B::Gradients,
        skip: usize,
    ) {
        let mut compare = Compare::<B> {
            golden: self,
            gradients,
            path: FieldPath::new(skip),
            compared: 0,
        };
        model.visit(&mut compare);
        let there = self.count("grad.") - self.count("grad.features") + self.count("after.");
        assert_eq!(compare.compared, there, "{}: gradients", self.name);
    }

    pub fn compare(&self, key: &str, actual: TensorData) {
        let expected = self.data(key);
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

/// Where a field is.
struct FieldPath {
    steps: Vec<String>,
    /// Steps at the beginning that are not in the file.
    skip: usize,
}

impl FieldPath {
    fn new(skip: usize) -> Self {
        let steps = Vec::new();
        Self { steps, skip }
    }

    /// Is this a running statistic rather than a parameter?
    fn is_state(&self) -> bool {
        let last = self.steps.last();
        last.is_some_and(|name| name.starts_with("running_"))
    }

    fn key(&self, kind: &str) -> String {
        format!("{kind}.{}", self.steps[self.skip..].join("."))
    }
}

struct Load<'a> {
    golden: &'a Golden,
    path: FieldPath,
    loaded: usize,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Load<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.steps.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.steps.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        self.loaded += 1;
        let state = self.path.is_state();
        let key = self.path.key(if state { "state" } else { "param" });
        let data = self.golden.data(&key);
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
    path: FieldPath,
    compared: usize,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Compare<'_, B> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.steps.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.steps.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.compared += 1;
        if self.path.is_state() {
            let value = param.val().into_data();
            return self.golden.compare(&self.path.key("after"), value);
        }
        let key = self.path.key("grad");
        let gradient = param
            .val()
            .grad(self.gradients)
            .expect("a gradient of each parameter");
        self.golden.compare(&key, gradient.into_data());
    }
}
