//! Mean over the valid frames of a row.

use burn::tensor::{Tensor, backend::Backend};

use super::zero_padding;

/// The mean over the valid frames of each row.
///
/// # Shapes
/// - `x`: `[batch, frames, channels]`
/// - `lengths`: valid frames of each row, at least one
/// - output: `[batch, channels]`
///
/// # Panics
/// If there is not one length for each row.
pub fn masked_mean<B: Backend>(x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
    assert_eq!(
        lengths.len(),
        x.dims()[0],
        "one length for each row of the batch"
    );
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::masked_mean(&x, lengths) {
        return y;
    }
    #[cfg(feature = "gpu")]
    if let Some(y) = super::gpu_pool::pool(&x, lengths, super::gpu_pool::Statistic::Mean) {
        return y;
    }
    let counts: Vec<f32> = lengths.iter().map(|&length| length as f32).collect();
    let counts = Tensor::<B, 1>::from_floats(counts.as_slice(), &x.device());
    let sum = zero_padding(x, lengths).sum_dim(1).squeeze_dim::<2>(1); // [batch, channels]
    sum / counts.unsqueeze_dim(1)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::pool;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn masked_mean<B: Backend>(
        x: &Tensor<B, 3>,
        lengths: &[usize],
    ) -> Option<Tensor<B, 2>> {
        let dims @ [batch, _, channels] = x.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let [x] = inputs.values();
        let y = pool::mean(x, dims, lengths);
        Some(inputs.finish(Mean, y, [batch, channels], |_| (dims, lengths.to_vec())))
    }

    #[derive(Debug)]
    struct Mean;

    impl Operator<1> for Mean {
        type Saved = ([usize; 3], Vec<usize>);

        fn backward(
            self,
            (dims, lengths): Self::Saved,
            gradient: Array,
            _: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            [Some(pool::mean_backward(gradient.values(), dims, &lengths))]
        }
    }
}
