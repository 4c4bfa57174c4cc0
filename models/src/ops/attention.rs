//! Softmax over valid frames, and weighted sums of frames.

use burn::tensor::{Bool, Tensor, TensorData, activation, backend::Backend};

#[cfg(feature = "gpu")]
mod gpu;

/// The softmax of each row's scores over its valid frames.
///
/// # Shapes
/// - `scores`: `[batch, frames]`
/// - `lengths`: valid frames of each row, at least one
/// - output: `[batch, frames]`, zero past a row's length
///
/// # Panics
/// If there is not one length for each row.
pub fn masked_softmax<B: Backend>(scores: Tensor<B, 2>, lengths: &[usize]) -> Tensor<B, 2> {
    let [batch, frames] = scores.dims();
    assert_eq!(lengths.len(), batch, "one length for each row of the batch");
    #[cfg(feature = "ndarray")]
    if let Some(weights) = cpu::softmax(&scores, lengths) {
        return weights;
    }
    #[cfg(feature = "gpu")]
    if let Some(weights) = gpu::softmax(&scores, lengths) {
        return weights;
    }
    if lengths.iter().all(|&length| length >= frames) {
        return activation::softmax(scores, 1);
    }
    let padding: Vec<bool> = lengths
        .iter()
        .flat_map(|&length| (0..frames).map(move |frame| frame >= length))
        .collect();
    let padding = TensorData::new(padding, [batch, frames]);
    let padding = Tensor::<B, 2, Bool>::from_data(padding, &scores.device());
    activation::softmax(scores.mask_fill(padding, f32::NEG_INFINITY), 1)
}

/// The sum of each row's frames, weighted: `y[c] = Σ_t weights[t] · x[t, c]`.
///
/// # Shapes
/// - `weights`: `[batch, frames]`
/// - `x`: `[batch, frames, channels]`, finite
/// - output: `[batch, channels]`
///
/// # Panics
/// If the shapes do not agree.
pub fn weighted_sum<B: Backend>(weights: Tensor<B, 2>, x: Tensor<B, 3>) -> Tensor<B, 2> {
    let [batch, frames, _] = x.dims();
    assert_eq!(weights.dims(), [batch, frames], "one weight for each frame");
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::weighted_sum(&weights, &x) {
        return y;
    }
    weights.unsqueeze_dim::<3>(1).matmul(x).squeeze_dim(1) // [batch, channels]
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::attention as kernel;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn softmax<B: Backend>(
        scores: &Tensor<B, 2>,
        lengths: &[usize],
    ) -> Option<Tensor<B, 2>> {
        let dims = scores.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(scores)])?;
        let [scores] = inputs.values();
        let weights = kernel::softmax(scores, lengths);
        let kept = inputs.is_tracked().then(|| weights.clone());
        Some(inputs.finish(Softmax(dims[1]), weights, dims, |_| kept))
    }

    /// The frames of a row.
    #[derive(Debug)]
    struct Softmax(usize);

    impl Operator<1> for Softmax {
        type Saved = Option<Vec<f32>>;

        fn backward(
            self,
            weights: Self::Saved,
            gradient: Array,
            _: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            let weights = weights.expect("kept wherever a gradient is tracked");
            [Some(kernel::softmax_backward(
                &weights,
                gradient.values(),
                self.0,
            ))]
        }
    }

    pub(super) fn weighted_sum<B: Backend>(
        weights: &Tensor<B, 2>,
        x: &Tensor<B, 3>,
    ) -> Option<Tensor<B, 2>> {
        let sizes @ [batch, _, channels] = x.dims();
        let inputs = Inputs::<B, 2>::recognise([primitive(weights), primitive(x)])?;
        let [weights, x] = inputs.values();
        let y = kernel::weighted_sum(weights, x, sizes);
        Some(inputs.finish(WeightedSum(sizes), y, [batch, channels], |inputs| inputs))
    }

    /// `[batch, frames, channels]`
    #[derive(Debug)]
    struct WeightedSum([usize; 3]);

    impl Operator<2> for WeightedSum {
        type Saved = [Array; 2];

        fn backward(
            self,
            [weights, x]: [Array; 2],
            gradient: Array,
            [want_weights, want_x]: [bool; 2],
        ) -> [Option<Vec<f32>>; 2] {
            let (found_weights, found_x) = kernel::weighted_sum_backward(
                weights.values(),
                x.values(),
                gradient.values(),
                self.0,
            );
            [
                want_weights.then_some(found_weights),
                want_x.then_some(found_x),
            ]
        }
    }
}
