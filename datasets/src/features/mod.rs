//! Samples to numbers per frame: spectrograms, mel spectrograms, cepstra and their derivatives.
//!
//! Every value agrees with librosa 0.11 from the same options. One [`FeatureConfig`] says what is
//! wanted; a [`FeatureExtractor`] is built from it once and turns any number of waveforms into
//! [`Features`].

mod config;
mod decibel;
mod delta;
mod extractor;
mod griffin_lim;
mod logarithm;
mod matrix;
mod mel;
mod mfcc;
mod normalize;
mod stft;
mod stream;
mod weights;
mod window;

pub use config::{FeatureConfig, FeatureKind, MelNorm, MelScale, Normalize, PadMode, WindowKind};
pub use delta::delta_weights;
pub use extractor::{FeatureExtractor, LOG1P_SCALE};
pub use griffin_lim::griffin_lim;
pub use matrix::{Features, SoundFeatures};
pub use normalize::{BinAccumulator, BinStats};
pub use stream::FeatureStream;

/// Changes whenever the same configuration gives other values than before, so that features kept
/// by an earlier version are not taken for those of this one.
pub const FEATURE_VERSION: u32 = 3;
