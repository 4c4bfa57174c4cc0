//! From the emissions of a recogniser to symbols.

mod ctc;
mod stream;

pub use ctc::{Greedy, Symbol, Word, greedy, words};
pub use stream::StreamDecoder;
