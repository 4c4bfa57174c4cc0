//! Mean 0 and variance 1, bin by bin.

use serde::{Deserialize, Serialize};

use super::Features;
use crate::{Error, Result};

/// Mean and standard deviation of each bin over many frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinStats {
    /// Mean `[bins]`.
    pub mean: Vec<f32>,
    /// Standard deviation `[bins]`, by the number of frames (not one less).
    pub std: Vec<f32>,
}

impl BinStats {
    /// A bin that varies less than this is taken for constant: it is centred and not scaled.
    pub const MIN_STD: f32 = 1e-5;

    /// What each bin is multiplied by once its mean is taken off, `[bins]`.
    #[must_use]
    pub fn scales(&self) -> Vec<f32> {
        let scale = |&std: &f32| if std < Self::MIN_STD { 1.0 } else { 1.0 / std };
        self.std.iter().map(scale).collect()
    }
}

/// Sums up features frame by frame, to a mean and deviation of each bin.
///
/// Calculates in 64 bits by Chan, Golub and LeVeque's pairwise update (1979). Recordings pushed
/// in the same order, and parts merged in the same order, give the same bits.
#[derive(Clone, Debug, Default)]
pub struct BinAccumulator {
    frames: u64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl BinAccumulator {
    /// An accumulator that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of frames seen.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Adds all frames of a recording.
    ///
    /// # Errors
    ///
    /// [`Error::StatsBins`] if it has another number of bins than those before.
    pub fn push(&mut self, features: &Features) -> Result<()> {
        if features.frames == 0 {
            return Ok(());
        }
        let (mean, squares) = moments(features);
        self.merge(&Self {
            frames: features.frames as u64,
            mean,
            squares,
        })
    }

    /// Adds everything another one has seen.
    ///
    /// # Errors
    ///
    /// [`Error::StatsBins`] if it has seen another number of bins.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.frames == 0 {
            return Ok(());
        }
        if self.frames == 0 {
            *self = other.clone();
            return Ok(());
        }
        if self.mean.len() != other.mean.len() {
            return Err(Error::StatsBins {
                stats: self.mean.len(),
                bins: other.mean.len(),
            });
        }
        let (ours, theirs) = (self.frames as f64, other.frames as f64);
        let total = ours + theirs;
        for (b, (mean, squares)) in self.mean.iter_mut().zip(&mut self.squares).enumerate() {
            let step = other.mean[b] - *mean;
            *mean += step * theirs / total;
            *squares += other.squares[b] + step * step * ours * theirs / total;
        }
        self.frames += other.frames;
        Ok(())
    }

    /// The statistics, or nothing if no frame was seen.
    #[must_use]
    pub fn finish(&self) -> Option<BinStats> {
        (self.frames > 0).then(|| BinStats {
            mean: self.mean.iter().map(|&mean| mean as f32).collect(),
            std: self
                .squares
                .iter()
                .map(|&squares| (squares / self.frames as f64).sqrt() as f32)
                .collect(),
        })
    }
}

/// Mean and sum of squared deviations of each bin.
fn moments(features: &Features) -> (Vec<f64>, Vec<f64>) {
    let mut mean = vec![0.0; features.bins];
    for row in features.rows() {
        for (mean, &value) in mean.iter_mut().zip(row) {
            *mean += f64::from(value);
        }
    }
    for mean in &mut mean {
        *mean /= features.frames as f64;
    }
    let mut squares = vec![0.0; features.bins];
    for row in features.rows() {
        for ((squares, &mean), &value) in squares.iter_mut().zip(&mean).zip(row) {
            let deviation = f64::from(value) - mean;
            *squares += deviation * deviation;
        }
    }
    (mean, squares)
}

impl Features {
    /// Subtracts the mean and divides by the deviation given, bin by bin. A bin whose deviation is
    /// below 1e-5 is constant as far as anyone knows: it is only centred.
    ///
    /// # Errors
    ///
    /// [`Error::StatsBins`] if the statistics are of another number of bins.
    pub fn normalize_by(&mut self, stats: &BinStats) -> Result<()> {
        if stats.mean.len() != self.bins || stats.std.len() != self.bins {
            return Err(Error::StatsBins {
                stats: stats.mean.len(),
                bins: self.bins,
            });
        }
        let scale = stats.scales();
        for row in self.values.chunks_exact_mut(self.bins.max(1)) {
            for ((value, &mean), &scale) in row.iter_mut().zip(&stats.mean).zip(&scale) {
                *value = (*value - mean) * scale;
            }
        }
        Ok(())
    }

    /// Normalises by the recording's own mean and deviation.
    pub fn normalize_utterance(&mut self) {
        let mut own = BinAccumulator::new();
        if own.push(self).is_ok()
            && let Some(stats) = own.finish()
            && self.normalize_by(&stats).is_err()
        {
            unreachable!("the statistics are of these very bins");
        }
    }
}
