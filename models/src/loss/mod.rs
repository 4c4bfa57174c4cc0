//! Losses: what training makes small.

mod binary_cross_entropy;
mod cross_entropy;
pub mod ctc;
mod sequence_cross_entropy;
mod soft_cross_entropy;

pub use binary_cross_entropy::binary_cross_entropy;
pub use cross_entropy::cross_entropy;
pub use ctc::{BLANK, CtcOptions, Reduction, ctc, steps_needed};
pub use sequence_cross_entropy::sequence_cross_entropy;
pub use soft_cross_entropy::soft_cross_entropy;
