//! Nonlinearities.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::tensor::{Tensor, activation, backend::Backend};
use serde::{Deserialize, Serialize};

/// A nonlinearity, applied value by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)` ([Nair and Hinton 2010](https://icml.cc/Conferences/2010/papers/432.pdf)).
    Relu,
    /// `x` above zero, `0.01 x` below ([Maas et al.
    /// 2013](https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf)).
    LeakyRelu,
    /// The logistic function, `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x` above zero, `eˣ − 1` below ([Clevert et al. 2015](https://arxiv.org/abs/1511.07289)).
    Elu,
    /// `x · Φ(x)` with the normal distribution Φ ([Hendrycks and Gimpel
    /// 2016](https://arxiv.org/abs/1606.08415)), not its approximation by tanh.
    Gelu,
}

/// Applies a nonlinearity to every value.
pub fn activate<B: Backend, const D: usize>(x: Tensor<B, D>, function: Activation) -> Tensor<B, D> {
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::activate(&x, function) {
        return y;
    }
    match function {
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu => activation::leaky_relu(x, 0.01),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Tanh => activation::tanh(x),
        Activation::Elu => activation::elu(x, 1.0),
        Activation::Gelu => {
            // Burn's own has the gradient of the approximation by tanh.
            let normal = ((x.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
            x * normal
        }
    }
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::activation::{self as kernel, Function};
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn activate<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
        function: Activation,
    ) -> Option<Tensor<B, D>> {
        let dims = x.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let function = match function {
            Activation::Relu => Function::Relu,
            Activation::LeakyRelu => Function::LeakyRelu,
            Activation::Sigmoid => Function::Sigmoid,
            Activation::Tanh => Function::Tanh,
            Activation::Elu => Function::Elu,
            Activation::Gelu => Function::Gelu,
        };
        let [x] = inputs.values();
        let y = kernel::forward(function, x);
        Some(inputs.finish(function, y, dims, |[x]| x))
    }

    impl Operator<1> for Function {
        type Saved = Array;

        fn backward(self, x: Array, gradient: Array, _: [bool; 1]) -> [Option<Vec<f32>>; 1] {
            let mut gradient = gradient.into_vec();
            kernel::backward(self, x.values(), &mut gradient);
            x.give();
            [Some(gradient)]
        }
    }
}
