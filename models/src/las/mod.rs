//! Listen, Attend and Spell ([Chan et al. 2015](https://arxiv.org/abs/1508.01211)): a recogniser
//! that writes a transcript symbol by symbol while it attends to the recording.
//!
//! - The *listener* ([`Listener`]) is a stack of bidirectional LSTM layers. In the upper ones, the
//!   pyramid, each step reads two successive steps of the layer below, so that three of them leave an
//!   eighth of the frames: `h_i⟨j⟩ = BLSTM(h_i⟨j−1⟩, [h⟨j−1⟩_2i; h⟨j−1⟩_2i+1])`.
//! - The *speller* ([`Speller`]) is a stack of LSTM layers over the symbols so far and the contexts
//!   so far, attention, and one layer to the next symbol:
//!
//! ```text
//! s⟨i⟩ = LSTM(s⟨i−1⟩, [y⟨i−1⟩; c⟨i−1⟩])    e⟨i,u⟩ = ⟨φ(s⟨i⟩), ψ(h⟨u⟩)⟩    α⟨i⟩ = softmax(e⟨i⟩)
//! c⟨i⟩ = Σ_u α⟨i,u⟩ h⟨u⟩                   P(y⟨i⟩ | x, y⟨<i⟩) = softmax(W [s⟨i⟩; c⟨i⟩] + b)
//! ```
//!
//! Symbol 0 is both the start and the end of a sentence, and the blank of the CTC head; a
//! transcript has symbols from 1 on.
//!
//! Deviations: convolutions over time and frequency, each with batch norm and ReLU, may come below the
//! listener ([Hori et al. 2017](https://arxiv.org/abs/1706.02737)), and its cells may be other than
//! LSTM; φ and ψ are linear maps, or none where the states of both sides have the same size
//! and `d_attention` is 0, instead of multilayer perceptrons; the distribution comes from a
//! single layer; additive and location-aware attention and several heads can be chosen; dropout and
//! label smoothing ([Chorowski and Jaitly 2016](https://arxiv.org/abs/1612.02695)) regularise
//! instead of noise on the weights; and a second head may learn with CTC from the listener's states
//! ([Kim et al. 2016](https://arxiv.org/abs/1609.06773)). Decoding here is greedy; [`Spelling`] goes
//! step by step for any other search.

mod decode;
mod listener;
mod speller;

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_probability, check_size};
use crate::layers::{AttentionKind, Cell, ConvStack, CrossAttentionConfig, Linear};
use crate::loss::{CtcOptions, Reduction, ctc, sequence_cross_entropy};

pub use decode::{DecodeOptions, Hypothesis};
pub use listener::{Listened, Listener};
pub use speller::{Sampling, Speller, Spelling, Step};

/// The symbol that starts and ends every sentence.
pub const SENTENCE_END: usize = 0;

/// Configuration of [`Las`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LasConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Symbols that may be written, with the end of a sentence as the first; at least 2.
    pub num_symbols: usize,
    /// Channels of each convolution over time and frequency below the listener's layers, from the
    /// input upwards; by default there is none.
    pub channels: Vec<usize>,
    /// Frames and bins that the kernel of each convolution spans; odd.
    pub kernels: Vec<[usize; 2]>,
    /// Frames and bins from one window of each convolution to the next.
    pub strides: Vec<[usize; 2]>,
    /// What the listener's layers do at each step.
    pub cell: Cell,
    /// Features of the listener's state in one direction.
    pub d_listener: usize,
    /// Bidirectional layers below the pyramid, which may be none.
    pub num_plain_layers: usize,
    /// Layers of the pyramid, which may be none; each halves the number of steps.
    pub num_pyramid_layers: usize,
    /// Features of a symbol that the speller reads.
    pub d_embedding: usize,
    /// Features of the state of each of the speller's layers.
    pub d_speller: usize,
    /// The speller's layers; more than four are computed without the CPU's kernels.
    pub num_speller_layers: usize,
    /// How the speller's state and a state of the listener make a score.
    pub attention: AttentionKind,
    /// Heads of the attention, each with weights of its own.
    pub num_heads: usize,
    /// Features in which states are compared. With 0 the states themselves are, which takes
    /// dot-product attention with one head and a speller of twice the listener's features.
    pub d_attention: usize,
    /// Steps of the weights before that location-aware attention sees at once, an odd number.
    pub location_kernel: usize,
    /// What it makes of them.
    pub location_filters: usize,
    /// Probability with which a value is dropped in training: of the outputs of each of the
    /// listener's layers, and of the state and the context on their way to the symbols.
    pub dropout: f64,
    /// Share of each target's probability that the loss spreads over all symbols.
    pub label_smoothing: f64,
    /// Share λ of the CTC loss in `(1 − λ) · cross entropy + λ · CTC`; with zero there is no head.
    pub ctc_weight: f64,
}

impl Default for LasConfig {
    fn default() -> Self {
        Self {
            num_bins: 40,
            num_symbols: 30,
            channels: Vec::new(),
            kernels: Vec::new(),
            strides: Vec::new(),
            cell: Cell::Lstm,
            d_listener: 256,
            num_plain_layers: 1,
            num_pyramid_layers: 3,
            d_embedding: 256,
            d_speller: 512,
            num_speller_layers: 2,
            attention: AttentionKind::Dot,
            num_heads: 1,
            d_attention: 0,
            location_kernel: 31,
            location_filters: 10,
            dropout: 0.2,
            label_smoothing: 0.1,
            ctc_weight: 0.0,
        }
    }
}

impl LasConfig {
    fn cross_attention(&self) -> CrossAttentionConfig {
        CrossAttentionConfig {
            d_query: self.d_speller,
            d_states: 2 * self.d_listener,
            kind: self.attention,
            num_heads: self.num_heads,
            d_attention: self.d_attention,
            location_kernel: self.location_kernel,
            location_filters: self.location_filters,
        }
    }

    pub(crate) fn convolutions(&self) -> ConvStack<'_> {
        ConvStack {
            channels: &self.channels,
            kernels: &self.kernels,
            strides: &self.strides,
        }
    }

    /// Steps of the listener that so many valid frames become.
    pub fn num_steps(&self, frames: usize) -> usize {
        let steps = self.convolutions().num_steps(frames);
        (0..self.num_pyramid_layers).fold(steps, |steps, _| steps.div_ceil(2))
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is wrong, its value and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
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
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Las<B>, ConfigError> {
        self.check()?;
        let ctc = || Linear::new(2 * self.d_listener, self.num_symbols, device);
        Ok(Las {
            listener: Listener::new(self, device),
            speller: Speller::new(self, self.cross_attention().init(device)?, device),
            ctc: (self.ctc_weight > 0.0).then(ctc),
            label_smoothing: self.label_smoothing,
            ctc_weight: self.ctc_weight,
        })
    }
}

/// A recogniser that listens, attends and spells. See the [module](self).
#[derive(Module, Debug)]
pub struct Las<B: Backend> {
    /// From features to states.
    pub listener: Listener<B>,
    /// From states to symbols.
    pub speller: Speller<B>,
    /// From each of the listener's states to symbols and blank, where CTC helps to train it.
    pub ctc: Option<Linear<B>>,
    /// Share of each target's probability that the loss spreads over all symbols.
    pub label_smoothing: f64,
    /// Share of the CTC loss in the whole.
    pub ctc_weight: f64,
}

/// What the speller gives to each symbol of a transcript.
#[derive(Debug, Clone)]
pub struct Spelled<B: Backend> {
    /// Of each symbol and of the end, `[batch, longest + 1, symbols]`.
    pub logits: Tensor<B, 3>,
    /// Valid rows of logits: a transcript's symbols and its end.
    pub lengths: Vec<usize>,
    /// The CTC head's, `[batch, steps, symbols]`, blank first.
    pub ctc_logits: Option<Tensor<B, 3>>,
    /// What the listener heard.
    pub listened: Listened<B>,
}

impl<B: Backend> Spelled<B> {
    /// Cross entropy against the transcripts and their ends, averaged over all symbols and ends of
    /// the batch, in nats: `[1]`. The share `smoothing` of each target's probability is spread
    /// evenly over all symbols.
    ///
    /// # Panics
    /// If these are not the transcripts that were spelled.
    pub fn cross_entropy(&self, transcripts: &[Vec<usize>], smoothing: f64) -> Tensor<B, 1> {
        let targets: Vec<Vec<usize>> = transcripts
            .iter()
            .map(|row| row.iter().copied().chain([SENTENCE_END]).collect())
            .collect();
        let lengths = targets.iter().map(Vec::len);
        assert!(
            lengths.eq(self.lengths.iter().copied()),
            "other transcripts than those spelled"
        );
        sequence_cross_entropy(self.logits.clone(), &targets, smoothing)
    }

    /// [`Self::cross_entropy`], and where there is a CTC head `(1 − λ) · cross entropy + λ · CTC` with
    /// λ = `ctc_weight`: `[1]`.
    ///
    /// CTC is averaged as in [`Reduction::Mean`]. A transcript that needs more steps than the
    /// listener leaves (see [`steps_needed`](crate::loss::steps_needed)) counts zero in it, so that
    /// the speller still learns from it.
    ///
    /// # Panics
    /// If these are not the transcripts that were spelled.
    pub fn loss(
        &self,
        transcripts: &[Vec<usize>],
        smoothing: f64,
        ctc_weight: f64,
    ) -> Tensor<B, 1> {
        let spelling = self.cross_entropy(transcripts, smoothing);
        let Some(logits) = self.ctc_logits.clone().filter(|_| ctc_weight > 0.0) else {
            return spelling;
        };
        let options = CtcOptions {
            reduction: Reduction::Mean,
            zero_infinity: true,
        };
        let listening = ctc(logits, &self.listened.lengths, transcripts, options);
        spelling * (1.0 - ctc_weight) + listening * ctc_weight
    }
}

impl<B: Backend> Las<B> {
    /// Features `[batch, frames, bins]` and the valid frames of each row to the listener's states.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in `1..=frames`, or the bins are
    /// not the configuration's.
    pub fn encode(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Listened<B> {
        self.listener.forward(features, lengths)
    }

    /// The scores of the CTC head, where there is one: `[batch, steps, symbols]`, blank first.
    pub fn ctc_logits(&self, listened: &Listened<B>) -> Option<Tensor<B, 3>> {
        let head = self.ctc.as_ref()?;
        Some(head.forward(listened.states.clone()))
    }

    /// What the speller gives to the symbols of `transcripts` where it reads each after the one
    /// before (teacher forcing), some of them replaced by its own guesses where `sampling` says so.
    ///
    /// # Panics
    /// As [`Self::encode`]; and if there is not one transcript for each row, or one has a symbol that
    /// is not in `1..num_symbols`.
    pub fn forward(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        transcripts: &[Vec<usize>],
        sampling: Sampling,
    ) -> Spelled<B> {
        let listened = self.encode(features, lengths);
        Spelled {
            logits: self.speller.forward(&listened, transcripts, sampling),
            lengths: transcripts.iter().map(|row| row.len() + 1).collect(),
            ctc_logits: self.ctc_logits(&listened),
            listened,
        }
    }

    /// What training makes small, `[1]`: [`Spelled::loss`] with the configuration's label smoothing
    /// and weight of CTC.
    ///
    /// # Panics
    /// If these are not the transcripts that were spelled.
    pub fn loss(&self, spelled: &Spelled<B>, transcripts: &[Vec<usize>]) -> Tensor<B, 1> {
        spelled.loss(transcripts, self.label_smoothing, self.ctc_weight)
    }

    /// The speller over what was listened to, to be moved one symbol at a time.
    pub fn spelling(&self, listened: &Listened<B>) -> Spelling<B> {
        self.speller.spelling(listened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
