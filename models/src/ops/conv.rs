//! Convolutions over frames, and over frames and bins.

use burn::tensor::{Slice, Tensor, backend::Backend};

use super::linear;

#[cfg(feature = "gpu")]
mod gpu;

/// Stride, padding, dilation and groups of a convolution over `N` axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvOptions<const N: usize> {
    /// Positions from one window to the next.
    pub stride: [usize; N],
    /// Zeros on either side.
    pub padding: [usize; N],
    /// Positions from one tap of the kernel to the next.
    pub dilation: [usize; N],
    /// Groups that the channels are divided into, each convolved by itself; as many as channels make
    /// a depthwise convolution.
    pub groups: usize,
}

impl<const N: usize> Default for ConvOptions<N> {
    fn default() -> Self {
        Self {
            stride: [1; N],
            padding: [0; N],
            dilation: [1; N],
            groups: 1,
        }
    }
}

impl<const N: usize> ConvOptions<N> {
    /// Stride 1 and the padding that keeps the size under kernels of this (odd) size.
    pub fn same(kernel: [usize; N]) -> Self {
        Self {
            padding: kernel.map(|kernel| kernel / 2),
            ..Self::default()
        }
    }

    /// Positions that the output has on one axis.
    fn size_out(&self, axis: usize, size: usize, kernel: usize) -> usize {
        let [stride, dilation] = [self.stride[axis], self.dilation[axis]];
        let padded = size + 2 * self.padding[axis];
        let span = dilation * (kernel - 1) + 1;
        assert!(
            stride > 0 && dilation > 0,
            "convolution: a stride of {stride} and a dilation of {dilation}; both are at least 1"
        );
        assert!(
            padded >= span,
            "convolution: an input of {padded} (with padding) is shorter than the kernel, which spans {span}"
        );
        (padded - span) / stride + 1
    }
}

/// A convolution over frames (cross-correlation, as in PyTorch), zero-padded.
///
/// `y[t, o] = bias[o] + Σ_k Σ_c x[t·stride + k·dilation − padding, c] · weight[k, c, o]`
///
/// PyTorch's `Conv1d` weight `[out, in / groups, kernel]` becomes this one by `permute(2, 1, 0)`.
///
/// # Shapes
/// - `x`: `[batch, frames, channels_in]`
/// - `weight`: `[kernel, channels_in / groups, channels_out]`
/// - `bias`: `[channels_out]`
/// - output: `[batch, (frames + 2·padding − dilation·(kernel − 1) − 1) / stride + 1, channels_out]`
///
/// # Panics
/// If the channels do not agree or the padded input is shorter than the kernel.
pub fn conv1d<B: Backend>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 3>,
    bias: Option<Tensor<B, 1>>,
    options: ConvOptions<1>,
) -> Tensor<B, 3> {
    // One dimension is two with a single bin.
    let [batch, frames, channels] = x.dims();
    let [kernel, _, channels_out] = weight.dims();
    let two = |pair: [usize; 1], other| [pair[0], other];
    let options = ConvOptions {
        stride: two(options.stride, 1),
        padding: two(options.padding, 0),
        dilation: two(options.dilation, 1),
        groups: options.groups,
    };
    check(channels, weight.dims()[1], channels_out, options.groups);
    let steps = options.size_out(0, frames, kernel);
    #[cfg(feature = "ndarray")]
    {
        let image = [batch, frames, 1, channels];
        let dims = [batch, steps, channels_out];
        let kernel = [kernel, 1];
        if let Some(y) = cpu::conv(&x, &weight, bias.as_ref(), image, kernel, options, dims) {
            return y;
        }
    }
    let (x, weight) = (x.unsqueeze_dim(2), weight.unsqueeze_dim(1));
    let y = portable(x, weight, bias, options);
    y.reshape([batch, steps, channels_out])
}

/// A convolution over frames and bins (cross-correlation, as in PyTorch), zero-padded. The pairs of
/// `options` are in the order (frames, bins).
///
/// `y[t, f, o] = bias[o] + Σ_k Σ_l Σ_c x[t·stride₀ + k·dilation₀ − padding₀, f·stride₁ + l·dilation₁
/// − padding₁, c] · weight[k, l, c, o]`
///
/// PyTorch's `Conv2d` weight `[out, in / groups, kernel₀, kernel₁]` becomes this one by `permute(2,
/// 3, 1, 0)`.
///
/// # Shapes
/// - `x`: `[batch, frames, bins, channels_in]`
/// - `weight`: `[kernel₀, kernel₁, channels_in / groups, channels_out]`
/// - `bias`: `[channels_out]`
/// - output: `[batch, steps, bands, channels_out]`, each size as in [`conv1d`]
///
/// # Panics
/// If the channels do not agree or the padded input is smaller than the kernel.
pub fn conv2d<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    options: ConvOptions<2>,
) -> Tensor<B, 4> {
    let image @ [batch, frames, bins, channels] = x.dims();
    let [kernel_frames, kernel_bins, channels_in, channels_out] = weight.dims();
    check(channels, channels_in, channels_out, options.groups);
    let steps = options.size_out(0, frames, kernel_frames);
    let bands = options.size_out(1, bins, kernel_bins);
    #[cfg(feature = "ndarray")]
    {
        let dims = [batch, steps, bands, channels_out];
        let kernel = [kernel_frames, kernel_bins];
        if let Some(y) = cpu::conv(&x, &weight, bias.as_ref(), image, kernel, options, dims) {
            return y;
        }
    }
    portable(x, weight, bias, options)
}

fn check(channels: usize, channels_in: usize, channels_out: usize, groups: usize) {
    assert!(
        channels == channels_in * groups && channels_out.is_multiple_of(groups),
        "convolution: an input of {channels} channels, a weight of {channels_in} to {channels_out}, {groups} groups"
    );
}

fn portable<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    options: ConvOptions<2>,
) -> Tensor<B, 4> {
    let [kernel_frames, kernel_bins, channels_in, channels_out] = weight.dims();
    let [_, frames, bins, _] = x.dims();
    let steps = options.size_out(0, frames, kernel_frames);
    let bands = options.size_out(1, bins, kernel_bins);
    #[cfg(feature = "gpu")]
    if let Some(y) = gpu::conv(&x, &weight, bias.as_ref(), options, [steps, bands]) {
        return y;
    }
    let groups = options.groups;
    if groups > 1 {
        let per_group = channels_out / groups;
        let outputs = (0..groups)
            .map(|group| {
                let x = x.clone().narrow(3, group * channels_in, channels_in);
                let columns = group * per_group;
                let weight = weight.clone().narrow(3, columns, per_group);
                let bias = bias.clone().map(|bias| bias.narrow(0, columns, per_group));
                portable(
                    x,
                    weight,
                    bias,
                    ConvOptions {
                        groups: 1,
                        ..options
                    },
                )
            })
            .collect();
        return Tensor::cat(outputs, 3);
    }
    let x = pad(x, 1, options.padding[0]);
    let x = pad(x, 2, options.padding[1]); // [batch, padded, padded, channels_in]
    let positions = |axis: usize, tap: usize, count: usize| {
        let first = tap * options.dilation[axis];
        let end = first + (count - 1) * options.stride[axis] + 1;
        Slice::new(
            first as isize,
            Some(end as isize),
            options.stride[axis] as isize,
        )
    };

    let mut columns = Vec::with_capacity(kernel_frames * kernel_bins);
    for k in 0..kernel_frames {
        for l in 0..kernel_bins {
            let slices = [
                Slice::full(),
                positions(0, k, steps),
                positions(1, l, bands),
                Slice::full(),
            ];
            columns.push(x.clone().slice(slices));
        }
    }
    let columns = Tensor::cat(columns, 3); // [batch, steps, bands, kernel₀·kernel₁·channels_in]
    let matrix = weight.reshape([kernel_frames * kernel_bins * channels_in, channels_out]);
    linear(columns, matrix, bias) // [batch, steps, bands, channels_out]
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

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::conv::{backward_input, backward_weight, forward};
    use crate::kernels::conv_sizes::Conv;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn conv<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
        weight: &Tensor<B, D>,
        bias: Option<&Tensor<B, 1>>,
        [batch, frames, bins, channels_in]: [usize; 4],
        kernel: [usize; 2],
        options: ConvOptions<2>,
        dims: [usize; D],
    ) -> Option<Tensor<B, D>> {
        let conv = Conv {
            batch,
            size: [frames, bins],
            channels_in,
            channels_out: dims[D - 1],
            kernel,
            stride: options.stride,
            padding: options.padding,
            dilation: options.dilation,
            groups: options.groups,
        };
        let (x, weight) = (primitive(x), primitive(weight));
        Some(match bias {
            Some(bias) => {
                let inputs = Inputs::<B, 3>::recognise([x, weight, primitive(bias)])?;
                let [x, weight, bias] = inputs.values();
                let y = forward(&conv, x, weight, Some(bias));
                inputs.finish(conv, y, dims, |[x, weight, _]| [x, weight])
            }
            None => {
                let inputs = Inputs::<B, 2>::recognise([x, weight])?;
                let [x, weight] = inputs.values();
                let y = forward(&conv, x, weight, None);
                inputs.finish(conv, y, dims, |inputs| inputs)
            }
        })
    }

    /// The gradients of input, weight and bias.
    fn gradients(
        conv: &Conv,
        [x, weight]: [Array; 2],
        gradient: Array,
        [want_x, want_weight, want_bias]: [bool; 3],
    ) -> [Option<Vec<f32>>; 3] {
        let found_x = want_x.then(|| backward_input(conv, weight.values(), gradient.values()));
        let found = (want_weight || want_bias)
            .then(|| backward_weight(conv, x.values(), gradient.values()));
        x.give();
        gradient.give();
        let (found_weight, found_bias) = found.unzip();
        [found_x, found_weight, found_bias.filter(|_| want_bias)]
    }

    impl Operator<3> for Conv {
        type Saved = [Array; 2];

        fn backward(
            self,
            saved: [Array; 2],
            gradient: Array,
            wanted: [bool; 3],
        ) -> [Option<Vec<f32>>; 3] {
            gradients(&self, saved, gradient, wanted)
        }
    }

    impl Operator<2> for Conv {
        type Saved = [Array; 2];

        fn backward(
            self,
            saved: [Array; 2],
            gradient: Array,
            [want_x, want_weight]: [bool; 2],
        ) -> [Option<Vec<f32>>; 2] {
            let wanted = [want_x, want_weight, false];
            let [x, weight, _] = gradients(&self, saved, gradient, wanted);
            [x, weight]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::ops::{ConvOptions as BurnOptions, PaddedConvOptions};
    use burn::tensor::{Distribution, TensorData, Tolerance, module};
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    /// The kernels' backend, and one that they leave to the portable expressions.
    type Kernels = Autodiff<NdArray<f32>>;
    type Portable = Autodiff<NdArray<f32, i32>>;

    fn noise<B: Backend, const D: usize>(dims: [usize; D]) -> Tensor<B, D> {
        Tensor::random(dims, Distribution::Default, &Default::default()).require_grad()
    }

    /// The output, and the gradients of a loss that weighs each output differently.
    fn results<B: burn::tensor::backend::AutodiffBackend, const D: usize>(
        output: Tensor<B, D>,
        weights: Tensor<B, D>,
        of: (&Tensor<B, D>, &Tensor<B, D>, &Tensor<B, 1>),
    ) -> [TensorData; 4] {
        let data = output.to_data();
        let gradients = (output * weights).sum().backward();
        let missing = "every input has a gradient";
        [
            data,
            of.0.grad(&gradients).expect(missing).into_data(),
            of.1.grad(&gradients).expect(missing).into_data(),
            of.2.grad(&gradients).expect(missing).into_data(),
        ]
        .map(|data| data.convert::<f32>())
    }

    fn assert_same(ours: &[TensorData; 4], theirs: &[TensorData; 4]) {
        for (ours, theirs) in ours.iter().zip(theirs) {
            ours.assert_approx_eq::<f32>(theirs, Tolerance::absolute(1e-4));
        }
    }

    fn conv1d_is_burns_own<B: burn::tensor::backend::AutodiffBackend>() {
        // Windows that end with the input: Burn's own gradient fails on some others.
        for (frames, kernel, stride, padding, dilation, groups) in [
            (9, 3, 1, 1, 1, 1),
            (10, 3, 2, 0, 1, 1),
            (12, 5, 3, 1, 1, 2),
            (4, 4, 1, 0, 1, 1),
            (11, 3, 3, 0, 2, 4),
        ] {
            let [x, weight] = [
                noise::<B, 3>([2, frames, 4]),
                noise([kernel, 4 / groups, 8]),
            ];
            let bias = noise([8]);
            let inputs = (&x, &weight, &bias);
            let options = ConvOptions {
                stride: [stride],
                padding: [padding],
                dilation: [dilation],
                groups,
            };
            let ours = conv1d(x.clone(), weight.clone(), Some(bias.clone()), options);
            let theirs = module::conv1d(
                x.clone().swap_dims(1, 2),
                weight.clone().permute([2, 1, 0]),
                Some(bias.clone()),
                PaddedConvOptions::from(BurnOptions::new([stride], [padding], [dilation], groups)),
            );
            let weights = noise(ours.dims());
            assert_same(
                &results(ours, weights.clone(), inputs),
                &results(theirs.swap_dims(1, 2), weights, inputs),
            );
        }
    }

    fn conv2d_is_burns_own<B: burn::tensor::backend::AutodiffBackend>() {
        for (kernel, stride, padding, dilation, groups) in [
            ([3, 3], [1, 1], [1, 1], [1, 1], 1),
            ([5, 2], [2, 3], [2, 0], [1, 1], 1),
            ([3, 3], [1, 1], [2, 2], [2, 2], 1),
            ([1, 1], [1, 1], [0, 0], [1, 1], 1),
            ([2, 2], [1, 2], [3, 0], [2, 1], 2),
        ] {
            let x = noise::<B, 4>([2, 9, 8, 4]);
            let weight = noise([kernel[0], kernel[1], 4 / groups, 6]);
            let bias = noise([6]);
            let inputs = (&x, &weight, &bias);
            let options = ConvOptions {
                stride,
                padding,
                dilation,
                groups,
            };
            let ours = conv2d(x.clone(), weight.clone(), Some(bias.clone()), options);
            let theirs = module::conv2d(
                x.clone().permute([0, 3, 1, 2]),
                weight.clone().permute([3, 2, 0, 1]),
                Some(bias.clone()),
                PaddedConvOptions::from(BurnOptions::new(stride, padding, dilation, groups)),
            );
            let weights = noise(ours.dims());
            assert_same(
                &results(ours, weights.clone(), inputs),
                &results(theirs.permute([0, 2, 3, 1]), weights, inputs),
            );
        }
    }

    #[test]
    fn convolutions_and_their_gradients_are_burns_own_with_channels_last() {
        conv1d_is_burns_own::<Kernels>();
        conv2d_is_burns_own::<Kernels>();
    }

    #[test]
    fn the_portable_convolutions_are_burns_own_too() {
        conv1d_is_burns_own::<Portable>();
        conv2d_is_burns_own::<Portable>();
    }
}
