use burn::tensor::{Slice, Tensor, backend::Backend};

use super::linear;

/// A convolution over frames (cross-correlation, as in PyTorch), zero-padded.
///
/// `y[t, o] = bias[o] + Σ_k Σ_c x[t·stride + k − padding, c] · weight[k, c, o]`
///
/// PyTorch's `Conv1d` weight `[out, in, kernel]` becomes this one by `permute(2, 1, 0)`.
///
/// # Shapes
/// - `x`: `[batch, frames, channels_in]`
/// - `weight`: `[kernel, channels_in, channels_out]`
/// - `bias`: `[channels_out]`
/// - output: `[batch, (frames + 2·padding − kernel) / stride + 1, channels_out]`
///
/// # Panics
/// If the channels do not agree or the padded input is shorter than the kernel.
pub fn conv1d<B: Backend>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 3>,
    bias: Option<Tensor<B, 1>>,
    stride: usize,
    padding: usize,
) -> Tensor<B, 3> {
    let [kernel, channels_in, channels_out] = weight.dims();
    let x = pad(x, 1, padding); // [batch, padded, channels_in]
    let shifts = Shifts::new(x.dims()[1], kernel, stride);

    let columns = (0..kernel)
        .map(|k| x.clone().slice_dim(1, shifts.at(k)))
        .collect();
    let columns = Tensor::cat(columns, 2); // [batch, steps, kernel·channels_in]
    let matrix = weight.reshape([kernel * channels_in, channels_out]);
    linear(columns, matrix, bias) // [batch, steps, channels_out]
}

/// A convolution over frames and bins (cross-correlation, as in PyTorch), zero-padded. The pairs
/// `stride` and `padding` are in the order (frames, bins).
///
/// `y[t, f, o] = bias[o] + Σ_k Σ_l Σ_c x[t·stride₀ + k − padding₀, f·stride₁ + l − padding₁, c] ·
/// weight[k, l, c, o]`
///
/// PyTorch's `Conv2d` weight `[out, in, kernel₀, kernel₁]` becomes this one by `permute(2, 3, 1,
/// 0)`.
///
/// # Shapes
/// - `x`: `[batch, frames, bins, channels_in]`
/// - `weight`: `[kernel₀, kernel₁, channels_in, channels_out]`
/// - `bias`: `[channels_out]`
/// - output: `[batch, steps, bins_out, channels_out]`, each size as in [`conv1d`]
///
/// # Panics
/// If the channels do not agree or the padded input is smaller than the kernel.
pub fn conv2d<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<B, 4> {
    let [kernel_frames, kernel_bins, channels_in, channels_out] = weight.dims();
    let x = pad(pad(x, 1, padding[0]), 2, padding[1]); // [batch, padded, padded, channels_in]
    let [_, padded_frames, padded_bins, _] = x.dims();
    let frame_shifts = Shifts::new(padded_frames, kernel_frames, stride[0]);
    let bin_shifts = Shifts::new(padded_bins, kernel_bins, stride[1]);

    let mut columns = Vec::with_capacity(kernel_frames * kernel_bins);
    for k in 0..kernel_frames {
        for l in 0..kernel_bins {
            let slices = [
                Slice::full(),
                frame_shifts.at(k),
                bin_shifts.at(l),
                Slice::full(),
            ];
            columns.push(x.clone().slice(slices));
        }
    }
    let columns = Tensor::cat(columns, 3); // [batch, steps, bins_out, kernel₀·kernel₁·channels_in]
    let matrix = weight.reshape([kernel_frames * kernel_bins * channels_in, channels_out]);
    linear(columns, matrix, bias) // [batch, steps, bins_out, channels_out]
}

/// The positions of one axis that each tap of a kernel meets.
struct Shifts {
    steps: usize,
    stride: usize,
}

impl Shifts {
    fn new(padded: usize, kernel: usize, stride: usize) -> Self {
        assert!(
            padded >= kernel,
            "convolution: an input of {padded} (with padding) is shorter than the kernel of {kernel}"
        );
        let steps = (padded - kernel) / stride + 1;
        Self { steps, stride }
    }

    fn at(&self, tap: usize) -> Slice {
        let end = tap + (self.steps - 1) * self.stride + 1;
        Slice::new(tap as isize, Some(end as isize), self.stride as isize)
    }
}

fn pad<B: Backend, const D: usize>(x: Tensor<B, D>, axis: usize, padding: usize) -> Tensor<B, D> {
    if padding == 0 {
        return x;
    }
    let mut dims = x.dims();
    dims[axis] = padding;
    let zeros = Tensor::zeros(dims, &x.device());
    Tensor::cat(vec![zeros.clone(), x, zeros], axis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::ops::{ConvOptions, PaddedConvOptions};
    use burn::tensor::{Distribution, Tolerance, module};
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    type B = Autodiff<NdArray<f32>>;

    fn noise<const D: usize>(dims: [usize; D]) -> Tensor<B, D> {
        Tensor::random(dims, Distribution::Default, &Default::default()).require_grad()
    }

    /// The gradients of a loss that weighs each output differently.
    fn gradients<const D: usize>(
        output: Tensor<B, D>,
        weights: Tensor<B, D>,
        of: (&Tensor<B, D>, &Tensor<B, D>, &Tensor<B, 1>),
    ) -> [burn::tensor::TensorData; 4] {
        let data = output.to_data();
        let gradients = (output * weights).sum().backward();
        let missing = "every input has a gradient";
        [
            data,
            of.0.grad(&gradients).expect(missing).into_data(),
            of.1.grad(&gradients).expect(missing).into_data(),
            of.2.grad(&gradients).expect(missing).into_data(),
        ]
    }

    fn assert_same(ours: &[burn::tensor::TensorData; 4], theirs: &[burn::tensor::TensorData; 4]) {
        for (ours, theirs) in ours.iter().zip(theirs) {
            ours.assert_approx_eq::<f32>(theirs, Tolerance::absolute(1e-4));
        }
    }

    #[test]
    fn conv1d_and_its_gradients_are_burns_own_with_channels_last() {
        for (frames, kernel, stride, padding) in [
            (9, 3, 1, 1),
            (10, 3, 2, 0),
            (11, 5, 3, 2),
            (4, 4, 1, 0),
            (12, 3, 3, 0),
        ] {
            let [x, weight] = [noise([2, frames, 3]), noise([kernel, 3, 4])];
            let bias = noise([4]);
            let inputs = (&x, &weight, &bias);
            let ours = conv1d(
                x.clone(),
                weight.clone(),
                Some(bias.clone()),
                stride,
                padding,
            );
            let theirs = module::conv1d(
                x.clone().swap_dims(1, 2),
                weight.clone().permute([2, 1, 0]),
                Some(bias.clone()),
                PaddedConvOptions::from(ConvOptions::new([stride], [padding], [1], 1)),
            );
            let weights = noise(ours.dims());
            assert_same(
                &gradients(ours, weights.clone(), inputs),
                &gradients(theirs.swap_dims(1, 2), weights, inputs),
            );
        }
    }

    #[test]
    fn conv2d_and_its_gradients_are_burns_own_with_channels_last() {
        for (kernel, stride, padding) in [
            ([3, 3], [1, 1], [1, 1]),
            ([5, 2], [2, 3], [2, 0]),
            ([1, 1], [1, 1], [0, 0]),
        ] {
            let [x, weight] = [noise([2, 9, 8, 3]), noise([kernel[0], kernel[1], 3, 4])];
            let bias = noise([4]);
            let inputs = (&x, &weight, &bias);
            let ours = conv2d(
                x.clone(),
                weight.clone(),
                Some(bias.clone()),
                stride,
                padding,
            );
            let theirs = module::conv2d(
                x.clone().permute([0, 3, 1, 2]),
                weight.clone().permute([3, 2, 0, 1]),
                Some(bias.clone()),
                PaddedConvOptions::from(ConvOptions::new(stride, padding, [1, 1], 1)),
            );
            let weights = noise(ours.dims());
            assert_same(
                &gradients(ours, weights.clone(), inputs),
                &gradients(theirs.permute([0, 2, 3, 1]), weights, inputs),
            );
        }
    }
}
