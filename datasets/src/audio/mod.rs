//! Files to samples: a path becomes a [`Waveform`] at the rate that is wanted.
//!
//! Formats are told by a file's first bytes, never by its name alone; but samples without a header
//! have no first bytes to tell, and are read as such only where a corpus is known for them.

mod decode;
mod memory;
mod raw;
mod resample;

use std::path::Path;

pub use decode::{decode, sample_rate_hz};
pub use memory::AudioMemory;
pub(crate) use raw::{RAW_RATE_HZ, decode_raw};
pub use resample::{ResampleStream, resample};

use crate::Result;

/// File name endings that corpora take for audio, in lower case.
pub const EXTENSIONS: [&str; 5] = ["wav", "flac", "ogg", "oga", "mp3"];

/// Whether the file's name ends in one of [`EXTENSIONS`].
#[must_use]
pub fn has_audio_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

/// One channel of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    /// Amplitudes `[samples]`. Integer formats map onto [-1, 1); floating-point and lossy files
    /// may go a little beyond, and are neither clipped nor scaled.
    pub samples: Vec<f32>,
    /// Samples per second.
    pub sample_rate_hz: u32,
}

impl Waveform {
    /// Length in seconds.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sample_rate_hz.max(1))
    }
}

/// Decodes a file and brings it to `sample_rate_hz`.
///
/// # Errors
///
/// Those of [`decode`] and [`resample`], naming the file.
pub fn load(path: &Path, sample_rate_hz: u32) -> Result<Waveform> {
    let waveform = decode(path)?;
    if waveform.sample_rate_hz == sample_rate_hz {
        return Ok(waveform);
    }
    resample(&waveform, sample_rate_hz).map_err(|error| error.at(path.display().to_string()))
}
