//! The windows in which a long recording is predicted.

/// The length of windows and the hop between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Length of a window in seconds.
    pub window_s: f64,
    /// The hop from one window to the next, in seconds.
    pub hop_s: f64,
}
