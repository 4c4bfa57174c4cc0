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
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_pools, check_probability, check_size, pooled_sizes};
use crate::layers::{
    ConvBlock2d, Dropout, GlobalPooling, Init, Linear, MaskedBatchNorm, assert_input, masked_mean2d,
};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::{Facts, classifier_of_music};
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "fcn",
    title: "Fully convolutional network",
    purpose: Purpose::Tag,
    paper: "Choi, Fazekas and Sandler (2016): Automatic tagging using deep convolutional neural networks",
    paper_url: "https://arxiv.org/abs/1606.00298",
    summary: "Five convolutions with strong pooling over a long mel spectrogram.",
    // The pooling sizes are the paper's, for music of half a minute.
    paper_settings: "features.num_mels = 96\n",
    recipe,
    bench: Some(BenchShape {
        batch: 2,
        frames: 1366,
        bins: 96,
    }),
};

/// The recipe of a classifier; for short recordings with fewer and smaller blocks.
fn recipe(facts: &Facts) -> String {
    classifier_of_music(
        facts,
        "model.channels = [32, 48, 64]
model.pools = [[2, 2], [2, 4], [4, 5]]
",
    )
}

/// Configuration of [`Fcn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
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
    /// Distribution of the initial weights.
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

impl Architecture for FcnConfig {
    type Network<B: Backend> = Fcn<B>;

    fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        burn::module::AutodiffModule::valid(network)
    }

    fn card(&self) -> &'static Card {
        &CARD
    }

    fn role(&self) -> Role {
        Role::Classifier
    }

    fn with_input(self, _num_frames: usize, num_bins: usize, num_outputs: usize) -> Self {
        Self {
            num_bins,
            num_classes: num_outputs,
            ..self
        }
    }

    fn num_outputs(&self) -> usize {
        self.num_classes
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_size("num_bins", self.num_bins)?;
        check_size("num_classes", self.num_classes)?;
        check_pools(self.num_bins, &self.channels, &self.pools)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Fcn<B>, ConfigError> {
        self.check()?;
        let (activation, init) = (self.activation, self.init);
        let channels_out = self.channels.last().copied().unwrap_or(1);
        Ok(Fcn {
            num_bins: self.num_bins,
            norm: MaskedBatchNorm::new(1, device),
            blocks: ConvBlock2d::stack(&self.channels, &self.pools, 3, activation, init, device),
            min_frames: self.min_frames(),
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(channels_out, self.num_classes, init, device),
        })
    }

    /// The fewest frames that leave a step after the last block.
    fn min_frames(&self) -> usize {
        pooled_sizes(&self.pools)[0]
    }
}

/// A fully convolutional network over time and bins. See the [module](self).
#[derive(Module, Debug)]
pub struct Fcn<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
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

impl<B: Backend> Network<B> for Fcn<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Fcn<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, self.min_frames, self.num_bins);
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

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let x = features.zeroed(graph).as_image(graph);
        let mut x = self.norm.onnx(graph, x); // [batch, frames, bins, 1]
        for block in &self.blocks {
            x = block.onnx(graph, x); // [batch, steps, bands, channels]
        }
        Ok(GlobalPooling::Mean.onnx(graph, x)) // [batch, channels]
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
