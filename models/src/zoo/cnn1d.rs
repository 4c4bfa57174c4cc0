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
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{
    ConfigError, check_channels, check_odd, check_probability, check_size, pooled_size,
};
use crate::layers::{ConvBlock1d, Dropout, Init, Linear, assert_input, masked_mean};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::classifier;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "cnn1d",
    title: "1-D convolutional network",
    purpose: Purpose::Classify,
    paper: "Dieleman and Schrauwen (2014): End-to-end learning for music audio",
    paper_url: "https://doi.org/10.1109/ICASSP.2014.6854950",
    summary: "Convolutions that span all bins and move in time, averaged over time.",
    paper_settings: "",
    recipe: classifier,
    bench: Some(BenchShape {
        batch: 32,
        frames: 128,
        bins: 96,
    }),
};

/// Configuration of [`Cnn1d`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
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
    /// Distribution of the initial weights.
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

impl Architecture for Cnn1dConfig {
    type Network<B: Backend> = Cnn1d<B>;

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
        check_channels("channels", &self.channels)?;
        check_odd("kernel_size", self.kernel_size)?;
        check_size("pool_size", self.pool_size)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Cnn1d<B>, ConfigError> {
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
            num_bins: self.num_bins,
            blocks,
            min_frames: self.min_frames(),
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(channels_in, self.num_classes, self.init, device),
        })
    }

    /// The fewest frames that leave a step after the last block.
    fn min_frames(&self) -> usize {
        pooled_size(self.pool_size, self.channels.len())
    }
}

/// A network of convolutions over time. See the [module](self).
#[derive(Module, Debug)]
pub struct Cnn1d<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// From the input upwards.
    pub blocks: Vec<ConvBlock1d<B>>,
    /// The fewest frames that leave a step after the last block.
    pub min_frames: usize,
    /// Acts on the time average.
    pub dropout: Dropout,
    /// From the channels of the last block to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for Cnn1d<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Cnn1d<B> {
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
