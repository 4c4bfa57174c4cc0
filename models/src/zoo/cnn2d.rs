//! Convolutions over time and frequency, a spectrogram read as a picture
//! ([Hershey et al. 2017](https://arxiv.org/abs/1609.09430)).
//!
//! Blocks of 3×3 convolution, batch norm, ReLU and 2×2 max pooling, then the mean over all that is
//! left of time and bins (or mean, maximum and deviation over time), and one layer to the classes.
//!
//! Deviations from the paper's VGG: far smaller (32-64-64-64 channels, one convolution between
//! poolings), batch norm ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)), a global
//! average ([Lin et al. 2013](https://arxiv.org/abs/1312.4400)) in place of its dense layers, so
//! that any length will do, and dropout before the classifier.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{
    ConfigError, check_channels, check_odd, check_probability, check_size, pooled_size,
};
use crate::layers::{ConvBlock2d, Dropout, GlobalPooling, Init, Linear, assert_input};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::{Facts, classifier};
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "cnn2d",
    title: "2-D convolutional network",
    purpose: Purpose::Classify,
    paper: "Hershey et al. (2017): CNN architectures for large-scale audio classification",
    paper_url: "https://arxiv.org/abs/1609.09430",
    summary: "Small convolutions over time and frequency, the spectrogram read as a picture.",
    paper_settings: "",
    recipe,
    bench: Some(BenchShape {
        batch: 16,
        frames: 100,
        bins: 64,
    }),
};

/// The recipe of a classifier, with wider blocks and all that pooling offers.
fn recipe(facts: &Facts) -> String {
    let settings = classifier(facts);
    if settings.is_empty() {
        return settings;
    }
    // A block more sees further, where its pooling leaves a band of those there are.
    let channels = match facts.is_long() && facts.num_mels() >= 32 {
        true => "[32, 64, 128, 128, 128]",
        false => "[32, 64, 128, 128]",
    };
    settings
        + &format!("model.channels = {channels}\n")
        + "model.pooling = \"mean_max_deviation\"
model.dropout = 0.3
"
}

/// Configuration of [`Cnn2d`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Cnn2dConfig {
    /// Feature bins of a frame; enough to leave one after the last block.
    pub num_bins: usize,
    /// Classes to tell apart.
    pub num_classes: usize,
    /// Channels of each block, from the input upwards.
    pub channels: Vec<usize>,
    /// Frames, and bins, a kernel spans; odd.
    pub kernel_size: usize,
    /// Frames, and bins, that become one at the end of each block.
    pub pool_size: usize,
    /// Pooling of the last block's output to one vector.
    pub pooling: GlobalPooling,
    /// The nonlinearity of each block.
    pub activation: Activation,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Probability with which a pooled value is dropped in training, before the classifier.
    pub dropout: f64,
}

impl Default for Cnn2dConfig {
    fn default() -> Self {
        Self {
            num_bins: 64,
            num_classes: 10,
            channels: vec![32, 64, 64, 64],
            kernel_size: 3,
            pool_size: 2,
            pooling: GlobalPooling::Mean,
            activation: Activation::Relu,
            init: Init::Default,
            dropout: 0.2,
        }
    }
}

impl Architecture for Cnn2dConfig {
    type Network<B: Backend> = Cnn2d<B>;

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
        check_probability("dropout", self.dropout)?;
        let min_bins = self.min_frames(); // the kernels and windows are square
        if self.num_bins < min_bins {
            let expected = format!(
                "at least {min_bins}, since each of {} blocks keeps one bin of {}",
                self.channels.len(),
                self.pool_size
            );
            return Err(ConfigError::field("num_bins", self.num_bins, expected));
        }
        Ok(())
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Cnn2d<B>, ConfigError> {
        self.check()?;
        let (kernel, activation, init) = (self.kernel_size, self.activation, self.init);
        let pools = vec![[self.pool_size; 2]; self.channels.len()];
        let channels_out = self.channels.last().copied().unwrap_or(1);
        let d_embedding = channels_out * self.pooling.values_per_channel();
        Ok(Cnn2d {
            num_bins: self.num_bins,
            blocks: ConvBlock2d::stack(&self.channels, &pools, kernel, activation, init, device),
            min_frames: self.min_frames(),
            pooling: self.pooling,
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(d_embedding, self.num_classes, init, device),
        })
    }

    /// The fewest frames that leave a step after the last block.
    fn min_frames(&self) -> usize {
        pooled_size(self.pool_size, self.channels.len())
    }
}

/// A network of convolutions over time and bins. See the [module](self).
#[derive(Module, Debug)]
pub struct Cnn2d<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// From the input upwards.
    pub blocks: Vec<ConvBlock2d<B>>,
    /// The fewest frames that leave a step after the last block.
    pub min_frames: usize,
    /// Pooling of the last block's output to one vector.
    pub pooling: GlobalPooling,
    /// Acts on that vector.
    pub dropout: Dropout,
    /// From that vector to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for Cnn2d<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Cnn2d<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, self.min_frames, self.num_bins);
        let x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let mut x = x.unsqueeze_dim::<4>(3); // [batch, frames, bins, 1]
        let mut lengths = lengths.to_vec();
        for block in &self.blocks {
            (x, lengths) = block.forward(x, &lengths); // [batch, steps, bands, channels]
        }
        let x = self.pooling.forward(x, &lengths); // [batch, channels · values per channel]
        self.dropout.forward(x)
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let mut x = features.zeroed(graph).as_image(graph);
        for block in &self.blocks {
            x = block.onnx(graph, x); // [batch, steps, bands, channels]
        }
        Ok(self.pooling.onnx(graph, x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = Cnn2dConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 93_770);
    }

    #[test]
    fn bins_that_would_vanish_are_refused() {
        let config = Cnn2dConfig {
            num_bins: 15,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
