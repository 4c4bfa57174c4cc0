//! Recordings varied while a model is trained on them.
//!
//! An [`AugmentConfig`] says what is done, how often and how strongly; an [`Augmenter`] does it.
//! The result depends on the recording, the configuration and a seed that the caller gives for each
//! recording, never on threads or on earlier recordings. Each augmentation draws from a
//! stream of its own, so that turning one on or off leaves the others' draws as they were.
//!
//! Nothing is clipped: results may exceed ±1, as waveforms may anyway ([`Waveform`](crate::Waveform)).
//!
//! ```
//! use sori_datasets::{AugmentConfig, Augmentation, Augmenter, Waveform};
//!
//! let mut config = AugmentConfig::only(Augmentation::Noise);
//! config.gain.probability = 0.5;
//! let mut augmenter = Augmenter::new(&config, 16_000)?;
//! let second = Waveform { samples: vec![0.1; 16_000], sample_rate_hz: 16_000 };
//! let noisy = augmenter.waveform(second.clone(), 7)?;
//! assert_ne!(noisy, second);
//! assert_eq!(noisy, augmenter.waveform(second, 7)?);
//! # Ok::<(), sori_datasets::Error>(())
//! ```

mod augmentation;
mod augmenter;
mod check;
mod clips;
mod config;
mod convolve;
mod equalizer;
mod fft;
mod mix;
mod noise;
mod reverb;
mod spec_augment;
mod speed;
mod stretch;
mod words;

pub use augmentation::Augmentation;
pub use augmenter::Augmenter;
pub use config::{
    AugmentConfig, CropConfig, EqualizerConfig, GainConfig, MixConfig, MixKind, NoiseConfig,
    NoiseKind, PitchConfig, ReverbConfig, ShiftConfig, SpecAugmentConfig, SpeedConfig,
    StretchConfig, WordsConfig,
};
pub use mix::{mix_features, mix_waveforms, sound_level_db};
