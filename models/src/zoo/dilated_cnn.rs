//! A network of gated dilated convolutions, WaveNet's, as a classifier
//! ([van den Oord et al. 2016](https://arxiv.org/abs/1609.03499)).
//!
//! After a 1×1 convolution of each frame come blocks on top of one another, z = tanh(W_f ∗ x) ⊙ σ(W_g ∗
//! x): one 1×1 convolution of z is added to the block's input, another is its skip connection. The
//! dilation doubles from block to block, from 1 up, and starts again with each cycle, so that the
//! receptive field doubles with each block. The sum of all skip connections goes through ReLU, a
//! 1×1 convolution and ReLU again, and its mean over time to the classes.
//!
//! Deviations: frames of features stand in place of samples, and kernels are of three frames, centred,
//! where the paper's have two and read only the past, since the whole recording is known here (the
//! paper's own network for phonemes ends in non-causal convolutions, too). The mean over time is taken
//! before the last layer, which gives the same as after it. The 1×1 convolutions of the input and of
//! the blocks have no bias, and the last block, which nothing follows, has no residual connection.
//! The paper gives no sizes: with the default, the receptive field is 125 frames.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_odd, check_probability, check_size};
use crate::layers::{Dropout, Init, Linear, PointwiseConv1d, assert_input, masked_mean};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation, ConvOptions};
use crate::recipe::classifier;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// The longest cycle: its last dilation is longer than any recording.
const MAX_LAYERS_PER_CYCLE: usize = 20;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "dilated_cnn",
    title: "Dilated convolutional network",
    purpose: Purpose::Classify,
    paper: "van den Oord et al. (2016): WaveNet: a generative model for raw audio",
    paper_url: "https://arxiv.org/abs/1609.03499",
    summary: "Gated convolutions whose dilation doubles from block to block, with residual and skip connections.",
    paper_settings: "",
    recipe: classifier,
    bench: Some(BenchShape {
        batch: 16,
        frames: 100,
        bins: 64,
    }),
};

/// Configuration of [`DilatedCnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct DilatedCnnConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Classes to tell apart.
    pub num_classes: usize,
    /// Channels of the residual connections and of the gated units.
    pub channels: usize,
    /// Channels of the skip connections.
    pub skip_channels: usize,
    /// Taps of the dilated kernels; odd.
    pub kernel_size: usize,
    /// Blocks of a cycle, n: their dilations are 1, 2, … 2ⁿ⁻¹ frames.
    pub num_layers_per_cycle: usize,
    /// Cycles.
    pub num_cycles: usize,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Probability with which a channel of the mean is dropped in training, before the classifier.
    pub dropout: f64,
}

impl Default for DilatedCnnConfig {
    fn default() -> Self {
        Self {
            num_bins: 64,
            num_classes: 10,
            channels: 64,
            skip_channels: 128,
            kernel_size: 3,
            num_layers_per_cycle: 5,
            num_cycles: 2,
            init: Init::Default,
            dropout: 0.2,
        }
    }
}

impl Architecture for DilatedCnnConfig {
    type Network<B: Backend> = DilatedCnn<B>;

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
        check_size("skip_channels", self.skip_channels)?;
        check_odd("kernel_size", self.kernel_size)?;
        let layers = self.num_layers_per_cycle;
        if !(1..=MAX_LAYERS_PER_CYCLE).contains(&layers) {
            let expected = format!("from 1 to {MAX_LAYERS_PER_CYCLE}");
            return Err(ConfigError::field("num_layers_per_cycle", layers, expected));
        }
        check_size("num_cycles", self.num_cycles)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<DilatedCnn<B>, ConfigError> {
        self.check()?;
        let [channels, skip] = [self.channels, self.skip_channels];
        let num_blocks = self.num_cycles * self.num_layers_per_cycle;
        let blocks = (0..num_blocks).map(|index| {
            let dilation = 1 << (index % self.num_layers_per_cycle);
            let is_last = index + 1 == num_blocks;
            GatedBlock::new(
                channels,
                skip,
                self.kernel_size,
                dilation,
                is_last,
                self.init,
                device,
            )
        });
        Ok(DilatedCnn {
            num_bins: self.num_bins,
            input: PointwiseConv1d::new([self.num_bins, channels], self.init, device),
            blocks: blocks.collect(),
            hidden: Linear::with_init(skip, skip, self.init, device),
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(skip, self.num_classes, self.init, device),
        })
    }
}

/// A dilated convolution with a gated unit, and its residual and skip connections.
#[derive(Module, Debug)]
pub struct GatedBlock<B: Backend> {
    /// W_f and W_g side by side, `[kernel, channels, 2·channels]`; PyTorch's `[2·channels, channels,
    /// kernel]` by `permute(2, 1, 0)`.
    pub weight: Param<Tensor<B, 3>>,
    /// `[2·channels]`
    pub bias: Param<Tensor<B, 1>>,
    /// Frames from one tap of the kernel to the next.
    pub dilation: usize,
    /// The residual connection, added to the block's input; none in the last block.
    pub residual: Option<PointwiseConv1d<B>>,
    /// The skip connection.
    pub skip: PointwiseConv1d<B>,
}

impl<B: Backend> GatedBlock<B> {
    fn new(
        channels: usize,
        skip_channels: usize,
        kernel: usize,
        dilation: usize,
        is_last: bool,
        init: Init,
        device: &B::Device,
    ) -> Self {
        // A filter and its gate are two layers to the initialisation, not one of twice the channels.
        let fan = kernel * channels;
        let (weight, bias) = init.of_layer([kernel, channels, 2 * channels], fan, fan, device);
        let pointwise = |channels_out| PointwiseConv1d::new([channels, channels_out], init, device);
        Self {
            weight,
            bias,
            dilation,
            residual: (!is_last).then(|| pointwise(channels)),
            skip: pointwise(skip_channels),
        }
    }

    /// `[batch, frames, channels]`, zero past `lengths`, to the gated units z `[batch, frames,
    /// channels]`, zero past them.
    fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 3> {
        let x = ops::conv1d(x, self.weight.val(), Some(self.bias.val()), self.options()); // [batch, frames, 2·channels]
        ops::gated_unit(x, lengths) // [batch, frames, channels]
    }

    /// [`Self::forward`] in ONNX.
    fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let [_, channels, _] = weight.dims();
        let y = graph.conv1d(x.values, weight, Some(bias), self.options()); // [batch, frames, 2·channels]
        let y = x.with(y).zeroed(graph).values;
        let values = graph.slice(y, 2, 0, channels as i64);
        let values = graph.activate(values, Activation::Tanh);
        let gate = graph.slice(y, 2, channels as i64, i64::MAX);
        let gate = graph.activate(gate, Activation::Sigmoid);
        x.with(graph.mul(values, gate)) // [batch, frames, channels]
    }

    fn options(&self) -> ConvOptions<1> {
        let [kernel, ..] = self.weight.dims();
        ConvOptions {
            padding: [kernel / 2 * self.dilation],
            dilation: [self.dilation],
            ..Default::default()
        }
    }
}

/// A network of gated dilated convolutions over time. See the [module](self).
#[derive(Module, Debug)]
pub struct DilatedCnn<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// From the bins to the channels.
    pub input: PointwiseConv1d<B>,
    /// The blocks, from the input upwards.
    pub blocks: Vec<GatedBlock<B>>,
    /// Between the two ReLUs after the sum of the skip connections.
    pub hidden: Linear<B>,
    /// Acts on the mean over time.
    pub dropout: Dropout,
    /// From the mean over time to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for DilatedCnn<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for DilatedCnn<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let mut x = self.input.forward(ops::zero_padding(features, lengths)); // [batch, frames, channels]
        let mut skips = None;
        for block in &self.blocks {
            let z = block.forward(x.clone(), lengths); // [batch, frames, channels]
            let skip = block.skip.forward(z.clone()); // [batch, frames, skip_channels]
            skips = Some(match skips {
                Some(skips) => skips + skip,
                None => skip,
            });
            if let Some(residual) = &block.residual {
                x = x + residual.forward(z); // [batch, frames, channels]
            }
        }
        let x = ops::activate(skips.expect("a block at least"), Activation::Relu);
        let x = ops::activate(self.hidden.forward(x), Activation::Relu); // [batch, frames, skip_channels]
        self.dropout.forward(masked_mean(x, lengths)) // [batch, skip_channels]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let x = features.zeroed(graph);
        let mut x = x.with(self.input.onnx(graph, x.values)); // [batch, frames, channels]
        let mut skips = None;
        for block in &self.blocks {
            let z = block.onnx(graph, x); // [batch, frames, channels]
            let skip = block.skip.onnx(graph, z.values); // [batch, frames, skip_channels]
            skips = Some(match skips {
                Some(skips) => graph.add(skips, skip),
                None => skip,
            });
            if let Some(residual) = &block.residual {
                let z = residual.onnx(graph, z.values);
                x = x.with(graph.add(x.values, z)); // [batch, frames, channels]
            }
        }
        let skips = skips.expect("a block at least");
        let y = graph.activate(skips, Activation::Relu);
        let y = self.hidden.onnx(graph, y);
        let y = graph.activate(y, Activation::Relu); // [batch, frames, skip_channels]
        Ok(x.with(y).mean(graph)) // [batch, skip_channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn::tensor::TensorData;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_these_parameters() {
        let model = DilatedCnnConfig::default().init::<NdArray>(&Default::default());
        let block = 3 * 64 * 128 + 128 + 64 * 64 + 64 * 128;
        let head = (128 + 1) * 128 + (128 + 1) * 10;
        let expected = 64 * 64 + 10 * block - 64 * 64 + head;
        assert_eq!(expected, 387_722);
        assert_eq!(num_params(&model.expect("valid defaults")), expected);
    }

    #[test]
    fn a_step_depends_on_its_receptive_field_and_on_nothing_else() {
        let config = DilatedCnnConfig {
            num_bins: 1,
            channels: 4,
            num_layers_per_cycle: 3,
            ..Default::default()
        };
        let device = Default::default();
        let model = config
            .init::<NdArray>(&device)
            .expect("a valid configuration");
        // Frames to either side of it: in each cycle 1 + 2 + … + 2ⁿ⁻¹ times half a kernel.
        let dilations = (1 << config.num_layers_per_cycle) - 1;
        let reach = config.num_cycles * dilations * (config.kernel_size - 1) / 2;
        assert_eq!(reach, 14);
        let frames = 2 * reach + 3;
        let middle = |changed: Option<usize>| {
            let values = (0..frames).map(|frame| if changed == Some(frame) { 2.0 } else { 0.5 });
            let values = TensorData::new(values.collect::<Vec<f32>>(), [1, frames, 1]);
            let mut x = model.input.forward(Tensor::from_data(values, &device));
            let mut z = x.clone();
            for block in &model.blocks {
                z = block.forward(x.clone(), &[frames]);
                if let Some(residual) = &block.residual {
                    x = x + residual.forward(z.clone());
                }
            }
            z.narrow(1, reach + 1, 1).into_data()
        };
        let plain = middle(None);
        for (frame, heard) in [
            (0, false),
            (1, true),
            (frames - 2, true),
            (frames - 1, false),
        ] {
            assert_eq!(middle(Some(frame)) != plain, heard, "frame {frame}");
        }
    }

    #[test]
    fn an_even_kernel_and_an_endless_cycle_are_refused() {
        let even = DilatedCnnConfig {
            kernel_size: 2,
            ..Default::default()
        };
        assert!(even.check().is_err());
        let endless = DilatedCnnConfig {
            num_layers_per_cycle: 64,
            ..Default::default()
        };
        assert!(endless.check().is_err());
    }
}
