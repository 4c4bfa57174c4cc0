//! Samples without a header.

use std::path::Path;

use super::waveform::Waveform;
use crate::{Error, Result, files};

/// The rate of headerless recordings.
pub(crate) const RAW_RATE_HZ: u32 = 16_000;

/// Reads a file of nothing but samples: one channel of 16-bit integers, the low byte first, at
/// 16 kHz, as KsponSpeech has them (`.pcm`). There being no header, any file is taken for such
/// samples. A last byte that is half a sample is left out.
pub(crate) fn decode_raw(path: &Path) -> Result<Waveform> {
    let bytes = files::read(path)?;
    let (samples, _) = bytes.as_chunks::<2>();
    if samples.is_empty() {
        return Err(Error::NoSamples {
            path: path.to_owned(),
        });
    }
    Ok(Waveform {
        samples: samples
            .iter()
            .map(|&sample| f32::from(i16::from_le_bytes(sample)) / 32_768.0)
            .collect(),
        sample_rate_hz: RAW_RATE_HZ,
    })
}
