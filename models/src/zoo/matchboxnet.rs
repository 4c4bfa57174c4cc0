//! MatchboxNet: a small residual network of separable convolutions, for keywords
//! ([Majumdar and Ginsburg 2020](https://arxiv.org/abs/2004.08531)).
//!
//! A separable convolution that halves time leads into B residual blocks of R sub-blocks with C
//! channels each. A sub-block is a separable convolution, batch norm, ReLU and dropout; to the last
//! of a block, the block's input is added after a 1×1 convolution and batch norm, ahead of the ReLU.
//! A wide dilated separable convolution and a 1×1 convolution follow, each with batch norm and
//! ReLU, and the mean over time of one more 1×1 convolution to the classes. The default is the
//! paper's 3×1×64 on 64 cepstra, with 77,214 parameters and 30 classes (the paper says 77 thousand).
//!
//! Deviations: the mean over time is taken before the last convolution, which gives the same; batch
//! norm adds 10⁻⁵ to a variance, where the published configuration adds 10⁻³; and the logits are
//! returned, without the softmax.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_odd, check_probability, check_size};
use crate::layers::{
    Dropout, Init, Linear, MaskedBatchNorm, PointwiseConv1d, SeparableConv1d, assert_input,
    masked_mean,
};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::classifier;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "matchboxnet",
    title: "MatchboxNet",
    purpose: Purpose::Classify,
    paper: "Majumdar and Ginsburg (2020): MatchboxNet: 1D time-channel separable convolutional neural network architecture for speech commands recognition",
    paper_url: "https://arxiv.org/abs/2004.08531",
    summary: "Separable convolutions over time with residual connections, for keywords.",
    paper_settings: "",
    recipe: classifier,
    bench: Some(BenchShape {
        batch: 32,
        frames: 101,
        bins: 64,
    }),
};

/// Configuration of [`Matchboxnet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct MatchboxnetConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Classes to tell apart.
    pub num_classes: usize,
    /// Channels of the residual blocks, C.
    pub channels: usize,
    /// Frames that the kernels of each residual block span, odd; their number is B.
    pub kernel_sizes: Vec<usize>,
    /// Sub-blocks of a residual block, R.
    pub num_sub_blocks: usize,
    /// Channels of the convolutions before and after the residual blocks.
    pub outer_channels: usize,
    /// Frames that the kernel of the first convolution spans; odd.
    pub first_kernel_size: usize,
    /// Frames that become one step in the first convolution.
    pub stride: usize,
    /// Frames that the kernel of the dilated convolution has; odd.
    pub last_kernel_size: usize,
    /// Steps from one of them to the next.
    pub last_dilation: usize,
    /// The nonlinearity of each sub-block.
    pub activation: Activation,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Probability with which a value is dropped in training, at the end of each sub-block.
    pub dropout: f64,
}

impl Default for MatchboxnetConfig {
    fn default() -> Self {
        Self {
            num_bins: 64,
            num_classes: 30,
            channels: 64,
            kernel_sizes: vec![13, 15, 17],
            num_sub_blocks: 1,
            outer_channels: 128,
            first_kernel_size: 11,
            stride: 2,
            last_kernel_size: 29,
            last_dilation: 2,
            activation: Activation::Relu,
            init: Init::Default,
            dropout: 0.0,
        }
    }
}

impl Architecture for MatchboxnetConfig {
    type Network<B: Backend> = Matchboxnet<B>;

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
        check_size("channels", self.channels)?;
        check_channels("kernel_sizes", &self.kernel_sizes)?;
        for &size in &self.kernel_sizes {
            check_odd("kernel_sizes", size)?;
        }
        check_size("num_sub_blocks", self.num_sub_blocks)?;
        check_size("outer_channels", self.outer_channels)?;
        check_odd("first_kernel_size", self.first_kernel_size)?;
        check_size("stride", self.stride)?;
        check_odd("last_kernel_size", self.last_kernel_size)?;
        check_size("last_dilation", self.last_dilation)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Matchboxnet<B>, ConfigError> {
        self.check()?;
        let init = self.init;
        let sub_block = |channels: [usize; 2], kernel, stride, dilation| SubBlock {
            conv: SeparableConv1d::new(channels, kernel, stride, dilation, init, device),
            norm: MaskedBatchNorm::new(channels[1], device),
        };
        let shortcut = |channels: [usize; 2]| Shortcut {
            conv: PointwiseConv1d::new(channels, init, device),
            norm: MaskedBatchNorm::new(channels[1], device),
        };
        let [outer, inner] = [self.outer_channels, self.channels];
        let mut channels_in = outer;
        let mut blocks = Vec::with_capacity(self.kernel_sizes.len());
        for &kernel in &self.kernel_sizes {
            let sub_blocks = (0..self.num_sub_blocks).map(|index| {
                let channels_in = if index == 0 { channels_in } else { inner };
                sub_block([channels_in, inner], kernel, 1, 1)
            });
            blocks.push(ResidualBlock {
                sub_blocks: sub_blocks.collect(),
                shortcut: shortcut([channels_in, inner]),
            });
            channels_in = inner;
        }
        let (first, last) = (self.first_kernel_size, self.last_kernel_size);
        Ok(Matchboxnet {
            num_bins: self.num_bins,
            first: sub_block([self.num_bins, outer], first, self.stride, 1),
            blocks,
            dilated: sub_block([inner, outer], last, 1, self.last_dilation),
            last: shortcut([outer, outer]),
            activation: self.activation,
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(outer, self.num_classes, init, device),
        })
    }
}

/// A separable convolution and its batch norm.
#[derive(Module, Debug)]
pub struct SubBlock<B: Backend> {
    /// The convolution.
    pub conv: SeparableConv1d<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
}

impl<B: Backend> SubBlock<B> {
    /// As [`SeparableConv1d::forward`], but zero past the returned lengths.
    fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> (Tensor<B, 3>, Vec<usize>) {
        let (x, lengths) = self.conv.forward(x, lengths);
        (self.norm.forward(x, &lengths), lengths)
    }

    /// [`Self::forward`] in ONNX.
    fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let x = self.conv.onnx(graph, x);
        self.norm.onnx(graph, x)
    }
}

/// A 1×1 convolution and its batch norm.
#[derive(Module, Debug)]
pub struct Shortcut<B: Backend> {
    /// The convolution.
    pub conv: PointwiseConv1d<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
}

impl<B: Backend> Shortcut<B> {
    /// `[batch, frames, channels_in]` to `[batch, frames, channels_out]`, zero past `lengths`.
    fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 3> {
        self.norm.forward(self.conv.forward(x), lengths)
    }

    /// [`Self::forward`] in ONNX.
    fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let x = x.with(self.conv.onnx(graph, x.values));
        self.norm.onnx(graph, x)
    }
}

/// Sub-blocks around which the input is added to the output.
#[derive(Module, Debug)]
pub struct ResidualBlock<B: Backend> {
    /// From the input upwards; at least one.
    pub sub_blocks: Vec<SubBlock<B>>,
    /// The way around them.
    pub shortcut: Shortcut<B>,
}

/// A network of separable convolutions over time. See the [module](self).
#[derive(Module, Debug)]
pub struct Matchboxnet<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// The convolution that makes steps of the frames.
    pub first: SubBlock<B>,
    /// The residual blocks, from the input upwards.
    pub blocks: Vec<ResidualBlock<B>>,
    /// The dilated convolution.
    pub dilated: SubBlock<B>,
    /// The 1×1 convolution after it.
    pub last: Shortcut<B>,
    /// The nonlinearity of each sub-block.
    pub activation: Activation,
    /// Acts after it.
    pub dropout: Dropout,
    /// From the average over time to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Matchboxnet<B> {
    /// The nonlinearity and dropout that end a sub-block; zero past `lengths`, as its input is.
    fn activate(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 3> {
        let x = ops::zero_padding(ops::activate(x, self.activation), lengths);
        self.dropout.forward(x)
    }

    /// [`Self::activate`] in ONNX.
    fn onnx_activate(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        x.with(graph.activate(x.values, self.activation))
            .zeroed(graph)
    }
}

impl<B: Backend> Network<B> for Matchboxnet<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Matchboxnet<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let (x, lengths) = self.first.forward(x, lengths);
        let mut x = self.activate(x, &lengths); // [batch, steps, outer_channels]
        for block in &self.blocks {
            let around = block.shortcut.forward(x.clone(), &lengths); // [batch, steps, channels]
            for (index, sub_block) in block.sub_blocks.iter().enumerate() {
                (x, _) = sub_block.forward(x, &lengths);
                if index + 1 == block.sub_blocks.len() {
                    x = x + around.clone();
                }
                x = self.activate(x, &lengths); // [batch, steps, channels]
            }
        }
        let (x, _) = self.dilated.forward(x, &lengths);
        let x = self.activate(x, &lengths); // [batch, steps, outer_channels]
        let x = self.activate(self.last.forward(x, &lengths), &lengths); // [batch, steps, outer_channels]
        masked_mean(x, &lengths) // [batch, outer_channels]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let x = features.zeroed(graph);
        let x = self.first.onnx(graph, x);
        let mut x = self.onnx_activate(graph, x); // [batch, steps, outer_channels]
        for block in &self.blocks {
            let around = block.shortcut.onnx(graph, x); // [batch, steps, channels]
            for (index, sub_block) in block.sub_blocks.iter().enumerate() {
                x = sub_block.onnx(graph, x);
                if index + 1 == block.sub_blocks.len() {
                    x = x.with(graph.add(x.values, around.values));
                }
                x = self.onnx_activate(graph, x); // [batch, steps, channels]
            }
        }
        let x = self.dilated.onnx(graph, x);
        let x = self.onnx_activate(graph, x); // [batch, steps, outer_channels]
        let x = self.last.onnx(graph, x);
        let x = self.onnx_activate(graph, x); // [batch, steps, outer_channels]
        Ok(x.mean(graph)) // [batch, outer_channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_the_paper() {
        let model = MatchboxnetConfig::default().init::<NdArray>(&Default::default());
        // First, three blocks, dilated, last, classifier; norms have two values for each channel.
        let separable = |kernel: usize, a: usize, b: usize| kernel * a + a * b + 2 * b;
        let pointwise = |a: usize, b: usize| a * b + 2 * b;
        let expected = separable(11, 64, 128)
            + separable(13, 128, 64)
            + pointwise(128, 64)
            + separable(15, 64, 64)
            + pointwise(64, 64)
            + separable(17, 64, 64)
            + pointwise(64, 64)
            + separable(29, 64, 128)
            + pointwise(128, 128)
            + (128 * 30 + 30);
        assert_eq!(expected, 77_214);
        assert_eq!(num_params(&model.expect("valid defaults")), expected);
    }

    #[test]
    fn an_even_kernel_is_refused() {
        let config = MatchboxnetConfig {
            kernel_sizes: vec![13, 14],
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
