//! Checkpoints. One safetensors file holds the model's tensors (`model.…`, with those of an adversary
//! as `model.adversary.…`), the optimizer's moments
//! (`optimizer.first.…`, `optimizer.second.…`; for L-BFGS the steps as `optimizer.moved.N` and
//! `optimizer.turned.N`), the moving average of the parameters (`average.…`) if there is one, and the
//! state of the run as JSON in the header. All are in full precision (packed runs may have half), under the
//! parameters' paths in the model.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sori_models::ops::to_data;

use crate::file::write_atomically;
use crate::optim::average::Average;
use crate::optim::module_path::ModulePath;
use crate::optim::optimizer::{Moments, Optimizer};
use crate::optim::primitive::{Primitive, tensor};
use crate::{Error, Result};

const STATE_KEY: &str = "sori";
/// The beginning of the state in the header, followed by the number of tensors.
const COUNT: &str = "{\"tensors\":";
const MODEL: &str = "model";
const FIRST: &str = "optimizer.first";
const SECOND: &str = "optimizer.second";
const PAIR: [&str; 2] = ["optimizer.moved", "optimizer.turned"];
const AVERAGE: &str = "average";
/// The field of the adversary in a learner.
const ADVERSARY: &str = "adversary";

/// A checkpoint in memory.
pub(crate) struct Checkpoint {
    path: PathBuf,
    tensors: BTreeMap<String, TensorData>,
    state: String,
}

impl Checkpoint {
    /// The current model, optimizer with average, and state.
    pub(crate) fn of<B, M, O>(
        model: &M,
        optimizer: Option<(&Optimizer<O>, &Average<O>)>,
        state: &impl Serialize,
    ) -> Result<Self>
    where
        B: Backend,
        M: Module<B>,
        O: Backend,
    {
        let mut tensors = BTreeMap::new();
        let mut collect = Collect {
            tensors: &mut tensors,
            path: ModulePath::default(),
        };
        model.visit(&mut collect);
        if let Some((optimizer, average)) = optimizer {
            for (name, value) in &average.values {
                tensors.insert(format!("{AVERAGE}.{name}"), data::<O>(value));
            }
            for (name, moments) in &optimizer.moments {
                tensors.insert(format!("{FIRST}.{name}"), data::<O>(&moments.first));
                if let Some(second) = &moments.second {
                    tensors.insert(format!("{SECOND}.{name}"), data::<O>(second));
                }
            }
            for (index, pair) in optimizer.lbfgs.pairs.iter().enumerate() {
                for (name, vector) in PAIR.iter().zip(pair) {
                    let values = vector.to_data().convert_dtype(DType::F32);
                    tensors.insert(format!("{name}.{index}"), values);
                }
            }
        }
        let path = PathBuf::new();
        let state = serde_json::to_string(state).map_err(|e| bad(&path, &e))?;
        Ok(Self {
            path,
            tensors,
            state,
        })
    }

    /// The shapes of the model's parameters and running statistics, by path.
    pub(crate) fn model_shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let shapes = self
            .model()
            .map(|(path, data)| (path.to_string(), data.shape.to_vec()));
        shapes.collect()
    }

    /// The model's parameters and running statistics, by path.
    pub(crate) fn model(&self) -> impl Iterator<Item = (&str, &TensorData)> {
        self.tensors.iter().filter_map(|(name, data)| {
            let path = name.strip_prefix(MODEL)?.strip_prefix('.')?;
            Some((path, data))
        })
    }

    /// The checkpoint with other values of the model, by path.
    pub(crate) fn with_model(mut self, values: BTreeMap<String, TensorData>) -> Self {
        let named = values.into_iter();
        self.tensors
            .extend(named.map(|(path, data)| (format!("{MODEL}.{path}"), data)));
        self
    }

    /// The checkpoint with another state.
    ///
    /// # Errors
    /// When the state is not a JSON object.
    pub(crate) fn with_state(mut self, state: &impl Serialize) -> Result<Self> {
        self.state = serde_json::to_string(state).map_err(|e| bad(&self.path, &e))?;
        Ok(self)
    }

    /// The checkpoint for inference: without the optimizer's moments and the adversary, and with the
    /// average in place of each parameter that has one.
    pub(crate) fn for_use(mut self, has_adversary: bool) -> Self {
        for (name, data) in std::mem::take(&mut self.tensors) {
            if name.starts_with("model.") {
                self.tensors.entry(name).or_insert(data);
            } else if let Some(path) = name.strip_prefix("average.") {
                self.tensors.insert(format!("{MODEL}.{path}"), data);
            }
        }
        let adversary = format!("{MODEL}.{ADVERSARY}.");
        if has_adversary {
            self.tensors.retain(|name, _| !name.starts_with(&adversary));
        }
        self
    }

    /// Whether every number is finite.
    pub(crate) fn is_finite(&self) -> bool {
        self.tensors
            .values()
            .all(|data| match data.as_slice::<f32>() {
                Ok(values) => values.iter().all(|value| value.is_finite()),
                Err(_) => data.iter::<f32>().all(f32::is_finite),
            })
    }

    /// Writes it to `path`. After a crash the file is either the old one or the new one.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        self.write_as(path, &self.tensors, Dtype::F32)
    }

    /// The same in half precision, in half of the space. What is read back is rounded.
    ///
    /// # Errors
    /// When a number is beyond the range of half precision, or the file cannot be written.
    pub(crate) fn write_half(&self, path: &Path) -> Result<()> {
        let mut halved = BTreeMap::new();
        for (name, data) in &self.tensors {
            let half = data.clone().convert_dtype(DType::F16);
            if !half.iter::<f32>().all(f32::is_finite) {
                let reason = format!("{name} has a number that half precision cannot hold");
                return Err(bad(path, &reason));
            }
            halved.insert(name.clone(), half);
        }
        self.write_as(path, &halved, Dtype::F16)
    }

    fn write_as(
        &self,
        path: &Path,
        tensors: &BTreeMap<String, TensorData>,
        dtype: Dtype,
    ) -> Result<()> {
        let views = tensors
            .iter()
            .map(|(name, data)| {
                TensorView::new(dtype, data.shape.to_vec(), data.as_bytes())
                    .map(|view| (name, view))
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|e| bad(path, &e))?;
        // The state is a JSON object. A header of two entries would be written in random order.
        let (_, state) = split_count(&self.state);
        let state = format!("{COUNT}{},{state}", self.tensors.len());
        let header = HashMap::from([(STATE_KEY.to_string(), state)]);
        let bytes = safetensors::serialize(views, Some(header)).map_err(|e| bad(path, &e))?;
        write_atomically(path, &bytes)
    }

    /// # Errors
    /// When the file is missing, truncated, or not a checkpoint of Sori; when a tensor is missing, of the
    /// wrong shape, or not finite.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("cannot read checkpoint", path))?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(path, &e))?;
        let state = metadata
            .metadata()
            .as_ref()
            .and_then(|header| header.get(STATE_KEY))
            .ok_or_else(|| bad(path, &"it has no state of a run"))?
            .clone();
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(&bytes)
            .map_err(|e| bad(path, &e))?
            .iter()
        {
            let values = floats(&view)
                .ok_or_else(|| bad(path, &format!("{name} is not 16 or 32-bit float")))?;
            // Training writes no other, so these are damage.
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(bad(
                    path,
                    &format!("{name} holds {value}, which is not a finite number"),
                ));
            }
            let data = TensorData::new::<f32, _>(values, view.shape().to_vec());
            tensors.insert(name.to_string(), data);
        }
        // Checkpoints of earlier versions have no count.
        if let (Some(count), _) = split_count(&state)
            && count != tensors.len().to_string()
        {
            let there = tensors.len();
            return Err(bad(
                path,
                &format!("{there} of its {count} tensors are there"),
            ));
        }
        let (_, rest) = split_count(&state);
        let checkpoint = Self {
            path: path.to_path_buf(),
            tensors,
            state: format!("{{{rest}"),
        };
        checkpoint.check_optimizer()?;
        Ok(checkpoint)
    }

    /// Checks that the optimizer's moments and the averages have the shapes of their parameters, and the
    /// vectors of L-BFGS one length.
    fn check_optimizer(&self) -> Result<()> {
        let prefixes = [FIRST, SECOND, AVERAGE];
        let of_parameter = |name: &str| {
            let rest = prefixes
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix))?;
            rest.strip_prefix('.').map(|path| format!("{MODEL}.{path}"))
        };
        let has_second = self.tensors.keys().any(|name| name.starts_with(SECOND));
        let mut length = None;
        for (name, data) in &self.tensors {
            if let Some(parameter) = of_parameter(name) {
                let shape = self.tensors.get(&parameter).map(|data| &data.shape);
                if shape != Some(&data.shape) {
                    let reason = format!("{name} does not have the shape of {parameter}");
                    return Err(bad(&self.path, &reason));
                }
                let second = name
                    .strip_prefix(FIRST)
                    .map(|path| format!("{SECOND}{path}"));
                if let Some(second) = second.filter(|second| !self.tensors.contains_key(second))
                    && has_second
                {
                    return Err(bad(&self.path, &format!("{second} is missing")));
                }
            } else if PAIR.iter().any(|pair| name.starts_with(pair))
                && *length.get_or_insert(&data.shape) != &data.shape
            {
                return Err(bad(
                    &self.path,
                    &format!("{name} does not have the length of the others"),
                ));
            }
        }
        Ok(())
    }

    /// The kernel `[kernel, channels_in, channels_out]` of the model's first convolution over time,
    /// if the model begins with one.
    pub(crate) fn first_kernel(&self) -> Option<&TensorData> {
        let paths = ["model.first.conv.weight", "model.blocks.0.conv.weight"];
        let weight = paths.iter().find_map(|path| self.tensors.get(*path))?;
        (weight.shape.len() == 3).then_some(weight)
    }

    /// The values of the running statistics of batch norm.
    #[cfg(test)]
    pub(crate) fn running_statistics(&self) -> Vec<Vec<f32>> {
        let running = self
            .tensors
            .iter()
            .filter(|(name, _)| name.contains("running_"));
        running
            .map(|(_, data)| data.iter::<f32>().collect())
            .collect()
    }

    /// The state in the file's header.
    pub(crate) fn state<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.state).map_err(|e| bad(&self.path, &e))
    }

    /// `model` with the checkpoint's parameters.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape.
    pub(crate) fn load<B: Backend, M: Module<B>>(&self, model: M) -> Result<M> {
        let (model, left) = self.load_matching(model);
        match left.first() {
            None => Ok(model),
            Some(name) => Err(Error::run(
                &self.path,
                format!(
                    "this checkpoint is not of the model that the run's config.toml describes: \
                     {name} is missing or has another shape; put both back as `sori train` wrote \
                     them"
                ),
            )),
        }
    }

    /// `model` with the checkpoint's parameters that match in name and shape, and the names of
    /// the model's other parameters.
    pub(crate) fn load_matching<B: Backend, M: Module<B>>(&self, model: M) -> (M, Vec<String>) {
        let mut restore = Restore {
            checkpoint: self,
            path: ModulePath::default(),
            left: Vec::new(),
        };
        let model = model.map(&mut restore);
        (model, restore.left)
    }

    /// Loads the checkpoint's moments into `optimizer`, and its average into `average`.
    pub(crate) fn load_optimizer<B: Backend>(
        &self,
        optimizer: &mut Optimizer<B>,
        average: &mut Average<B>,
        device: &B::Device,
    ) {
        let primitive = |data: &TensorData| -> Primitive<B> {
            // The rank comes from the data. The primitive ignores the type parameter.
            B::float_from_data(data.clone(), device)
        };
        let averages = self.tensors.iter().filter_map(|(name, data)| {
            let name = name.strip_prefix(AVERAGE)?.strip_prefix('.')?;
            Some((name.to_string(), primitive(data)))
        });
        average.values = averages.collect();
        let pair = |index: usize| {
            let vector = |name| {
                let data = self.tensors.get(&format!("{name}.{index}"))?;
                Some(Tensor::from_data(data.clone(), device))
            };
            Some([vector(PAIR[0])?, vector(PAIR[1])?])
        };
        optimizer.lbfgs.pairs = (0..).map_while(pair).collect();
        optimizer.moments = self
            .tensors
            .iter()
            .filter_map(|(name, data)| {
                let name = name.strip_prefix(FIRST)?.strip_prefix('.')?;
                let moments = Moments {
                    first: primitive(data),
                    second: self.tensors.get(&format!("{SECOND}.{name}")).map(primitive),
                };
                Some((name.to_string(), moments))
            })
            .collect();
    }
}

/// The values of a tensor of 32 or 16-bit floats; none of another type.
fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => {
            let values = bytes.chunks_exact(4);
            Some(
                values
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
            )
        }
        Dtype::F16 => {
            let values = bytes.chunks_exact(2);
            Some(
                values
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
            )
        }
        _ => None,
    }
}

/// The number of tensors that the state in a header begins with, if it does, and the rest behind the
/// opening brace.
fn split_count(state: &str) -> (Option<&str>, &str) {
    match state
        .strip_prefix(COUNT)
        .and_then(|rest| rest.split_once(','))
    {
        Some((count, rest)) => (Some(count), rest),
        None => (None, state.strip_prefix('{').unwrap_or(state)),
    }
}

fn bad(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::run(
        path,
        format!(
            "this is not a whole checkpoint of Sori ({reason}); put back the file that `sori \
             train` wrote"
        ),
    )
}

fn data<B: Backend>(primitive: &Primitive<B>) -> TensorData {
    // The primitive ignores the rank.
    to_data(&tensor::<B, 1>(primitive.clone())).convert_dtype(DType::F32)
}

struct Collect<'a> {
    tensors: &'a mut BTreeMap<String, TensorData>,
    path: ModulePath,
}

impl<B: Backend> ModuleVisitor<B> for Collect<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let data = to_data(&param.val()).convert_dtype(DType::F32);
        self.tensors.insert(format!("{MODEL}.{}", self.path), data);
    }
}

struct Restore<'a> {
    checkpoint: &'a Checkpoint,
    path: ModulePath,
    left: Vec<String>,
}

impl<B: Backend> ModuleMapper<B> for Restore<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let name = format!("{MODEL}.{}", self.path);
        let saved = self
            .checkpoint
            .tensors
            .get(&name)
            .filter(|saved| saved.shape == param.lazy_shape());
        let Some(saved) = saved else {
            self.left.push(name);
            return param;
        };
        let id = ParamId::new();
        let (_, value, mapper) = param.consume();
        let tracked = value.is_require_grad();
        let value = Tensor::from_data(saved.clone(), &value.device()).set_require_grad(tracked);
        Param::from_mapped_value(id, value, mapper)
    }
}
