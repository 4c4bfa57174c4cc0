//! From the emissions of a recogniser to symbols, and the language models that help.

mod ctc;
mod ngram;

pub use ctc::{Symbol, Word, greedy, words};
pub use ngram::{
    Context, Discounts, HIGHEST_ORDER, NgramCounts, NgramEstimate, NgramModel, SPACE_TOKEN,
    TokenId, TokenKind,
};
