//! Losses: what training makes small.

mod cross_entropy;

pub use cross_entropy::cross_entropy;
