//! The parts of a corpus.

use crate::named::named;

named! {
    /// The use of a recording.
    Part, "split" {
        /// Fits a model.
        Train = "train",
        /// Chooses among models.
        Valid = "valid",
        /// Measures the chosen model.
        Test = "test",
    }
}
