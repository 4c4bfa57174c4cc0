//! Affine maps of the last axis.

use burn::tensor::{Tensor, backend::Backend};

use super::product;

/// `y = x · W + b` along the last axis.
///
/// # Shapes
/// - `x`: `[..., d_input]`
/// - `weight`: `[d_input, d_output]`
/// - `bias`: `[d_output]`
/// - output: `[..., d_output]`
///
/// # Panics
/// If the last axis of `x` is not `d_input`.
pub fn linear<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, D> {
    let [d_input, d_output] = weight.dims();
    let mut dims = x.dims();
    assert_eq!(dims[D - 1], d_input, "linear: the last axis of the input");
    let rows = dims[..D - 1].iter().product::<usize>();
    dims[D - 1] = d_output;

    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::linear(&x, &weight, bias.as_ref(), rows, dims) {
        return y;
    }
    // One product of two matrices: a batched product would repeat the weight for each row of the
    // batch.
    let mut y = product(x.reshape([rows, d_input]), weight); // [rows, d_output]
    if let Some(bias) = bias {
        y = y + bias.unsqueeze::<2>();
    }
    y.reshape(dims) // [..., d_output]
}

#[cfg(feature = "ndarray")]
mod cpu {
    use burn::tensor::{Tensor, backend::Backend};

    use crate::kernels::buffer;
    use crate::kernels::product::{Right, Start, product, transposed_product};
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn linear<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
        weight: &Tensor<B, 2>,
        bias: Option<&Tensor<B, 1>>,
        rows: usize,
        dims: [usize; D],
    ) -> Option<Tensor<B, D>> {
        let [d_input, d_output] = weight.dims();
        let sizes = [rows, d_input, d_output];
        let mut y = Vec::new();
        let mut multiply = |x: &[f32], weight: &[f32], start: Start<'_, f32>| {
            y = buffer::take(rows * d_output);
            product(x, Right::Plain(weight), sizes, start, &mut y);
        };
        let (x, weight) = (primitive(x), primitive(weight));
        Some(match bias {
            Some(bias) => {
                let inputs = Inputs::<B, 3>::recognise([x, weight, primitive(bias)])?;
                let [x, weight, bias] = inputs.values();
                multiply(x, weight, Start::Bias(bias));
                inputs.finish(Linear(sizes), y, dims, |[x, weight, _]| [x, weight])
            }
            None => {
                let inputs = Inputs::<B, 2>::recognise([x, weight])?;
                let [x, weight] = inputs.values();
                multiply(x, weight, Start::Zero);
                inputs.finish(Linear(sizes), y, dims, |inputs| inputs)
            }
        })
    }

    /// `[rows, d_input, d_output]`
    #[derive(Debug)]
    struct Linear([usize; 3]);

    impl Linear {
        /// The gradients of input, weight and bias.
        fn gradients(
            self,
            [x, weight]: [Array; 2],
            gradient: Array,
            [want_x, want_weight, want_bias]: [bool; 3],
        ) -> [Option<Vec<f32>>; 3] {
            let [rows, d_input, d_output] = self.0;
            let found_x = want_x.then(|| {
                let mut found = buffer::take(rows * d_input);
                let turned = Right::Transposed(weight.values());
                let sizes = [rows, d_output, d_input];
                product(gradient.values(), turned, sizes, Start::Zero, &mut found);
                found
            });
            let (mut found_weight, mut found_bias) = (None, None);
            if want_weight || want_bias {
                let mut weights = buffer::take(d_input * d_output);
                let mut sums = buffer::take(d_output);
                let (x, gradient) = (x.values(), gradient.values());
                transposed_product(x, gradient, self.0, &mut weights, Some(&mut sums));
                found_weight = Some(weights);
                found_bias = want_bias.then_some(sums);
            }
            x.give();
            gradient.give();
            [found_x, found_weight, found_bias]
        }
    }

    impl Operator<3> for Linear {
        type Saved = [Array; 2];

        fn backward(
            self,
            saved: [Array; 2],
            gradient: Array,
            wanted: [bool; 3],
        ) -> [Option<Vec<f32>>; 3] {
            self.gradients(saved, gradient, wanted)
        }
    }

    impl Operator<2> for Linear {
        type Saved = [Array; 2];

        fn backward(
            self,
            saved: [Array; 2],
            gradient: Array,
            [want_x, want_weight]: [bool; 2],
        ) -> [Option<Vec<f32>>; 2] {
            let [x, weight, _] = self.gradients(saved, gradient, [want_x, want_weight, false]);
            [x, weight]
        }
    }
}
