//! The window laid over each frame.

use std::f64::consts::TAU;

use super::WindowKind;

/// The periodic window of `length` samples, as `scipy.signal.get_window` makes it.
pub(super) fn window(kind: WindowKind, length: usize) -> Vec<f32> {
    let a = match kind {
        WindowKind::Hann => 0.5,
        WindowKind::Hamming => 0.54,
    };
    (0..length)
        .map(|n| (a - (1.0 - a) * (TAU * n as f64 / length as f64).cos()) as f32)
        .collect()
}
