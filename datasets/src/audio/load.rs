//! Loading a file at a given sample rate.

use std::path::Path;

use super::decode::decode;
use super::resample::resample;
use super::waveform::Waveform;
use crate::Result;

/// Decodes a file and resamples it to `sample_rate_hz`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("tone.wav");
/// use sori_datasets::audio;
///
/// // A tenth of a second at 8 kHz.
/// let spec = hound::WavSpec {
///     channels: 1,
///     sample_rate: 8000,
///     bits_per_sample: 16,
///     sample_format: hound::SampleFormat::Int,
/// };
/// let mut writer = hound::WavWriter::create(&path, spec)?;
/// for n in 0..800_i16 {
///     writer.write_sample(n)?;
/// }
/// writer.finalize()?;
///
/// let waveform = audio::load(&path, 16_000)?;
/// assert_eq!((waveform.samples.len(), waveform.sample_rate_hz), (1600, 16_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
