//! Cross entropy of distributions over classes.

use burn::tensor::{Tensor, activation::log_softmax, backend::Backend};

/// Cross entropy of logits against a weight for each class, averaged over the batch, in nats:
/// `−mean_b Σ_c weights[b, c] · log softmax(logits_b)[c]`. Finite for any finite logits.
///
/// The weights of a row add up to one where its target is a distribution: of label smoothing
/// ([Szegedy et al. 2015](https://arxiv.org/abs/1512.00567)), or of two examples mixed.
///
/// # Shapes
/// - `logits`, `weights`: `[batch, classes]`
/// - output: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn soft_cross_entropy<B: Backend>(logits: Tensor<B, 2>, weights: Tensor<B, 2>) -> Tensor<B, 1> {
    assert_eq!(logits.dims(), weights.dims(), "one weight for each logit");
    #[cfg(feature = "ndarray")]
    if let Some(loss) = cpu::soft_cross_entropy(&logits, &weights) {
        return loss;
    }
    #[cfg(feature = "gpu")]
    if let Some(loss) = super::gpu::soft_cross_entropy(&logits, &weights) {
        return loss;
    }
    let log_probs = log_softmax(logits, 1); // [batch, classes]
    (log_probs * weights).sum_dim(1).mean().neg()
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::loss;
    use crate::loss::cross_entropy::cpu::Loss;
    use crate::ops::seam::{Inputs, primitive};

    pub(super) fn soft_cross_entropy<B: Backend>(
        logits: &Tensor<B, 2>,
        weights: &Tensor<B, 2>,
    ) -> Option<Tensor<B, 1>> {
        let [_, classes] = logits.dims();
        // The kernel has a gradient of the logits alone.
        if weights.is_require_grad() {
            return None;
        }
        let inputs = Inputs::<B, 1>::recognise([primitive(logits)])?;
        let weights: Vec<f32> = weights.to_data().iter::<f32>().collect();
        let [logits] = inputs.values();
        let (value, gradient) = loss::soft_cross_entropy(logits, &weights, classes);
        Some(inputs.finish(Loss, vec![value], [1], |_| gradient))
    }
}
