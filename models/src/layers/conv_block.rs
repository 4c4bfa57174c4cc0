use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::{Conv1d, Conv2d, MaskedBatchNorm, pooled_lengths};

/// Convolution over frames, batch norm, ReLU, max pooling, in this order.
///
/// Padding is zero when it leaves a block, which is what the next block's convolution would find
/// beyond the end of a lone item.
#[derive(Module, Debug)]
pub struct ConvBlock1d<B: Backend> {
    /// The convolution.
    pub conv: Conv1d<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
    /// Frames that one pooled step is made of.
    pub pool_size: usize,
}

impl<B: Backend> ConvBlock1d<B> {
    /// A block with a kernel of `kernel` frames, which must be odd, and windows of `pool_size`
    /// frames.
    ///
    /// # Panics
    /// If `kernel` is even.
    pub fn new(
        channels_in: usize,
        channels_out: usize,
        kernel: usize,
        pool_size: usize,
        device: &B::Device,
    ) -> Self {
        Self {
            conv: Conv1d::new(channels_in, channels_out, kernel, device),
            norm: MaskedBatchNorm::new(channels_out, device),
            pool_size,
        }
    }

    /// A block that shortens time by its convolution, whose windows of `size` frames lie side by
    /// side, and pools nothing.
    pub fn side_by_side(
        channels_in: usize,
        channels_out: usize,
        size: usize,
        device: &B::Device,
    ) -> Self {
        Self {
            conv: Conv1d::side_by_side(channels_in, channels_out, size, device),
            norm: MaskedBatchNorm::new(channels_out, device),
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
        let x = self.norm.forward_relu_pool(x, &lengths, pool); // [batch, steps, channels_out]
        (x, pooled_lengths(&lengths, self.pool_size))
    }
}

/// Convolution over frames and bins, batch norm, ReLU, max pooling, in this order.
///
/// Padding is zero when it leaves a block, as in [`ConvBlock1d`].
#[derive(Module, Debug)]
pub struct ConvBlock2d<B: Backend> {
    /// The convolution.
    pub conv: Conv2d<B>,
    /// The normalisation, one scale and shift per channel.
    pub norm: MaskedBatchNorm<B>,
    /// Frames and bins that one pooled value is made of.
    pub pool: [usize; 2],
}

impl<B: Backend> ConvBlock2d<B> {
    /// A block with a square kernel, whose side must be odd, and windows of `pool` frames and bins.
    ///
    /// # Panics
    /// If `kernel` is even.
    pub fn new(
        channels_in: usize,
        channels_out: usize,
        kernel: usize,
        pool: [usize; 2],
        device: &B::Device,
    ) -> Self {
        Self {
            conv: Conv2d::new(channels_in, channels_out, kernel, device),
            norm: MaskedBatchNorm::new(channels_out, device),
            pool,
        }
    }

    /// `[batch, frames, bins, channels_in]`, zero past `lengths`, to `[batch, steps, bands,
    /// channels_out]`, zero past the returned lengths; `steps = frames / pool₀`, `bands = bins /
    /// pool₁`.
    ///
    /// # Panics
    /// If there are fewer frames or bins than `pool` or not one length for each row.
    pub fn forward(&self, x: Tensor<B, 4>, lengths: &[usize]) -> (Tensor<B, 4>, Vec<usize>) {
        let x = self.conv.forward(x); // [batch, frames, bins, channels_out]
        let x = self.norm.forward_relu_pool(x, lengths, self.pool); // [batch, steps, bands, channels_out]
        (x, pooled_lengths(lengths, self.pool[0]))
    }
}
