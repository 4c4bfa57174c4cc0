//! From SPECs to batches: the parts of a run, the order of an epoch, and the loader.

pub(crate) mod batch;
pub(crate) mod checks;
pub(crate) mod contents;
pub(crate) mod lesson;
pub(crate) mod listing;
pub(crate) mod loader;
pub(crate) mod open;
pub(crate) mod order;
pub(crate) mod parts;
pub(crate) mod pipeline;
pub(crate) mod reopen;
pub(crate) mod specs;

pub use batch::{Batch, FrameLimits, HostBatch};
pub use lesson::{HostLesson, Lesson, Row};
pub use loader::Loader;
pub use order::Visit;
pub use parts::Data;
