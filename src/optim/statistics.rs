//! Running statistics of a model, saved and restored.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::module_path::ModulePath;
use super::primitive::{Primitive, tensor};

/// The running statistics of a model: its tensors that have no gradient.
pub(super) struct RunningStatistics<B: Backend> {
    values: BTreeMap<String, Primitive<B>>,
    path: ModulePath,
}

impl<B: Backend> RunningStatistics<B> {
    /// Copies the running statistics of `model`.
    pub(super) fn of<A, M>(model: &M) -> Self
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

    /// `model` with these statistics in place of its own.
    pub(super) fn restored<A, M>(&self, model: M) -> M
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

struct CollectStatistics<A: AutodiffBackend>(RunningStatistics<A::InnerBackend>);

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
