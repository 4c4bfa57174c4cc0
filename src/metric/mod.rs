//! Metrics over a whole set, never averages of batches.

mod confusion;

pub use confusion::ConfusionMatrix;
