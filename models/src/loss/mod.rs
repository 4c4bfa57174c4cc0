//! Losses: what training makes small.

mod binary_cross_entropy;
mod cross_entropy;
pub mod ctc;
mod soft_cross_entropy;

pub use binary_cross_entropy::binary_cross_entropy;
pub use cross_entropy::cross_entropy;
pub use ctc::{CtcOptions, Reduction, ctc};
pub use soft_cross_entropy::soft_cross_entropy;
