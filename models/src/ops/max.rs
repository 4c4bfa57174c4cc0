//! Maximum over the valid frames of a row.

use burn::tensor::{Bool, Tensor, TensorData, backend::Backend};

/// The largest value of the valid frames of each row.
///
/// Where values tie, the gradient goes to the first of them.
///
/// # Shapes
/// - `x`: `[batch, frames, channels]`
/// - `lengths`: valid frames of each row, at least one
/// - output: `[batch, channels]`
///
/// # Panics
/// If there is not one length for each row, or a row has none.
pub fn masked_max<B: Backend>(x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
    let [batch, frames, channels] = x.dims();
    assert_eq!(lengths.len(), batch, "one length for each row of the batch");
    assert!(
        lengths.iter().all(|&length| length > 0),
        "the largest of no frames: the lengths are {lengths:?}"
    );
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::masked_max(&x, lengths) {
        return y;
    }
    #[cfg(feature = "gpu")]
    if let Some(y) = super::gpu_pool::pool(&x, lengths, super::gpu_pool::Statistic::Largest) {
        return y;
    }
    let padding: Vec<bool> = lengths
        .iter()
        .flat_map(|&length| (0..frames).map(move |frame| frame >= length))
        .collect();
    let padding = TensorData::new(padding, [batch, frames, 1]);
    let padding = Tensor::<B, 3, Bool>::from_data(padding, &x.device());
    let padding = padding.expand([batch, frames, channels]);
    x.mask_fill(padding, f32::NEG_INFINITY)
        .max_dim(1)
        .squeeze_dim(1)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::pool;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn masked_max<B: Backend>(
        x: &Tensor<B, 3>,
        lengths: &[usize],
    ) -> Option<Tensor<B, 2>> {
        let dims @ [batch, _, channels] = x.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let [x] = inputs.values();
        let (y, which) = pool::max(x, dims, lengths);
        Some(inputs.finish(Max, y, [batch, channels], |_| (dims, which)))
    }

    #[derive(Debug)]
    struct Max;

    impl Operator<1> for Max {
        type Saved = ([usize; 3], Vec<u32>);

        fn backward(
            self,
            (dims, which): Self::Saved,
            gradient: Array,
            _: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            [Some(pool::max_backward(gradient.values(), &which, dims))]
        }
    }
}
