//! Gradient clipping by the norm of all gradients together.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_models::ops::{clip_factor, joint_norm, sum_of_squares};

use super::gradients::Gradients;
use super::module_path::ModulePath;
use super::primitive::{Primitive, tensor};

impl<B: Backend> Gradients<B> {
    /// The factor that scales all gradients to a joint norm of at most `max_norm`, as a tensor of one
    /// value: `min(1, max_norm / (norm + 1e-6))`. None if there is no gradient.
    pub(super) fn clip_scale<A, M>(&self, model: &M, max_norm: f64) -> Option<Tensor<B, 1>>
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        if self.0.is_empty() {
            return None;
        }
        if let Some(factor) = clip_factor::<B>(self.0.values().cloned().collect(), max_norm) {
            return Some(factor);
        }
        let norm = self.norm::<A, M>(model)?;
        Some((norm + 1e-6).recip().mul_scalar(max_norm).clamp_max(1.0))
    }

    /// The joint norm of all gradients, `[1]`. None if there is no gradient.
    pub(super) fn norm<A, M>(&self, model: &M) -> Option<Tensor<B, 1>>
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        if self.0.is_empty() {
            return None;
        }
        if let Some(norm) = joint_norm::<B>(self.0.values().cloned().collect()) {
            return Some(norm);
        }
        let mut squares = Squares::<A> {
            gradients: &self.0,
            sums: Vec::new(),
            path: ModulePath::default(),
        };
        model.visit(&mut squares);
        if squares.sums.is_empty() {
            return None;
        }
        Some(Tensor::cat(squares.sums, 0).sum().sqrt())
    }
}

/// Sums the squares of each gradient.
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
