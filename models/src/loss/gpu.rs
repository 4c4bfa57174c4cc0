//! Cross entropies on a GPU.

use burn::tensor::{Int, Tensor, backend::Backend};

use crate::gpu::Gpu;
use crate::gpu::launch::{Kernel, Primitive};
use crate::gpu::loss::{OfClasses, OfTags};
use crate::ops::gpu_seam::{Operator, apply, lower, raise};

/// The mean over rows with one class each, if the logits are on a GPU.
pub(super) fn cross_entropy<B: Backend>(
    logits: &Tensor<B, 2>,
    targets: &Tensor<B, 1, Int>,
) -> Option<Tensor<B, 1>> {
    let targets = lower(targets.clone().float());
    let kernel = of_classes(logits, true)?;
    apply::<B, _, 2>(Loss(kernel), [lower(logits.clone()), targets]).map(raise)
}

/// The mean over rows with weights for all classes.
pub(super) fn soft_cross_entropy<B: Backend>(
    logits: &Tensor<B, 2>,
    weights: &Tensor<B, 2>,
) -> Option<Tensor<B, 1>> {
    // The kernel has a gradient of the logits alone.
    if weights.is_require_grad() {
        return None;
    }
    let kernel = of_classes(logits, false)?;
    let inputs = [logits, weights].map(|tensor| lower(tensor.clone()));
    apply::<B, _, 2>(Loss(kernel), inputs).map(raise)
}

fn of_classes<B: Backend>(logits: &Tensor<B, 2>, is_class: bool) -> Option<OfClasses> {
    let [rows, classes] = logits.dims();
    is_small(rows * classes).then_some(OfClasses {
        rows,
        classes,
        is_class,
    })
}

/// The mean over all tags of all rows.
pub(super) fn binary_cross_entropy<B: Backend>(
    logits: &Tensor<B, 2>,
    targets: &Tensor<B, 2>,
    positive: Option<&Tensor<B, 1>>,
) -> Option<Tensor<B, 1>> {
    let [rows, tags] = logits.dims();
    let values = rows * tags;
    let is_constant = !targets.is_require_grad() && !positive.is_some_and(Tensor::is_require_grad);
    if !is_small(values) || !is_constant {
        return None;
    }
    let kernel = Loss(OfTags { values, tags });
    let [logits, targets] = [logits, targets].map(|tensor| lower(tensor.clone()));
    match positive {
        Some(positive) => {
            apply::<B, _, 3>(kernel, [logits, targets, lower(positive.clone())]).map(raise)
        }
        None => apply::<B, _, 2>(kernel, [logits, targets]).map(raise),
    }
}

/// Whether one cube is enough for so many values, of which there is one.
fn is_small(values: usize) -> bool {
    (1..=1 << 22).contains(&values)
}

/// A loss whose kernel gives the mean and the gradient of the first input.
#[derive(Debug, Clone)]
struct Loss<K>(K);

impl<K: Kernel, const N: usize> Operator<N> for Loss<K> {
    fn forward<G: Gpu>(
        &self,
        inputs: [Primitive<G>; N],
        _keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let shape = raise::<G, 2>(inputs[0].clone()).dims().to_vec();
        let mut found = G::launch(self.0.clone(), inputs.to_vec(), vec![vec![1], shape]);
        let slopes = found.remove(1);
        (found.remove(0), vec![slopes])
    }

    fn backward<G: Gpu>(
        self,
        mut saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        _wanted: [bool; N],
    ) -> [Option<Primitive<G>>; N] {
        let factor = raise::<G, 1>(gradient).unsqueeze::<2>();
        let mut of_logits = Some(lower(raise::<G, 2>(saved.remove(0)) * factor));
        [(); N].map(|()| of_logits.take())
    }
}
