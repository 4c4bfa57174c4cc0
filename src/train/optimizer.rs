//! Adam, AdamW and SGD with momentum over all parameters of a model.
//!
//! Burn's own optimizers clip the gradient of each parameter by itself and keep their state under
//! identifiers drawn at random; here the norm is that of all parameters together and the state
//! belongs to a parameter's path in the model, which is what a checkpoint stores.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorPrimitive};

use sori_models::ops::{AdamStep, SgdStep, adam_step, sgd_step, sum_of_squares};

use super::module_path::ModulePath;
use super::settings::{OptimizerKind, TrainSettings};

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// A tensor of any rank.
pub(crate) type Primitive<B> = <B as burn::tensor::backend::BackendTypes>::FloatTensorPrimitive;

/// What an optimizer remembers of one parameter.
#[derive(Clone)]
pub(super) struct Moments<B: Backend> {
    /// Adam's first moment, or SGD's momentum.
    pub(super) first: Primitive<B>,
    /// Adam's second moment.
    pub(super) second: Option<Primitive<B>>,
}

/// An optimizer and its state. `B` is the backend without autodiff.
pub(crate) struct Optimizer<B: Backend> {
    settings: TrainSettings,
    /// By the parameter's path in the model.
    pub(super) moments: BTreeMap<String, Moments<B>>,
    /// Steps taken, for Adam's bias correction.
    pub(super) steps: usize,
}

impl<B: Backend> Optimizer<B> {
    pub(crate) fn new(settings: &TrainSettings) -> Self {
        Self {
            settings: settings.clone(),
            moments: BTreeMap::new(),
            steps: 0,
        }
    }

    /// Moves each parameter that has a gradient.
    pub(crate) fn step<A, M>(&mut self, model: M, gradients: Gradients<B>, learning_rate: f64) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        let scale = (self.settings.clip_norm > 0.0)
            .then(|| gradients.clip_scale::<A, M>(&model, self.settings.clip_norm))
            .flatten();
        self.steps += 1;
        model.map(&mut Step::<A> {
            optimizer: self,
            gradients,
            scale,
            learning_rate,
            path: ModulePath::default(),
        })
    }

    fn update<const D: usize>(
        &mut self,
        path: &str,
        parameter: Tensor<B, D>,
        gradient: Tensor<B, D>,
        scale: Option<Tensor<B, 1>>,
        learning_rate: f64,
    ) -> Tensor<B, D> {
        let TrainSettings {
            optimizer,
            momentum,
            weight_decay,
            ..
        } = self.settings;
        let past = self.moments.remove(path);
        let (parameter, first, second) = match optimizer {
            OptimizerKind::Sgd => {
                let step = SgdStep {
                    rate: learning_rate,
                    momentum,
                    decay: weight_decay,
                };
                let past = past.map(|past| tensor(past.first));
                let [parameter, first] = sgd_step(&step, parameter, gradient, past, scale);
                (parameter, first, None)
            }
            OptimizerKind::Adam | OptimizerKind::Adamw => {
                let step = AdamStep {
                    rate: learning_rate,
                    betas: BETAS,
                    epsilon: EPSILON,
                    steps: self.steps,
                    decay: weight_decay,
                    decoupled: optimizer == OptimizerKind::Adamw,
                };
                let past = past.and_then(|past| Some([tensor(past.first), tensor(past.second?)]));
                let [parameter, first, second] = adam_step(&step, parameter, gradient, past, scale);
                (parameter, first, Some(second))
            }
        };
        self.moments.insert(
            path.to_string(),
            Moments {
                first: first.into_primitive().tensor(),
                second: second.map(|second| second.into_primitive().tensor()),
            },
        );
        parameter
    }
}

pub(super) fn tensor<B: Backend, const D: usize>(primitive: Primitive<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

/// The gradient of each parameter, by its path in the model.
pub(crate) struct Gradients<B: Backend>(BTreeMap<String, Primitive<B>>);

impl<B: Backend> Gradients<B> {
    /// Takes the gradients of the parameters of `model`, but for those below a path of `freeze`.
    pub(crate) fn take<A, M>(model: &M, gradients: &mut A::Gradients, freeze: &[String]) -> Self
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        let mut take = Take::<A> {
            gradients,
            freeze,
            taken: BTreeMap::new(),
            path: ModulePath::default(),
        };
        model.visit(&mut take);
        Self(take.taken)
    }

    /// The sum with other gradients of the same model.
    pub(super) fn plus(mut self, other: Self) -> Self {
        for (path, gradient) in other.0 {
            let sum = match self.0.remove(&path) {
                Some(before) => B::float_add(before, gradient),
                None => gradient,
            };
            self.0.insert(path, sum);
        }
        self
    }

    /// The factor, one number on the device, that brings the norm of all gradients together to at
    /// most `max_norm`: `min(1, max_norm / (norm + 1e-6))`.
    fn clip_scale<A, M>(&self, model: &M, max_norm: f64) -> Option<Tensor<B, 1>>
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        let mut squares = Squares::<A> {
            gradients: &self.0,
            sums: Vec::new(),
            path: ModulePath::default(),
        };
        model.visit(&mut squares);
        if squares.sums.is_empty() {
            return None;
        }
        let norm = Tensor::cat(squares.sums, 0).sum().sqrt();
        Some((norm + 1e-6).recip().mul_scalar(max_norm).clamp_max(1.0))
    }
}

/// Whether a parameter's path is one of `freeze` or lies below one.
pub(super) fn is_frozen(path: &str, freeze: &[String]) -> bool {
    freeze.iter().any(|frozen| {
        path.strip_prefix(frozen.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

struct Take<'a, A: AutodiffBackend> {
    gradients: &'a mut A::Gradients,
    freeze: &'a [String],
    taken: BTreeMap<String, Primitive<A::InnerBackend>>,
    path: ModulePath,
}

impl<A: AutodiffBackend> ModuleVisitor<A> for Take<'_, A> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<A, D>>) {
        let path = self.path.to_string();
        let gradient = param.val().grad_remove(self.gradients);
        if let Some(gradient) = gradient.filter(|_| !is_frozen(&path, self.freeze)) {
            self.taken.insert(path, gradient.into_primitive().tensor());
        }
    }
}

struct Squares<'a, A: AutodiffBackend> {
    gradients: &'a BTreeMap<String, Primitive<A::InnerBackend>>,
    sums: Vec<Tensor<A::InnerBackend, 1>>,
    path: ModulePath,
}

impl<A: AutodiffBackend> ModuleVisitor<A> for Squares<'_, A> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<A, D>>) {
        if let Some(gradient) = self.gradients.get(&self.path.to_string()) {
            self.sums
                .push(sum_of_squares(tensor::<_, D>(gradient.clone())));
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_freezes_itself_and_what_lies_below() {
        let freeze = ["blocks.1".to_string()];
        assert!(is_frozen("blocks.1", &freeze));
        assert!(is_frozen("blocks.1.conv.weight", &freeze));
        assert!(!is_frozen("blocks.10.conv.weight", &freeze));
        assert!(!is_frozen("classifier.weight", &freeze));
    }
}
