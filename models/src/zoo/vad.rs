//! Voice activity detector: whether there is speech, chunk by chunk, as [Silero
//! VAD](https://github.com/snakers4/silero-vad) (2024).
//!
//! A chunk of 512 samples at 16 kHz, with the 64 samples ahead of it and 64 mirrored at its end, becomes four
//! spectra by a convolution with windowed cosines and sines. Four convolutions with ReLU make one step of
//! them, over which an LSTM reads chunk after chunk. A ReLU and one layer follow, for each chunk.
//!
//! For a whole recording the states after the ReLU are averaged ahead of the last layer. Deviations: the
//! cosines and sines are parameters, which training may move; 1e-20 is added to a power before its root is
//! taken; dropout before the last layer.

use std::f64::consts::TAU;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_probability, check_size};
use crate::layers::{
    Cell, Conv1d, Dropout, Init, Linear, RecurrentLayer, assert_bins, assert_input, masked_mean,
};
use crate::onnx::{NotInOnnx, OnnxAttribute, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation, ConvOptions, State};
use crate::recipe::classifier_of_waveforms;
use crate::{
    Architecture, BenchShape, Card, Contract, EmissionStream, LinearHead, Network, Purpose,
};

/// Frames that a kernel of the encoder spans.
const KERNEL: usize = 3;
/// Added to a power, whose root would otherwise have an infinite gradient in silence.
const LEAST_POWER: f64 = 1e-20;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "vad",
    title: "Voice activity detector",
    purpose: Purpose::Tag,
    paper: "Silero team (2024): Silero VAD",
    paper_url: "https://github.com/snakers4/silero-vad",
    summary: "Spectra by a convolution, four more, and an LSTM over chunks of 32 ms.",
    paper_settings: "features.kind = \"waveform\"\nfeatures.sample_rate_hz = 16000\n",
    recipe: classifier_of_waveforms,
    bench: Some(BenchShape {
        batch: 4,
        frames: 16_000,
        bins: 1,
    }),
};

/// Configuration of [`Vad`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct VadConfig {
    /// Values of a frame: 1 for a waveform.
    pub num_bins: usize,
    /// Tags or classes: 1 for speech.
    pub num_classes: usize,
    /// Samples of a chunk.
    pub chunk_samples: usize,
    /// Samples ahead of a chunk that are read with it, and mirrored ones at its end.
    pub context_samples: usize,
    /// Samples of a spectrum; even.
    pub fft_size: usize,
    /// Samples from one spectrum to the next.
    pub hop_samples: usize,
    /// Channels of each convolution.
    pub channels: Vec<usize>,
    /// Spectra, or steps, from one kernel of each convolution to the next.
    pub strides: Vec<usize>,
    /// Features of the state.
    pub d_hidden: usize,
    /// Probability with which a value is dropped in training, before the last layer.
    pub dropout: f64,
}

impl Default for VadConfig {
    fn default() -> Self {
        Self {
            num_bins: 1,
            num_classes: 1,
            chunk_samples: 512,
            context_samples: 64,
            fft_size: 256,
            hop_samples: 128,
            channels: vec![128, 64, 64, 128],
            strides: vec![1, 2, 2, 1],
            d_hidden: 128,
            dropout: 0.0,
        }
    }
}

impl VadConfig {
    /// Spectra of a chunk.
    fn num_spectra(&self) -> usize {
        let samples = self.chunk_samples + 2 * self.context_samples;
        samples.saturating_sub(self.fft_size) / self.hop_samples.max(1) + 1
    }

    /// Steps of a chunk after the convolutions.
    fn num_steps_left(&self) -> usize {
        let strided = |steps: usize, stride: &usize| steps.div_ceil((*stride).max(1));
        self.strides.iter().fold(self.num_spectra(), strided)
    }
}

impl Architecture for VadConfig {
    type Network<B: Backend> = Vad<B>;

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
            ("chunk_samples", self.chunk_samples),
            ("context_samples", self.context_samples),
            ("fft_size", self.fft_size),
            ("hop_samples", self.hop_samples),
            ("d_hidden", self.d_hidden),
        ] {
            check_size(field, value)?;
        }
        if !self.fft_size.is_multiple_of(2) {
            let expected = "even, so that there is a highest frequency";
            return Err(ConfigError::field("fft_size", self.fft_size, expected));
        }
        if self.chunk_samples <= self.context_samples {
            let expected = format!(
                "more than the {} of `context_samples`",
                self.context_samples
            );
            let samples = self.chunk_samples;
            return Err(ConfigError::field("chunk_samples", samples, expected));
        }
        if self.chunk_samples + 2 * self.context_samples < self.fft_size {
            let expected = "at most a chunk and its context on both sides";
            return Err(ConfigError::field("fft_size", self.fft_size, expected));
        }
        check_channels("channels", &self.channels)?;
        if self.strides.len() != self.channels.len() {
            let expected = format!("one for each of the {} convolutions", self.channels.len());
            return Err(ConfigError::field("strides", self.strides.len(), expected));
        }
        for &stride in &self.strides {
            check_size("strides", stride)?;
        }
        check_probability("dropout", self.dropout)
    }

    /// The samples of a chunk.
    fn frames_per_step(&self) -> usize {
        self.chunk_samples
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Vad<B>, ConfigError> {
        self.check()?;
        let mut channels_in = self.fft_size / 2 + 1;
        let mut encoder = Vec::with_capacity(self.channels.len());
        for (&channels, &stride) in self.channels.iter().zip(&self.strides) {
            let conv = Conv1d::new([channels_in, channels], KERNEL, Init::Default, device);
            encoder.push(Conv1d { stride, ..conv });
            channels_in = channels;
        }
        let d_step = self.num_steps_left() * channels_in;
        Ok(Vad {
            num_bins: self.num_bins,
            chunk_samples: self.chunk_samples,
            context_samples: self.context_samples,
            hop_samples: self.hop_samples,
            spectrum: Param::from_tensor(waves(self.fft_size, self.num_bins, device)),
            encoder,
            recurrent: RecurrentLayer::new(Cell::Lstm, d_step, self.d_hidden, false, device),
            dropout: Dropout::new(self.dropout),
            classifier: Linear::new(self.d_hidden, self.num_classes, device),
        })
    }
}

/// Cosines, then negative sines, of each frequency from none to the highest, in a Hann window:
/// `[size, bins, 2·(size / 2 + 1)]`. Several bins are averaged.
fn waves<B: Backend>(size: usize, bins: usize, device: &B::Device) -> Tensor<B, 3> {
    let frequencies = size / 2 + 1;
    let mut values = Vec::with_capacity(size * bins * 2 * frequencies);
    for n in 0..size {
        let window = 0.5 - 0.5 * (TAU * n as f64 / size as f64).cos();
        // The angle of whole turns less, which keeps its digits.
        let angle = |k: usize| TAU * ((k * n) % size) as f64 / size as f64;
        for _ in 0..bins {
            let scale = window / bins as f64;
            let cosines = (0..frequencies).map(|k| (scale * angle(k).cos()) as f32);
            let sines = (0..frequencies).map(|k| (-scale * angle(k).sin()) as f32);
            values.extend(cosines.chain(sines));
        }
    }
    Tensor::from_data(
        TensorData::new(values, [size, bins, 2 * frequencies]),
        device,
    )
}

/// A network over chunks of a waveform. See the [module](self).
#[derive(Module, Debug)]
pub struct Vad<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Samples of a chunk.
    pub chunk_samples: usize,
    /// Samples ahead of a chunk that are read with it.
    pub context_samples: usize,
    /// Samples from one spectrum to the next.
    pub hop_samples: usize,
    /// Windowed cosines and sines, `[fft_size, bins, 2·(fft_size / 2 + 1)]`; PyTorch's `[out, in, kernel]` by
    /// `permute(2, 1, 0)`.
    pub spectrum: Param<Tensor<B, 3>>,
    /// The convolutions.
    pub encoder: Vec<Conv1d<B>>,
    /// The LSTM over chunks.
    pub recurrent: RecurrentLayer<B>,
    /// Acts before the last layer.
    pub dropout: Dropout,
    /// From the state to the tags.
    pub classifier: Linear<B>,
}

impl<B: Backend> Vad<B> {
    /// Chunks `[rows, samples, bins]` behind `context` `[rows, context_samples, bins]`, one row after the other
    /// in each of `batch` recordings, to `[batch, chunks, d_step]`.
    fn encode(&self, chunks: Tensor<B, 3>, context: Tensor<B, 3>, batch: usize) -> Tensor<B, 3> {
        let [rows, samples, _] = chunks.dims();
        let mirrored = samples - 1 - self.context_samples;
        let mirrored = chunks.clone().narrow(1, mirrored, self.context_samples);
        let x = Tensor::cat(vec![context, chunks, mirrored.flip([1])], 1); // [rows, samples + 2·context, bins]
        let options = ConvOptions {
            stride: [self.hop_samples],
            ..Default::default()
        };
        let x = ops::conv1d(x, self.spectrum.val(), None, options); // [rows, spectra, 2·frequencies]
        let frequencies = x.dims()[2] / 2;
        let part = |from| x.clone().narrow(2, from, frequencies);
        let [real, imaginary] = [part(0), part(frequencies)];
        let power = real.clone() * real + imaginary.clone() * imaginary;
        let mut x = (power + LEAST_POWER).sqrt(); // [rows, spectra, frequencies]
        for conv in &self.encoder {
            let (weight, bias) = (conv.weight.val(), conv.bias.val());
            x = ops::conv1d(x, weight, Some(bias), encoder_options(conv)); // [rows, steps, channels]
            x = ops::activate(x, Activation::Relu);
        }
        x.reshape([batch as i64, (rows / batch) as i64, -1]) // [batch, chunks, d_step]
    }

    /// The last layer's input of each chunk in ONNX, `[batch, chunks, d_hidden]`.
    fn onnx_heard(&self, graph: &mut OnnxGraph, features: Padded) -> Padded {
        let sizes @ [size, _] = [self.chunk_samples, self.num_bins];
        let x = features.zeroed(graph);
        let time = x.time.divided_up(graph, size);
        let chunks = graph.rows_of_frames(x.values, time.frames, sizes); // [rows, samples, bins]
        let ahead = graph.pad(x.values, &[0, size as i64, 0, 0, 0, 0]);
        let ahead = graph.rows_of_frames(ahead, time.frames, sizes);
        let from = (size - self.context_samples) as i64;
        let context = graph.slice(ahead, 1, from, i64::MAX);
        let last = size as i64 - 1;
        let mirrored: Vec<i64> = (last - self.context_samples as i64..last).rev().collect();
        let mirrored = graph.integers(&mirrored);
        let axis = [("axis", OnnxAttribute::Int(1))];
        let mirrored = graph.node("Gather", &[chunks, mirrored], &axis);
        let x = graph.concat(&[context, chunks, mirrored], 1); // [rows, samples + 2·context, bins]
        let options = ConvOptions {
            stride: [self.hop_samples],
            ..Default::default()
        };
        let x = graph.conv1d(x, self.spectrum.val(), None, options); // [rows, spectra, 2·frequencies]
        let frequencies = self.spectrum.dims()[2] as i64 / 2;
        let real = graph.slice(x, 2, 0, frequencies);
        let imaginary = graph.slice(x, 2, frequencies, i64::MAX);
        let [real, imaginary] = [real, imaginary].map(|part| graph.mul(part, part));
        let power = graph.add(real, imaginary);
        let least = graph.number(LEAST_POWER);
        let power = graph.add(power, least);
        let mut x = graph.each("Sqrt", power); // [rows, spectra, frequencies]
        for conv in &self.encoder {
            let (weight, bias) = (conv.weight.val(), conv.bias.val());
            x = graph.conv1d(x, weight, Some(bias), encoder_options(conv)); // [rows, steps, channels]
            x = graph.activate(x, Activation::Relu);
        }
        let d_step = self.recurrent.forward.weight_input.dims()[0];
        let values = graph.rows_together(x, time.frames, d_step); // [batch, chunks, d_step]
        let x = Padded {
            values,
            time,
            rank: 3,
        };
        let (states, _) = self.recurrent.onnx(graph, x);
        states.with(graph.activate(states.values, Activation::Relu))
    }

    /// The last layer's input of each chunk from the LSTM's states.
    fn heard(&self, states: Tensor<B, 3>) -> Tensor<B, 3> {
        ops::activate(states, Activation::Relu) // [batch, chunks, d_hidden]
    }
}

/// Zeros on both sides of a chunk, whatever the stride is.
fn encoder_options<B: Backend>(conv: &Conv1d<B>) -> ConvOptions<1> {
    ConvOptions {
        stride: [conv.stride],
        ..ConvOptions::same([KERNEL])
    }
}

impl<B: Backend> Network<B> for Vad<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Vad<B> {
    /// The end of the last chunk is filled with zeros.
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let x = ops::zero_padding(features, lengths); // [batch, samples, bins]
        let ([batch, samples, bins], size) = (x.dims(), self.chunk_samples);
        let device = x.device();
        let zeros = |samples| Tensor::zeros([batch, samples, bins], &device);
        let chunks = samples.div_ceil(size);
        let x = match chunks * size - samples {
            0 => x,
            missing => Tensor::cat(vec![x, zeros(missing)], 1),
        }; // [batch, chunks·size, bins]
        // The chunk ahead of each, which is zeros for the first.
        let ahead = Tensor::cat(vec![zeros(size), x.clone()], 1).narrow(1, 0, chunks * size);
        let rows = [batch * chunks, size, bins];
        let ahead = ahead.reshape(rows);
        let context = ahead.narrow(1, size - self.context_samples, self.context_samples);
        let x = self.encode(x.reshape(rows), context, batch); // [batch, chunks, d_step]
        let lengths: Vec<usize> = lengths.iter().map(|it| it.div_ceil(size)).collect();
        let states = self.recurrent.forward(x, &lengths).outputs; // [batch, chunks, d_hidden]
        self.dropout
            .forward(masked_mean(self.heard(states), &lengths)) // [batch, d_hidden]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        Ok(self.onnx_heard(graph, features).mean(graph)) // [batch, d_hidden]
    }

    fn onnx_steps(&self, graph: &mut OnnxGraph, features: Padded) -> Option<Padded> {
        let heard = self.onnx_heard(graph, features);
        Some(heard.with(self.classifier.onnx(graph, heard.values))) // [batch, chunks, classes]
    }

    /// A step is a chunk.
    fn stream(&self) -> Option<Box<dyn EmissionStream<B>>> {
        Some(Box::new(VadStream {
            model: self.clone(),
            context: None,
            rest: None,
            state: None,
        }))
    }
}

/// [`Vad`] over one recording that arrives in stretches, on a backend without autodiff. Its logits do not
/// depend on how the recording is cut.
#[derive(Debug, Clone)]
pub struct VadStream<B: Backend> {
    model: Vad<B>,
    /// The end of the last chunk, `[1, context_samples, bins]`.
    context: Option<Tensor<B, 3>>,
    /// Samples that make no chunk yet, `[1, samples, bins]`.
    rest: Option<Tensor<B, 3>>,
    state: Option<State<B>>,
}

impl<B: Backend> VadStream<B> {
    /// The logits `[1, chunks, tags]` of whole chunks.
    fn advance(&mut self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let model = &self.model;
        let ([_, samples, bins], size) = (x.dims(), model.chunk_samples);
        let context_samples = model.context_samples;
        let before = self.context.take();
        let before =
            before.unwrap_or_else(|| Tensor::zeros([1, context_samples, bins], &x.device()));
        let chunks = samples / size;
        let rows = x.clone().reshape([chunks, size, bins]);
        let ends = rows
            .clone()
            .narrow(1, size - context_samples, context_samples);
        self.context = Some(ends.clone().narrow(0, chunks - 1, 1));
        let context = match chunks {
            1 => before,
            _ => Tensor::cat(vec![before, ends.narrow(0, 0, chunks - 1)], 0),
        };
        let x = model.encode(rows, context, 1); // [1, chunks, d_step]
        let (states, last) = model.recurrent.forward_stretch(x, self.state.take());
        self.state = Some(last);
        model.classifier.forward(model.heard(states)) // [1, chunks, tags]
    }
}

impl<B: Backend> EmissionStream<B> for VadStream<B> {
    fn push(&mut self, features: Tensor<B, 3>) -> Option<Tensor<B, 3>> {
        let [rows, frames, bins] = features.dims();
        assert!(
            rows == 1 && frames > 0,
            "a stretch of one recording has 1 row and frames, not {rows} rows of {frames} frames"
        );
        assert_bins(bins, self.model.num_bins);
        let x = match self.rest.take() {
            Some(rest) => Tensor::cat(vec![rest, features], 1),
            None => features,
        };
        let samples = x.dims()[1];
        let whole = samples - samples % self.model.chunk_samples;
        if whole < samples {
            self.rest = Some(x.clone().narrow(1, whole, samples - whole));
        }
        (whole > 0).then(|| self.advance(x.narrow(1, 0, whole)))
    }

    fn finish(mut self: Box<Self>) -> Option<Tensor<B, 3>> {
        let rest = self.rest.take()?;
        let [_, samples, bins] = rest.dims();
        let missing = self.model.chunk_samples - samples;
        let zeros = Tensor::zeros([1, missing, bins], &rest.device());
        Some(self.advance(Tensor::cat(vec![rest, zeros], 1)))
    }

    fn look_ahead_frames(&self) -> usize {
        self.model.chunk_samples - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Tolerance};
    use burn_ndarray::NdArray;

    use crate::num_params;

    #[test]
    fn defaults_have_the_parameters_of_silero_vad() {
        let model = VadConfig::default().init::<NdArray>(&Default::default());
        let spectrum = 258 * 256;
        let convs = [(129, 128), (128, 64), (64, 64), (64, 128)];
        let convs: usize = convs.iter().map(|(a, b)| 3 * a * b + b).sum();
        let expected = spectrum + convs + 512 * (128 + 128 + 2) + 129;
        assert_eq!(num_params(&model.expect("valid defaults")), expected);
    }

    #[test]
    fn a_spectrum_longer_than_a_chunk_is_refused() {
        let config = VadConfig {
            fft_size: 1024,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }

    /// The mean of the chunks' logits is the whole recording's, whose last layer is linear.
    #[test]
    fn a_stream_has_the_logits_of_the_whole_recording_however_it_is_cut() {
        let device = Default::default();
        let model = VadConfig::default().init::<NdArray>(&device);
        let model = model.expect("valid defaults");
        let noise = Distribution::Normal(0.0, 0.1);
        let x = Tensor::<NdArray, 3>::random([1, 3000, 1], noise, &device);
        let whole = crate::Classifier::forward(&model, x.clone(), &[3000]);
        for cut in [3000, 700, 512, 33] {
            let mut stream = model.stream().expect("a stream");
            let mut found = Vec::new();
            for start in (0..3000).step_by(cut) {
                let stretch = x.clone().narrow(1, start, cut.min(3000 - start));
                found.extend(stream.push(stretch));
            }
            found.extend(stream.finish());
            let found = Tensor::cat(found, 1);
            assert_eq!(found.dims(), [1, 6, 1]);
            let mean = found.mean_dim(1).reshape([1, 1]).into_data();
            mean.assert_approx_eq::<f32>(&whole.clone().into_data(), Tolerance::absolute(1e-5));
        }
    }
}
