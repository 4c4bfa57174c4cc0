//! Convolution, batch norm, a nonlinearity and max pooling.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::{Conv1d, Conv2d, Init, MaskedBatchNorm, pooled_lengths};
use crate::onnx::{OnnxGraph, Padded};
use crate::ops::{self, Activation};

/// Convolution over frames, batch norm, a nonlinearity, max pooling, in this order.
///
/// Padding is zero when it leaves a block, which is what the next block's convolution would find
/// beyond the end of a lone item.
#[derive(Module, Debug)]
pub struct ConvBlock1d<B: Backend> {
    /// The convolution.
    pub conv: Conv1d<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
    /// The nonlinearity.
    pub activation: Activation,
    /// Frames that one pooled step is made of.
    pub pool_size: usize,
}

impl<B: Backend> ConvBlock1d<B> {
    /// A block between so many channels (in, out), with a kernel of `kernel` frames, which must be
    /// odd, and windows of `pool_size` frames.
    ///
    /// # Panics
    /// If `kernel` is even.
    pub fn new(
        channels: [usize; 2],
        kernel: usize,
        pool_size: usize,
        activation: Activation,
        init: Init,
        device: &B::Device,
    ) -> Self {
        Self {
            conv: Conv1d::new(channels, kernel, init, device),
            norm: MaskedBatchNorm::new(channels[1], device),
            activation,
            pool_size,
        }
    }

    /// A block with ReLU that shortens time by its convolution, whose windows of `size` frames lie
    /// side by side, and pools nothing.
    pub fn side_by_side(channels: [usize; 2], size: usize, device: &B::Device) -> Self {
        Self {
            conv: Conv1d::side_by_side(channels, size, Init::Default, device),
            norm: MaskedBatchNorm::new(channels[1], device),
            activation: Activation::Relu,
            pool_size: 1,
        }
    }

    /// `[batch, frames, channels_in]`, zero past `lengths`, to `[batch, steps, channels_out]`, zero
    /// past the returned lengths; `steps = frames / stride / pool_size`.
    ///
    /// # Panics
    /// If there are fewer frames than `pool_size` or not one length for each row.
    pub fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> (Tensor<B, 3>, Vec<usize>) {
        let x = self.conv.forward(x); // [batch, frames / stride, channels_out]
        let lengths = pooled_lengths(lengths, self.conv.stride);
        let pool = [self.pool_size, 1];
        let max_pool = |x| ops::max_pool1d(x, self.pool_size);
        finish(&self.norm, self.activation, pool, max_pool, x, &lengths) // [batch, steps, channels_out]
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let x = Padded {
            values: self.conv.onnx(graph, x.values),
            time: x.time.divided(graph, self.conv.stride),
            ..x
        };
        onnx_finish(&self.norm, self.activation, [self.pool_size, 1], graph, x)
    }
}

/// Convolution over frames and bins, batch norm, a nonlinearity, max pooling, in this order.
///
/// Padding is zero when it leaves a block, as in [`ConvBlock1d`].
#[derive(Module, Debug)]
pub struct ConvBlock2d<B: Backend> {
    /// The convolution.
    pub conv: Conv2d<B>,
    /// The normalisation, one scale and shift per channel.
    pub norm: MaskedBatchNorm<B>,
    /// The nonlinearity.
    pub activation: Activation,
    /// Frames and bins that one pooled value is made of.
    pub pool: [usize; 2],
}

impl<B: Backend> ConvBlock2d<B> {
    /// A block between so many channels (in, out), with a square kernel, whose side must be odd, and
    /// windows of `pool` frames and bins.
    ///
    /// # Panics
    /// If `kernel` is even.
    pub fn new(
        channels: [usize; 2],
        kernel: usize,
        pool: [usize; 2],
        activation: Activation,
        init: Init,
        device: &B::Device,
    ) -> Self {
        Self {
            conv: Conv2d::new(channels, kernel, init, device),
            norm: MaskedBatchNorm::new(channels[1], device),
            activation,
            pool,
        }
    }

    /// Blocks on top of one another: the first over a single channel, each with so many channels,
    /// and windows of so many frames and bins.
    ///
    /// # Panics
    /// If `kernel` is even.
    pub fn stack(
        channels: &[usize],
        pools: &[[usize; 2]],
        kernel: usize,
        activation: Activation,
        init: Init,
        device: &B::Device,
    ) -> Vec<Self> {
        let below = std::iter::once(&1).chain(channels);
        let sizes = below.zip(channels).zip(pools);
        sizes
            .map(|((&a, &b), &pool)| Self::new([a, b], kernel, pool, activation, init, device))
            .collect()
    }

    /// `[batch, frames, bins, channels_in]`, zero past `lengths`, to `[batch, steps, bands,
    /// channels_out]`, zero past the returned lengths; `steps = frames / pool₀`, `bands = bins /
    /// pool₁`.
    ///
    /// # Panics
    /// If there are fewer frames or bins than `pool` or not one length for each row.
    pub fn forward(&self, x: Tensor<B, 4>, lengths: &[usize]) -> (Tensor<B, 4>, Vec<usize>) {
        let x = self.conv.forward(x); // [batch, frames, bins, channels_out]
        let max_pool = |x| ops::max_pool2d(x, self.pool);
        finish(&self.norm, self.activation, self.pool, max_pool, x, lengths) // [batch, steps, bands, channels_out]
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let x = x.with(self.conv.onnx(graph, x.values));
        onnx_finish(&self.norm, self.activation, self.pool, graph, x)
    }
}

/// The rest of a block after its convolution: batch norm, the nonlinearity, and max pooling.
fn finish<B: Backend, const D: usize>(
    norm: &MaskedBatchNorm<B>,
    activation: Activation,
    pool: [usize; 2],
    max_pool: impl Fn(Tensor<B, D>) -> Tensor<B, D>,
    x: Tensor<B, D>,
    lengths: &[usize],
) -> (Tensor<B, D>, Vec<usize>) {
    let pooled = pooled_lengths(lengths, pool[0]);
    let x = match activation {
        Activation::Relu => return (norm.forward_relu_pool(x, lengths, pool), pooled),
        Activation::Gelu => max_pool(ops::activate(norm.forward(x, lengths), activation)),
        // The others only rise, so the largest of a window may be picked first.
        Activation::LeakyRelu | Activation::Sigmoid | Activation::Tanh | Activation::Elu => {
            ops::activate(norm.forward_pool(x, lengths, pool), activation)
        }
    };
    (ops::zero_padding(x, &pooled), pooled) // a sigmoid makes one half of the zeros
}

/// [`finish`] in ONNX.
fn onnx_finish<B: Backend>(
    norm: &MaskedBatchNorm<B>,
    activation: Activation,
    pool: [usize; 2],
    graph: &mut OnnxGraph,
    x: Padded,
) -> Padded {
    if activation == Activation::Relu {
        return norm.onnx_relu_pool(graph, x, pool);
    }
    // What is past a row's length shares no window with what is left of the row.
    let x = x.with(norm.onnx_each(graph, x.values));
    let x = x.with(graph.activate(x.values, activation));
    graph.max_pool(x, pool).zeroed(graph)
}
