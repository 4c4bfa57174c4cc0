//! Features of whole waveforms.

use super::decibel::power_to_db;
use super::delta::delta;
use super::logarithm::floored_ln;
use super::mel::MelFilters;
use super::mfcc::Cosines;
use super::stft::{LANES, Stft};
use super::{FeatureConfig, FeatureKind, Features, Normalize};
use crate::finite::first_not_finite;
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
    /// `[num_mels]`, a frame in each lane.
    lanes: Vec<[f32; LANES]>,
    /// `[frames, num_mels]`, where all are needed at once.
    all_mels: Vec<f32>,
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
            cosines: match config.kind {
                FeatureKind::Mfcc => Cosines::new(config.num_mels, config.num_mfccs),
                _ => Cosines::new(config.num_mels, 0),
            },
            lanes: vec![[0.0; LANES]; config.num_mels],
            all_mels: Vec::new(),
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

        if let Some(index) = first_not_finite(samples) {
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
        if self.config.kind != FeatureKind::Waveform {
            self.fill(FrameSource::Whole(samples), &mut values, bins);
        }
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
    pub(super) fn fill(&mut self, source: FrameSource<'_>, values: &mut [f32], bins: usize) {
        let Self {
            config,
            stft,
            filters,
            cosines,
            lanes,
            all_mels,
        } = self;
        let floor = config.log_floor as f32;
        let num_mels = config.num_mels;
        let count = values.len() / bins;
        // Decibels look at the loudest value of all frames first.
        let later = matches!(config.kind, FeatureKind::MelDb | FeatureKind::Mfcc);
        let (target, width) = if later {
            all_mels.resize(count * num_mels, 0.0);
            (&mut all_mels[..], num_mels)
        } else {
            (&mut *values, bins)
        };
        let mut rows = target.chunks_exact_mut(width);
        let each = |power: &[[f32; LANES]], count: usize| {
            let rows = rows.by_ref().take(count);
            match config.kind {
                FeatureKind::Waveform => {}
                FeatureKind::PowerSpectrogram => fill_rows(rows, power, |power| power),
                FeatureKind::Spectrogram => fill_rows(rows, power, f32::sqrt),
                FeatureKind::Log1pSpectrogram => {
                    fill_rows(rows, power, |power| power.sqrt().ln_1p());
                }
                FeatureKind::Mel | FeatureKind::MelDb | FeatureKind::Mfcc => {
                    filters.apply(power, lanes);
                    fill_rows(rows, lanes, |mel| mel);
                }
                FeatureKind::Log1pMel => {
                    filters.apply(power, lanes);
                    fill_rows(rows, lanes, |mel| {
                        (LOG1P_SCALE * mel).ln_1p() * std::f32::consts::LOG10_E
                    });
                }
                FeatureKind::LogMel => {
                    filters.apply(power, lanes);
                    floored_ln(lanes.as_flattened_mut(), floor);
                    fill_rows(rows, lanes, |mel| mel);
                }
            }
        };
        match source {
            FrameSource::Whole(samples) => stft.for_each_powers(samples, each),
            FrameSource::Padded(padded) => stft.for_each_powers_of_padded(padded, count, each),
        }
        if later {
            power_to_db(all_mels, floor, config.top_db);
            for (row, mels) in values
                .chunks_exact_mut(bins)
                .zip(all_mels.chunks_exact(num_mels))
            {
                if config.kind == FeatureKind::Mfcc {
                    cosines.apply(mels, &mut row[..config.num_mfccs]);
                } else {
                    row[..num_mels].copy_from_slice(mels);
                }
            }
        }
    }
}

/// What `log1p-mel` multiplies a mel band's power by.
pub const LOG1P_SCALE: f32 = 10_000.0;

/// The samples that frames are taken from.
pub(super) enum FrameSource<'a> {
    /// A recording.
    Whole(&'a [f32]),
    /// A stretch of one, padded where it is at an end, that begins with a frame of even number.
    Padded(&'a [f32]),
}

/// Fills the front of each row with one lane of `values`.
fn fill_rows<'a>(
    rows: impl Iterator<Item = &'a mut [f32]>,
    values: &[[f32; LANES]],
    map: impl Fn(f32) -> f32,
) {
    for (lane, row) in rows.enumerate() {
        for (value, lanes) in row.iter_mut().zip(values) {
            *value = map(lanes[lane]);
        }
    }
}
