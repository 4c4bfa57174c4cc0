//! Zeros in the padding.

use burn::tensor::{Bool, Tensor, TensorData, backend::Backend};

/// Sets every frame past its row's length to zero, whatever it held (NaN included).
///
/// # Shapes
/// - `x`: `[batch, frames, ...]`
/// - `lengths`: valid frames of each row
/// - output: as `x`
///
/// # Panics
/// If there is not one length for each row.
pub fn zero_padding<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    lengths: &[usize],
) -> Tensor<B, D> {
    let dims = x.dims();
    let [batch, frames] = [dims[0], dims[1]];
    assert_eq!(lengths.len(), batch, "one length for each row of the batch");
    if lengths.iter().all(|&length| length >= frames) {
        return x;
    }
    #[cfg(feature = "ndarray")]
    if let Some(x) = cpu::zero_padding(&x, lengths) {
        return x;
    }
    let padding: Vec<bool> = lengths
        .iter()
        .flat_map(|&length| (0..frames).map(move |frame| frame >= length))
        .collect();
    let padding = TensorData::new(padding, [batch, frames]);
    let padding = Tensor::<B, 2, Bool>::from_data(padding, &x.device());
    let mut mask_dims = [1; D];
    mask_dims[0] = batch;
    mask_dims[1] = frames;
    let padding: Tensor<B, D, Bool> = padding.reshape(mask_dims).expand(dims);
    x.mask_fill(padding, 0.0)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::padding::{copy_valid, zero_padding as zero};
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn zero_padding<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
        lengths: &[usize],
    ) -> Option<Tensor<B, D>> {
        let dims = x.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let [x] = inputs.values();
        let y = copy_valid(x, lengths, dims[1]);
        Some(inputs.finish(ZeroPadding, y, dims, |_| (lengths.to_vec(), dims[1])))
    }

    #[derive(Debug)]
    struct ZeroPadding;

    impl Operator<1> for ZeroPadding {
        type Saved = (Vec<usize>, usize);

        fn backward(
            self,
            (lengths, frames): Self::Saved,
            gradient: Array,
            _: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            let mut gradient = gradient.into_vec();
            zero(&mut gradient, &lengths, frames);
            [Some(gradient)]
        }
    }
}
