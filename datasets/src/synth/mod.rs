//! Corpora that need no file: synthesised from a seed.

pub(crate) mod draw;
pub mod dtmf;
pub mod scenes;
