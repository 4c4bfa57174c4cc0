//! The optimizers, each over all parameters of a model.
//!
//! Burn's own optimizers clip the gradient of each parameter by itself and keep their state under
//! identifiers drawn at random; here the norm is that of all parameters together and the state
//! belongs to a parameter's path in the model, which is what a checkpoint stores.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};

use sori_models::ops::{AdamStep, RmsStep, SgdStep, adam_step, rms_step, sgd_step, sum_of_squares};

use super::lbfgs::{Lbfgs, dot};
use super::module_path::ModulePath;
use super::settings::{OptimizerKind, TrainSettings};
use crate::task::scalar;

/// PyTorch's defaults; β₁ is a setting.
const SECOND_BETA: f64 = 0.999;
const EPSILON: f64 = 1e-8;
const RMSPROP_AVERAGE: f64 = 0.99;
const ADAGRAD_EPSILON: f64 = 1e-10;
/// The share of what the slope promises that a step of L-BFGS has to keep ([Armijo
/// 1966](https://doi.org/10.2140/pjm.1966.16.1)).
const SUFFICIENT_DECREASE: f64 = 1e-4;
/// A step that is still too long after so many halvings is not taken.
const MAX_HALVINGS: usize = 12;

/// A tensor of any rank.
pub(super) type Primitive<B> = <B as burn::tensor::backend::BackendTypes>::FloatTensorPrimitive;

/// What an optimizer remembers of one parameter.
#[derive(Clone)]
pub(super) struct Moments<B: Backend> {
    /// Adam's first moment, the momentum, or the squares of RMSProp and Adagrad.
    pub(super) first: Primitive<B>,
    /// Adam's second moment.
    pub(super) second: Option<Primitive<B>>,
}

/// An optimizer and its state. `B` is the backend without autodiff.
pub(crate) struct Optimizer<B: Backend> {
    pub(super) settings: TrainSettings,
    /// By the parameter's path in the model.
    pub(super) moments: BTreeMap<String, Moments<B>>,
    /// Steps taken, for Adam's bias correction.
    pub(super) steps: usize,
    /// What L-BFGS remembers.
    pub(super) lbfgs: Lbfgs<B>,
}

impl<B: Backend> Optimizer<B> {
    pub(crate) fn new(settings: &TrainSettings) -> Self {
        Self {
            settings: settings.clone(),
            moments: BTreeMap::new(),
            steps: 0,
            lbfgs: Lbfgs { pairs: Vec::new() },
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
        self.moved(model, gradients, scale, learning_rate)
    }

    fn moved<A, M>(
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

    /// A step of L-BFGS from where `evaluated` was found: `evaluate` tells the value and the gradient
    /// elsewhere, or nothing where they are not finite. Where no length lowers the value, the model
    /// stays, and what was remembered is forgotten.
    pub(crate) fn second_order_step<A, M>(
        &mut self,
        model: M,
        (value, gradients): (f64, Gradients<B>),
        learning_rate: f64,
        mut evaluate: impl FnMut(&M) -> Option<(f64, Gradients<B>)>,
    ) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        self.steps += 1;
        let gradient = gradients.flat();
        let mut direction = self.lbfgs.direction(gradient.clone());
        let mut slope = dot(&gradient, &direction);
        if slope <= 0.0 {
            self.lbfgs.pairs.clear();
            direction = gradient.clone();
            slope = dot(&gradient, &direction);
        }
        // Trials are evaluated as training is, and would move the running statistics each time.
        let statistics = Statistics::of::<A, M>(&model);
        let mut length = learning_rate;
        if self.lbfgs.pairs.is_empty() {
            // Nothing is known of how far the slope reaches: a small step, as PyTorch's is.
            length *= scalar(gradient.clone().abs().sum()).recip().min(1.0);
        }
        for _ in 0..=MAX_HALVINGS {
            let step = gradients.with_values(direction.clone());
            let moved = self.moved::<A, M>(model.clone(), step, None, length);
            let evaluated = evaluate(&moved);
            // A clone shares them with its original.
            let moved = statistics.restored::<A, M>(moved);
            if let Some((there, found)) = evaluated
                && there <= value - SUFFICIENT_DECREASE * length * slope
            {
                let turned = found.flat() - gradient;
                self.lbfgs.remember(direction * -length, turned);
                return moved;
            }
            length /= 2.0;
        }
        self.lbfgs.pairs.clear();
        model
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
            OptimizerKind::Sgd | OptimizerKind::Lbfgs => {
                let step = SgdStep {
                    rate: learning_rate,
                    momentum: 0.0,
                    nesterov: false,
                    // The direction of L-BFGS has it in it.
                    decay: match optimizer {
                        OptimizerKind::Lbfgs => 0.0,
                        _ => weight_decay,
                    },
                };
                let [parameter, _] = sgd_step(&step, parameter, gradient, None, scale);
                return parameter;
            }
            OptimizerKind::Momentum | OptimizerKind::Nesterov => {
                let step = SgdStep {
                    rate: learning_rate,
                    momentum,
                    nesterov: optimizer == OptimizerKind::Nesterov,
                    decay: weight_decay,
                };
                let past = past.map(|past| tensor(past.first));
                let [parameter, first] = sgd_step(&step, parameter, gradient, past, scale);
                (parameter, first, None)
            }
            OptimizerKind::Rmsprop | OptimizerKind::Adagrad => {
                let (average, epsilon) = match optimizer {
                    OptimizerKind::Rmsprop => (Some(RMSPROP_AVERAGE), EPSILON),
                    _ => (None, ADAGRAD_EPSILON),
                };
                let step = RmsStep {
                    rate: learning_rate,
                    average,
                    epsilon,
                    decay: weight_decay,
                };
                let past = past.map(|past| tensor(past.first));
                let [parameter, first] = rms_step(&step, parameter, gradient, past, scale);
                (parameter, first, None)
            }
            OptimizerKind::Adam | OptimizerKind::Adamw => {
                let step = AdamStep {
                    rate: learning_rate,
                    betas: [momentum, SECOND_BETA],
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

    /// All of them as one vector, by their paths.
    fn flat(&self) -> Tensor<B, 1> {
        let parts = self.0.values().map(|gradient| {
            let length = Shape::new([gradient.shape().num_elements()]);
            tensor(B::float_reshape(gradient.clone(), length))
        });
        Tensor::cat(parts.collect(), 0)
    }

    /// The same parameters with the values of such a vector.
    fn with_values(&self, flat: Tensor<B, 1>) -> Self {
        let mut start = 0;
        let parts = self.0.iter().map(|(path, gradient)| {
            let shape = gradient.shape();
            let length = shape.num_elements();
            let values = flat.clone().narrow(0, start, length);
            start += length;
            let values = B::float_reshape(values.into_primitive().tensor(), shape);
            (path.clone(), values)
        });
        Self(parts.collect())
    }

    /// With those of the penalty `l1·Σ|w|` over the parameters of `model` that have a gradient.
    pub(super) fn with_l1<A, M>(self, model: &M, l1: f64) -> Self
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        if l1 == 0.0 {
            return self;
        }
        let mut penalise = Penalise::<A> {
            gradients: self.0,
            penalty: Penalty::L1(l1),
            value: 0.0,
            path: ModulePath::default(),
        };
        model.visit(&mut penalise);
        Self(penalise.gradients)
    }

    /// With those of the penalty `l2/2·Σw²` over the same, and its value.
    pub(super) fn with_l2<A, M>(self, model: &M, l2: f64) -> (Self, f64)
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        if l2 == 0.0 {
            return (self, 0.0);
        }
        let mut penalise = Penalise::<A> {
            gradients: self.0,
            penalty: Penalty::L2(l2),
            value: 0.0,
            path: ModulePath::default(),
        };
        model.visit(&mut penalise);
        (Self(penalise.gradients), penalise.value)
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

/// The running statistics of a model: what it has beside parameters, which have gradients.
struct Statistics<B: Backend> {
    values: BTreeMap<String, Primitive<B>>,
    path: ModulePath,
}

impl<B: Backend> Statistics<B> {
    fn of<A, M>(model: &M) -> Self
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        let mut collect = CollectStatistics::<A>(Self {
            values: BTreeMap::new(),
            path: ModulePath::default(),
        });
        model.visit(&mut collect);
        collect.0
    }

    fn restored<A, M>(&self, model: M) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        model.map(&mut RestoreStatistics::<A> {
            values: &self.values,
            path: ModulePath::default(),
        })
    }
}

struct CollectStatistics<A: AutodiffBackend>(Statistics<A::InnerBackend>);

impl<A: AutodiffBackend> ModuleVisitor<A> for CollectStatistics<A> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.0.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<A, D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            let value = value.inner().into_primitive().tensor();
            self.0.values.insert(self.0.path.to_string(), value);
        }
    }
}

struct RestoreStatistics<'a, A: AutodiffBackend> {
    values: &'a BTreeMap<String, Primitive<A::InnerBackend>>,
    path: ModulePath,
}

impl<A: AutodiffBackend> ModuleMapper<A> for RestoreStatistics<'_, A> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<A, D>>) -> Param<Tensor<A, D>> {
        let Some(value) = self.values.get(&self.path.to_string()) else {
            return param;
        };
        let (id, _, mapper) = param.consume();
        let value = Tensor::from_inner(tensor(value.clone()));
        Param::from_mapped_value(id, value, mapper)
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

/// What is added to the loss, and how much of it.
enum Penalty {
    L1(f64),
    L2(f64),
}

struct Penalise<A: AutodiffBackend> {
    gradients: BTreeMap<String, Primitive<A::InnerBackend>>,
    penalty: Penalty,
    /// Of L2, whose optimizer compares values.
    value: f64,
    path: ModulePath,
}

impl<A: AutodiffBackend> ModuleVisitor<A> for Penalise<A> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<A, D>>) {
        let path = self.path.to_string();
        let Some(gradient) = self.gradients.remove(&path) else {
            return;
        };
        let gradient: Tensor<A::InnerBackend, D> = tensor(gradient);
        let weight = param.val().inner();
        let gradient = match self.penalty {
            Penalty::L1(share) => gradient + weight.sign() * share,
            Penalty::L2(share) => {
                self.value += share / 2.0 * scalar(sum_of_squares(weight.clone()));
                gradient + weight * share
            }
        };
        self.gradients
            .insert(path, gradient.into_primitive().tensor());
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
