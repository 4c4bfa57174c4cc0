//! From a waveform to features by a configuration.

use super::decibel::power_to_db;
use super::delta::delta;
use super::mel::MelFilters;
use super::mfcc::Cosines;
use super::stft::Stft;
use super::{FeatureConfig, FeatureKind, Features, Normalize};
use crate::{Error, Result, Waveform};

/// Makes features by one configuration. Plans, filters and buffers are built once: keep it, one
/// per thread.
///
/// ```
/// use sori_datasets::features::{FeatureConfig, FeatureExtractor};
/// use sori_datasets::Waveform;
///
/// let config = FeatureConfig { num_mels: 80, ..FeatureConfig::default() };
/// let mut extractor = FeatureExtractor::new(&config)?;
/// let second = Waveform { samples: vec![0.1; 16_000], sample_rate_hz: 16_000 };
/// let features = extractor.extract(&second)?;
/// assert_eq!((features.frames, features.bins), (101, 80));
/// # Ok::<(), sori_datasets::Error>(())
/// ```
#[derive(Clone)]
pub struct FeatureExtractor {
    config: FeatureConfig,
    stft: Stft,
    filters: MelFilters,
    cosines: Cosines,
    mels: Vec<f32>,
}

impl FeatureExtractor {
    /// Builds everything the configuration needs.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] as [`FeatureConfig::check`].
    pub fn new(config: &FeatureConfig) -> Result<Self> {
        config.check()?;
        Ok(Self {
            stft: Stft::new(config),
            filters: MelFilters::new(config),
            cosines: Cosines::new(config.num_mels, config.num_mfccs),
            mels: Vec::new(),
            config: config.clone(),
        })
    }

    /// The configuration it was built from.
    #[must_use]
    pub fn config(&self) -> &FeatureConfig {
        &self.config
    }

    /// Features `[num_frames, num_bins]` of a waveform at the configuration's rate. With
    /// `normalize = utterance` they are normalised; by the corpus they are not yet, see
    /// [`Features::normalize_by`].
    ///
    /// # Errors
    ///
    /// [`Error::SampleRate`] at another rate, [`Error::TooShort`] below
    /// [`FeatureConfig::min_samples`], [`Error::NotFiniteInput`] for samples that are not finite,
    /// [`Error::NotFiniteFeature`] for samples so large that a feature overflows.
    pub fn extract(&mut self, waveform: &Waveform) -> Result<Features> {
        if waveform.sample_rate_hz != self.config.sample_rate_hz {
            return Err(Error::SampleRate {
                found_hz: waveform.sample_rate_hz,
                expected_hz: self.config.sample_rate_hz,
            });
        }
        let samples = waveform.samples.as_slice();
        let needed = self.config.min_samples();
        if samples.len() < needed {
            return Err(Error::TooShort {
                samples: samples.len(),
                needed,
            });
        }

        if let Some(index) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(Error::NotFiniteInput {
                index,
                value: samples[index],
            });
        }

        let frames = self.config.num_frames(samples.len());
        let bins = self.config.num_bins();
        let mut values = match self.config.kind {
            FeatureKind::Waveform => samples.to_vec(),
            _ => vec![0.0; frames * bins],
        };
        self.fill(samples, &mut values, bins);
        let static_bins = self.config.num_static_bins();
        for order in 1..=self.config.deltas {
            delta(&mut values, frames, static_bins, bins, order);
        }

        let mut features = Features {
            frames,
            bins,
            values,
        };
        features.check_finite()?;
        if self.config.normalize == Normalize::Utterance {
            features.normalize_utterance();
        }
        Ok(features)
    }

    /// Writes the features without derivatives to the front of each row of `bins` values.
    fn fill(&mut self, samples: &[f32], values: &mut [f32], bins: usize) {
        let Self {
            config,
            stft,
            filters,
            cosines,
            mels,
        } = self;
        let floor = config.log_floor as f32;
        let num_mels = config.num_mels;
        let mut rows = values.chunks_exact_mut(bins);
        match config.kind {
            FeatureKind::Waveform => {}
            FeatureKind::Spectrogram
            | FeatureKind::PowerSpectrogram
            | FeatureKind::Log1pSpectrogram => {
                let map: fn(f32) -> f32 = match config.kind {
                    FeatureKind::Spectrogram => f32::sqrt,
                    FeatureKind::Log1pSpectrogram => |power| power.sqrt().ln_1p(),
                    _ => |power| power,
                };
                stft.for_each_power(samples, |power| {
                    if let Some(row) = rows.next() {
                        for (value, &power) in row.iter_mut().zip(power) {
                            *value = map(power);
                        }
                    }
                });
            }
            FeatureKind::Mel => stft.for_each_power(samples, |power| {
                if let Some(row) = rows.next() {
                    filters.apply(power, &mut row[..num_mels]);
                }
            }),
            FeatureKind::LogMel => stft.for_each_power(samples, |power| {
                if let Some(row) = rows.next() {
                    let row = &mut row[..num_mels];
                    filters.apply(power, row);
                    for value in row {
                        *value = value.max(floor).ln();
                    }
                }
            }),
            // Decibels look at the loudest value of the whole recording first.
            FeatureKind::MelDb | FeatureKind::Mfcc => {
                mels.clear();
                stft.for_each_power(samples, |power| {
                    let start = mels.len();
                    mels.resize(start + num_mels, 0.0);
                    filters.apply(power, &mut mels[start..]);
                });
                power_to_db(mels, floor, config.top_db);
                for (row, mels) in rows.zip(mels.chunks_exact(num_mels)) {
                    if config.kind == FeatureKind::Mfcc {
                        cosines.apply(mels, &mut row[..config.num_mfccs]);
                    } else {
                        row[..num_mels].copy_from_slice(mels);
                    }
                }
            }
        }
    }
}
