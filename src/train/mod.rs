//! The training loop, its settings, checkpoints and the run folder.
//!
//! The loop is small and Sori's own, because a run must be able to stop at any moment and go on to
//! the very numbers of a run that never stopped: all randomness derives from (seed, epoch, step),
//! and a checkpoint holds everything that later steps depend on.

mod average;
mod checkpoint;
mod dashboard;
mod data;
mod fit;
mod interrupt;
mod lbfgs;
mod module_path;
mod optimizer;
mod order;
mod run;
mod schedule;
mod seed;
mod settings;
mod stepper;
mod trainer;
#[cfg(feature = "tui")]
mod tui;

pub(crate) use checkpoint::Checkpoint;
pub use dashboard::{Dashboard, Show};
pub(crate) use dashboard::{thousands, time};
pub use data::Data;
pub(crate) use data::{pipeline, training_texts, whole, with_cache};
pub use fit::{Trained, fit, fresh_folder, resume};
pub use interrupt::stop_on_interrupt;
pub(crate) use optimizer::{Gradients, Optimizer};
pub use run::{EpochRecord, RunFolder, RunInfo, RunResult, SplitSizes};
pub use settings::{
    BestBy, DataSettings, OptimizerKind, ScheduleKind, Settings, TextSettings, TrainSettings,
};
pub(crate) use stepper::one_at_a_time;
pub use stepper::{Step, Stepper};
pub(crate) use trainer::draw_parameters;
pub use trainer::{
    Event, Loader, Outcome, Progress, begin, emissions_of_run, evaluate_run, random_model, train,
};
pub(crate) use trainer::{open, thresholds};
