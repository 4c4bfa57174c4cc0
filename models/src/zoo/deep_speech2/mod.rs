//! Deep Speech 2: convolutions over a spectrogram, recurrent layers, and CTC ([Amodei et al.
//! 2015](https://arxiv.org/abs/1512.02595)).
//!
//! ```text
//! convolutions    h = clip(B(w * x + b)), of frames and bins, each with a stride
//! recurrence      h = →h + ←h, by any cell, and B between layers and above the last
//! lookahead       y⟨t⟩ = Σ_j w_j ∘ h⟨t+j⟩, where the recurrence reads forward only
//! fully connected h = clip(B(W h + b)), any number of them
//! output          W h, the scores of the blank and of the symbols at each step
//! ```
//!
//! `clip(x) = min(max(x, 0), 20)`, and `B` is batch norm over all valid steps of the batch, the
//! paper's sequence-wise one. The defaults are the paper's two convolutions and three GRU layers of
//! 512: 12,182,304 parameters with 161 bins and 29 symbols. The paper's own networks have up to three
//! convolutions and seven recurrent layers of some thousand units.
//!
//! Deviations: the directions of a recurrent layer have an input's weight each; `B` is on a
//! recurrent layer's output, the next one's input, and not between its input's weight and its
//! cell, as in the usual re-implementations in PyTorch; a simple recurrence has tanh where the paper
//! has the clipped ReLU; and the logits are returned, without the softmax.

mod model;
mod stream;

pub use model::{CARD, DeepSpeech2, DeepSpeech2Config, FullyConnected, RecurrentBlock};
pub use stream::DeepSpeech2Stream;
