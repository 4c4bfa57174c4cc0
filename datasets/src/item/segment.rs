//! A stretch of an audio file.

use std::path::PathBuf;

use crate::{Error, Result, Waveform, audio};

/// A stretch of an audio file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The file.
    pub path: PathBuf,
    /// Offset of its beginning.
    pub start_ms: u64,
    /// Its length.
    pub length_ms: u64,
}

impl Segment {
    /// Its sound, resampled to `sample_rate_hz`. Each call decodes the whole file.
    ///
    /// # Errors
    ///
    /// Those of [`audio::load`]; [`Error::Truncated`] if the file ends before the stretch does.
    pub fn waveform(&self, sample_rate_hz: u32) -> Result<Waveform> {
        let whole = audio::decode(&self.path)?;
        let samples = |ms: u64| (u128::from(ms) * u128::from(whole.sample_rate_hz) / 1000) as usize;
        let (start, end) = (
            samples(self.start_ms),
            samples(self.start_ms + self.length_ms),
        );
        let cut = whole.samples.get(start..end).filter(|cut| !cut.is_empty());
        let Some(cut) = cut else {
            return Err(Error::Truncated {
                path: self.path.clone(),
                reason: format!(
                    "it has {} samples; {start} to {end} of them were expected",
                    whole.samples.len()
                ),
            });
        };
        let cut = Waveform {
            samples: cut.to_vec(),
            sample_rate_hz: whole.sample_rate_hz,
        };
        audio::resample(&cut, sample_rate_hz)
            .map_err(|error| error.at(self.path.display().to_string()))
    }
}
