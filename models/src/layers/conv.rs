use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::Init;
use crate::ops::{self, ConvOptions};

/// A convolution over frames: either one that keeps their number, with stride 1 and `(kernel − 1) / 2`
/// zeros on either side, or one whose windows lie side by side.
#[derive(Module, Debug)]
pub struct Conv1d<B: Backend> {
    /// `[kernel, channels_in, channels_out]`; PyTorch's `[out, in, kernel]` by `permute(2, 1, 0)`.
    pub weight: Param<Tensor<B, 3>>,
    /// `[channels_out]`
    pub bias: Param<Tensor<B, 1>>,
    /// Frames from one window to the next.
    pub stride: usize,
}

impl<B: Backend> Conv1d<B> {
    /// A layer between so many channels (in, out), with a kernel of `kernel` frames.
    ///
    /// # Panics
    /// If `kernel` is even: no symmetric padding would keep the number of frames.
    pub fn new(channels: [usize; 2], kernel: usize, init: Init, device: &B::Device) -> Self {
        assert!(kernel % 2 == 1, "a kernel of {kernel} frames is even");
        Self::with_stride(channels, kernel, 1, init, device)
    }

    /// A layer between so many channels (in, out), whose windows of `size` frames lie side by side,
    /// without padding.
    pub fn side_by_side(channels: [usize; 2], size: usize, init: Init, device: &B::Device) -> Self {
        Self::with_stride(channels, size, size, init, device)
    }

    fn with_stride(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        init: Init,
        device: &B::Device,
    ) -> Self {
        let [fan_in, fan_out] = channels.map(|channels| kernel * channels);
        let dims = [kernel, channels[0], channels[1]];
        let (weight, bias) = init.of_layer(dims, fan_in, fan_out, device);
        Self {
            weight,
            bias,
            stride,
        }
    }

    /// `[batch, frames, channels_in]` to `[batch, frames / stride, channels_out]`.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [kernel, _, _] = self.weight.dims();
        let options = if self.stride == 1 {
            ConvOptions::same([kernel])
        } else {
            ConvOptions {
                stride: [self.stride],
                ..Default::default()
            }
        };
        ops::conv1d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}

/// A convolution over frames and bins that keeps their numbers: stride 1, `(kernel − 1) / 2` zeros
/// on every side.
#[derive(Module, Debug)]
pub struct Conv2d<B: Backend> {
    /// `[kernel, kernel, channels_in, channels_out]` (frames, then bins); PyTorch's
    /// `[out, in, kernel, kernel]` by `permute(2, 3, 1, 0)`.
    pub weight: Param<Tensor<B, 4>>,
    /// `[channels_out]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Conv2d<B> {
    /// A layer between so many channels (in, out), with a kernel of `kernel` frames by `kernel`
    /// bins.
    ///
    /// # Panics
    /// If `kernel` is even: no symmetric padding would keep the numbers of frames and bins.
    pub fn new(channels: [usize; 2], kernel: usize, init: Init, device: &B::Device) -> Self {
        assert!(kernel % 2 == 1, "a kernel of {kernel} by {kernel} is even");
        let [fan_in, fan_out] = channels.map(|channels| kernel * kernel * channels);
        let dims = [kernel, kernel, channels[0], channels[1]];
        let (weight, bias) = init.of_layer(dims, fan_in, fan_out, device);
        Self { weight, bias }
    }

    /// `[batch, frames, bins, channels_in]` to `[batch, frames, bins, channels_out]`.
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [kernel, _, _, _] = self.weight.dims();
        let bias = Some(self.bias.val());
        ops::conv2d(x, self.weight.val(), bias, ConvOptions::same([kernel; 2]))
    }
}
