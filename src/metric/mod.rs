//! Metrics over a whole set, never averages of batches.

pub(crate) mod confusion;
pub(crate) mod csv;
pub(crate) mod errors;
pub(crate) mod frechet;
pub(crate) mod tags;
pub(crate) mod values;

pub use confusion::ConfusionMatrix;
pub(crate) use csv::csv_cell;
pub use errors::{Edits, TranscriptErrors, TranscriptPair};
pub use frechet::frechet_distance;
pub use tags::{TagMetrics, TagScores};
pub use values::{ValueError, ValueErrors};
