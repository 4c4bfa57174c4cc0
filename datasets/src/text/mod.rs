//! Transcripts: their normalisation, the symbols that models write them in, and the units they are
//! compared in.

mod alphabet;
pub mod hangul;
mod normalization;
mod units;

pub use alphabet::{Alphabet, AlphabetKind, UNKNOWN};
pub use normalization::{Case, KoreanSpacing, Normalization, Punctuation};
pub use units::{characters, jamo, words};
