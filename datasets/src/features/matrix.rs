//! The features of one recording.

use crate::finite::first_not_finite;
use crate::{Error, Result};

/// Numbers per frame of one recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Number of frames.
    pub frames: usize,
    /// Numbers per frame.
    pub bins: usize,
    /// All values, row after row: `[frames, bins]`.
    pub values: Vec<f32>,
}

impl Features {
    /// The values of one frame `[bins]`.
    ///
    /// # Panics
    ///
    /// If there is no frame of this index.
    #[must_use]
    pub fn row(&self, frame: usize) -> &[f32] {
        &self.values[frame * self.bins..(frame + 1) * self.bins]
    }

    /// The frames in order, each `[bins]`.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.bins.max(1))
    }

    /// Checks that every value is finite.
    ///
    /// # Errors
    ///
    /// [`Error::NotFiniteFeature`] with the place of the first value that is not.
    pub fn check_finite(&self) -> Result<()> {
        match first_not_finite(&self.values) {
            None => Ok(()),
            Some(index) => Err(Error::NotFiniteFeature {
                frame: index / self.bins.max(1),
                bin: index % self.bins.max(1),
                value: self.values[index],
            }),
        }
    }
}

/// Features and the length of the sound that they are of.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundFeatures {
    /// The features.
    pub features: Features,
    /// Samples of the sound, at the rate of the features.
    pub samples: usize,
}
