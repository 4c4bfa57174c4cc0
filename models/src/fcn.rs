//! FCN-5: a fully convolutional tagger of mel spectrograms
//! ([Choi et al. 2016](https://arxiv.org/abs/1606.00298)).
//!
//! The input normalised over all its values, five blocks of 3×3 convolution, batch norm, ReLU and
//! max pooling that reduce 1366 frames of 96 bins to one vector, dropout and one layer.
//!
//! Deviations: the channels are 64-128-128-128-64, as in the re-implementations in PyTorch that are
//! measured against it, not the paper's 128-384-768-2048; a longer input is averaged over the steps
//! that are left of it; and the logits are returned, without the sigmoid.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_pools, check_probability, check_size, pooled_sizes};
use crate::layers::{ConvBlock2d, Init, Linear, MaskedBatchNorm, assert_lengths, masked_mean2d};
use crate::ops::{self, Activation};

/// Configuration of [`Fcn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FcnConfig {
    /// Feature bins of a frame; enough to leave one after the last block.
    pub num_bins: usize,
    /// Classes or tags.
    pub num_classes: usize,
    /// Channels of each block, from the input upwards.
    pub channels: Vec<usize>,
    /// Frames and bins that become one at the end of each block.
    pub pools: Vec<[usize; 2]>,
    /// The nonlinearity of each block.
    pub activation: Activation,
    /// Where the weights start.
    pub init: Init,
    /// Probability with which a pooled channel is dropped in training, before the last layer.
    pub dropout: f64,
}

impl Default for FcnConfig {
    fn default() -> Self {
        Self {
            num_bins: 96,
            num_classes: 50,
            channels: vec![64, 128, 128, 128, 64],
            pools: vec![[4, 2], [4, 2], [4, 2], [5, 3], [4, 4]],
            activation: Activation::Relu,
            init: Init::Default,
            dropout: 0.5,
        }
    }
}

impl FcnConfig {
    /// The fewest frames that leave a step after the last block.
    pub fn min_frames(&self) -> usize {
        pooled_sizes(&self.pools)[0]
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is wrong, its value and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_size("num_bins", self.num_bins)?;
        check_size("num_classes", self.num_classes)?;
        check_pools(self.num_bins, &self.channels, &self.pools)?;
        check_probability("dropout", self.dropout)
    }

    /// A network with random weights.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Fcn<B>, ConfigError> {
        self.check()?;
        let (activation, init) = (self.activation, self.init);
        let channels_out = self.channels.last().copied().unwrap_or(1);
        Ok(Fcn {
            norm: MaskedBatchNorm::new(1, device),
            blocks: ConvBlock2d::stack(&self.channels, &self.pools, 3, activation, init, device),
            min_frames: self.min_frames(),
            dropout: DropoutConfig::new(self.dropout).init(),
            classifier: Linear::with_init(channels_out, self.num_classes, init, device),
        })
    }
}

/// A fully convolutional network over time and bins. See the [module](self).
#[derive(Module, Debug)]
pub struct Fcn<B: Backend> {
    /// Normalises the input, all of it as one channel.
    pub norm: MaskedBatchNorm<B>,
    /// From the input upwards.
    pub blocks: Vec<ConvBlock2d<B>>,
    /// The fewest frames that leave a step after the last block.
    pub min_frames: usize,
    /// Acts on the average over time and bins.
    pub dropout: Dropout,
    /// From the channels of the last block to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Fcn<B> {
    /// Features `[batch, frames, bins]` and the valid frames of each row to logits `[batch,
    /// classes]`.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in
    /// [`FcnConfig::min_frames`]`..=frames`, or there are fewer bins than the blocks need.
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
        let x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let x = x.unsqueeze_dim::<4>(3); // [batch, frames, bins, 1]
        let mut x = self.norm.forward(x, lengths); // [batch, frames, bins, 1]
        let mut lengths = lengths.to_vec();
        for block in &self.blocks {
            (x, lengths) = block.forward(x, &lengths); // [batch, steps, bands, channels]
        }
        let x = masked_mean2d(x, &lengths); // [batch, channels]
        self.dropout.forward(x) // [batch, channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let config = FcnConfig::default();
        assert_eq!(pooled_sizes(&config.pools), [1280, 96]);
        let model = config.init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 447_732);
    }

    #[test]
    fn as_many_poolings_as_blocks_are_asked_for() {
        let config = FcnConfig {
            pools: vec![[2, 2]],
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
