//! An exponential moving average of a model's parameters ([Polyak and Juditsky
//! 1992](https://doi.org/10.1137/0330046)), which often generalises better than the last parameters.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_models::ops::moving_average;

use super::module_path::ModulePath;
use super::primitive::{Primitive, tensor};

/// The average of each trained parameter, by its path. With a decay of 0 there is none.
pub(crate) struct Average<B: Backend> {
    decay: f64,
    pub(crate) values: BTreeMap<String, Primitive<B>>,
}

impl<B: Backend> Average<B> {
    /// An average that has seen no step.
    pub(crate) fn new(decay: f64) -> Self {
        Self {
            decay,
            values: BTreeMap::new(),
        }
    }

    /// Moves the average towards the parameters of `model` after step number `step`. The decay is at
    /// most `(1 + step) / (10 + step)`, so that early steps weigh more and the random start is soon
    /// forgotten.
    pub(crate) fn follow<A, M>(&mut self, model: &M, step: usize)
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        if self.decay == 0.0 {
            return;
        }
        let step = step as f64;
        model.visit(&mut Follow::<A> {
            values: &mut self.values,
            decay: self.decay.min((1.0 + step) / (10.0 + step)),
            path: ModulePath::default(),
        });
    }

    /// `model` with the average in place of each parameter that has one.
    pub(crate) fn fill<M: Module<B>>(&self, model: M) -> M {
        if self.values.is_empty() {
            return model;
        }
        model.map(&mut Fill {
            values: &self.values,
            path: ModulePath::default(),
        })
    }
}

/// Moves the average of each parameter.
struct Follow<'a, A: AutodiffBackend> {
    values: &'a mut BTreeMap<String, Primitive<A::InnerBackend>>,
    decay: f64,
    path: ModulePath,
}

impl<A: AutodiffBackend> ModuleVisitor<A> for Follow<'_, A> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<A, D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            return;
        }
        let path = self.path.to_string();
        let now = value.inner();
        let average = match self.values.remove(&path) {
            Some(before) => moving_average(tensor(before), now, self.decay),
            None => now,
        };
        self.values.insert(path, average.into_primitive().tensor());
    }
}

/// Replaces each parameter by its average.
struct Fill<'a, B: Backend> {
    values: &'a BTreeMap<String, Primitive<B>>,
    path: ModulePath,
}

impl<B: Backend> ModuleMapper<B> for Fill<'_, B> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let Some(average) = self.values.get(&self.path.to_string()) else {
            return param;
        };
        let (id, _, mapper) = param.consume();
        Param::from_mapped_value(id, tensor(average.clone()), mapper)
    }
}
