//! The parameters of a run as safetensors, by Sori's names or by PyTorch's.

use std::any::Any;
use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sori_models::{Architecture, ModelConfig};

use super::facts::facts;
use super::refuse;
use super::safetensors::{Entry, bytes};
use crate::Result;
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::RunFolder;
use crate::task::any::AnyTask;
use crate::weights::layout::Values;
use crate::weights::twin::pytorch_names;

/// The last part of a path of which each batch norm has one.
const OF_NORM: &str = "running_mean";
/// What PyTorch's batch norm has beside its statistics, for averages of another kind.
const COUNTER: &str = "num_batches_tracked";

/// The bytes of the file, and how many tensors are in it.
///
/// # Errors
/// When the run has no checkpoint yet, or a parameter has no name.
pub(super) fn file<A: Architecture>(
    run: &RunFolder<A>,
    task: &AnyTask,
    as_pytorch: bool,
) -> Result<(Vec<u8>, usize)> {
    let checkpoint = Checkpoint::read(&run.best_checkpoint()?)?;
    let parameters = checkpoint.model().map(|(path, data)| {
        let values = Values {
            shape: data.shape.to_vec(),
            values: data.iter::<f32>().collect(),
        };
        (path.to_string(), values)
    });
    let tensors = match as_pytorch {
        true => {
            let model: &dyn Any = &run.settings().model;
            let none = || {
                refuse(
                    run,
                    "PyTorch's names are known of the zoo's architectures alone",
                )
            };
            let model = model.downcast_ref::<ModelConfig>().ok_or_else(none)?;
            by_pytorch(model, parameters).map_err(|reason| refuse(run, reason))?
        }
        false => parameters.map(|(path, it)| (path, entry(it))).collect(),
    };
    let mut all: Map<String, Value> = facts(run, task)?
        .into_iter()
        .map(|(key, text)| {
            // What is JSON already stays so.
            let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            (key.to_string(), value)
        })
        .collect();
    let names = if as_pytorch { "pytorch" } else { "sori" };
    all.insert("names".to_string(), names.into());
    Ok((bytes(&tensors, &Value::Object(all)), tensors.len()))
}

/// The tensors that the PyTorch twin of `model` has for these parameters.
///
/// # Errors
/// The reason why it has none for one of them.
pub(super) fn by_pytorch(
    model: &ModelConfig,
    parameters: impl Iterator<Item = (String, Values)>,
) -> std::result::Result<BTreeMap<String, Entry>, String> {
    let names = pytorch_names(model);
    let mut tensors = BTreeMap::new();
    for (path, values) in parameters {
        let of_path = |reason: &str| format!("parameter {path}: {reason}");
        let origin = names
            .origin(&path)
            .ok_or_else(|| of_path("PyTorch has no name for it"))?;
        let values = origin
            .layout
            .undone(values)
            .ok_or_else(|| of_path("its layout in PyTorch cannot be had of it"))?;
        if let Some(norm) = origin.tensor.strip_suffix(OF_NORM) {
            let counter = Entry {
                dtype: "I64",
                shape: Vec::new(),
                bytes: 0i64.to_le_bytes().to_vec(),
            };
            tensors.insert(format!("{norm}{COUNTER}"), counter);
        }
        tensors.insert(origin.tensor, entry(values));
    }
    Ok(tensors)
}

fn entry(values: Values) -> Entry {
    Entry {
        dtype: "F32",
        shape: values.shape,
        bytes: values
            .values
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect(),
    }
}
