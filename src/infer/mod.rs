//! Uses of a trained run: evaluation on a whole part, prediction for recordings and for live sound,
//! and generation of patches.

pub(crate) mod evaluate;
pub(crate) mod gallery;
pub(crate) mod guesses;
pub(crate) mod judge;
mod pieces;
pub(crate) mod predictor;
mod sound;
pub(crate) mod transcriber;
pub(crate) mod windows;

pub use evaluate::{Evaluation, Measured, evaluate, evaluate_best};
pub use gallery::{Gallery, generate, generate_as};
pub use guesses::{Guess, guesses, guesses_as};
pub use predictor::Predictor;
pub use transcriber::{Transcriber, Transcript};
pub use windows::Windows;
