//! The number of trainable values of a module.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, backend::Backend};

/// The number of trainable values: those of all parameters, without the running statistics of batch
/// norm (fields that begin with `running_`), which Burn's own count includes. Saturates.
///
/// ```
/// use burn_ndarray::NdArray;
/// use sori_models::{Architecture, MlpConfig, num_params};
///
/// let model = MlpConfig::default().init::<NdArray>(&Default::default())?;
/// assert_eq!(num_params(&model), 2_182_410);
/// # Ok::<(), sori_models::ConfigError>(())
/// ```
pub fn num_params<B: Backend, M: Module<B>>(module: &M) -> usize {
    let mut counter = Counter::default();
    module.visit(&mut counter);
    counter.count
}

#[derive(Default)]
struct Counter {
    count: usize,
    /// Modules around the visited one that are running statistics.
    running: usize,
}

impl<B: Backend> ModuleVisitor<B> for Counter {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.running += usize::from(name.starts_with("running_"));
    }

    fn exit_module(&mut self, name: &str, _container_type: &str) {
        self.running -= usize::from(name.starts_with("running_"));
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if self.running == 0 {
            let shape = param.lazy_shape();
            let count = shape
                .iter()
                .fold(1, |count: usize, &size| count.saturating_mul(size));
            self.count = self.count.saturating_add(count);
        }
    }
}
