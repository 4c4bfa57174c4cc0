//! The alignment of a speller's transcript with its recording.

/// The attention of a speller while it wrote each symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// The symbols written.
    pub symbols: Vec<char>,
    /// The attention weights of each symbol over the listener's steps; every row sums to one.
    pub weights: Vec<Vec<f32>>,
    /// The time from one step of the listener to the next, in seconds.
    pub step_s: f64,
}
