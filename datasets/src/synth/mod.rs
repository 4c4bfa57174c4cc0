//! Corpora that need no file: synthesised from a seed.

pub mod dtmf;
pub mod morse;
pub mod scenes;
pub(crate) mod spectrum;
