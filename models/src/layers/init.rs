//! Distributions of initial weights.

use burn::module::{Initializer, Param};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

/// Distribution of the initial weights of a layer. `fan_in` values add up to one of its outputs, and
/// an input is a part of `fan_out` of them. Biases are zero, except with [`Self::Default`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Uniform in ±1/√fan_in, biases too, as in PyTorch's convolutions and linear layers (its
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
    /// Distribution of a weight.
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
