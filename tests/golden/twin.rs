//! The values of a PyTorch twin of a small model: reads them, and compares a model with them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;

/// The tolerance, relative to the largest value of a tensor. The twins compute in double
/// precision. Sori's sums of up to a few hundred terms in single precision lose some units
/// of 1e-7 each, and backward through time adds up some ten of them.
const TOLERANCE: f32 = 1e-5;
/// The smallest magnitude assumed for a tensor.
const FLOOR: f32 = 0.02;
/// The same for tensors that are nearly zero because a sum over a whole batch cancels: the gradient
/// of the bias of a convolution or a hidden layer ahead of batch norm, and of the one scale of a
/// normalised input.
const CANCELLED_FLOOR: f32 = 0.05;
/// The same for `res_cnn`, whose rows have several times the steps of the others.
const LONG_CANCELLED_FLOOR: f32 = 0.1;

/// The values of one small configuration.
pub struct Golden {
    name: String,
    metadata: HashMap<String, String>,
    data: HashMap<String, TensorData>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/models")
}

/// The names of all files of values, sorted.
pub fn golden_names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("the folder of golden files");
    let names = files.filter_map(|file| {
        let name = file.expect("a file").file_name().into_string().ok()?;
        Some(name.strip_suffix(".safetensors")?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

impl Golden {
    /// Reads `models/NAME.safetensors`.
    pub fn read(name: &str) -> Self {
        let bytes =
            std::fs::read(folder().join(format!("{name}.safetensors"))).expect("a golden file");
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
            metadata: metadata.clone(),
            data: data.collect(),
        }
    }

    /// The configuration of the model.
    pub fn config<C: DeserializeOwned>(&self) -> C {
        self.metadata("config")
    }

    /// The JSON beside the tensors.
    pub fn metadata<T: DeserializeOwned>(&self, key: &str) -> T {
        serde_json::from_str(&self.metadata[key]).expect("what the caller asks for")
    }

    /// A tensor.
    pub fn data(&self, key: &str) -> TensorData {
        let data = self.data.get(key);
        data.unwrap_or_else(|| panic!("{} has no {key}", self.name))
            .clone()
    }

    /// A tensor of whole numbers.
    pub fn counts(&self, key: &str) -> Vec<usize> {
        let values = self.data(key).iter::<i64>().collect::<Vec<_>>();
        values.into_iter().map(|value| value as usize).collect()
    }

    /// `model` with the parameters and the running statistics from before the step. The first
    /// `outer` parts of its fields' paths are not in the twin's.
    pub fn load<B: AutodiffBackend, M: Module<B>>(&self, model: M, outer: usize) -> M {
        let mut load = Load {
            golden: self,
            outer,
            path: Vec::new(),
            loaded: 0,
        };
        let model = model.map(&mut load);
        let expected = self.count("param.") + self.count("state.");
        assert_eq!(load.loaded, expected, "{}: parameters", self.name);
        model
    }

    /// Compares the gradients of `model` and of its features, and the running statistics after the
    /// step.
    pub fn compare_gradients<B: AutodiffBackend, M: Module<B>>(
        &self,
        model: &M,
        features: &Tensor<B, 3>,
        gradients: &B::Gradients,
        outer: usize,
    ) {
        let of_features = features.grad(gradients);
        let of_features = of_features.expect("a gradient of the features");
        self.compare("grad.features", of_features.into_data());
        let mut compare = Compare::<B> {
            golden: self,
            gradients,
            outer,
            path: Vec::new(),
            compared: 0,
        };
        model.visit(&mut compare);
        let expected = self.count("grad.") - 1 + self.count("after.");
        assert_eq!(compare.compared, expected, "{}: gradients", self.name);
    }

    fn count(&self, prefix: &str) -> usize {
        self.data
            .keys()
            .filter(|key| key.starts_with(prefix))
            .count()
    }

    /// Compares a tensor with the twin's.
    pub fn compare(&self, key: &str, actual: TensorData) {
        let expected = self.data(key);
        assert_eq!(
            actual.shape, expected.shape,
            "{}: shape of {key}",
            self.name
        );
        let cancelled = key.starts_with("grad.norm.")
            || key.ends_with("conv.bias")
            || key == "grad.hidden.bias";
        let floor = match (cancelled, self.name.starts_with("res_cnn")) {
            (false, _) => FLOOR,
            (true, false) => CANCELLED_FLOOR,
            (true, true) => LONG_CANCELLED_FLOOR,
        };
        let largest = expected
            .iter::<f32>()
            .fold(floor, |largest, value| largest.max(value.abs()));
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

/// Whether this field is a running statistic rather than a parameter.
fn is_state(path: &[String]) -> bool {
    path.last().is_some_and(|name| name.starts_with("running_"))
}

/// The golden key of a field.
fn key(kind: &str, path: &[String]) -> String {
    format!("{kind}.{}", path.join("."))
}

struct Load<'a> {
    golden: &'a Golden,
    outer: usize,
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
        let key = key(
            if state { "state" } else { "param" },
            &self.path[self.outer..],
        );
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
    outer: usize,
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
            return self
                .golden
                .compare(&key("after", &self.path[self.outer..]), value);
        }
        let key = key("grad", &self.path[self.outer..]);
        let gradient = param
            .val()
            .grad(self.gradients)
            .expect("a gradient of each parameter");
        self.golden.compare(&key, gradient.into_data());
    }
}
