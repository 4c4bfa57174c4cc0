//! Convolutions over frames, and over frames and bins.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::Init;
use crate::onnx::{OnnxGraph, OnnxValue};
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
        ops::conv1d(x, self.weight.val(), Some(self.bias.val()), self.options())
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: OnnxValue) -> OnnxValue {
        graph.conv1d(x, self.weight.val(), Some(self.bias.val()), self.options())
    }

    fn options(&self) -> ConvOptions<1> {
        let [kernel, _, _] = self.weight.dims();
        if self.stride == 1 {
            ConvOptions::same([kernel])
        } else {
            ConvOptions {
                stride: [self.stride],
                ..Default::default()
            }
        }
    }
}

/// A convolution over frames and bins with `(kernel − 1) / 2` zeros on every side, so that a stride of
/// 1 keeps their numbers.
#[derive(Module, Debug)]
pub struct Conv2d<B: Backend> {
    /// `[kernel₀, kernel₁, channels_in, channels_out]` (frames, then bins); PyTorch's
    /// `[out, in, kernel₀, kernel₁]` by `permute(2, 3, 1, 0)`.
    pub weight: Param<Tensor<B, 4>>,
    /// `[channels_out]`
    pub bias: Param<Tensor<B, 1>>,
    /// Frames and bins from one window to the next.
    pub stride: [usize; 2],
}

impl<B: Backend> Conv2d<B> {
    /// A layer between so many channels (in, out), with a kernel of `kernel` frames by `kernel`
    /// bins and stride 1.
    ///
    /// # Panics
    /// If `kernel` is even: no symmetric padding would keep the numbers of frames and bins.
    pub fn new(channels: [usize; 2], kernel: usize, init: Init, device: &B::Device) -> Self {
        Self::with_stride(channels, [kernel; 2], [1, 1], init, device)
    }

    /// A layer between so many channels (in, out), with a kernel and a stride of so many frames and
    /// bins.
    ///
    /// # Panics
    /// If a side of the kernel is even.
    pub fn with_stride(
        channels: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        init: Init,
        device: &B::Device,
    ) -> Self {
        let [frames, bins] = kernel;
        assert!(
            frames % 2 == 1 && bins % 2 == 1,
            "a kernel of {frames} by {bins} has an even side"
        );
        let [fan_in, fan_out] = channels.map(|channels| frames * bins * channels);
        let dims = [frames, bins, channels[0], channels[1]];
        let (weight, bias) = init.of_layer(dims, fan_in, fan_out, device);
        Self {
            weight,
            bias,
            stride,
        }
    }

    /// `[batch, frames, bins, channels_in]` to `[batch, steps, bands, channels_out]`; `steps` is
    /// `frames / stride₀` and `bands` is `bins / stride₁`, both rounded up.
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [frames, _, _, _] = self.weight.dims();
        self.forward_padded(x, frames / 2)
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: OnnxValue) -> OnnxValue {
        let [frames, _, _, _] = self.weight.dims();
        let options = self.options(frames / 2);
        graph.conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }

    /// [`Self::forward`] of frames whose neighbours are there: no zeros before the first and after
    /// the last.
    pub(crate) fn forward_within(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.forward_padded(x, 0)
    }

    fn forward_padded(&self, x: Tensor<B, 4>, padding_frames: usize) -> Tensor<B, 4> {
        let options = self.options(padding_frames);
        ops::conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }

    fn options(&self, padding_frames: usize) -> ConvOptions<2> {
        let [_, bins, _, _] = self.weight.dims();
        ConvOptions {
            stride: self.stride,
            padding: [padding_frames, bins / 2],
            ..Default::default()
        }
    }
}
