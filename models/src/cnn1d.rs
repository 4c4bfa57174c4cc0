//! Convolutions that move in time and span all bins
//! ([Dieleman and Schrauwen 2014](https://doi.org/10.1109/ICASSP.2014.6854950)).
//!
//! The bins of a frame are the channels of a one-dimensional signal. Blocks of convolution, batch
//! norm, ReLU (or another nonlinearity) and max pooling are followed by the mean over time and one
//! layer to the classes.
//!
//! Deviations from the paper: 'same' padding, batch norm ([Ioffe and Szegedy
//! 2015](https://arxiv.org/abs/1502.03167)), a global average ([Lin et al.
//! 2013](https://arxiv.org/abs/1312.4400)) in place of its dense layers, so that any length will
//! do, and dropout before the classifier.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_odd, check_probability, check_size};
use crate::layers::{ConvBlock1d, Init, Linear, assert_lengths, masked_mean};
use crate::ops::{self, Activation};

/// Configuration of [`Cnn1d`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cnn1dConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Classes to tell apart.
    pub num_classes: usize,
    /// Channels of each block, from the input upwards.
    pub channels: Vec<usize>,
    /// Frames a kernel spans; odd.
    pub kernel_size: usize,
    /// Frames that become one at the end of each block.
    pub pool_size: usize,
    /// The nonlinearity of each block.
    pub activation: Activation,
    /// Where the weights start.
    pub init: Init,
    /// Probability with which a pooled channel is dropped in training, before the classifier.
    pub dropout: f64,
}

impl Default for Cnn1dConfig {
    fn default() -> Self {
        Self {
            num_bins: 96,
            num_classes: 10,
            channels: vec![128; 3],
            kernel_size: 3,
            pool_size: 2,
            activation: Activation::Relu,
            init: Init::Default,
            dropout: 0.2,
        }
    }
}

impl Cnn1dConfig {
    /// The fewest frames that leave a step after the last block.
    pub fn min_frames(&self) -> usize {
        pooled_size(self.pool_size, self.channels.len())
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is wrong, its value and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_size("num_bins", self.num_bins)?;
        check_size("num_classes", self.num_classes)?;
        check_channels("channels", &self.channels)?;
        check_odd("kernel_size", self.kernel_size)?;
        check_size("pool_size", self.pool_size)?;
        check_probability("dropout", self.dropout)
    }

    /// A network with random weights.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Cnn1d<B>, ConfigError> {
        self.check()?;
        let mut channels_in = self.num_bins;
        let mut blocks = Vec::with_capacity(self.channels.len());
        for &channels in &self.channels {
            blocks.push(ConvBlock1d::new(
                [channels_in, channels],
                self.kernel_size,
                self.pool_size,
                self.activation,
                self.init,
                device,
            ));
            channels_in = channels;
        }
        Ok(Cnn1d {
            blocks,
            min_frames: self.min_frames(),
            dropout: DropoutConfig::new(self.dropout).init(),
            classifier: Linear::with_init(channels_in, self.num_classes, self.init, device),
        })
    }
}

/// The extent that `num_blocks` poolings reduce to one. Saturates.
pub(crate) fn pooled_size(pool_size: usize, num_blocks: usize) -> usize {
    pool_size.saturating_pow(u32::try_from(num_blocks).unwrap_or(u32::MAX))
}

/// A network of convolutions over time. See the [module](self).
#[derive(Module, Debug)]
pub struct Cnn1d<B: Backend> {
    /// From the input upwards.
    pub blocks: Vec<ConvBlock1d<B>>,
    /// The fewest frames that leave a step after the last block.
    pub min_frames: usize,
    /// Acts on the time average.
    pub dropout: Dropout,
    /// From the channels of the last block to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Cnn1d<B> {
    /// Features `[batch, frames, bins]` and the valid frames of each row to logits `[batch,
    /// classes]`.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in
    /// [`Cnn1dConfig::min_frames`]`..=frames`, or the bins are not the configuration's.
    pub fn forward(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        self.classifier.forward(self.embed(features, lengths)) // [batch, classes]
    }

    /// What the classifier sees of each row: all but the last layer of [`Self::forward`].
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        let [batch, frames, _] = features.dims();
        assert_lengths(lengths, batch, frames, self.min_frames);
        let mut x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let mut lengths = lengths.to_vec();
        for block in &self.blocks {
            (x, lengths) = block.forward(x, &lengths); // [batch, steps, channels]
        }
        self.dropout.forward(masked_mean(x, &lengths)) // [batch, channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = Cnn1dConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 137_610);
    }

    #[test]
    fn an_even_kernel_is_refused() {
        let config = Cnn1dConfig {
            kernel_size: 2,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
