//! Losses: what training makes small.

mod binary_cross_entropy;
mod cross_entropy;
pub mod ctc;
mod soft_cross_entropy;

pub use binary_cross_entropy::binary_cross_entropy;
pub use cross_entropy::cross_entropy;
pub use ctc::{BLANK, CtcOptions, Reduction, ctc, steps_needed};
pub use soft_cross_entropy::soft_cross_entropy;
