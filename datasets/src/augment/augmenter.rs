//! Augmenting recordings by a configuration and a seed.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::augmentation::Augmentation;
use super::clips::ClipFolder;
use super::config::AugmentConfig;
use super::convolve::Convolver;
use super::equalizer::Equalizer;
use super::stretch::PhaseVocoder;
use super::{noise, reverb, spec_augment, speed, words};
use crate::draw::Draw;
use crate::level::{add_at_snr, decibels, scale};
use crate::{Error, Features, Result, Waveform};

/// Streams of a seed beyond those of the augmentations.
pub(super) const MIX_STREAM: u64 = 1 << 32;
const PARTNER_STREAM: u64 = 2 << 32;
const WORDS_STREAM: u64 = 3 << 32;

/// Augments by one configuration. It owns plans and buffers, so each thread takes its own; decoded
/// noise and impulse responses are shared by all clones.
#[derive(Clone)]
pub struct Augmenter {
    config: AugmentConfig,
    sample_rate_hz: u32,
    noise: Option<Arc<ClipFolder>>,
    responses: Option<Arc<ClipFolder>>,
    convolver: Convolver,
    equalizer: Equalizer,
    vocoder: PhaseVocoder,
}

impl fmt::Debug for Augmenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Augmenter")
            .field("config", &self.config)
            .field("sample_rate_hz", &self.sample_rate_hz)
            .finish_non_exhaustive()
    }
}

impl Augmenter {
    /// An augmenter of waveforms at this rate. The folders of augmentations that are on are listed
    /// here; a file is decoded when it is first drawn.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] as [`AugmentConfig::check`], [`Error::Io`] if a folder cannot be read,
    /// [`Error::Layout`] if it holds no audio file.
    pub fn new(config: &AugmentConfig, sample_rate_hz: u32) -> Result<Self> {
        config.check()?;
        let open = |folder: &str, probability: f64| {
            (probability > 0.0 && !folder.is_empty())
                .then(|| ClipFolder::open(Path::new(folder), sample_rate_hz).map(Arc::new))
                .transpose()
        };
        Ok(Self {
            noise: open(&config.noise.folder, config.noise.probability)?,
            responses: open(&config.reverb.folder, config.reverb.probability)?,
            convolver: Convolver::default(),
            equalizer: Equalizer::new(sample_rate_hz),
            vocoder: PhaseVocoder::new(sample_rate_hz),
            config: config.clone(),
            sample_rate_hz,
        })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &AugmentConfig {
        &self.config
    }

    /// The waveform with whatever the seed draws for it. An empty one stays empty, and no other
    /// becomes empty.
    ///
    /// # Errors
    ///
    /// [`Error::SampleRate`] if the waveform is at another rate; that of a noise or impulse
    /// response file that cannot be read.
    pub fn waveform(&mut self, mut waveform: Waveform, seed: u64) -> Result<Waveform> {
        if waveform.sample_rate_hz != self.sample_rate_hz {
            return Err(Error::SampleRate {
                found_hz: waveform.sample_rate_hz,
                expected_hz: self.sample_rate_hz,
            });
        }
        if waveform.samples.is_empty() {
            return Ok(waveform);
        }
        for &augmentation in Augmentation::VALUES {
            if augmentation.acts_on_features() {
                continue;
            }
            if let Some(mut draw) = self.drawn(augmentation, seed) {
                waveform.samples = self.apply(augmentation, waveform.samples, &mut draw)?;
            }
        }
        Ok(waveform)
    }

    /// Masks features by whatever the seed draws for them. They are to be normalised: a mask is 0,
    /// the mean.
    pub fn features(&mut self, features: &mut Features, seed: u64) {
        if let Some(mut draw) = self.drawn(Augmentation::SpecAugment, seed) {
            spec_augment::mask(features, &self.config.spec_augment, &mut draw);
        }
    }

    /// The samples, and the words, that are left of a recording of so many words, if the seed draws it and its
    /// pauses tell the words apart: two or more, so that there is a space among them, but not all. The rest of its
    /// augmentation comes after.
    #[must_use]
    pub(crate) fn some_words(
        &self,
        samples: &[f32],
        num_words: usize,
        seed: u64,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let mut draw = Draw::new(seed, WORDS_STREAM);
        if draw.unit() >= self.config.words.probability || num_words < 3 {
            return None;
        }
        let bounds = words::bounds(samples, self.sample_rate_hz, num_words)?;
        let kept = 2 + draw.below(num_words - 2);
        let first = draw.below(num_words - kept + 1);
        let words = first..first + kept;
        Some((bounds[words.start]..bounds[words.end], words))
    }

    /// The seed of the recording that the one of this seed is mixed with.
    #[must_use]
    pub(crate) fn partner_seed(seed: u64) -> u64 {
        Draw::new(seed, PARTNER_STREAM).bits()
    }

    /// The augmentation's random numbers, if it is to act.
    fn drawn(&self, augmentation: Augmentation, seed: u64) -> Option<Draw> {
        let mut draw = Draw::new(seed, augmentation as u64);
        (draw.unit() < self.config.probability(augmentation)).then_some(draw)
    }

    fn apply(
        &mut self,
        augmentation: Augmentation,
        mut samples: Vec<f32>,
        draw: &mut Draw,
    ) -> Result<Vec<f32>> {
        let config = &self.config;
        let length = samples.len();
        Ok(match augmentation {
            Augmentation::Speed => {
                let range = (config.speed.min_factor, config.speed.max_factor);
                speed::change_speed(&samples, draw.between(range))
            }
            Augmentation::Stretch => {
                let range = (config.stretch.min_factor, config.stretch.max_factor);
                self.vocoder.stretch(&samples, draw.between(range))
            }
            Augmentation::Crop => {
                let crop = &config.crop;
                let kept = if crop.seconds > 0.0 {
                    crop.seconds * f64::from(self.sample_rate_hz)
                } else {
                    draw.between((crop.min_fraction, crop.max_fraction)) * length as f64
                };
                let kept = (kept.round() as usize).clamp(1, length);
                let start = draw.below(length - kept + 1);
                samples.drain(..start);
                samples.truncate(kept);
                samples
            }
            Augmentation::Pitch => {
                let range = (config.pitch.min_semitones, config.pitch.max_semitones);
                self.vocoder.shift_pitch(&samples, draw.between(range))
            }
            Augmentation::Shift => {
                let most = config.shift.max_fraction;
                let later = (draw.between((-most, most)) * length as f64).round() as i64;
                samples.rotate_right(later.rem_euclid(length as i64) as usize);
                if !config.shift.wrap {
                    let moved = later.unsigned_abs() as usize;
                    let came_in = if later > 0 {
                        0..moved
                    } else {
                        length - moved..length
                    };
                    samples[came_in].fill(0.0);
                }
                samples
            }
            Augmentation::Reverb => {
                let reverb = &config.reverb;
                let response = match &self.responses {
                    Some(folder) => folder.samples(draw.below(folder.len()))?,
                    None => {
                        let rt60_ms = draw.between((reverb.min_rt60_ms, reverb.max_rt60_ms));
                        let direct_db = draw.between((reverb.min_direct_db, reverb.max_direct_db));
                        reverb::room(draw, rt60_ms / 1000.0, direct_db, self.sample_rate_hz).into()
                    }
                };
                reverb::reverberate(&mut self.convolver, &samples, &response)
            }
            Augmentation::Noise => {
                let snr_db = draw.between((config.noise.min_snr_db, config.noise.max_snr_db));
                let noise = match &self.noise {
                    Some(folder) => {
                        let clip = folder.samples(draw.below(folder.len()))?;
                        noise::part(&clip, draw, length)
                    }
                    None => noise::made(config.noise.kind, draw, length),
                };
                add_at_snr(&mut samples, &noise, snr_db);
                samples
            }
            Augmentation::Gain => {
                let gain_db = draw.between((config.gain.min_db, config.gain.max_db));
                scale(&mut samples, decibels(gain_db));
                samples
            }
            Augmentation::Equalizer => {
                let range_db = (config.equalizer.min_db, config.equalizer.max_db);
                let gains_db = self.equalizer.draw(draw, range_db);
                self.equalizer
                    .filter(&mut self.convolver, &samples, &gains_db)
            }
            // It acts on features.
            Augmentation::SpecAugment => samples,
        })
    }
}
