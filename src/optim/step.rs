//! A step of an optimizer over all parameters of a model.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::gradients::Gradients;
use super::module_path::ModulePath;
use super::optimizer::Optimizer;
use super::primitive::tensor;
use crate::numbers::scalar;

impl<B: Backend> Optimizer<B> {
    /// Clips the gradients and updates each parameter that has one. Gradients of a scaled loss are brought
    /// back to their size; if one is not finite, nothing is updated.
    pub(crate) fn step<A, M>(&mut self, model: M, gradients: Gradients<B>, learning_rate: f64) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        let clip_norm = self.settings.clip_norm;
        self.steps += 1;
        let scale = match &mut self.loss_scale {
            Some(loss_scale) => {
                let Some(norm) = gradients.norm::<A, M>(&model) else {
                    return model;
                };
                let (device, factor) = (norm.device(), loss_scale.factor);
                let norm = scalar(norm) / factor;
                loss_scale.follow(norm.is_finite());
                if !norm.is_finite() {
                    return model;
                }
                let clip = match clip_norm > 0.0 {
                    true => (clip_norm / (norm + 1e-6)).min(1.0),
                    false => 1.0,
                };
                Some(Tensor::from_floats([clip / factor], &device))
            }
            None if clip_norm > 0.0 => gradients.clip_scale::<A, M>(&model, clip_norm),
            None => None,
        };
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
