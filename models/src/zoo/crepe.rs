//! CREPE: a pitch estimator of raw waveforms ([Kim et al. 2018](https://arxiv.org/abs/1802.06182)).
//!
//! The network reads 1024 samples at 16 kHz, less their mean and divided by their deviation. Six times a
//! convolution, ReLU, batch norm and max pooling by two shorten them to 4 steps, all of which lead through one
//! layer to 360 scores, one for each pitch of a scale of 20 cents.
//!
//! Deviations: a longer input is cut into windows of 1024 samples side by side, whose embeddings are
//! averaged, and what is left at its end is not read; a shorter one ends with zeros. The logits are returned,
//! without the sigmoid. A waveform of several channels has them as bins.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_probability, check_size};
use crate::layers::{Conv1d, Dropout, Init, Linear, MaskedBatchNorm, assert_input};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded, Time};
use crate::ops::{self, Activation, ConvOptions};
use crate::recipe::classifier_of_waveforms;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose};

/// Steps that a pooling makes one of.
const POOL: usize = 2;
/// The least deviation that a window is divided by.
const LEAST_DEVIATION: f64 = 1e-10;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "crepe",
    title: "CREPE",
    purpose: Purpose::Classify,
    paper: "Kim et al. (2018): CREPE: a convolutional representation for pitch estimation",
    paper_url: "https://arxiv.org/abs/1802.06182",
    summary: "Long convolutions on 64 ms of the waveform, to a score for each of 360 pitches.",
    paper_settings: "features.kind = \"waveform\"\nfeatures.sample_rate_hz = 16000\n",
    recipe: classifier_of_waveforms,
    bench: Some(BenchShape {
        batch: 2,
        frames: 1024,
        bins: 1,
    }),
};

/// Configuration of [`Crepe`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct CrepeConfig {
    /// Values of a frame: 1 for a waveform.
    pub num_bins: usize,
    /// Pitches, or other classes.
    pub num_classes: usize,
    /// Samples that are read at once.
    pub window_samples: usize,
    /// Channels of each convolution.
    pub channels: Vec<usize>,
    /// Samples that a kernel of the first convolution spans.
    pub first_kernel_size: usize,
    /// Samples from one kernel of the first convolution to the next.
    pub first_stride: usize,
    /// Steps that a kernel of the others spans.
    pub kernel_size: usize,
    /// Probability with which a value is dropped in training, after each pooling.
    pub dropout: f64,
}

impl Default for CrepeConfig {
    fn default() -> Self {
        Self {
            num_bins: 1,
            num_classes: 360,
            window_samples: 1024,
            channels: vec![1024, 128, 128, 128, 256, 512],
            first_kernel_size: 512,
            first_stride: 4,
            kernel_size: 64,
            dropout: 0.25,
        }
    }
}

impl CrepeConfig {
    /// Steps of a window that are left after the last pooling.
    fn num_steps_left(&self) -> usize {
        let first = self.window_samples / self.first_stride.max(1);
        let poolings = u32::try_from(self.channels.len()).unwrap_or(u32::MAX);
        first / POOL.saturating_pow(poolings)
    }
}

impl Architecture for CrepeConfig {
    type Network<B: Backend> = Crepe<B>;

    fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        burn::module::AutodiffModule::valid(network)
    }

    fn card(&self) -> &'static Card {
        &CARD
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
        for (field, value) in [
            ("num_bins", self.num_bins),
            ("num_classes", self.num_classes),
            ("window_samples", self.window_samples),
            ("first_kernel_size", self.first_kernel_size),
            ("first_stride", self.first_stride),
            ("kernel_size", self.kernel_size),
        ] {
            check_size(field, value)?;
        }
        check_channels("channels", &self.channels)?;
        if self.first_kernel_size < self.first_stride {
            let expected = format!(
                "at least the {} of `first_stride`, so that every sample is read",
                self.first_stride
            );
            let size = self.first_kernel_size;
            return Err(ConfigError::field("first_kernel_size", size, expected));
        }
        if self.num_steps_left() == 0 {
            let expected = format!(
                "so many that a stride of {} and {} poolings by two leave a step",
                self.first_stride,
                self.channels.len()
            );
            let samples = self.window_samples;
            return Err(ConfigError::field("window_samples", samples, expected));
        }
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Crepe<B>, ConfigError> {
        self.check()?;
        let (mut kernel, mut stride) = (self.first_kernel_size, self.first_stride);
        let mut channels_in = self.num_bins;
        let mut layers = Vec::with_capacity(self.channels.len());
        for &channels in &self.channels {
            layers.push(CrepeLayer::new(
                [channels_in, channels],
                kernel,
                stride,
                device,
            ));
            (channels_in, kernel, stride) = (channels, self.kernel_size, 1);
        }
        let d_embedding = self.num_steps_left() * channels_in;
        Ok(Crepe {
            num_bins: self.num_bins,
            window_samples: self.window_samples,
            layers,
            dropout: Dropout::new(self.dropout),
            classifier: Linear::new(d_embedding, self.num_classes, device),
        })
    }
}

/// Convolution, ReLU, batch norm and max pooling by two.
#[derive(Module, Debug)]
pub struct CrepeLayer<B: Backend> {
    /// The convolution, whose kernels may be even.
    pub conv: Conv1d<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
}

impl<B: Backend> CrepeLayer<B> {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &B::Device) -> Self {
        let conv = Conv1d::side_by_side(channels, kernel, Init::Default, device);
        Self {
            conv: Conv1d { stride, ..conv },
            norm: MaskedBatchNorm::new(channels[1], device),
        }
    }

    /// `[windows, steps, channels_in]` to `[windows, steps / stride / 2, channels_out]`.
    fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [windows, _, channels] = x.dims();
        let stride = self.conv.stride;
        let [before, behind] = self
            .zeros()
            .map(|it| Tensor::zeros([windows, it, channels], &x.device()));
        let padded = [before, x, behind].into_iter().filter(|x| x.dims()[1] > 0);
        let x = Tensor::cat(padded.collect(), 1); // [windows, zeros + steps, channels_in]
        let options = ConvOptions {
            stride: [stride],
            ..Default::default()
        };
        let (weight, bias) = (self.conv.weight.val(), self.conv.bias.val());
        let x = ops::conv1d(x, weight, Some(bias), options); // [windows, steps / stride, channels_out]
        let x = ops::activate(x, Activation::Relu);
        let lengths = vec![x.dims()[1]; windows];
        self.norm.forward_pool(x, &lengths, [POOL, 1]) // [windows, steps / stride / 2, channels_out]
    }

    /// Zeros ahead of a window and behind it, so many that a stride of 1 keeps the steps; the odd one stands behind.
    fn zeros(&self) -> [usize; 2] {
        let [kernel, ..] = self.conv.weight.dims();
        let zeros = kernel - self.conv.stride;
        [zeros / 2, zeros.div_ceil(2)]
    }

    /// [`Self::forward`] in ONNX.
    fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let [before, behind] = self.zeros().map(|zeros| zeros as i64);
        let padded = graph.pad(x.values, &[0, before, 0, 0, behind, 0]);
        let options = ConvOptions {
            stride: [self.conv.stride],
            ..Default::default()
        };
        let (weight, bias) = (self.conv.weight.val(), self.conv.bias.val());
        let y = graph.conv1d(padded, weight, Some(bias), options);
        let y = graph.activate(y, Activation::Relu);
        let y = x.with(self.norm.onnx_each(graph, y));
        graph.max_pool(y, [POOL, 1]) // [windows, steps / stride / 2, channels_out]
    }
}

/// A network of convolutions over windows of samples. See the [module](self).
#[derive(Module, Debug)]
pub struct Crepe<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Samples that are read at once.
    pub window_samples: usize,
    /// The convolutions with what follows each.
    pub layers: Vec<CrepeLayer<B>>,
    /// Acts after each of them.
    pub dropout: Dropout,
    /// From the steps and channels that are left to the pitches.
    pub classifier: Linear<B>,
}

impl<B: Backend> Crepe<B> {
    /// The windows of all rows, `[windows, window_samples, bins]`, and the share that each has in the
    /// embedding of its row, `[batch, windows]`.
    fn windows(&self, x: Tensor<B, 3>, lengths: &[usize]) -> (Tensor<B, 3>, Tensor<B, 2>) {
        let size = self.window_samples;
        let [batch, samples, bins] = x.dims();
        let per_row = (samples / size).max(1);
        let device = x.device();
        let x = match (per_row * size).checked_sub(samples) {
            Some(0) => x,
            Some(missing) => {
                let zeros = Tensor::zeros([batch, missing, bins], &device);
                Tensor::cat(vec![x, zeros], 1)
            }
            None => x.narrow(1, 0, per_row * size),
        };
        let x = x.reshape([batch * per_row, size, bins]);
        let (mut kept, mut shares) = (Vec::new(), Vec::new());
        let counts: Vec<usize> = lengths.iter().map(|it| (it / size).max(1)).collect();
        let total = counts.iter().sum();
        for (row, &count) in counts.iter().enumerate() {
            let first = kept.len();
            kept.extend((0..count).map(|window| (row * per_row + window) as i64));
            let share = |window| match (first..first + count).contains(&window) {
                true => 1.0 / count as f32,
                false => 0.0,
            };
            shares.extend((0..total).map(share));
        }
        let kept = Tensor::<B, 1, Int>::from_data(TensorData::new(kept, [total]), &device);
        let shares = Tensor::from_data(TensorData::new(shares, [batch, total]), &device);
        (x.select(0, kept), shares)
    }
}

/// Windows less their mean, divided by their deviation.
fn normalised<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    let [windows, samples, bins] = x.dims();
    let x = x.reshape([windows, samples * bins]);
    let x = x.clone() - x.mean_dim(1);
    let freedom = (samples * bins).saturating_sub(1).max(1) as f64;
    let variance = (x.clone() * x.clone()).sum_dim(1) / freedom;
    // The root of zero has no gradient.
    let least = LEAST_DEVIATION * LEAST_DEVIATION;
    let deviation = variance.clamp_min(least).sqrt();
    (x / deviation).reshape([windows, samples, bins])
}

/// [`normalised`] in ONNX.
fn onnx_normalised(graph: &mut OnnxGraph, x: OnnxValue, [samples, bins]: [usize; 2]) -> OnnxValue {
    let x = graph.reshape(x, &[0, -1]); // [windows, samples·bins]
    let mean = graph.mean(x, 1);
    let mean = graph.unsqueeze(mean, &[1]);
    let x = graph.sub(x, mean);
    let squares = graph.mul(x, x);
    let squares = graph.sum(squares, 1);
    let squares = graph.unsqueeze(squares, &[1]); // [windows, 1]
    let freedom = graph.number((samples * bins).saturating_sub(1).max(1) as f64);
    let variance = graph.div(squares, freedom);
    let least = graph.number(LEAST_DEVIATION * LEAST_DEVIATION);
    let variance = graph.max(variance, least);
    let deviation = graph.each("Sqrt", variance);
    let x = graph.div(x, deviation);
    graph.reshape(x, &[0, samples as i64, bins as i64])
}

impl<B: Backend> Network<B> for Crepe<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Crepe<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let x = ops::zero_padding(features, lengths); // [batch, samples, bins]
        let (x, shares) = self.windows(x, lengths); // [windows, window_samples, bins], [batch, windows]
        let mut x = normalised(x);
        for layer in &self.layers {
            x = self.dropout.forward(layer.forward(x)); // [windows, steps, channels]
        }
        shares.matmul(x.flatten(1, 2)) // [batch, steps·channels]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let zeroed = features.zeroed(graph);
        // A recording shorter than a window is one.
        let [size, one] = [self.window_samples as i64, 1].map(|it| graph.integer(it));
        let windows = |graph: &mut OnnxGraph, samples| {
            let windows = graph.div(samples, size);
            graph.max(windows, one)
        };
        let time = Time {
            lengths: windows(graph, features.time.lengths),
            frames: windows(graph, features.time.frames),
        };
        let sizes = [self.window_samples, self.num_bins];
        let x = graph.rows_of_frames(zeroed.values, time.frames, sizes);
        let x = onnx_normalised(graph, x, sizes);
        let mut x = Padded {
            values: x,
            ..features
        };
        for layer in &self.layers {
            x = layer.onnx(graph, x); // [windows, steps, channels]
        }
        let d_embedding = self.classifier.weight.dims()[0];
        let values = graph.rows_together(x.values, time.frames, d_embedding);
        let x = Padded {
            values,
            time,
            rank: 3,
        };
        Ok(x.mean(graph)) // [batch, steps·channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_the_paper() {
        let model = CrepeConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 22_239_976);
    }

    #[test]
    fn a_window_that_the_poolings_leave_nothing_of_is_refused() {
        let config = CrepeConfig {
            window_samples: 255,
            ..Default::default()
        };
        let message = config.check().expect_err("a short window").to_string();
        assert!(message.contains("`window_samples` is 255"), "{message}");
    }

    #[test]
    fn a_window_of_silence_has_finite_scores() {
        let device = Default::default();
        let config = CrepeConfig {
            channels: vec![4; 6],
            ..Default::default()
        };
        let model = config.init::<NdArray>(&device).expect("valid");
        let x = Tensor::zeros([1, 1024, 1], &device);
        let logits = crate::Classifier::forward(&model, x, &[1024]);
        assert!(logits.into_data().iter::<f32>().all(f32::is_finite));
    }
}
