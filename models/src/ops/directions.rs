//! Sum of the two directions of a recurrent layer.

use burn::tensor::{Tensor, backend::Backend};

/// The sum of the two directions of a recurrent layer, which lie side by side.
///
/// # Shapes
/// - `x`: `[batch, frames, 2·d_hidden]`
/// - output: `[batch, frames, d_hidden]`
///
/// # Panics
/// If the features of `x` are odd.
pub fn sum_directions<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, frames, features] = x.dims();
    assert!(
        features.is_multiple_of(2),
        "{features} features are no two directions"
    );
    let dims = [batch, frames, features / 2];
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::sum_directions(&x, dims) {
        return y;
    }
    let pairs = x.reshape([batch, frames, 2, features / 2]);
    pairs.sum_dim(2).reshape(dims)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::directions;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn sum_directions<B: Backend>(
        x: &Tensor<B, 3>,
        dims: [usize; 3],
    ) -> Option<Tensor<B, 3>> {
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let [x] = inputs.values();
        let d_hidden = dims[2];
        let y = directions::sum(x, d_hidden);
        Some(inputs.finish(Sum, y, dims, |_| d_hidden))
    }

    #[derive(Debug)]
    struct Sum;

    impl Operator<1> for Sum {
        /// `d_hidden`
        type Saved = usize;

        fn backward(self, d_hidden: usize, gradient: Array, _: [bool; 1]) -> [Option<Vec<f32>>; 1] {
            let found = directions::sum_backward(gradient.values(), d_hidden);
            gradient.give();
            [Some(found)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::backend::AutodiffBackend;
    use burn::tensor::{Distribution, TensorData};
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    fn results<B: AutodiffBackend>(data: &[TensorData; 2]) -> [TensorData; 2] {
        let [x, weights] = data
            .clone()
            .map(|data| Tensor::<B, 3>::from_data(data, &Default::default()));
        let x = x.require_grad();
        let y = sum_directions(x.clone());
        let gradients = (y.clone() * weights).sum().backward();
        let gradient = x.grad(&gradients).expect("a gradient of the input");
        [y.into_data(), gradient.into_data()]
    }

    #[test]
    fn the_kernel_and_the_portable_expression_agree() {
        let random = |dims| {
            let device = Default::default();
            Tensor::<NdArray, 3>::random(dims, Distribution::Default, &device).into_data()
        };
        for [batch, frames, d_hidden] in [[1, 1, 1], [3, 7, 5], [2, 300, 70]] {
            let data = [[batch, frames, 2 * d_hidden], [batch, frames, d_hidden]].map(random);
            let ours = results::<Autodiff<NdArray<f32>>>(&data);
            let theirs = results::<Autodiff<NdArray<f32, i32>>>(&data);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                ours.assert_eq(theirs, true);
            }
        }
    }
}
