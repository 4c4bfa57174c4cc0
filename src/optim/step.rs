//! A step of an optimizer over all parameters of a model.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::gradients::Gradients;
use super::module_path::ModulePath;
use super::optimizer::Optimizer;
use super::primitive::tensor;

impl<B: Backend> Optimizer<B> {
    /// Clips the gradients and updates each parameter that has one.
    pub(crate) fn step<A, M>(&mut self, model: M, gradients: Gradients<B>, learning_rate: f64) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        let scale = (self.settings.clip_norm > 0.0)
            .then(|| gradients.clip_scale::<A, M>(&model, self.settings.clip_norm))
            .flatten();
        self.steps += 1;
        self.moved(model, gradients, scale, learning_rate)
    }

    /// `model` after one update of each parameter that has a gradient, scaled by `scale`.
    pub(super) fn moved<A, M>(
        &mut self,
        model: M,
        gradients: Gradients<B>,
        scale: Option<Tensor<B, 1>>,
        learning_rate: f64,
    ) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        model.map(&mut Step::<A> {
            optimizer: self,
            gradients,
            scale,
            learning_rate,
            path: ModulePath::default(),
        })
    }
}

/// Updates each parameter that has a gradient.
struct Step<'a, A: AutodiffBackend> {
    optimizer: &'a mut Optimizer<A::InnerBackend>,
    gradients: Gradients<A::InnerBackend>,
    scale: Option<Tensor<A::InnerBackend, 1>>,
    learning_rate: f64,
    path: ModulePath,
}

impl<A: AutodiffBackend> ModuleMapper<A> for Step<'_, A> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<A, D>>) -> Param<Tensor<A, D>> {
        let path = self.path.to_string();
        let Some(gradient) = self.gradients.0.remove(&path) else {
            return param;
        };
        let (id, value, mapper) = param.consume();
        let moved = self.optimizer.update(
            &path,
            value.inner(),
            tensor(gradient),
            self.scale.clone(),
            self.learning_rate,
        );
        let value = Tensor::from_inner(moved).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}
