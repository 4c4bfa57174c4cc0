//! musicnn: filters whose shapes follow music
//! ([Pons and Serra 2019](https://arxiv.org/abs/1909.06654); the filters in [Pons et al.
//! 2018](https://arxiv.org/abs/1711.02520)).
//!
//! The front end reads the normalised spectrogram by timbral filters, a few frames by 0.4 or 0.7 of
//! the bins, and temporal filters, many frames by a single bin, and keeps the largest value over
//! the bins. Three dense layers of convolution over seven steps, the upper two with what is below
//! added, follow; front end and all three layers side by side are the input of the back end: their
//! maximum and their mean over time, batch norm, dropout, a layer of 200 and one to the classes.
//! The defaults are those of the paper's MagnaTagATune model, on 96 bins with 50 tags.
//!
//! Deviations: batch norm is ahead of the ReLU, as in the rest of the zoo, not after it (`relu_first`
//! has it as in the published code); the
//! temporal filters span 129, 65 and 33 frames, not 128, 64 and 32, so that they have a middle; any
//! length will do, not only three seconds; and the logits are returned, without the sigmoid. That
//! leaves 787,312 parameters; the paper's model has 153 fewer, its temporal filters being one frame
//! shorter.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_odd, check_probability, check_size};
use crate::layers::{
    ConvBlock1d, Dropout, Init, Linear, MaskedBatchNorm, assert_input, masked_max, masked_mean,
};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation, ConvOptions};
use crate::recipe::classifier;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// Frames that a timbral filter, and a filter of the dense layers, spans.
const SHORT: usize = 7;
/// Dense layers.
const NUM_DENSE: usize = 3;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "musicnn",
    title: "musicnn",
    purpose: Purpose::Tag,
    paper: "Pons and Serra (2019): musicnn: pre-trained convolutional neural networks for music audio tagging",
    paper_url: "https://arxiv.org/abs/1909.06654",
    summary: "Timbral and temporal filters, dense convolutions, and their maxima and means over time.",
    paper_settings: "",
    recipe: classifier,
    bench: Some(BenchShape {
        batch: 4,
        frames: 187,
        bins: 96,
    }),
};

/// Configuration of [`Musicnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct MusicnnConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Classes or tags.
    pub num_classes: usize,
    /// Share of the bins that the timbral filters of each shape span, above 0 and at most 1.
    pub timbral_heights: Vec<f64>,
    /// Timbral filters of each shape.
    pub timbral_channels: usize,
    /// Frames that the temporal filters of each shape span; odd.
    pub temporal_sizes: Vec<usize>,
    /// Temporal filters of each shape.
    pub temporal_channels: usize,
    /// Channels of a dense layer.
    pub dense_channels: usize,
    /// Features of the layer before the last.
    pub d_hidden: usize,
    /// Probability with which a value is dropped in training, before each of the last two layers.
    pub dropout: f64,
    /// Whether the ReLU is ahead of batch norm, as in the published code, rather than after it.
    pub relu_first: bool,
}

impl Default for MusicnnConfig {
    fn default() -> Self {
        Self {
            num_bins: 96,
            num_classes: 50,
            timbral_heights: vec![0.4, 0.7],
            timbral_channels: 204,
            temporal_sizes: vec![129, 65, 33],
            temporal_channels: 51,
            dense_channels: 64,
            d_hidden: 200,
            dropout: 0.5,
            relu_first: false,
        }
    }
}

impl MusicnnConfig {
    /// Channels of the front end.
    fn front_channels(&self) -> usize {
        self.timbral_heights.len() * self.timbral_channels
            + self.temporal_sizes.len() * self.temporal_channels
    }
}

impl Architecture for MusicnnConfig {
    type Network<B: Backend> = Musicnn<B>;

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
        let heights = &self.timbral_heights;
        if heights.is_empty() || heights.iter().any(|&share| !(share > 0.0 && share <= 1.0)) {
            let expected = "a list of shares of the bins, above 0 and at most 1";
            return Err(ConfigError::field("timbral_heights", heights, expected));
        }
        check_size("timbral_channels", self.timbral_channels)?;
        check_channels("temporal_sizes", &self.temporal_sizes)?;
        for &size in &self.temporal_sizes {
            check_odd("temporal_sizes", size)?;
        }
        check_size("temporal_channels", self.temporal_channels)?;
        check_size("dense_channels", self.dense_channels)?;
        check_size("d_hidden", self.d_hidden)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Musicnn<B>, ConfigError> {
        self.check()?;
        let timbral = self.timbral_heights.iter().map(|&share| {
            // Rounded down, as the paper's code does.
            let bins = ((share * self.num_bins as f64) as usize).max(1);
            Filters::new([SHORT, bins], self.timbral_channels, device)
        });
        let temporal = self
            .temporal_sizes
            .iter()
            .map(|&frames| Filters::new([frames, 1], self.temporal_channels, device));
        let front = self.front_channels();
        let dense = (0..NUM_DENSE).map(|index| {
            let channels_in = if index == 0 {
                front
            } else {
                self.dense_channels
            };
            let channels = [channels_in, self.dense_channels];
            ConvBlock1d::new(channels, SHORT, 1, Activation::Relu, Init::Default, device)
        });
        let d_pooled = 2 * (front + NUM_DENSE * self.dense_channels);
        Ok(Musicnn {
            num_bins: self.num_bins,
            norm: MaskedBatchNorm::new(1, device),
            timbral: timbral.collect(),
            temporal: temporal.collect(),
            dense: dense.collect(),
            pooled_norm: MaskedBatchNorm::new(d_pooled, device),
            hidden: Linear::new(d_pooled, self.d_hidden, device),
            hidden_norm: MaskedBatchNorm::new(self.d_hidden, device),
            dropout: Dropout::new(self.dropout),
            relu_first: self.relu_first,
            classifier: Linear::new(self.d_hidden, self.num_classes, device),
        })
    }
}

/// Filters of one shape over the spectrogram: a convolution that keeps the number of frames, batch
/// norm, ReLU, and the largest value over the bins.
#[derive(Module, Debug)]
pub struct Filters<B: Backend> {
    /// `[frames, bins, 1, channels]`; PyTorch's `[channels, 1, frames, bins]` by `permute(2, 3, 1,
    /// 0)`.
    pub weight: Param<Tensor<B, 4>>,
    /// `[channels]`
    pub bias: Param<Tensor<B, 1>>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
}

impl<B: Backend> Filters<B> {
    fn new([frames, bins]: [usize; 2], channels: usize, device: &B::Device) -> Self {
        let (weight, bias) = Init::Default.of_layer(
            [frames, bins, 1, channels],
            frames * bins,
            frames * bins * channels,
            device,
        );
        Self {
            weight,
            bias,
            norm: MaskedBatchNorm::new(channels, device),
        }
    }

    /// `[batch, frames, bins, 1]`, zero past `lengths`, to `[batch, frames, channels]`, zero past
    /// them.
    fn forward(&self, x: Tensor<B, 4>, lengths: &[usize], relu_first: bool) -> Tensor<B, 3> {
        let x = ops::conv2d(x, self.weight.val(), Some(self.bias.val()), self.options()); // [batch, frames, bands, channels]
        let all_bands = [1, x.dims()[2]];
        let x = norm_relu_pool(&self.norm, x, lengths, all_bands, relu_first); // [batch, frames, 1, channels]
        x.squeeze_dim(2)
    }

    /// [`Self::forward`] in ONNX.
    fn onnx(&self, graph: &mut OnnxGraph, x: Padded, relu_first: bool) -> Padded {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let y = graph.conv2d(x.values, weight, Some(bias), self.options()); // [batch, frames, bands, channels]
        let y = onnx_norm_relu(&self.norm, graph, y, relu_first);
        let x = Padded {
            values: graph.largest(y, 2),
            rank: 3,
            ..x
        };
        x.zeroed(graph)
    }

    fn options(&self) -> ConvOptions<2> {
        let [frames, ..] = self.weight.dims();
        ConvOptions {
            padding: [frames / 2, 0],
            ..Default::default()
        }
    }
}

/// Batch norm, ReLU and the largest value of each window; the ReLU ahead of batch norm if it comes first.
fn norm_relu_pool<B: Backend, const D: usize>(
    norm: &MaskedBatchNorm<B>,
    x: Tensor<B, D>,
    lengths: &[usize],
    pool: [usize; 2],
    relu_first: bool,
) -> Tensor<B, D> {
    match relu_first {
        true => norm.forward_pool(ops::activate(x, Activation::Relu), lengths, pool),
        false => norm.forward_relu_pool(x, lengths, pool),
    }
}

/// Batch norm and ReLU of every position of `[…, channels]` in ONNX; the ReLU ahead if it comes first.
fn onnx_norm_relu<B: Backend>(
    norm: &MaskedBatchNorm<B>,
    graph: &mut OnnxGraph,
    x: OnnxValue,
    relu_first: bool,
) -> OnnxValue {
    if relu_first {
        let x = graph.activate(x, Activation::Relu);
        return norm.onnx_each(graph, x);
    }
    let x = norm.onnx_each(graph, x);
    graph.activate(x, Activation::Relu)
}

/// A network of filters shaped for music. See the [module](self).
#[derive(Module, Debug)]
pub struct Musicnn<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Normalises the input, all of it as one channel.
    pub norm: MaskedBatchNorm<B>,
    /// The timbral filters of each shape.
    pub timbral: Vec<Filters<B>>,
    /// The temporal filters of each shape.
    pub temporal: Vec<Filters<B>>,
    /// The dense layers, from the front end upwards.
    pub dense: Vec<ConvBlock1d<B>>,
    /// Normalises the maxima and means over time.
    pub pooled_norm: MaskedBatchNorm<B>,
    /// The layer before the last.
    pub hidden: Linear<B>,
    /// Normalises it.
    pub hidden_norm: MaskedBatchNorm<B>,
    /// Acts before each of the last two layers.
    pub dropout: Dropout,
    /// Whether the ReLU is ahead of batch norm.
    pub relu_first: bool,
    /// From the hidden layer to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for Musicnn<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Musicnn<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let x = self.norm.forward(x.unsqueeze_dim::<4>(3), lengths); // [batch, frames, bins, 1]
        let front = self.timbral.iter().chain(&self.temporal);
        let front = front.map(|filters| filters.forward(x.clone(), lengths, self.relu_first));
        let mut below = Tensor::cat(front.collect(), 2); // [batch, frames, front_channels]

        let mut layers = vec![below.clone()];
        for (index, block) in self.dense.iter().enumerate() {
            let y = block.conv.forward(below.clone()); // [batch, frames, dense_channels]
            let mut y = norm_relu_pool(&block.norm, y, lengths, [1, 1], self.relu_first); // [batch, frames, dense_channels]
            if index > 0 {
                y = y + below;
            }
            layers.push(y.clone());
            below = y;
        }

        let largest = layers.iter().map(|x| masked_max(x.clone(), lengths));
        let mean = layers.iter().map(|x| masked_mean(x.clone(), lengths));
        let x = Tensor::cat(largest.chain(mean).collect(), 1); // [batch, 2·channels]
        let each = vec![1; lengths.len()];
        let x = self.pooled_norm.forward(x.unsqueeze_dim::<3>(1), &each); // [batch, 1, 2·channels]
        let x = self.hidden.forward(self.dropout.forward(x)); // [batch, 1, d_hidden]
        let x = norm_relu_pool(&self.hidden_norm, x, &each, [1, 1], self.relu_first); // [batch, 1, d_hidden]
        self.dropout.forward(x.squeeze_dim(1)) // [batch, d_hidden]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let x = features.zeroed(graph).as_image(graph);
        let x = self.norm.onnx(graph, x); // [batch, frames, bins, 1]
        let front = self.timbral.iter().chain(&self.temporal);
        let front: Vec<Padded> = front
            .map(|filters| filters.onnx(graph, x, self.relu_first))
            .collect();
        let values: Vec<OnnxValue> = front.iter().map(|it| it.values).collect();
        let mut below = front[0].with(graph.concat(&values, 2)); // [batch, frames, front_channels]

        let mut layers = vec![below];
        for (index, block) in self.dense.iter().enumerate() {
            let y = block.conv.onnx(graph, below.values); // [batch, frames, dense_channels]
            let y = onnx_norm_relu(&block.norm, graph, y, self.relu_first);
            let mut y = below.with(y).zeroed(graph);
            if index > 0 {
                y = y.with(graph.add(y.values, below.values));
            }
            layers.push(y);
            below = y;
        }

        let largest: Vec<OnnxValue> = layers.iter().map(|x| x.largest(graph)).collect();
        let mean = layers.iter().map(|x| x.mean(graph));
        let pooled: Vec<OnnxValue> = largest.into_iter().chain(mean).collect();
        let x = graph.concat(&pooled, 1); // [batch, 2·channels]
        let x = self.pooled_norm.onnx_each(graph, x);
        let x = self.hidden.onnx(graph, x); // [batch, d_hidden]
        Ok(onnx_norm_relu(&self.hidden_norm, graph, x, self.relu_first)) // [batch, d_hidden]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_filters_and_parameters_of_the_paper() {
        let model = MusicnnConfig::default().init::<NdArray>(&Default::default());
        let model = model.expect("valid defaults");
        let heights: Vec<usize> = model.timbral.iter().map(|f| f.weight.dims()[1]).collect();
        assert_eq!(heights, [38, 67]);

        let filters = |size: usize, channels: usize| (size + 3) * channels;
        let front = filters(7 * 38, 204)
            + filters(7 * 67, 204)
            + [129, 65, 33].map(|n| filters(n, 51)).iter().sum::<usize>();
        let dense = filters(7 * 561, 64) + 2 * filters(7 * 64, 64);
        let back = 2 * 1506 + (1506 + 3) * 200 + (200 + 1) * 50;
        let expected = 2 + front + dense + back;
        assert_eq!(expected, 787_312);
        assert_eq!(num_params(&model), expected);
    }

    #[test]
    fn a_filter_higher_than_the_spectrogram_is_refused() {
        let config = MusicnnConfig {
            timbral_heights: vec![0.4, 1.1],
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
