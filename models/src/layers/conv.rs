use burn::module::{Initializer, Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use crate::ops::{self, ConvOptions};

/// Uniform in ±1/√fan_in, where PyTorch's convolutions and linear layers start (its
/// `kaiming_uniform(a = √5)`), bias included.
pub(super) fn fan_in_uniform(fan_in: usize) -> Initializer {
    let bound = 1.0 / (fan_in as f64).sqrt();
    Initializer::Uniform {
        min: -bound,
        max: bound,
    }
}

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
    /// A layer with a kernel of `kernel` frames.
    ///
    /// # Panics
    /// If `kernel` is even: no symmetric padding would keep the number of frames.
    pub fn new(channels_in: usize, channels_out: usize, kernel: usize, device: &B::Device) -> Self {
        assert!(kernel % 2 == 1, "a kernel of {kernel} frames is even");
        Self::with_stride(channels_in, channels_out, kernel, 1, device)
    }

    /// A layer whose windows of `size` frames lie side by side, without padding.
    pub fn side_by_side(
        channels_in: usize,
        channels_out: usize,
        size: usize,
        device: &B::Device,
    ) -> Self {
        Self::with_stride(channels_in, channels_out, size, size, device)
    }

    fn with_stride(
        channels_in: usize,
        channels_out: usize,
        kernel: usize,
        stride: usize,
        device: &B::Device,
    ) -> Self {
        let uniform = fan_in_uniform(kernel * channels_in);
        Self {
            weight: uniform.init([kernel, channels_in, channels_out], device),
            bias: uniform.init([channels_out], device),
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
    /// A layer with a kernel of `kernel` frames by `kernel` bins.
    ///
    /// # Panics
    /// If `kernel` is even: no symmetric padding would keep the numbers of frames and bins.
    pub fn new(channels_in: usize, channels_out: usize, kernel: usize, device: &B::Device) -> Self {
        assert!(kernel % 2 == 1, "a kernel of {kernel} by {kernel} is even");
        let uniform = fan_in_uniform(kernel * kernel * channels_in);
        Self {
            weight: uniform.init([kernel, kernel, channels_in, channels_out], device),
            bias: uniform.init([channels_out], device),
        }
    }

    /// `[batch, frames, bins, channels_in]` to `[batch, frames, bins, channels_out]`.
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [kernel, _, _, _] = self.weight.dims();
        let bias = Some(self.bias.val());
        ops::conv2d(x, self.weight.val(), bias, ConvOptions::same([kernel; 2]))
    }
}
