//! CRNN: convolutions that read a spectrogram, and a recurrent network that sums them up over time
//! ([Choi et al. 2016](https://arxiv.org/abs/1609.04243)).
//!
//! The input normalised over all its values, four blocks of 3×3 convolution, batch norm, ELU and
//! max pooling, which leave one band of 96 and one step of 96 frames, two layers of GRU, and one
//! layer from the last state to the classes. With 50 tags that is 394,100 parameters, those of the
//! usual re-implementation in PyTorch.
//!
//! Deviations: dropout acts between the GRU layers and before the last layer, not between
//! convolutions; if more bins leave several bands, they enter the GRU side by side; and
//! the logits are returned, without the sigmoid. The re-implementation has ReLU (`activation =
//! "relu"`).

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_pools, check_probability, check_size, pooled_sizes};
use crate::layers::{
    Cell, ConvBlock2d, Dropout, Init, Linear, MaskedBatchNorm, Recurrent, RecurrentConfig,
    assert_input,
};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::{Facts, classifier_of_music};
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "crnn",
    title: "Convolutional recurrent network",
    purpose: Purpose::Tag,
    paper: "Choi et al. (2016): Convolutional recurrent neural networks for music classification",
    paper_url: "https://arxiv.org/abs/1609.04243",
    summary: "Four convolutions with strong pooling, summed up over time by a GRU.",
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
model.pools = [[2, 2], [2, 4], [2, 5]]
",
    )
}

/// Configuration of [`Crnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct CrnnConfig {
    /// Feature bins of a frame; enough to leave one after the last block.
    pub num_bins: usize,
    /// Classes or tags.
    pub num_classes: usize,
    /// Channels of each block, from the input upwards.
    pub channels: Vec<usize>,
    /// Frames and bins that become one at the end of each block.
    pub pools: Vec<[usize; 2]>,
    /// Features of the recurrent state.
    pub d_hidden: usize,
    /// Recurrent layers on top of one another.
    pub num_layers: usize,
    /// The nonlinearity of each block.
    pub activation: Activation,
    /// Distribution of the initial weights of the convolutions and of the last layer.
    pub init: Init,
    /// Probability with which a value is dropped in training, between the recurrent layers and
    /// before the last layer.
    pub dropout: f64,
}

impl Default for CrnnConfig {
    fn default() -> Self {
        Self {
            num_bins: 96,
            num_classes: 50,
            channels: vec![64, 128, 128, 128],
            pools: vec![[2, 2], [3, 3], [4, 4], [4, 4]],
            d_hidden: 32,
            num_layers: 2,
            activation: Activation::Elu,
            init: Init::Default,
            dropout: 0.3,
        }
    }
}

impl CrnnConfig {
    fn recurrent(&self) -> RecurrentConfig {
        let bands = self
            .pools
            .iter()
            .fold(self.num_bins, |bins, pool| bins / pool[1].max(1));
        RecurrentConfig {
            cell: Cell::Gru,
            d_input: bands * self.channels.last().copied().unwrap_or(1),
            d_hidden: self.d_hidden,
            num_layers: self.num_layers,
            bidirectional: false,
            dropout: self.dropout,
        }
    }
}

impl Architecture for CrnnConfig {
    type Network<B: Backend> = Crnn<B>;

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
        check_size("d_hidden", self.d_hidden)?;
        check_size("num_layers", self.num_layers)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Crnn<B>, ConfigError> {
        self.check()?;
        let (activation, init) = (self.activation, self.init);
        Ok(Crnn {
            num_bins: self.num_bins,
            norm: MaskedBatchNorm::new(1, device),
            blocks: ConvBlock2d::stack(&self.channels, &self.pools, 3, activation, init, device),
            min_frames: self.min_frames(),
            recurrent: self.recurrent().init(device)?,
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(self.d_hidden, self.num_classes, init, device),
        })
    }

    /// The fewest frames that leave a step after the last block.
    fn min_frames(&self) -> usize {
        pooled_sizes(&self.pools)[0]
    }
}

/// A convolutional recurrent network. See the [module](self).
#[derive(Module, Debug)]
pub struct Crnn<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Normalises the input, all of it as one channel.
    pub norm: MaskedBatchNorm<B>,
    /// From the input upwards.
    pub blocks: Vec<ConvBlock2d<B>>,
    /// The fewest frames that leave a step after the last block.
    pub min_frames: usize,
    /// The stack of GRU layers.
    pub recurrent: Recurrent<B>,
    /// Acts on its last state.
    pub dropout: Dropout,
    /// From that to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for Crnn<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Crnn<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, self.min_frames, self.num_bins);
        let x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let x = x.unsqueeze_dim::<4>(3); // [batch, frames, bins, 1]
        let mut x = self.norm.forward(x, lengths); // [batch, frames, bins, 1]
        let mut lengths = lengths.to_vec();
        for block in &self.blocks {
            (x, lengths) = block.forward(x, &lengths); // [batch, steps, bands, channels]
        }
        let x = x.flatten(2, 3); // [batch, steps, bands·channels]
        let x = self.recurrent.forward(x, &lengths).last; // [batch, d_hidden]
        self.dropout.forward(x) // [batch, d_hidden]
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
        let d_input = self.recurrent.layers[0].forward.weight_input.dims()[0];
        let x = x.as_sequence(graph, d_input); // [batch, steps, bands·channels]
        Ok(self.recurrent.onnx(graph, x).1) // [batch, d_hidden]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let config = CrnnConfig::default();
        assert_eq!(config.min_frames(), 96);
        let model = config.init::<NdArray>(&Default::default());
        // The norms have two values for each channel, a GRU three gates and two biases for each.
        let block = |a: usize, b: usize| 9 * a * b + b + 2 * b;
        let gru = |input: usize, state: usize| 3 * state * (input + state + 2);
        let blocks = block(1, 64) + block(64, 128) + 2 * block(128, 128);
        let expected = 2 + blocks + gru(128, 32) + gru(32, 32) + (32 * 50 + 50);
        assert_eq!(expected, 394_100);
        assert_eq!(num_params(&model.expect("valid defaults")), expected);
    }

    #[test]
    fn bins_that_would_vanish_are_refused() {
        let config = CrnnConfig {
            num_bins: 95,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
