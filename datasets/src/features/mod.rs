//! Samples to numbers per frame: spectrograms, mel spectrograms, cepstra and what is made of them.
//!
//! Every value agrees with librosa 0.11 from the same options. One [`FeatureConfig`] says what is
//! wanted; a [`FeatureExtractor`] is built from it once and turns any number of waveforms into
//! [`Features`].

mod config;
mod decibel;
mod delta;
mod extractor;
mod logarithm;
mod mel;
mod mfcc;
mod normalize;
mod stft;
mod stream;
mod window;

pub use config::{FeatureConfig, FeatureKind, MelNorm, MelScale, Normalize, PadMode, WindowKind};
pub use extractor::FeatureExtractor;
pub use normalize::{BinAccumulator, BinStats};
pub use stream::FeatureStream;

use crate::{Error, Result};

/// Changes whenever the same configuration gives other values than before, so that features kept
/// by an earlier version are not taken for those of this one.
pub const FEATURE_VERSION: u32 = 2;

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

    /// Nothing if every value is finite.
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

/// Where the first value is that is infinite or not a number.
pub(crate) fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Block by block without an early end, which becomes vector instructions.
    const BLOCK: usize = 256;
    let broken = |block: &[f32]| block.iter().fold(false, |any, x| any | !x.is_finite());
    let block = values.chunks(BLOCK).position(broken)?;
    let within = values[block * BLOCK..]
        .iter()
        .position(|x| !x.is_finite())?;
    Some(block * BLOCK + within)
}
