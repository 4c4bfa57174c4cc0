//! Listen, Attend and Spell ([Chan et al. 2015](https://arxiv.org/abs/1508.01211)): a recogniser
//! that writes a transcript symbol by symbol while it attends to the recording.
//!
//! - The *listener* ([`Listener`]) is a stack of bidirectional LSTM layers. In the upper ones, the
//!   pyramid, each step reads two successive steps of the layer below, so that three of them leave an
//!   eighth of the frames: `h_i⟨j⟩ = BLSTM(h_i⟨j−1⟩, [h⟨j−1⟩_2i; h⟨j−1⟩_2i+1])`.
//! - The *speller* ([`AttendAndSpell`]) is a stack of LSTM layers over the symbols so far and the contexts
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
//! ([Kim et al. 2016](https://arxiv.org/abs/1609.06773)). Decoding here is greedy; [`Spelling`] advances
//! one symbol at a time for any other search.

mod attend_and_spell;
mod config;
mod greedy;
mod listener;
mod model;
mod onnx;
mod spelled;

pub use attend_and_spell::{AttendAndSpell, Sampling, Spelling, SpellingStep};
pub use config::{LasConfig, SENTENCE_END};
pub use greedy::{DecodeOptions, SpelledTranscript};
pub use listener::{Listened, Listener};
pub use model::{CARD, Las};
pub use spelled::Spelled;
