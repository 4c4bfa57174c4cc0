//! The distributions that weights start from.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_ndarray::NdArray;
use sori_models::layers::{Conv1d, Conv2d, Init, Linear};

/// The variance of the values and the largest of them.
fn spread<const D: usize>(weight: Tensor<NdArray, D>) -> [f64; 2] {
    let values: Vec<f64> = weight.into_data().iter::<f64>().collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    let largest = values
        .iter()
        .fold(0.0, |largest: f64, v| largest.max(v.abs()));
    [squares.sum::<f64>() / count, largest]
}

#[test]
fn weights_have_the_variance_and_the_bounds_of_their_papers() {
    let device = Default::default();
    NdArray::<f32>::seed(&device, 5);
    for init in [
        Init::Default,
        Init::XavierUniform,
        Init::XavierNormal,
        Init::HeUniform,
        Init::HeNormal,
    ] {
        let linear = Linear::<NdArray>::with_init(80, 120, init, &device);
        let conv1d = Conv1d::<NdArray>::new([30, 60], 5, init, &device);
        let conv2d = Conv2d::<NdArray>::new([20, 40], 3, init, &device);
        for (found, fan_in, fan_out) in [
            (spread(linear.weight.val()), 80.0, 120.0),
            (spread(conv1d.weight.val()), 150.0, 300.0),
            (spread(conv2d.weight.val()), 180.0, 360.0),
        ] {
            // A uniform value within ±b has the variance b²/3.
            let [variance, largest] = match init {
                Init::Default => [1.0 / (3.0 * fan_in), (1.0 / f64::sqrt(fan_in))],
                Init::XavierUniform => [
                    2.0 / (fan_in + fan_out),
                    (6.0 / f64::sqrt(6.0 * (fan_in + fan_out))),
                ],
                Init::XavierNormal => [2.0 / (fan_in + fan_out), f64::INFINITY],
                Init::HeUniform => [2.0 / fan_in, (6.0 / f64::sqrt(6.0 * fan_in))],
                Init::HeNormal => [2.0 / fan_in, f64::INFINITY],
            };
            let ratio = found[0] / variance;
            assert!((0.93..1.07).contains(&ratio), "{init:?}: {ratio}");
            assert!(found[1] <= largest * (1.0 + 1e-6), "{init:?}: {found:?}");
        }
        let zero = init != Init::Default;
        assert_eq!(spread(linear.bias.val())[1] == 0.0, zero, "{init:?}");
    }
}
