//! The gated unit of WaveNet.

use burn::tensor::{Tensor, activation, backend::Backend};

use super::zero_padding;

/// The gated unit of WaveNet ([van den Oord et al. 2016](https://arxiv.org/abs/1609.03499)): of each
/// frame the first half of the channels, through a hyperbolic tangent, times the second, through a
/// logistic gate.
///
/// `y[c] = tanh(x[c]) · σ(x[channels + c])`
///
/// # Shapes
/// - `x`: `[batch, frames, 2·channels]`
/// - `lengths`: valid frames of each row
/// - output: `[batch, frames, channels]`, zero past a row's length
///
/// # Panics
/// If the channels do not make two halves, or there is not one length for each row.
pub fn gated_unit<B: Backend>(x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 3> {
    let [batch, _, both] = x.dims();
    assert!(
        both > 0 && both.is_multiple_of(2),
        "a gated unit: {both} channels are not two halves"
    );
    assert_eq!(lengths.len(), batch, "one length for each row of the batch");
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::gated_unit(&x, lengths) {
        return y;
    }
    let mut halves = zero_padding(x, lengths).chunk(2, 2);
    let gate = activation::sigmoid(halves.remove(1));
    activation::tanh(halves.remove(0)) * gate
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::gated_unit::{backward, forward};
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn gated_unit<B: Backend>(
        x: &Tensor<B, 3>,
        lengths: &[usize],
    ) -> Option<Tensor<B, 3>> {
        let [batch, frames, both] = x.dims();
        let dims = [batch, frames, both / 2];
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let [x] = inputs.values();
        let y = forward(x, dims, lengths);
        let unit = GatedUnit {
            dims,
            lengths: lengths.to_vec(),
        };
        Some(inputs.finish(unit, y, dims, |[x]| x))
    }

    #[derive(Debug)]
    struct GatedUnit {
        /// The output's shape.
        dims: [usize; 3],
        lengths: Vec<usize>,
    }

    impl Operator<1> for GatedUnit {
        type Saved = Array;

        fn backward(self, x: Array, gradient: Array, _: [bool; 1]) -> [Option<Vec<f32>>; 1] {
            let found = backward(x.values(), self.dims, &self.lengths, gradient.values());
            x.give();
            gradient.give();
            [Some(found)]
        }
    }
}
