//! Binary cross entropy of tags.

use burn::tensor::{Tensor, activation::log_sigmoid, backend::Backend};

/// Binary cross entropy of logits against targets between 0 and 1, averaged over all values, in
/// nats: `−mean(p·t log σ(x) + (1 − t) log(1 − σ(x)))`. Finite for any finite logits.
///
/// `positive` has the weight `p` of each tag's presence, 1 without: above 1 for tags that are rare,
/// as `pos_weight` in PyTorch's `BCEWithLogitsLoss`.
///
/// # Shapes
/// - `logits`, `targets`: `[batch, tags]`
/// - `positive`: `[tags]`
/// - output: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn binary_cross_entropy<B: Backend>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 2>,
    positive: Option<Tensor<B, 1>>,
) -> Tensor<B, 1> {
    let [_, tags] = logits.dims();
    assert_eq!(logits.dims(), targets.dims(), "one target for each logit");
    if let Some(positive) = &positive {
        assert_eq!(positive.dims(), [tags], "one weight for each tag");
    }
    #[cfg(feature = "ndarray")]
    if let Some(loss) = cpu::binary_cross_entropy(&logits, &targets, positive.as_ref()) {
        return loss;
    }
    #[cfg(feature = "gpu")]
    if let Some(loss) = super::gpu::binary_cross_entropy(&logits, &targets, positive.as_ref()) {
        return loss;
    }
    let mut present = log_sigmoid(logits.clone()) * targets.clone();
    if let Some(positive) = positive {
        present = present * positive.unsqueeze::<2>();
    }
    let absent = log_sigmoid(logits.neg()) * (targets.neg() + 1.0);
    (present + absent).mean().neg()
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::loss;
    use crate::loss::cross_entropy::cpu::Loss;
    use crate::ops::seam::{Inputs, primitive};

    pub(super) fn binary_cross_entropy<B: Backend>(
        logits: &Tensor<B, 2>,
        targets: &Tensor<B, 2>,
        positive: Option<&Tensor<B, 1>>,
    ) -> Option<Tensor<B, 1>> {
        // The kernel has a gradient of the logits alone.
        if targets.is_require_grad() || positive.is_some_and(Tensor::is_require_grad) {
            return None;
        }
        let inputs = Inputs::<B, 1>::recognise([primitive(logits)])?;
        let targets: Vec<f32> = targets.to_data().iter::<f32>().collect();
        let positive: Option<Vec<f32>> = positive.map(|p| p.to_data().iter::<f32>().collect());
        let [logits] = inputs.values();
        let (value, gradient) = loss::binary_cross_entropy(logits, &targets, positive.as_deref());
        Some(inputs.finish(Loss, vec![value], [1], |_| gradient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;
    use burn::tensor::backend::AutodiffBackend;
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    fn loss_and_gradient<B: AutodiffBackend>() -> (f64, Vec<f32>) {
        let device = Default::default();
        let logits = TensorData::from([[0.0f32, 2.0, -3.0], [1e4, -1e4, 0.5]]);
        let targets = TensorData::from([[0.0f32, 1.0, 0.25], [1.0, 1.0, 0.0]]);
        let logits = Tensor::<B, 2>::from_data(logits, &device).require_grad();
        let loss = binary_cross_entropy(logits.clone(), Tensor::from_data(targets, &device), None);
        let value = loss.to_data().iter::<f64>().sum();
        let gradient = logits.grad(&loss.backward());
        let gradient = gradient.expect("the logits have a gradient").into_data();
        (value, gradient.iter::<f32>().collect())
    }

    #[test]
    fn value_and_gradient_are_those_of_the_formula_and_stay_finite() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let cost = |x: f64, t: f64| {
            -t * sigmoid(x).ln() - (1.0 - t) * (-x).exp().ln_1p().mul_add(-1.0, -x)
        };
        // The two huge logits cost nothing and 10⁴.
        let expected =
            (cost(0.0, 0.0) + cost(2.0, 1.0) + cost(-3.0, 0.25) + 1e4 + cost(0.5, 0.0)) / 6.0;
        let slopes = [
            sigmoid(0.0),
            sigmoid(2.0) - 1.0,
            sigmoid(-3.0) - 0.25,
            0.0,
            -1.0,
            sigmoid(0.5),
        ];
        for (value, gradient) in [
            loss_and_gradient::<Autodiff<NdArray<f32>>>(),
            loss_and_gradient::<Autodiff<NdArray<f32, i32>>>(),
        ] {
            assert!((value - expected).abs() < 1e-3, "{value} and {expected}");
            for (found, slope) in gradient.iter().zip(slopes) {
                assert!((f64::from(*found) - slope / 6.0).abs() < 1e-6);
            }
        }
    }
}
