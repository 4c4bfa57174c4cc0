//! Recordings and lines that cannot be used.

/// A recording or line of a corpus that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rejected {
    /// File, line or item.
    pub place: String,
    /// Why, and what would be right.
    pub reason: String,
}
