//! Sounds as files: WAV.

use std::path::Path;

use sori_datasets::Waveform;

use crate::file::write_atomically;
use crate::{Error, Result};

/// Writes 32-bit float samples without clipping.
pub(super) fn write_wav(waveform: &Waveform, path: &Path) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: waveform.sample_rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let bytes = || -> hound::Result<Vec<u8>> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec)?;
        for &sample in &waveform.samples {
            writer.write_sample(sample)?;
        }
        writer.finalize()?;
        Ok(bytes.into_inner())
    };
    let bytes = bytes()
        .map_err(std::io::Error::other)
        .map_err(Error::io("cannot write", path))?;
    write_atomically(path, &bytes)
}
