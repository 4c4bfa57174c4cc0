//! Cross entropy of classes.

use burn::tensor::{Int, Tensor, activation::log_softmax, backend::Backend};

/// Cross entropy of logits against the right class, averaged over the batch, in nats:
/// `−mean_b log softmax(logits_b)[target_b]`. Finite for any finite logits.
///
/// # Shapes
/// - `logits`: `[batch, classes]`
/// - `targets`: `[batch]`, each in `0..classes` (what happens otherwise is up to the backend)
/// - output: `[1]`
///
/// # Panics
/// If there is not one target for each row.
pub fn cross_entropy<B: Backend>(logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    let [batch, _] = logits.dims();
    assert_eq!(targets.dims(), [batch], "one target for each row of logits");
    #[cfg(feature = "ndarray")]
    if let Some(loss) = cpu::cross_entropy(&logits, &targets) {
        return loss;
    }
    #[cfg(feature = "gpu")]
    if let Some(loss) = super::gpu::cross_entropy(&logits, &targets) {
        return loss;
    }
    let log_probs = log_softmax(logits, 1); // [batch, classes]
    let right = log_probs.gather(1, targets.unsqueeze_dim(1)); // [batch, 1]
    right.mean().neg()
}

#[cfg(feature = "ndarray")]
pub(super) mod cpu {
    use super::*;
    use crate::kernels::{buffer, loss};
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn cross_entropy<B: Backend>(
        logits: &Tensor<B, 2>,
        targets: &Tensor<B, 1, Int>,
    ) -> Option<Tensor<B, 1>> {
        let [_, classes] = logits.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(logits)])?;
        let targets: Vec<usize> = targets
            .to_data()
            .iter::<i64>()
            .map(|t| t as usize)
            .collect();
        assert!(
            targets.iter().all(|&target| target < classes),
            "cross entropy: targets {targets:?} of {classes} classes"
        );
        let [logits] = inputs.values();
        let (value, gradient) = loss::cross_entropy(logits, &targets);
        Some(inputs.finish(Loss, vec![value], [1], |_| gradient))
    }

    /// A loss whose gradient was found with its value.
    #[derive(Debug)]
    pub(in crate::loss) struct Loss;

    impl Operator<1> for Loss {
        type Saved = Vec<f32>;

        fn backward(
            self,
            mut found: Vec<f32>,
            gradient: Array,
            _: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            let factor = gradient.values().first().copied().unwrap_or(1.0);
            for value in &mut found {
                *value *= factor;
            }
            buffer::give(gradient.into_vec());
            [Some(found)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_ndarray::NdArray;

    fn loss(logits: [[f32; 3]; 2], targets: [i64; 2]) -> f32 {
        let device = Default::default();
        let logits = Tensor::<NdArray<f32>, 2>::from_floats(logits, &device);
        let targets = Tensor::<NdArray<f32>, 1, Int>::from_ints(targets, &device);
        cross_entropy(logits, targets).into_scalar()
    }

    #[test]
    fn equal_logits_cost_the_logarithm_of_the_number_of_classes() {
        let value = loss([[2.0; 3], [-7.0; 3]], [0, 2]);
        assert!((value - 3f32.ln()).abs() < 1e-6, "{value}");
    }

    #[test]
    fn huge_logits_stay_finite() {
        let value = loss([[1e4, 0.0, -1e4], [0.0, 1e4, 0.0]], [0, 0]);
        assert!((value - 5e3).abs() < 1.0, "{value}");
    }
}
