//! A residual network with squeeze-and-excitation on raw waveforms
//! ([Kim, Lee and Nam 2018](https://arxiv.org/abs/1710.10451)).
//!
//! As in [SampleCNN](crate::sample_cnn), the first convolution takes three samples at a time and each
//! block makes time three times shorter by max pooling. The blocks are those of networks for pictures.
//! A *basic* block is a convolution, batch norm, ReLU and the pooling. A *residual* one adds its input to
//! its last batch norm, ahead of ReLU and pooling, after a 1×1 convolution and batch norm where the
//! channels change. *Squeeze-and-excitation* ([Hu et al. 2018](https://arxiv.org/abs/1709.01507))
//! scales every channel by a gate that is computed from the means of all channels over time: in a
//! residual block the branch that is added to its input, otherwise the block's output. The largest values over time of the
//! last blocks, side by side, go through a hidden layer with batch norm to the tags.
//!
//! | the paper's block | `convs_per_block` | `residual` | `squeeze_excitation` |
//! |---|---|---|---|
//! | basic | 1 | false | false |
//! | SE | 1 | false | true |
//! | Res-1, Res-2 | 1, 2 | true | false |
//! | ReSE-1, ReSE-2 | 1, 2 | true | true |
//!
//! The default is the paper's best model, ReSE-2 with the last three blocks ("multi"), for 59,049
//! samples. The paper states no number of parameters; that of its [published
//! code](https://github.com/tae-jun/resemul) is 26,980,146, counted from its layers.
//!
//! Deviations: maxima and means are taken over whatever a longer input leaves, so that any length from
//! 3ⁿ⁺¹ on will do; weights start as `init` says, where the published code starts convolutions as
//! `he_uniform` and the other layers as `xavier_uniform`; and the logits are returned, without the
//! sigmoid.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_probability, check_size, pooled_size};
use crate::layers::{
    Conv1d, Dropout, Init, Linear, MaskedBatchNorm, assert_input, masked_max, masked_mean,
    pooled_lengths,
};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::{Facts, classifier_of_waveforms, poolings_by_three};
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// Samples or steps that a window spans, everywhere in the network.
const WINDOW: usize = 3;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "res_cnn",
    title: "Residual SampleCNN",
    purpose: Purpose::Tag,
    paper: "Kim, Lee and Nam (2018): Sample-level CNN architectures for music auto-tagging using raw waveforms",
    paper_url: "https://arxiv.org/abs/1710.10451",
    summary: "SampleCNN with residual connections and squeeze-and-excitation, on the raw waveform.",
    paper_settings: "features.kind = \"waveform\"\n",
    recipe,
    bench: Some(BenchShape {
        batch: 2,
        frames: 59_049,
        bins: 1,
    }),
};

/// The channels of the recipe's blocks, of which it takes as many as the recordings are long.
const CHANNELS: [usize; 9] = [32, 32, 48, 48, 64, 64, 96, 96, 128];

/// The recipe of a classifier, with a network that trains in minutes on two processor cores.
fn recipe(facts: &Facts) -> String {
    let settings = classifier_of_waveforms(facts);
    if settings.is_empty() {
        return settings;
    }
    let channels = &CHANNELS[..poolings_by_three(facts)];
    format!(
        "{settings}model.channels = {channels:?}
model.first_channels = 32
model.excitation_ratio = 2
model.block_dropout = 0.0
model.dropout = 0.2
"
    )
}

/// Configuration of [`ResCnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct ResCnnConfig {
    /// Values of a frame: 1 for a waveform.
    pub num_bins: usize,
    /// Classes or tags.
    pub num_classes: usize,
    /// Channels of the first convolution.
    pub first_channels: usize,
    /// Channels of each block; their number is the n of 3ⁿ.
    pub channels: Vec<usize>,
    /// Convolutions of a block.
    pub convs_per_block: usize,
    /// Whether a block's input is added to the output of its convolutions.
    pub residual: bool,
    /// Whether a gate scales each channel.
    pub squeeze_excitation: bool,
    /// Hidden features of that gate for each channel, the paper's amplifying ratio α.
    pub excitation_ratio: usize,
    /// Blocks, from the last one down, whose maxima over time are the input of the hidden layer.
    pub num_levels: usize,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Probability with which a value is dropped in training, between the convolutions of a block.
    pub block_dropout: f64,
    /// The same before the last layer.
    pub dropout: f64,
}

impl Default for ResCnnConfig {
    fn default() -> Self {
        Self {
            num_bins: 1,
            num_classes: 50,
            first_channels: 128,
            channels: vec![128, 128, 256, 256, 256, 256, 256, 256, 512],
            convs_per_block: 2,
            residual: true,
            squeeze_excitation: true,
            excitation_ratio: 16,
            num_levels: 3,
            init: Init::Default,
            block_dropout: 0.2,
            dropout: 0.5,
        }
    }
}

impl Architecture for ResCnnConfig {
    type Network<B: Backend> = ResCnn<B>;

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
        check_size("convs_per_block", self.convs_per_block)?;
        check_size("excitation_ratio", self.excitation_ratio)?;
        let num_blocks = self.channels.len();
        if !(1..=num_blocks).contains(&self.num_levels) {
            let expected = format!("from 1 to the {num_blocks} blocks of `channels`");
            return Err(ConfigError::field("num_levels", self.num_levels, expected));
        }
        check_probability("block_dropout", self.block_dropout)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<ResCnn<B>, ConfigError> {
        self.check()?;
        let below = std::iter::once(&self.first_channels).chain(&self.channels);
        let blocks = below.zip(&self.channels);
        let blocks = blocks.map(|(&a, &b)| ResBlock::new([a, b], self, device));
        let d_hidden = self.channels.iter().rev().take(self.num_levels).sum();
        let first = [self.num_bins, self.first_channels];
        Ok(ResCnn {
            num_bins: self.num_bins,
            first: ConvNorm {
                conv: Conv1d::side_by_side(first, WINDOW, self.init, device),
                norm: MaskedBatchNorm::new(self.first_channels, device),
            },
            blocks: blocks.collect(),
            num_levels: self.num_levels,
            min_frames: self.min_frames(),
            hidden: Linear::with_init(d_hidden, d_hidden, self.init, device),
            hidden_norm: MaskedBatchNorm::new(d_hidden, device),
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(d_hidden, self.num_classes, self.init, device),
        })
    }

    /// The fewest samples that leave a step after the last block: 3ⁿ⁺¹.
    fn min_frames(&self) -> usize {
        pooled_size(WINDOW, self.channels.len() + 1)
    }
}

/// A convolution and its batch norm.
#[derive(Module, Debug)]
pub struct ConvNorm<B: Backend> {
    /// The convolution.
    pub conv: Conv1d<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
}

impl<B: Backend> ConvNorm<B> {
    fn new(channels: [usize; 2], kernel: usize, init: Init, device: &B::Device) -> Self {
        Self {
            conv: Conv1d::new(channels, kernel, init, device),
            norm: MaskedBatchNorm::new(channels[1], device),
        }
    }
}

/// Squeeze-and-excitation: scales every channel by a gate computed from the means of all channels over
/// time.
#[derive(Module, Debug)]
pub struct SqueezeExcitation<B: Backend> {
    /// From the means of the channels to the hidden features.
    pub hidden: Linear<B>,
    /// From those to the channels.
    pub gate: Linear<B>,
}

impl<B: Backend> SqueezeExcitation<B> {
    /// A gate for so many channels, with `ratio` hidden features for each.
    pub fn new(channels: usize, ratio: usize, init: Init, device: &B::Device) -> Self {
        let d_hidden = channels * ratio;
        Self {
            hidden: Linear::with_init(channels, d_hidden, init, device),
            gate: Linear::with_init(d_hidden, channels, init, device),
        }
    }

    /// `[batch, steps, channels]` and the valid steps of each row to the same, scaled.
    ///
    /// # Panics
    /// If there is not one length for each row, or a length is not in `1..=steps`.
    pub fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 3> {
        let squeezed = masked_mean(x.clone(), lengths); // [batch, channels]
        let hidden = ops::activate(self.hidden.forward(squeezed), Activation::Relu); // [batch, d_hidden]
        let gate = ops::activate(self.gate.forward(hidden), Activation::Sigmoid); // [batch, channels]
        ops::scale_channels(x, gate)
    }

    /// [`Self::forward`] in ONNX.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let squeezed = x.mean(graph); // [batch, channels]
        let hidden = self.hidden.onnx(graph, squeezed);
        let hidden = graph.activate(hidden, Activation::Relu); // [batch, d_hidden]
        let gate = self.gate.onnx(graph, hidden);
        let gate = graph.activate(gate, Activation::Sigmoid); // [batch, channels]
        let gate = graph.unsqueeze(gate, &[1]);
        x.with(graph.mul(x.values, gate))
    }
}

/// A block of any of the paper's variants. See the [module](self).
#[derive(Module, Debug)]
pub struct ResBlock<B: Backend> {
    /// From the input upwards; at least one.
    pub convs: Vec<ConvNorm<B>>,
    /// Whether the block's input is added to the last of them.
    pub residual: bool,
    /// The convolution of the shortcut where the channels change.
    pub shortcut: Option<ConvNorm<B>>,
    /// The gate, if there is one.
    pub excitation: Option<SqueezeExcitation<B>>,
    /// Acts between the convolutions.
    pub dropout: Dropout,
}

impl<B: Backend> ResBlock<B> {
    fn new([below, channels]: [usize; 2], config: &ResCnnConfig, device: &B::Device) -> Self {
        let init = config.init;
        let convs = (0..config.convs_per_block).map(|index| {
            let channels_in = if index == 0 { below } else { channels };
            ConvNorm::new([channels_in, channels], WINDOW, init, device)
        });
        let ratio = config.excitation_ratio;
        let excitation = || SqueezeExcitation::new(channels, ratio, init, device);
        Self {
            convs: convs.collect(),
            residual: config.residual,
            shortcut: (config.residual && below != channels)
                .then(|| ConvNorm::new([below, channels], 1, init, device)),
            excitation: config.squeeze_excitation.then(excitation),
            dropout: Dropout::new(config.block_dropout),
        }
    }

    /// `[batch, steps, channels_in]`, zero past `lengths`, to a third of the steps, `[batch, steps,
    /// channels_out]`, zero past the returned lengths.
    fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> (Tensor<B, 3>, Vec<usize>) {
        let around = self.residual.then(|| match &self.shortcut {
            Some(ConvNorm { conv, norm }) => norm.forward(conv.forward(x.clone()), lengths),
            None => x.clone(),
        });
        let (last, inner) = self.convs.split_last().expect("a convolution at least");
        let mut x = x;
        for ConvNorm { conv, norm } in inner {
            x = norm.forward_relu_pool(conv.forward(x), lengths, [1, 1]); // [batch, steps, channels_out]
            x = self.dropout.forward(x);
        }
        let x = last.conv.forward(x); // [batch, steps, channels_out]
        let pooled = pooled_lengths(lengths, WINDOW);
        let excite = |x, lengths: &[usize]| match &self.excitation {
            Some(excitation) => excitation.forward(x, lengths),
            None => x,
        };
        let Some(around) = around else {
            let x = last.norm.forward_relu_pool(x, lengths, [WINDOW, 1]); // [batch, steps / 3, channels_out]
            return (excite(x, &pooled), pooled);
        };
        let x = excite(last.norm.forward(x, lengths), lengths);
        let x = ops::add_relu_max_pool1d(x, around, WINDOW); // [batch, steps / 3, channels_out]
        (ops::zero_padding(x, &pooled), pooled)
    }

    /// [`Self::forward`] in ONNX.
    fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let around = self.residual.then(|| match &self.shortcut {
            Some(ConvNorm { conv, norm }) => {
                let y = x.with(conv.onnx(graph, x.values));
                norm.onnx(graph, y)
            }
            None => x,
        });
        let (last, inner) = self.convs.split_last().expect("a convolution at least");
        let mut x = x;
        for ConvNorm { conv, norm } in inner {
            x = x.with(conv.onnx(graph, x.values));
            x = norm.onnx_relu_pool(graph, x, [1, 1]); // [batch, steps, channels_out]
        }
        let x = x.with(last.conv.onnx(graph, x.values)); // [batch, steps, channels_out]
        let excite = |graph: &mut OnnxGraph, x| match &self.excitation {
            Some(excitation) => excitation.onnx(graph, x),
            None => x,
        };
        let Some(around) = around else {
            let x = last.norm.onnx_relu_pool(graph, x, [WINDOW, 1]); // [batch, steps / 3, channels_out]
            return excite(graph, x);
        };
        let x = last.norm.onnx(graph, x);
        let x = excite(graph, x);
        let sum = graph.add(x.values, around.values);
        let x = x.with(graph.activate(sum, Activation::Relu));
        graph.max_pool(x, [WINDOW, 1]).zeroed(graph) // [batch, steps / 3, channels_out]
    }
}

/// A residual network of convolutions over samples. See the [module](self).
#[derive(Module, Debug)]
pub struct ResCnn<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// The strided convolution.
    pub first: ConvNorm<B>,
    /// The blocks, from the input upwards.
    pub blocks: Vec<ResBlock<B>>,
    /// Blocks whose maxima are the input of the hidden layer.
    pub num_levels: usize,
    /// The fewest samples that leave a step after the last block.
    pub min_frames: usize,
    /// The layer before the last.
    pub hidden: Linear<B>,
    /// Normalises it.
    pub hidden_norm: MaskedBatchNorm<B>,
    /// Acts on the hidden layer's output.
    pub dropout: Dropout,
    /// From the hidden layer to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for ResCnn<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for ResCnn<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, self.min_frames, self.num_bins);
        let ConvNorm { conv, norm } = &self.first;
        let x = conv.forward(ops::zero_padding(features, lengths)); // [batch, frames / 3, first_channels]
        let mut lengths = pooled_lengths(lengths, WINDOW);
        let mut x = norm.forward_relu_pool(x, &lengths, [1, 1]);
        let mut levels = Vec::with_capacity(self.num_levels);
        for (index, block) in self.blocks.iter().enumerate() {
            (x, lengths) = block.forward(x, &lengths); // [batch, steps, channels]
            if index + self.num_levels >= self.blocks.len() {
                levels.push(masked_max(x.clone(), &lengths)); // [batch, channels]
            }
        }
        let x = Tensor::cat(levels, 1); // [batch, d_hidden]
        let x = self.hidden.forward(x.unsqueeze_dim::<3>(1)); // [batch, 1, d_hidden]
        let x = self
            .hidden_norm
            .forward_relu_pool(x, &vec![1; lengths.len()], [1, 1]);
        self.dropout.forward(x.squeeze_dim(1)) // [batch, d_hidden]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let ConvNorm { conv, norm } = &self.first;
        let x = features.zeroed(graph);
        let x = Padded {
            values: conv.onnx(graph, x.values),
            time: x.time.divided(graph, WINDOW),
            ..x
        }; // [batch, frames / 3, first_channels]
        let mut x = norm.onnx_relu_pool(graph, x, [1, 1]);
        let mut levels = Vec::with_capacity(self.num_levels);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.onnx(graph, x); // [batch, steps, channels]
            if index + self.num_levels >= self.blocks.len() {
                levels.push(x.largest(graph)); // [batch, channels]
            }
        }
        let x = graph.concat(&levels, 1); // [batch, d_hidden]
        let x = self.hidden.onnx(graph, x);
        let x = self.hidden_norm.onnx_each(graph, x);
        Ok(graph.activate(x, Activation::Relu)) // [batch, d_hidden]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_the_published_code() {
        let config = ResCnnConfig::default();
        assert_eq!(config.min_frames(), 59_049);
        let linear = |a: usize, b: usize| a * b + b;
        // Norms have two values for each channel.
        let conv = |kernel: usize, a: usize, b: usize| kernel * a * b + 3 * b;
        let block = |a: usize, b: usize| {
            let shortcut = if a == b { 0 } else { conv(1, a, b) };
            let excitation = linear(b, 16 * b) + linear(16 * b, b);
            conv(3, a, b) + conv(3, b, b) + shortcut + excitation
        };
        let blocks = 2 * block(128, 128) + block(128, 256) + 5 * block(256, 256) + block(256, 512);
        let d_hidden = 256 + 256 + 512;
        let head = linear(d_hidden, d_hidden) + 2 * d_hidden + linear(d_hidden, 50);
        let expected = conv(3, 1, 128) + blocks + head;
        assert_eq!(expected, 26_980_146);
        let model = config.init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), expected);
    }

    #[test]
    fn more_levels_than_blocks_are_refused() {
        let config = ResCnnConfig {
            num_levels: 10,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
