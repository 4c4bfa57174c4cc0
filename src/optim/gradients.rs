//! The gradients of a model's parameters, by their paths.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Shape, Tensor, TensorMetadata};

use super::freeze::is_frozen;
use super::module_path::ModulePath;
use super::primitive::{Primitive, tensor};

/// The gradient of each parameter, by its path in the model.
pub(crate) struct Gradients<B: Backend>(pub(super) BTreeMap<String, Primitive<B>>);

impl<B: Backend> Gradients<B> {
    /// Takes the gradients of the parameters of `model`, except those at or below a path of `freeze`.
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
    pub(crate) fn plus(mut self, other: Self) -> Self {
        for (path, gradient) in other.0 {
            let sum = match self.0.remove(&path) {
                Some(before) => B::float_add(before, gradient),
                None => gradient,
            };
            self.0.insert(path, sum);
        }
        self
    }

    /// All gradients as one vector, in the order of their paths.
    pub(super) fn flat(&self) -> Tensor<B, 1> {
        let parts = self.0.values().map(|gradient| {
            let length = Shape::new([gradient.shape().num_elements()]);
            tensor(B::float_reshape(gradient.clone(), length))
        });
        Tensor::cat(parts.collect(), 0)
    }

    /// Gradients of the same parameters with the values of a vector from [`flat`](Self::flat).
    pub(super) fn with_values(&self, flat: Tensor<B, 1>) -> Self {
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
}

/// Takes the gradient of each parameter that is not frozen.
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
