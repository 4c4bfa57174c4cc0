use burn::module::{Initializer, Param};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

/// Where the weights of a layer start. `fan_in` values add up to one of its outputs, and an input is
/// a part of `fan_out` of them. Biases start at zero, except with [`Self::Default`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Uniform in ±1/√fan_in, biases too: where PyTorch's convolutions and linear layers start (its
    /// `kaiming_uniform(a = √5)`).
    #[default]
    Default,
    /// Uniform in ±√(6 / (fan_in + fan_out)) ([Glorot and Bengio
    /// 2010](https://proceedings.mlr.press/v9/glorot10a.html)).
    XavierUniform,
    /// Normal with the variance 2 / (fan_in + fan_out), from the same paper.
    XavierNormal,
    /// Uniform in ±√(6 / fan_in) ([He et al. 2015](https://arxiv.org/abs/1502.01852)).
    HeUniform,
    /// Normal with the variance 2 / fan_in, from the same paper.
    HeNormal,
}

impl Init {
    /// Where a weight starts.
    pub(super) fn weight(self, fan_in: usize, fan_out: usize) -> Initializer {
        let [fan_in, fan_out] = [fan_in as f64, fan_out as f64];
        let uniform = |bound: f64| Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let normal = |variance: f64| Initializer::Normal {
            mean: 0.0,
            std: variance.sqrt(),
        };
        match self {
            Self::Default => uniform(1.0 / fan_in.sqrt()),
            Self::XavierUniform => uniform((6.0 / (fan_in + fan_out)).sqrt()),
            Self::XavierNormal => normal(2.0 / (fan_in + fan_out)),
            Self::HeUniform => uniform((6.0 / fan_in).sqrt()),
            Self::HeNormal => normal(2.0 / fan_in),
        }
    }

    /// The weight and the bias of a layer, the output axis last.
    pub(crate) fn of_layer<B: Backend, const D: usize>(
        self,
        dims: [usize; D],
        fan_in: usize,
        fan_out: usize,
        device: &B::Device,
    ) -> (Param<Tensor<B, D>>, Param<Tensor<B, 1>>) {
        let weight = self.weight(fan_in, fan_out);
        let bias = match self {
            Self::Default => weight.clone(),
            _ => Initializer::Zeros,
        };
        (weight.init(dims, device), bias.init([dims[D - 1]], device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Conv1d, Conv2d, Linear};
    use burn_ndarray::NdArray;

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
}
