//! SampleCNN: a classifier of raw waveforms
//! ([Lee et al. 2017](https://arxiv.org/abs/1703.01789)).
//!
//! The first convolution takes three samples at a time; each block after it, a convolution over
//! three frames, batch norm, ReLU and max pooling by three, makes time three times shorter again, so
//! that 3ⁿ⁺¹ samples become one vector. A convolution of one frame, dropout and one layer follow.
//! The default is the paper's 3⁹ model of 59,049 samples.
//!
//! Deviations: a longer input is averaged over the steps that are left of it, so that any length
//! from 3ⁿ⁺¹ on will do, and the logits are returned, without the sigmoid.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_probability, check_size, pooled_size};
use crate::layers::{ConvBlock1d, Dropout, Init, Linear, assert_input, masked_mean};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::{Facts, classifier_of_waveforms, poolings_by_three};
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// Samples that a window spans, everywhere in the network.
const WINDOW: usize = 3;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "sample_cnn",
    title: "SampleCNN",
    purpose: Purpose::Tag,
    paper: "Lee et al. (2017): Sample-level deep convolutional neural networks for music auto-tagging using raw waveforms",
    paper_url: "https://arxiv.org/abs/1703.01789",
    summary: "Convolutions of three samples and poolings by three, on the raw waveform.",
    paper_settings: "features.kind = \"waveform\"\n",
    recipe,
    bench: Some(BenchShape {
        batch: 4,
        frames: 59_049,
        bins: 1,
    }),
};

/// The recipe of a classifier, with as many blocks as the recordings are long.
fn recipe(facts: &Facts) -> String {
    let settings = classifier_of_waveforms(facts);
    if settings.is_empty() {
        return settings;
    }
    let mut channels = SampleCnnConfig::default().channels;
    channels.truncate(poolings_by_three(facts) - 1);
    channels.push(512);
    format!("{settings}model.channels = {channels:?}\n")
}

/// Configuration of [`SampleCnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct SampleCnnConfig {
    /// Values of a frame: 1 for a waveform.
    pub num_bins: usize,
    /// Classes or tags.
    pub num_classes: usize,
    /// Channels of the first convolution.
    pub first_channels: usize,
    /// Channels of each block; their number is the n of 3ⁿ.
    pub channels: Vec<usize>,
    /// Probability with which a value is dropped in training, before the last layer.
    pub dropout: f64,
}

impl Default for SampleCnnConfig {
    fn default() -> Self {
        Self {
            num_bins: 1,
            num_classes: 50,
            first_channels: 128,
            channels: vec![128, 128, 256, 256, 256, 256, 256, 256, 512],
            dropout: 0.5,
        }
    }
}

impl Architecture for SampleCnnConfig {
    type Network<B: Backend> = SampleCnn<B>;

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
        check_size("first_channels", self.first_channels)?;
        check_channels("channels", &self.channels)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<SampleCnn<B>, ConfigError> {
        self.check()?;
        let mut channels_in = self.first_channels;
        let mut blocks = vec![ConvBlock1d::side_by_side(
            [self.num_bins, channels_in],
            WINDOW,
            device,
        )];
        let block = |channels, kernel, pool_size| {
            let (activation, init) = (Activation::Relu, Init::Default);
            ConvBlock1d::new(channels, kernel, pool_size, activation, init, device)
        };
        for &channels in &self.channels {
            blocks.push(block([channels_in, channels], WINDOW, WINDOW));
            channels_in = channels;
        }
        blocks.push(block([channels_in, channels_in], 1, 1));
        Ok(SampleCnn {
            num_bins: self.num_bins,
            blocks,
            min_frames: self.min_frames(),
            dropout: Dropout::new(self.dropout),
            classifier: Linear::new(channels_in, self.num_classes, device),
        })
    }

    /// The fewest samples that leave a step after the last block: 3ⁿ⁺¹.
    fn min_frames(&self) -> usize {
        pooled_size(WINDOW, self.channels.len() + 1)
    }
}

/// A network of convolutions over samples. See the [module](self).
#[derive(Module, Debug)]
pub struct SampleCnn<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// The strided convolution, those with pooling, and that of one frame.
    pub blocks: Vec<ConvBlock1d<B>>,
    /// The fewest samples that leave a step after the last block.
    pub min_frames: usize,
    /// Acts on the average over the steps.
    pub dropout: Dropout,
    /// From the channels of the last block to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for SampleCnn<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for SampleCnn<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, self.min_frames, self.num_bins);
        let mut x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let mut lengths = lengths.to_vec();
        for block in &self.blocks {
            (x, lengths) = block.forward(x, &lengths); // [batch, steps, channels]
        }
        self.dropout.forward(masked_mean(x, &lengths)) // [batch, channels]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let mut x = features.zeroed(graph);
        for block in &self.blocks {
            x = block.onnx(graph, x); // [batch, steps, channels]
        }
        Ok(x.mean(graph))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_the_paper() {
        let config = SampleCnnConfig::default();
        assert_eq!(config.min_frames(), 59_049);
        let model = config.init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 1_869_874);
    }

    #[test]
    fn a_network_without_blocks_is_refused() {
        let config = SampleCnnConfig {
            channels: Vec::new(),
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
