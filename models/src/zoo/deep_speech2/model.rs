//! The model and its configuration.

use burn::module::Module;
use burn::tensor::backend::Backend;
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_probability, check_size, check_sizes};
use crate::layers::{
    Cell, ConvLayer, ConvStack, Dropout, Init, Linear, Lookahead, MaskedBatchNorm, PointwiseConv1d,
    RecurrentLayer,
};
use crate::recipe::{FEW, Facts, recogniser_within};
use crate::{Architecture, BenchShape, Card, Contract, Network, Purpose, Role};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "deep_speech2",
    title: "Deep Speech 2",
    purpose: Purpose::Transcribe,
    paper: "Amodei et al. (2016): Deep Speech 2: end-to-end speech recognition in English and Mandarin",
    paper_url: "https://arxiv.org/abs/1512.02595",
    summary: "Convolutions over a spectrogram and recurrent layers that say a symbol or a blank at each step, by CTC.",
    paper_settings: r#"
features.kind = "log1p-spectrogram"
features.window_ms = 20.0
features.normalize = "utterance"
train.sort_first_epoch = true
"#,
    recipe,
    bench: Some(BenchShape {
        batch: 8,
        frames: 400,
        bins: 161,
    }),
};

/// Mel bands in place of the paper's spectrogram, for a quarter of the work.
const MEL: &str = r#"
features.kind = "log-mel"
features.window_ms = 25.0
"#;

/// A network that trains in minutes on two processor cores, smaller than the paper's. Many small kernels know a word
/// better by an unheard speaker than few large ones.
const SMALL: &str = "
model.channels = [32, 32]
model.kernels = [[3, 3], [3, 3]]
model.d_hidden = 128
model.dropout = 0.2
train.learning_rate = 0.002
";

/// One for a few recordings, with kernels that reach over a quarter of the bands, as the paper's do. It says nothing
/// first, and symbols when they pay: otherwise it may never use the blank, and fill silence with the symbols beside it.
const SMALLEST: &str = "
train.blank_offset = 5.0
model.channels = [8, 8]
model.kernels = [[11, 11], [11, 7]]
model.d_hidden = 64
model.num_layers = 2
model.recurrent_norm = false
model.dropout = 0.2
train.learning_rate = 0.002
";

/// The settings for messages in Morse code.
const MORSE: &str = r#"
# Messages in Morse code are varied already, and a tone is on or off: a few wide bands where it can
# lie, and steps of about a dot.
[features]
kind = "log-mel"
normalize = "corpus"
num_mels = 6
min_hz = 300.0
max_hz = 1100.0
window_ms = 32.0
hop_ms = 20.0
fft_size = 512

# Small batches of uneven lengths, normalised between layers, keep it from finding the first letters.
[model]
channels = [16]
kernels = [[5, 5]]
strides = [[2, 2]]
d_hidden = 128
num_layers = 2
recurrent_norm = false
dropout = 0.0

[train]
epochs = 12
batch_size = 8
learning_rate = 0.003
ema_decay = 0.998
sort_first_epoch = true
"#;

/// Settings for messages in Morse code, or for recordings.
fn recipe(facts: &Facts) -> String {
    // More epochs on few recordings only teach the order of the words there.
    let (network, most_epochs) = match facts.num_recordings {
        ..FEW => (SMALLEST, 80.0),
        _ => (SMALL, 250.0),
    };
    match facts.synthesised.as_deref() {
        Some("morse") => MORSE.to_string(),
        _ => recogniser_within(facts, most_epochs) + MEL + network,
    }
}

/// Configuration of [`DeepSpeech2`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct DeepSpeech2Config {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Outputs of a step: the symbols of transcripts and the blank, which is symbol 0.
    pub num_symbols: usize,
    /// Channels of each convolution, from the input upwards.
    pub channels: Vec<usize>,
    /// Frames and bins that the kernel of each convolution spans; odd.
    pub kernels: Vec<[usize; 2]>,
    /// Frames and bins from one window of each convolution to the next.
    pub strides: Vec<[usize; 2]>,
    /// Upper bound of the activations of convolutions and fully-connected layers.
    pub clip: f64,
    /// The cell of the recurrent layers.
    pub cell: Cell,
    /// Features of the state of one direction.
    pub d_hidden: usize,
    /// Recurrent layers on top of one another.
    pub num_layers: usize,
    /// Whether each recurrent layer also reads backward in time; the directions are added.
    pub bidirectional: bool,
    /// Whether the output of each recurrent layer is normalised.
    pub recurrent_norm: bool,
    /// Steps that a convolution above the recurrent layers reads ahead; 0 is none. Only where those
    /// read forward alone.
    pub lookahead: usize,
    /// Features of each fully-connected layer below the output, from the input upwards.
    pub d_fully_connected: Vec<usize>,
    /// Probability with which an output of a recurrent layer is dropped in training.
    pub dropout: f64,
}

impl Default for DeepSpeech2Config {
    fn default() -> Self {
        Self {
            num_bins: 161,
            num_symbols: 29,
            channels: vec![32, 32],
            kernels: vec![[11, 41], [11, 21]],
            strides: vec![[2, 2], [1, 2]],
            clip: 20.0,
            cell: Cell::Gru,
            d_hidden: 512,
            num_layers: 3,
            bidirectional: true,
            recurrent_norm: true,
            lookahead: 0,
            d_fully_connected: Vec::new(),
            dropout: 0.0,
        }
    }
}

impl DeepSpeech2Config {
    pub(crate) fn convolutions(&self) -> ConvStack<'_> {
        ConvStack {
            channels: &self.channels,
            kernels: &self.kernels,
            strides: &self.strides,
        }
    }

    /// Frames past the first frame of a step that the step depends on, if the recurrent layers read
    /// forward only: half of each kernel, and the lookahead. Times the distance between two frames it
    /// is the latency of a transcript.
    pub fn look_ahead_frames(&self) -> usize {
        self.convolutions().look_ahead_frames(self.lookahead)
    }
}

impl Architecture for DeepSpeech2Config {
    type Network<B: Backend> = DeepSpeech2<B>;

    fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        burn::module::AutodiffModule::valid(network)
    }

    fn card(&self) -> &'static Card {
        &CARD
    }

    fn role(&self) -> Role {
        Role::Emitter
    }

    fn with_input(self, _num_frames: usize, num_bins: usize, num_outputs: usize) -> Self {
        Self {
            num_bins,
            num_symbols: num_outputs,
            ..self
        }
    }

    fn num_outputs(&self) -> usize {
        self.num_symbols
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_size("num_bins", self.num_bins)?;
        check_size("num_symbols", self.num_symbols)?;
        if self.num_symbols < 2 {
            let expected = "at least 2, a symbol beside the blank";
            return Err(ConfigError::field(
                "num_symbols",
                self.num_symbols,
                expected,
            ));
        }
        check_channels("channels", &self.channels)?;
        self.convolutions().check()?;
        if !(self.clip > 0.0 && self.clip.is_finite()) {
            return Err(ConfigError::field("clip", self.clip, "above 0 and finite"));
        }
        check_size("d_hidden", self.d_hidden)?;
        check_size("num_layers", self.num_layers)?;
        if self.lookahead > 0 {
            if self.bidirectional {
                let expected = "0 where the recurrent layers read backward too";
                return Err(ConfigError::field("lookahead", self.lookahead, expected));
            }
            check_size("lookahead", self.lookahead)?;
        }
        check_sizes("d_fully_connected", &self.d_fully_connected)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<DeepSpeech2<B>, ConfigError> {
        self.check()?;
        let (convs, mut features) = self.convolutions().init(self.num_bins, device);
        let mut recurrent = Vec::with_capacity(self.num_layers);
        for _ in 0..self.num_layers {
            let (cell, d_hidden) = (self.cell, self.d_hidden);
            recurrent.push(RecurrentBlock {
                layer: RecurrentLayer::new(cell, features, d_hidden, self.bidirectional, device),
                norm: self
                    .recurrent_norm
                    .then(|| MaskedBatchNorm::new(d_hidden, device)),
            });
            features = d_hidden;
        }
        let mut fully_connected = Vec::with_capacity(self.d_fully_connected.len());
        for &d_output in &self.d_fully_connected {
            fully_connected.push(FullyConnected {
                linear: Linear::new(features, d_output, device),
                norm: MaskedBatchNorm::new(d_output, device),
            });
            features = d_output;
        }
        Ok(DeepSpeech2 {
            num_bins: self.num_bins,
            convs,
            recurrent,
            dropout: Dropout::new(self.dropout),
            lookahead: (self.lookahead > 0)
                .then(|| Lookahead::new(self.d_hidden, self.lookahead, device)),
            fully_connected,
            output: PointwiseConv1d::new([features, self.num_symbols], Init::Default, device),
            clip: self.clip,
        })
    }

    /// The fewest frames that leave a step: one, as the convolutions pad.
    fn min_frames(&self) -> usize {
        1
    }

    /// Steps that so many valid frames become.
    fn num_steps(&self, frames: usize) -> usize {
        self.convolutions().num_steps(frames)
    }

    fn frames_per_step(&self) -> usize {
        self.convolutions().frames_per_step()
    }
}

/// A recurrent layer whose directions are added, and batch norm.
#[derive(Module, Debug)]
pub struct RecurrentBlock<B: Backend> {
    /// The recurrent layer.
    pub layer: RecurrentLayer<B>,
    /// The normalisation of the sum.
    pub norm: Option<MaskedBatchNorm<B>>,
}

/// A map of each step, batch norm and clipped ReLU.
#[derive(Module, Debug)]
pub struct FullyConnected<B: Backend> {
    /// The map.
    pub linear: Linear<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
}

/// Deep Speech 2. See the [module](crate::deep_speech2).
#[derive(Module, Debug)]
pub struct DeepSpeech2<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// From the input upwards.
    pub convs: Vec<ConvLayer<B>>,
    /// From the input upwards.
    pub recurrent: Vec<RecurrentBlock<B>>,
    /// Acts on the output of each recurrent layer.
    pub dropout: Dropout,
    /// Above the recurrent layers, where those read forward alone.
    pub lookahead: Option<Lookahead<B>>,
    /// From the input upwards.
    pub fully_connected: Vec<FullyConnected<B>>,
    /// To the symbols; without bias.
    pub output: PointwiseConv1d<B>,
    /// Upper bound of the activations.
    pub clip: f64,
}

impl<B: Backend> Network<B> for DeepSpeech2<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Emitter(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Emitter, num_params};
    use burn::tensor::Tensor;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = DeepSpeech2Config::default().init::<NdArray>(&Default::default());
        let norm = |channels: usize| 2 * channels;
        let conv = |taps: usize, a: usize, b: usize| taps * a * b + b + norm(b);
        let convs = conv(11 * 41, 1, 32) + conv(11 * 21, 32, 32);
        // 161 bins become 81 and 41 bands. A GRU has three gates and two biases for each.
        let gru = |input: usize| 2 * 3 * 512 * (input + 512 + 2) + norm(512);
        let expected = convs + gru(41 * 32) + 2 * gru(512) + 512 * 29;
        assert_eq!(expected, 12_182_304);
        assert_eq!(num_params(&model.expect("valid defaults")), expected);
    }

    #[test]
    fn a_step_is_left_of_a_single_frame_and_lengths_follow_every_stride() {
        let config = DeepSpeech2Config {
            num_bins: 5,
            strides: vec![[3, 2], [2, 1]],
            d_hidden: 4,
            ..Default::default()
        };
        let device = Default::default();
        let model = config
            .init::<NdArray>(&device)
            .expect("a valid configuration");
        let features = Tensor::zeros([4, 13, 5], &device);
        let emissions = model.emit(features, &[13, 12, 7, 1]);
        assert_eq!(emissions.logits.dims(), [4, 3, 29]);
        assert_eq!(emissions.lengths, [3, 2, 2, 1]);
        assert_eq!(
            [13, 12, 7, 1].map(|frames| config.num_steps(frames)),
            [3, 2, 2, 1]
        );
        assert_eq!(config.frames_per_step(), 6);
        let alone = model.emit(Tensor::zeros([1, 1, 5], &device), &[1]);
        assert_eq!(alone.log_probs().dims(), [1, 1, 29]);
    }
}
