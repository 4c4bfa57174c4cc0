//! Checks of the configuration of augmentations.

use std::fmt;

use super::config::AugmentConfig;
use crate::{Error, Result};

/// Masks of one recording. The paper has two of each kind.
const MAX_MASKS: f64 = 1000.0;

impl AugmentConfig {
    /// Checks every field. [`Augmenter::new`](super::Augmenter::new) checks the folders.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the first field that is wrong, its value and what is right.
    pub fn check(&self) -> Result<()> {
        for (field, probability) in [
            ("augment.speed.probability", self.speed.probability),
            ("augment.stretch.probability", self.stretch.probability),
            ("augment.crop.probability", self.crop.probability),
            ("augment.pitch.probability", self.pitch.probability),
            ("augment.shift.probability", self.shift.probability),
            ("augment.reverb.probability", self.reverb.probability),
            ("augment.noise.probability", self.noise.probability),
            ("augment.gain.probability", self.gain.probability),
            ("augment.equalizer.probability", self.equalizer.probability),
            (
                "augment.spec_augment.probability",
                self.spec_augment.probability,
            ),
            ("augment.mix.probability", self.mix.probability),
            ("augment.words.probability", self.words.probability),
            ("augment.shift.max_fraction", self.shift.max_fraction),
            (
                "augment.spec_augment.max_fraction",
                self.spec_augment.max_fraction,
            ),
        ] {
            within(field, probability, (0.0, 1.0), "")?;
        }
        check_range(
            ("augment.speed.min_factor", self.speed.min_factor),
            ("augment.speed.max_factor", self.speed.max_factor),
            ((0.25, 4.0), ""),
        )?;
        check_range(
            ("augment.stretch.min_factor", self.stretch.min_factor),
            ("augment.stretch.max_factor", self.stretch.max_factor),
            ((0.25, 4.0), ""),
        )?;
        within(
            "augment.crop.seconds",
            self.crop.seconds,
            (0.0, 86_400.0),
            " s; 0 is a fraction of each recording",
        )?;
        check_range(
            ("augment.crop.min_fraction", self.crop.min_fraction),
            ("augment.crop.max_fraction", self.crop.max_fraction),
            ((0.001, 1.0), ""),
        )?;
        check_range(
            ("augment.pitch.min_semitones", self.pitch.min_semitones),
            ("augment.pitch.max_semitones", self.pitch.max_semitones),
            ((-24.0, 24.0), " semitones"),
        )?;
        check_range(
            ("augment.reverb.min_rt60_ms", self.reverb.min_rt60_ms),
            ("augment.reverb.max_rt60_ms", self.reverb.max_rt60_ms),
            ((1.0, 30_000.0), " ms"),
        )?;
        check_range(
            ("augment.reverb.min_direct_db", self.reverb.min_direct_db),
            ("augment.reverb.max_direct_db", self.reverb.max_direct_db),
            ((-60.0, 120.0), " dB"),
        )?;
        check_range(
            ("augment.noise.min_snr_db", self.noise.min_snr_db),
            ("augment.noise.max_snr_db", self.noise.max_snr_db),
            ((-60.0, 120.0), " dB"),
        )?;
        check_range(
            ("augment.gain.min_db", self.gain.min_db),
            ("augment.gain.max_db", self.gain.max_db),
            ((-120.0, 120.0), " dB"),
        )?;
        check_range(
            ("augment.equalizer.min_db", self.equalizer.min_db),
            ("augment.equalizer.max_db", self.equalizer.max_db),
            ((-60.0, 60.0), " dB"),
        )?;
        for (field, count) in [
            (
                "augment.spec_augment.num_bands",
                self.spec_augment.num_bands,
            ),
            (
                "augment.spec_augment.num_stretches",
                self.spec_augment.num_stretches,
            ),
        ] {
            within(field, count as f64, (0.0, MAX_MASKS), "")?;
        }
        within("augment.mix.alpha", self.mix.alpha, (0.001, 1000.0), "")
    }
}

/// Refuses a value that is not within the limits, and one that is not a number.
fn within(
    field: &'static str,
    value: f64,
    (least, most): (f64, f64),
    unit: impl fmt::Display,
) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::Config {
        field,
        value: value.to_string(),
        expected: format!("between {least} and {most}{unit}"),
    })
}

/// Refuses a range whose ends are not within the limits or the wrong way round.
fn check_range(
    (min_field, min): (&'static str, f64),
    (max_field, max): (&'static str, f64),
    (limits, unit): ((f64, f64), &str),
) -> Result<()> {
    within(min_field, min, limits, unit)?;
    within(
        max_field,
        max,
        (min, limits.1),
        format_args!("{unit}, not below {min_field}"),
    )
}
