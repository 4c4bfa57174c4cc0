//! The end of a residual block.

use burn::tensor::{Tensor, backend::Backend};

use super::{Activation, activate, max_pool1d};

/// The largest value of every `size` frames of `relu(x + around)`, windows side by side; a remainder is
/// dropped. `x` is what a block's branch gives, `around` its shortcut.
///
/// # Shapes
/// - `x`, `around`: `[batch, frames, channels]`
/// - output: `[batch, frames / size, channels]`
///
/// # Panics
/// If the shapes differ, or there are fewer frames than `size`.
pub fn add_relu_max_pool1d<B: Backend>(
    x: Tensor<B, 3>,
    around: Tensor<B, 3>,
    size: usize,
) -> Tensor<B, 3> {
    let frames = x.dims()[1];
    assert_eq!(x.dims(), around.dims(), "the branch and the shortcut");
    assert!(
        frames >= size,
        "add_relu_max_pool1d: {frames} frames, windows of {size}"
    );
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::add_relu_max_pool1d(&x, &around, size) {
        return y;
    }
    max_pool1d(activate(x + around, Activation::Relu), size)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::buffer;
    use crate::kernels::residual::Ends;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn add_relu_max_pool1d<B: Backend>(
        x: &Tensor<B, 3>,
        around: &Tensor<B, 3>,
        pool: usize,
    ) -> Option<Tensor<B, 3>> {
        let ends = Ends {
            size: x.dims(),
            pool,
        };
        if pool >= 255 {
            return None; // a window's positions are counted in a byte
        }
        let inputs = Inputs::<B, 2>::recognise([primitive(x), primitive(around)])?;
        let [x, around] = inputs.values();
        let (y, which) = ends.forward(x, around);
        Some(inputs.finish(ends, y, ends.size_out(), |_| which))
    }

    impl Operator<2> for Ends {
        type Saved = Vec<u8>;

        fn backward(
            self,
            which: Self::Saved,
            gradient: Array,
            [want_x, want_around]: [bool; 2],
        ) -> [Option<Vec<f32>>; 2] {
            let found = Ends::backward(&self, &which, gradient.values());
            gradient.give();
            match (want_x, want_around) {
                (true, true) => {
                    let mut copy = buffer::take(found.len());
                    copy.copy_from_slice(&found);
                    [Some(found), Some(copy)]
                }
                (true, false) => [Some(found), None],
                (false, _) => [None, want_around.then_some(found)],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    use super::*;

    type B = Autodiff<NdArray<f32>>;

    /// The kernel gives the values and gradients of the three operators it stands for, whatever is left
    /// over at the end.
    #[test]
    fn values_and_gradients_are_those_of_sum_relu_and_pooling() {
        let device = Default::default();
        for (size, pool) in [([2, 9, 5], 3), ([3, 11, 40], 2), ([1, 700, 33], 3)] {
            let draw = || Tensor::<B, 3>::random(size, Distribution::Normal(0.0, 1.0), &device);
            let inputs = [draw().require_grad(), draw().require_grad()];
            let slopes = Tensor::<B, 3>::random(
                [size[0], size[1] / pool, size[2]],
                Distribution::Default,
                &device,
            );
            let both = [false, true].map(|fused| {
                let [x, around] = inputs.clone();
                let y = match fused {
                    true => add_relu_max_pool1d(x, around, pool),
                    false => max_pool1d(activate(x + around, Activation::Relu), pool),
                };
                let gradients = (y.clone() * slopes.clone()).sum().backward();
                let [x, around] = inputs.each_ref().map(|x| x.grad(&gradients));
                (
                    y.into_data(),
                    x.map(Tensor::into_data),
                    around.map(Tensor::into_data),
                )
            });
            assert_eq!(both[0], both[1]);
        }
    }
}
