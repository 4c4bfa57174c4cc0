//! Optimizers over all parameters of a model, learning-rate schedules and parameter averaging.
//!
//! Burn's own optimizers clip the gradient of each parameter by itself and keep their state under
//! random identifiers. Here the gradient norm is that of all parameters together, and the state of a
//! parameter is kept under its path in the model, as a checkpoint stores it.

pub(crate) mod average;
mod clip;
pub(crate) mod freeze;
pub(crate) mod gradients;
pub(crate) mod lbfgs;
pub(crate) mod loss_scale;
pub(crate) mod module_path;
pub(crate) mod optimizer;
mod penalty;
pub(crate) mod primitive;
pub(crate) mod schedule;
mod second_order;
mod statistics;
mod step;
