//! Corpora that need no file: synthesised from a seed.

pub mod dtmf;
pub(crate) mod noise;
