//! Losses over numbers, each of predictions against what is right, averaged over the batch.

use std::f64::consts::TAU;

use burn::tensor::{Tensor, backend::Backend};

/// The smallest variance a likelihood is taken with, as in PyTorch's `GaussianNLLLoss`; a value that is
/// met exactly would otherwise make it infinite.
pub const LEAST_VARIANCE: f64 = 1e-6;

/// The L1 loss, `mean_b |predictions[b] − targets[b]|`: it is least where predictions are medians.
///
/// # Shapes
/// - `predictions`, `targets`: `[batch]`
/// - output: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn absolute_error<B: Backend>(
    predictions: Tensor<B, 1>,
    targets: Tensor<B, 1>,
) -> Tensor<B, 1> {
    assert_eq!(predictions.dims(), targets.dims(), "a target for each");
    (predictions - targets).abs().mean()
}

/// The L2 loss, `mean_b (predictions[b] − targets[b])²`: it is least where predictions are means.
///
/// # Shapes
/// - `predictions`, `targets`: `[batch]`
/// - output: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn squared_error<B: Backend>(predictions: Tensor<B, 1>, targets: Tensor<B, 1>) -> Tensor<B, 1> {
    assert_eq!(predictions.dims(), targets.dims(), "a target for each");
    let errors = predictions - targets;
    (errors.clone() * errors).mean()
}

/// The negative logarithm of the density of the targets under Gaussians, in nats ([Nix and Weigend
/// 1994](https://doi.org/10.1109/ICNN.1994.374138)):
/// `mean_b ½·(log 2π + log_variances[b] + (means[b] − targets[b])² / exp(log_variances[b]))`. A model
/// that minimises it says how sure it is. Variances count as [`LEAST_VARIANCE`] at the least; below, the slope
/// is that of the least, so that a model that is too sure finds its way back.
///
/// # Shapes
/// - `means`, `log_variances`, `targets`: `[batch]`
/// - output: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn gaussian_nll<B: Backend>(
    means: Tensor<B, 1>,
    log_variances: Tensor<B, 1>,
    targets: Tensor<B, 1>,
) -> Tensor<B, 1> {
    assert_eq!(means.dims(), targets.dims(), "a target for each");
    assert_eq!(
        means.dims(),
        log_variances.dims(),
        "a variance for each mean"
    );
    let least = log_variances.clone().clamp_min(LEAST_VARIANCE.ln());
    let below = (least - log_variances.clone()).detach();
    let log_variances = log_variances + below;
    let errors = means - targets;
    let surprise = errors.clone() * errors * log_variances.clone().neg().exp();
    ((log_variances + surprise).mean() + TAU.ln()) * 0.5
}

#[cfg(test)]
mod tests {
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    use super::*;

    type Cpu = Autodiff<NdArray<f32>>;

    fn tensor(values: [f32; 4]) -> Tensor<Cpu, 1> {
        Tensor::from_floats(values, &Default::default()).require_grad()
    }

    fn near(found: &Tensor<NdArray<f32>, 1>, expected: &[f32]) {
        let found: Vec<f32> = found.to_data().iter::<f32>().collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0));
        }
    }

    const PREDICTED: [f32; 4] = [0.5, -1.25, 3.0, 0.1];
    const LOG_VARIANCES: [f32; 4] = [0.0, -1.5, 2.0, 0.75];
    const TARGETS: [f32; 4] = [1.0, -1.0, -0.5, 0.1];

    /// torch 2.15.0 in single precision, numbers as here: `l1_loss`, `mse_loss`, and
    /// `gaussian_nll_loss(p, t, v.exp(), full=True)`, each with its gradients.
    #[test]
    fn values_and_gradients_are_torchs() {
        let targets = || tensor(TARGETS).detach();
        let predicted = tensor(PREDICTED);
        let loss = absolute_error(predicted.clone(), targets());
        near(&loss.clone().inner(), &[L1]);
        // Where prediction and target are the same, the slope is torch's zero.
        let gradient = predicted.grad(&loss.backward()).expect("a gradient");
        near(&gradient, &[-0.25, -0.25, 0.25, 0.0]);

        let predicted = tensor(PREDICTED);
        let loss = squared_error(predicted.clone(), targets());
        near(&loss.clone().inner(), &[L2]);
        let gradient = predicted.grad(&loss.backward()).expect("a gradient");
        near(&gradient, &[-0.25, -0.125, 1.75, 0.0]);

        let (predicted, log_variances) = (tensor(PREDICTED), tensor(LOG_VARIANCES));
        let loss = gaussian_nll(predicted.clone(), log_variances.clone(), targets());
        near(&loss.clone().inner(), &[NLL]);
        let gradients = loss.backward();
        near(
            &predicted.grad(&gradients).expect("a gradient"),
            &NLL_BY_MEANS,
        );
        near(
            &log_variances.grad(&gradients).expect("a gradient"),
            &NLL_BY_VARIANCES,
        );
    }
    const L1: f32 = 1.0625;
    const L2: f32 = 3.140_625;
    const NLL: f32 = 1.348_683_8;
    const NLL_BY_MEANS: [f32; 4] = [-0.125, -0.280_105_56, 0.118_418_37, 0.0];
    const NLL_BY_VARIANCES: [f32; 4] = [0.093_75, 0.089_986_81, -0.082_232_14, 0.125];

    #[test]
    fn a_model_that_is_too_sure_has_a_slope_back() {
        let log_variances = tensor([-20.0; 4]);
        let loss = gaussian_nll(tensor(PREDICTED), log_variances.clone(), tensor(TARGETS));
        let gradient = log_variances.grad(&loss.backward());
        let expected = [0.5_f32, -0.25, 3.5, 0.0].map(|error| (1.0 - error * error * 1e6) / 8.0);
        near(&gradient.expect("a gradient"), &expected);
    }

    #[test]
    fn a_value_that_is_met_exactly_costs_a_finite_gain() {
        let loss = gaussian_nll(tensor(TARGETS), tensor([-1e4; 4]), tensor(TARGETS));
        let value = loss.into_scalar();
        assert!((value - 0.5 * (TAU.ln() + 1e-6_f64.ln()) as f32).abs() < 1e-4);
    }
}
