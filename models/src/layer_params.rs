//! The layers of a module, with the shapes of their parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, backend::Backend};

/// A layer that holds parameters of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerParams {
    /// Its path in the module, such as `blocks.0.conv`.
    pub path: String,
    /// Its type, such as `Linear`.
    pub kind: String,
    /// The name and the shape of each parameter.
    pub params: Vec<(String, Vec<usize>)>,
}

impl LayerParams {
    /// The number of its trainable values. Saturates.
    pub fn count(&self) -> usize {
        let count = |shape: &Vec<usize>| {
            shape
                .iter()
                .fold(1, |n: usize, &size| n.saturating_mul(size))
        };
        let counts = self.params.iter().map(|(_, shape)| count(shape));
        counts.fold(0, usize::saturating_add)
    }
}

/// The layers of a module that have parameters, in its order, without the running statistics of batch norm. Their
/// counts sum to [`num_params`](crate::num_params).
///
/// ```
/// use burn_ndarray::NdArray;
/// use sori_models::{Architecture, MlpConfig, layer_params, num_params};
///
/// let model = MlpConfig::default().init::<NdArray>(&Default::default())?;
/// let layers = layer_params(&model);
/// let last = layers.last().expect("a network has layers");
/// assert_eq!((last.path.as_str(), last.kind.as_str()), ("classifier", "Linear"));
/// assert_eq!(last.params, [("weight".into(), vec![256, 10]), ("bias".into(), vec![10])]);
/// assert_eq!(layers.iter().map(|layer| layer.count()).sum::<usize>(), num_params(&model));
/// # Ok::<(), sori_models::ConfigError>(())
/// ```
pub fn layer_params<B: Backend, M: Module<B>>(module: &M) -> Vec<LayerParams> {
    let mut walk = Walk::default();
    module.visit(&mut walk);
    walk.layers
}

#[derive(Default)]
struct Walk {
    layers: Vec<LayerParams>,
    /// The fields around the visited one, with the type that holds each.
    around: Vec<(String, String)>,
}

impl<B: Backend> ModuleVisitor<B> for Walk {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.around
            .push((name.to_string(), container_type.to_string()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.around.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let Some(((name, holder), above)) = self.around.split_last() else {
            return;
        };
        if self
            .around
            .iter()
            .any(|(name, _)| name.starts_with("running_"))
        {
            return;
        }
        // The first is the variant of an enumeration of networks.
        let fields = above
            .iter()
            .filter(|(_, holder)| !holder.starts_with("Enum:"));
        let path: Vec<&str> = fields.map(|(name, _)| name.as_str()).collect();
        let path = path.join(".");
        let kind = holder.rsplit(':').next().unwrap_or(holder).to_string();
        let shape = param.lazy_shape().iter().copied().collect();
        let param = (name.clone(), shape);
        match self.layers.last_mut() {
            Some(layer) if layer.path == path && layer.kind == kind => layer.params.push(param),
            _ => self.layers.push(LayerParams {
                path,
                kind,
                params: vec![param],
            }),
        }
    }
}
