//! Weighted sum of tensors, each weight through a logistic function.

use burn::tensor::{Tensor, activation, backend::Backend};

/// A sum of sequences, each times a gate: `y = Σ_i σ(weights[i]) · inputs[i]`, with the logistic
/// function σ.
///
/// # Shapes
/// - `inputs`: each `[batch, frames, channels]`; at least one
/// - `weights`: `[inputs]`
/// - output: as each input
///
/// # Panics
/// If there is no input or not one weight for each.
pub fn gated_sum<B: Backend>(inputs: Vec<Tensor<B, 3>>, weights: Tensor<B, 1>) -> Tensor<B, 3> {
    assert_eq!(
        weights.dims(),
        [inputs.len()],
        "one weight for each of the inputs"
    );
    let terms = inputs.into_iter().enumerate();
    let sum = terms.fold(None, |sum, (index, x)| Some(add(sum, x, &weights, index)));
    sum.expect("a sum has an input at least")
}

/// `sum + σ(weights[index]) · x`, or without a sum.
fn add<B: Backend>(
    sum: Option<Tensor<B, 3>>,
    x: Tensor<B, 3>,
    weights: &Tensor<B, 1>,
    index: usize,
) -> Tensor<B, 3> {
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::add(sum.as_ref(), &x, weights, index) {
        return y;
    }
    let gate = activation::sigmoid(weights.clone().narrow(0, index, 1));
    let term = x * gate.reshape([1, 1, 1]);
    match sum {
        Some(sum) => sum + term,
        None => term,
    }
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::gated_sum as kernel;
    use crate::kernels::special::sigmoid;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn add<B: Backend>(
        sum: Option<&Tensor<B, 3>>,
        x: &Tensor<B, 3>,
        weights: &Tensor<B, 1>,
        index: usize,
    ) -> Option<Tensor<B, 3>> {
        let dims = x.dims();
        let (x, weights) = (primitive(x), primitive(weights));
        Some(match sum {
            Some(sum) => {
                let inputs = Inputs::<B, 3>::recognise([x, weights, primitive(sum)])?;
                let [x, weights, sum] = inputs.values();
                let y = kernel::add(Some(sum), x, sigmoid(weights[index]));
                inputs.finish(Term { index }, y, dims, |[x, weights, _]| [x, weights])
            }
            None => {
                let inputs = Inputs::<B, 2>::recognise([x, weights])?;
                let [x, weights] = inputs.values();
                let y = kernel::add(None, x, sigmoid(weights[index]));
                inputs.finish(Term { index }, y, dims, |inputs| inputs)
            }
        })
    }

    #[derive(Debug)]
    struct Term {
        /// Index of its own weight.
        index: usize,
    }

    /// The gradients of input and weights.
    fn gradients(
        index: usize,
        [x, weights]: [Array; 2],
        gradient: &Array,
        [want_x, want_weights]: [bool; 2],
    ) -> [Option<Vec<f32>>; 2] {
        let gradient = gradient.values();
        let count = weights.values().len();
        let gate = sigmoid(weights.values()[index]);
        let of_x = want_x.then(|| kernel::add(None, gradient, gate));
        let of_weights = want_weights.then(|| {
            let mut found = vec![0.0; count];
            found[index] = kernel::product(x.values(), gradient) as f32 * gate * (1.0 - gate);
            found
        });
        x.give();
        [of_x, of_weights]
    }

    impl Operator<3> for Term {
        type Saved = [Array; 2];

        fn backward(
            self,
            saved: Self::Saved,
            gradient: Array,
            [want_x, want_weights, want_sum]: [bool; 3],
        ) -> [Option<Vec<f32>>; 3] {
            let wanted = [want_x, want_weights];
            let [of_x, of_weights] = gradients(self.index, saved, &gradient, wanted);
            [of_x, of_weights, want_sum.then(|| gradient.into_vec())]
        }
    }

    impl Operator<2> for Term {
        type Saved = [Array; 2];

        fn backward(
            self,
            saved: Self::Saved,
            gradient: Array,
            wanted: [bool; 2],
        ) -> [Option<Vec<f32>>; 2] {
            let found = gradients(self.index, saved, &gradient, wanted);
            gradient.give();
            found
        }
    }
}
