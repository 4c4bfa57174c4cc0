//! Files of every format, whole and damaged, become parameters or a clear error.

mod damaged;
mod formats;
pub(crate) mod twins;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn_ndarray::NdArray;
use safetensors::tensor::{Dtype, TensorView};
use sori_models::ModelConfig;

use super::file::WeightFile;
use super::plan::Plan;
use super::twin::pytorch_names;
use crate::optim::average::Average;
use crate::optim::optimizer::Optimizer;
use crate::run::checkpoint::Checkpoint;
use crate::train::random_network;
use crate::train::state::RunState;

/// The files of `state_dict()`s.
pub(crate) fn state_dicts() -> Vec<PathBuf> {
    let files = std::fs::read_dir("tests/golden/weights").unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

/// The shapes of a network's parameters, by path.
pub(crate) fn shapes(model: &ModelConfig) -> BTreeMap<String, Vec<usize>> {
    let network = random_network::<_, NdArray>(model, 0, &Default::default()).unwrap();
    let no_optimizer = None::<(&Optimizer<NdArray>, &Average<NdArray>)>;
    let checkpoint = Checkpoint::of(&network, no_optimizer, &RunState::default());
    checkpoint.unwrap().model_shapes()
}

/// The plan for a file of a network with PyTorch's names.
fn plan(path: &Path, model: &ModelConfig) -> (WeightFile, Plan) {
    let file = WeightFile::open(path).unwrap();
    let plan = Plan::new(&file, pytorch_names(model), &shapes(model));
    (file, plan)
}

/// A fully-connected network of one layer: 2 × 1 values, 3 classes.
fn small() -> ModelConfig {
    let text = "name = \"mlp\"\nnum_frames = 1\nnum_bins = 2\nnum_classes = 3\nd_hidden = [2]\n";
    toml::from_str(text).unwrap()
}

/// Its tensors as PyTorch has them.
fn small_tensors() -> Vec<(&'static str, Vec<usize>, Vec<f32>)> {
    vec![
        ("classifier.bias", vec![3], vec![0.0, 1.0, 2.0]),
        (
            "classifier.weight",
            vec![3, 2],
            vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        ),
        ("hidden.0.bias", vec![2], vec![0.5, -0.5]),
        ("hidden.0.weight", vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]),
    ]
}

/// Writes tensors as a safetensors file.
fn write(folder: &Path, tensors: &[(&str, Vec<usize>, Vec<f32>)]) -> PathBuf {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(.., values)| {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        })
        .collect();
    let views: HashMap<&str, TensorView<'_>> = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| {
            (
                *name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        })
        .collect();
    let path = folder.join("weights.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

/// The message of the error of opening or reading a file for the small network.
fn refusal(path: &Path) -> String {
    let file = match WeightFile::open(path) {
        Ok(file) => file,
        Err(error) => return error.to_string(),
    };
    let plan = Plan::new(&file, pytorch_names(&small()), &shapes(&small()));
    match plan.check("mlp").and_then(|()| plan.read(&file)) {
        Ok(_) => panic!("{} is read", path.display()),
        Err(error) => error.to_string(),
    }
}
