//! Metrics over a whole set, never averages of batches.

pub(crate) mod calibration;
pub(crate) mod confusion;
pub(crate) mod csv;
mod deviation;
pub(crate) mod errors;
pub(crate) mod frechet;
pub(crate) mod interval;
pub(crate) mod tags;
pub(crate) mod values;

pub use calibration::{Calibration, Range};
pub use confusion::{ClassMetrics, ConfusionMatrix};
pub(crate) use csv::csv_cell;
pub(crate) use deviation::mean_and_deviation;
pub use errors::{Edit, Edits, TranscriptErrors, TranscriptPair, edits};
pub use frechet::frechet_distance;
pub use interval::wilson;
pub use tags::{TagDetails, TagMetrics, TagScores};
pub use values::{ValueError, ValueErrors};
