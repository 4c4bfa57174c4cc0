//! The gradients of a model, for tests that compare them.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};

/// The gradient of each parameter that has one.
pub fn all_gradients<B: AutodiffBackend, M: Module<B>>(
    model: &M,
    gradients: &B::Gradients,
) -> Vec<TensorData> {
    struct Collect<'a, B: AutodiffBackend>(&'a B::Gradients, Vec<TensorData>);
    impl<B: AutodiffBackend> ModuleVisitor<B> for Collect<'_, B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.1
                .extend(param.val().grad(self.0).map(Tensor::into_data));
        }
    }
    let mut collect = Collect(gradients, Vec::new());
    model.visit(&mut collect);
    collect.1
}
