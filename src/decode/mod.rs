//! From the emissions of a recogniser to symbols.

mod ctc;

pub use ctc::{Symbol, Word, greedy, words};
