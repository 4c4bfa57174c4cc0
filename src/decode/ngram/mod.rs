//! N-gram language models: reading, scoring and estimation.
//!
//! A model is a tree of n-grams with a link from each to its longest suffix that is in the model. A
//! [`Context`] is a node of that tree. Following a token costs one look-up for each order the model
//! backs off by, and two histories that the model cannot tell apart are the same context.

mod arpa;
pub(crate) mod context;
pub(crate) mod estimate;
pub(crate) mod model;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod vocabulary;

pub use context::Context;
pub use estimate::{Discounts, HIGHEST_ORDER, NgramCounts, NgramEstimate};
pub use model::NgramModel;
pub use token::{SPACE_TOKEN, TokenId, TokenKind};
