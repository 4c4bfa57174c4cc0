//! Penalties on the size of the parameters: L1 and L2.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_models::ops::sum_of_squares;

use super::gradients::Gradients;
use super::module_path::ModulePath;
use super::primitive::{Primitive, tensor};
use crate::numbers::scalar;

impl<B: Backend> Gradients<B> {
    /// Adds the gradients of the penalty `l1·Σ|w|` over the parameters of `model` that have a gradient.
    pub(crate) fn with_l1<A, M>(self, model: &M, l1: f64) -> Self
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

    /// Adds the gradients of the penalty `l2/2·Σw²` over the same parameters; returns its value too.
    pub(crate) fn with_l2<A, M>(self, model: &M, l2: f64) -> (Self, f64)
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
}

/// A penalty and its weight.
enum Penalty {
    L1(f64),
    L2(f64),
}

/// Adds the gradient of a penalty to each gradient there is.
struct Penalise<A: AutodiffBackend> {
    gradients: BTreeMap<String, Primitive<A::InnerBackend>>,
    penalty: Penalty,
    /// The value of an L2 penalty, which a line search compares.
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
