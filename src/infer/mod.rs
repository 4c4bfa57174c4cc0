//! Uses of a trained run: evaluation on a whole part, prediction for recordings and for live sound,
//! and generation of patches.

mod embed;
pub(crate) mod evaluate;
pub(crate) mod gallery;
pub(crate) mod guesses;
pub(crate) mod judge;
mod pieces;
mod pitch;
pub(crate) mod predictor;
mod sound;
mod speech;
mod stretches;
pub(crate) mod transcriber;
mod transcripts;
pub(crate) mod windows;

pub use embed::similarity;
pub use evaluate::{Evaluation, Measured, evaluate, evaluate_best};
pub use gallery::{Gallery, generate, generate_as};
pub use guesses::{Guess, guesses, guesses_as};
pub use pitch::Pitch;
pub use predictor::Predictor;
pub use speech::Speech;
pub use transcriber::{Transcriber, Transcript};
pub use windows::Windows;
