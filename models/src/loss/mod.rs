//! Losses: the functions that training minimises.

mod adversarial;
mod binary_cross_entropy;
mod cross_entropy;
pub mod ctc;
pub mod elbo;
#[cfg(feature = "gpu")]
mod gpu;
mod regression;
mod sequence_cross_entropy;
mod soft_cross_entropy;

pub use adversarial::{AdversarialLoss, GanLosses};
pub use binary_cross_entropy::binary_cross_entropy;
pub use cross_entropy::cross_entropy;
pub use ctc::{BLANK, CtcOptions, Reduction, ctc, steps_needed};
pub use elbo::{Bound, gaussian_divergence, gaussian_log_likelihood, importance_bound};
pub use regression::{LEAST_VARIANCE, absolute_error, gaussian_nll, squared_error};
pub use sequence_cross_entropy::sequence_cross_entropy;
pub use soft_cross_entropy::soft_cross_entropy;
