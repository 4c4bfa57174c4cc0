//! Metrics over a whole set, never averages of batches.

mod confusion;
mod errors;
mod frechet;
mod tags;
mod values;

pub use confusion::ConfusionMatrix;
pub use errors::{Edits, Transcript, TranscriptErrors};
pub use frechet::frechet_distance;
pub use tags::{TagMetrics, TagScores};
pub use values::{ValueError, ValueErrors};

/// A label as one cell of comma-separated values.
pub(crate) fn csv_cell(label: &str) -> String {
    if label.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", label.replace('"', "\"\""))
    } else {
        label.to_string()
    }
}
