//! The model, put together from its listener and its speller.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::attend_and_spell::{AttendAndSpell, Sampling, Spelling};
use super::config::LasConfig;
use super::greedy::{DecodeOptions, SpelledTranscript};
use super::listener::{Listened, Listener};
use super::spelled::Spelled;
use crate::config::{ConfigError, check_probability, check_size};
use crate::layers::Linear;
use crate::onnx::{Axis, Element, NotInOnnx, OnnxGraph, Padded};
use crate::recipe::{Facts, recogniser};
use crate::{Architecture, BenchShape, Card, Contract, Network, Purpose, Role, Speller};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "las",
    title: "Listen, Attend and Spell",
    purpose: Purpose::Transcribe,
    paper: "Chan et al. (2015): Listen, attend and spell",
    paper_url: "https://arxiv.org/abs/1508.01211",
    summary: "A pyramid of bidirectional recurrent layers listens, and an LSTM with attention spells what it heard.",
    paper_settings: r#"
features.normalize = "utterance"
train.sort_first_epoch = true
"#,
    recipe,
    bench: Some(BenchShape {
        batch: 8,
        frames: 400,
        bins: 40,
    }),
};

/// A network that trains in minutes on two processor cores, smaller than the paper's.
const SMALL: &str = r#"
# Attention finds its way on words sooner above convolutions. With CTC and the location of the step
# before, it finds its way along the recording sooner, and knows a word from the same word again.
model.channels = [32, 32]
model.kernels = [[3, 3], [3, 3]]
model.strides = [[2, 2], [1, 2]]
model.d_listener = 128
model.num_pyramid_layers = 1
model.d_embedding = 64
model.d_speller = 256
model.num_speller_layers = 1
model.attention = "location"
model.d_attention = 128
model.dropout = 0.2
model.ctc_weight = 0.2
train.learning_rate = 0.001
train.scheduled_sampling = 0.1
"#;

/// The settings for messages in Morse code.
const MORSE: &str = r#"
# Messages in Morse code are varied already, and a tone is on or off: a few wide bands where it can
# lie, and steps of about a dot.
[features]
normalize = "corpus"
num_mels = 6
min_hz = 300.0
max_hz = 1100.0
window_ms = 32.0
hop_ms = 20.0
fft_size = 512

# What is keyed lies in how long marks and spaces are. A recurrence finds that sooner above a
# convolution, with fewer gates, and without CTC.
[model]
channels = [16]
kernels = [[5, 5]]
strides = [[2, 2]]
cell = "gru"
d_listener = 128
num_plain_layers = 2
num_pyramid_layers = 0
d_embedding = 64
d_speller = 256
num_speller_layers = 1
attention = "location"
d_attention = 128
dropout = 0.0
ctc_weight = 0.0

[train]
epochs = 16
batch_size = 8
learning_rate = 0.002
ema_decay = 0.998
scheduled_sampling = 0.1
sort_first_epoch = true
"#;

/// Settings for messages in Morse code, or for recordings.
fn recipe(facts: &Facts) -> String {
    match facts.synthesised.as_deref() {
        Some("morse") => MORSE.to_string(),
        _ => recogniser(facts) + SMALL,
    }
}

impl Architecture for LasConfig {
    type Network<B: Backend> = Las<B>;

    fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        burn::module::AutodiffModule::valid(network)
    }

    fn card(&self) -> &'static Card {
        &CARD
    }

    fn role(&self) -> Role {
        Role::Speller
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
            let expected = "at least 2, the end of a sentence and something to write";
            return Err(ConfigError::field(
                "num_symbols",
                self.num_symbols,
                expected,
            ));
        }
        self.convolutions().check()?;
        check_size("d_listener", self.d_listener)?;
        if self.num_plain_layers + self.num_pyramid_layers == 0 {
            let expected = "at least 1 where the pyramid has none";
            return Err(ConfigError::field("num_plain_layers", 0, expected));
        }
        const MAX_PYRAMID: usize = 16;
        if self.num_pyramid_layers > MAX_PYRAMID {
            let expected = format!("at most {MAX_PYRAMID}, since each halves the number of steps");
            let field = "num_pyramid_layers";
            return Err(ConfigError::field(field, self.num_pyramid_layers, expected));
        }
        check_size("d_embedding", self.d_embedding)?;
        check_size("d_speller", self.d_speller)?;
        check_size("num_speller_layers", self.num_speller_layers)?;
        self.cross_attention().check()?;
        check_probability("dropout", self.dropout)?;
        check_probability("label_smoothing", self.label_smoothing)?;
        check_probability("ctc_weight", self.ctc_weight)
    }

    /// A network with random weights, which start as PyTorch's do.
    fn init<B: Backend>(&self, device: &B::Device) -> Result<Las<B>, ConfigError> {
        self.check()?;
        let ctc = || Linear::new(2 * self.d_listener, self.num_symbols, device);
        Ok(Las {
            listener: Listener::new(self, device),
            speller: AttendAndSpell::new(self, self.cross_attention().init(device)?, device),
            ctc: (self.ctc_weight > 0.0).then(ctc),
            label_smoothing: self.label_smoothing,
            ctc_weight: self.ctc_weight,
        })
    }

    /// Steps of the listener that so many valid frames become.
    fn num_steps(&self, frames: usize) -> usize {
        let steps = self.convolutions().num_steps(frames);
        (0..self.num_pyramid_layers).fold(steps, |steps, _| steps.div_ceil(2))
    }

    fn frames_per_step(&self) -> usize {
        self.convolutions().frames_per_step() << self.num_pyramid_layers
    }

    fn learns_by_ctc(&self) -> bool {
        self.ctc_weight > 0.0
    }
}

/// A recogniser that listens, attends and spells. See the [module](crate::las).
#[derive(Module, Debug)]
pub struct Las<B: Backend> {
    /// From features to states.
    pub listener: Listener<B>,
    /// From states to symbols.
    pub speller: AttendAndSpell<B>,
    /// From each of the listener's states to symbols and blank, where CTC helps to train it.
    pub ctc: Option<Linear<B>>,
    /// Share of each target's probability that the loss spreads over all symbols.
    pub label_smoothing: f64,
    /// Share of the CTC loss in the whole.
    pub ctc_weight: f64,
}

impl<B: Backend> Las<B> {
    /// The training loss, `[1]`: [`Spelled::loss`] with the configuration's label smoothing and weight
    /// of CTC.
    ///
    /// # Panics
    /// If these are not the transcripts that were spelled.
    pub fn loss(&self, spelled: &Spelled<B>, transcripts: &[Vec<usize>]) -> Tensor<B, 1> {
        spelled.loss(transcripts, self.label_smoothing, self.ctc_weight)
    }

    /// The transcript of each row by greedy search; see [`Spelling::greedy`].
    ///
    /// # Panics
    /// As [`Speller::listen`].
    pub fn transcribe(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        options: DecodeOptions,
    ) -> Vec<SpelledTranscript> {
        let listened = self.listen(features, lengths);
        self.spelling(&listened).greedy(&listened.lengths, options)
    }
}

impl<B: Backend> Network<B> for Las<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Speller(self)
    }
}

impl<B: Backend> Speller<B> for Las<B> {
    fn listen(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Listened<B> {
        self.listener.forward(features, lengths)
    }

    fn ctc_logits(&self, listened: &Listened<B>) -> Option<Tensor<B, 3>> {
        let head = self.ctc.as_ref()?;
        Some(head.forward(listened.states.clone()))
    }

    fn spell(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        transcripts: &[Vec<usize>],
        sampling: Sampling,
    ) -> Spelled<B> {
        let listened = self.listen(features, lengths);
        Spelled {
            logits: self.speller.forward(&listened, transcripts, sampling),
            lengths: transcripts.iter().map(|row| row.len() + 1).collect(),
            ctc_logits: self.ctc_logits(&listened),
            listened,
        }
    }

    fn spelling(&self, listened: &Listened<B>) -> Spelling<B> {
        self.speller.spelling(listened)
    }

    fn label_smoothing(&self) -> f64 {
        self.label_smoothing
    }

    fn ctc_weight(&self) -> f64 {
        self.ctc_weight
    }

    fn onnx_listen(&self, graph: &mut OnnxGraph, features: Padded) -> Result<(), NotInOnnx> {
        let states = self.listener.onnx(graph, features);
        self.speller.onnx_attended(graph, states);
        if let Some(ctc) = &self.ctc {
            let logits = ctc.onnx(graph, states.values);
            let log_probs = graph.log_softmax(logits); // [batch, steps, symbols]
            let [_, symbols] = ctc.weight.dims();
            let [batch, steps] = [Axis::Named("batch"), Axis::Named("steps")];
            let axes = [batch, steps, Axis::Fixed(symbols)];
            graph.output("ctc_log_probs", log_probs, Element::Float, &axes);
        }
        Ok(())
    }

    fn onnx_step(&self, graph: &mut OnnxGraph) -> Result<(), NotInOnnx> {
        self.speller.onnx_step(graph);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{AttentionKind, Cell};
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = LasConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 13_252_126);
    }

    #[test]
    fn every_weight_of_attention_is_counted_once() {
        let count = |config: LasConfig| {
            let model = config.init::<NdArray>(&Default::default());
            num_params(&model.expect("a valid configuration"))
        };
        let small = LasConfig {
            num_bins: 3,
            num_symbols: 5,
            d_listener: 4,
            d_embedding: 2,
            d_speller: 8,
            ..Default::default()
        };
        let plain = count(small.clone());
        let dot = LasConfig {
            d_attention: 6,
            ..small.clone()
        };
        let projected = plain + (8 * 6 + 6) + 8 * 6;
        assert_eq!(count(dot.clone()), projected);
        let additive = LasConfig {
            attention: AttentionKind::Additive,
            ..dot.clone()
        };
        assert_eq!(count(additive), projected + 6);
        let location = LasConfig {
            attention: AttentionKind::Location,
            location_kernel: 5,
            location_filters: 3,
            num_heads: 2,
            ctc_weight: 0.3,
            ..dot
        };
        let head = 8 * 5 + 5;
        assert_eq!(
            count(location),
            projected + 6 + 5 * 3 + 3 * 6 + 8 * 8 + head
        );
        let convolved = LasConfig {
            channels: vec![2],
            kernels: vec![[3, 5]],
            strides: vec![[2, 2]],
            cell: Cell::Gru,
            num_pyramid_layers: 0,
            ..small.clone()
        };
        let without = LasConfig {
            num_pyramid_layers: 0,
            ..small
        };
        // Three bins become two bands of two channels; a unit has three gates instead of four.
        let convolution = 3 * 5 * 2 + 2 + 2 * 2;
        let layer = |gates: usize, bins: usize| 2 * gates * 4 * (bins + 4 + 2);
        assert_eq!(
            count(convolved),
            count(without) + convolution + layer(3, 4) - layer(4, 3)
        );
    }

    #[test]
    fn a_wrong_value_is_refused_with_field_value_and_remedy() {
        let wrong = [
            (
                r#"{"channels": [0], "kernels": [[3, 3]], "strides": [[1, 1]]}"#,
                "`channels` is [0], but must be a list of sizes from 1 to 1048576",
            ),
            (
                r#"{"channels": [4]}"#,
                "`kernels` is 0, but must be one for each of the 1 convolutions",
            ),
            (
                r#"{"kernels": [[3, 3]]}"#,
                "`kernels` is 1, but must be one for each of the 0 convolutions",
            ),
            (
                r#"{"channels": [4], "kernels": [[3, 4]], "strides": [[1, 1]]}"#,
                "`kernels` is 4, but must be odd, so that a frame lies at its middle",
            ),
            (
                r#"{"channels": [4], "kernels": [[3, 3]], "strides": [[1, 0]]}"#,
                "`strides` is 0, but must be from 1 to 1048576",
            ),
            (
                r#"{"num_symbols": 1}"#,
                "`num_symbols` is 1, but must be at least 2, the end of a sentence and something to write",
            ),
            (
                r#"{"num_plain_layers": 0, "num_pyramid_layers": 0}"#,
                "`num_plain_layers` is 0, but must be at least 1 where the pyramid has none",
            ),
            (
                r#"{"num_pyramid_layers": 17}"#,
                "`num_pyramid_layers` is 17, but must be at most 16, since each halves the number of steps",
            ),
            (
                r#"{"attention": "additive"}"#,
                "`d_attention` is 0, but must be above 0: only the dot product with one head compares \
                 the states themselves, and only states of the same size (here 512 and 512)",
            ),
            (
                r#"{"d_speller": 500}"#,
                "`d_attention` is 0, but must be above 0: only the dot product with one head compares \
                 the states themselves, and only states of the same size (here 500 and 512)",
            ),
            (
                r#"{"d_attention": 120, "num_heads": 5}"#,
                "`num_heads` is 5, but must be a divisor of 120 and 512, the features that the heads share",
            ),
            (
                r#"{"location_kernel": 10}"#,
                "`location_kernel` is 10, but must be odd, so that a frame lies at its middle",
            ),
            (
                r#"{"label_smoothing": 1.0}"#,
                "`label_smoothing` is 1.0, but must be at least 0 and below 1",
            ),
            (
                r#"{"ctc_weight": -0.5}"#,
                "`ctc_weight` is -0.5, but must be at least 0 and below 1",
            ),
        ];
        for (text, message) in wrong {
            let config: LasConfig =
                serde_json::from_str(text).expect("a well-formed configuration");
            let error = config.check().expect_err(text);
            assert_eq!(error.to_string(), message);
            assert!(config.init::<NdArray>(&Default::default()).is_err());
        }
    }
}
