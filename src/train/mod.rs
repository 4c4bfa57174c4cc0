//! The training loop: begins a run, trains it step by step and epoch by epoch, and ends with a test.
//!
//! The loop is small and Sori's own, so that a run can stop at any moment and a resumed run is
//! bit-identical to an uninterrupted one: all randomness derives from (seed, epoch, step), and a
//! checkpoint holds everything that later steps depend on.

pub(crate) mod adversary;
pub(crate) mod begin;
pub(crate) mod extend;
pub(crate) mod fit;
pub(crate) mod folder;
pub(crate) mod interrupt;
mod legs;
mod memory;
pub(crate) mod network_and_adversary;
pub(crate) mod open;
pub(crate) mod precision;
pub(crate) mod progress;
pub(crate) mod session;
pub(crate) mod state;
pub(crate) mod step;
mod writer;

pub use begin::random_network;
pub use fit::{Trained, fit, fit_as, resume, resume_as};
pub use folder::fresh_folder;
pub use interrupt::stop_on_interrupt;
pub use open::train;
pub use progress::{Event, Outcome, Progress};
pub use step::{Rates, Step, Stepper};
