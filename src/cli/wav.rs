//! Sounds as files: WAV.

use std::path::Path;

use hound::SampleFormat;
use sori_datasets::Waveform;

use super::output::remark;
use crate::file::write_atomically;
use crate::{Error, Result};

/// Writes 32-bit float samples without clipping.
pub(super) fn write_wav(waveform: &Waveform, path: &Path) -> Result<()> {
    let samples = waveform.samples.iter().copied();
    let format = (32, SampleFormat::Float);
    write(samples, format, waveform.sample_rate_hz, path)
}

/// Writes 16-bit samples, which most programs read. A waveform above full scale is made quieter, which a
/// remark says.
pub(super) fn write_wav_16(waveform: &Waveform, path: &Path) -> Result<()> {
    let samples = &waveform.samples;
    let peak = samples.iter().fold(0.0, |peak: f32, it| peak.max(it.abs()));
    let gain = if peak > 1.0 { 1.0 / peak } else { 1.0 };
    if peak > 1.0 {
        let path = path.display();
        remark(&format!(
            "{path}: it is made quieter, {gain:.2} times as loud, not to clip"
        ));
    }
    let whole = |&sample: &f32| {
        let scaled = (sample * gain * 32_768.0).round();
        scaled.clamp(-32_768.0, 32_767.0) as i16
    };
    let format = (16, SampleFormat::Int);
    write(
        samples.iter().map(whole),
        format,
        waveform.sample_rate_hz,
        path,
    )
}

/// Writes samples of so many bits.
fn write<S: hound::Sample>(
    samples: impl Iterator<Item = S>,
    (bits_per_sample, sample_format): (u16, SampleFormat),
    sample_rate: u32,
    path: &Path,
) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate,
        bits_per_sample,
        sample_format,
    };
    let bytes = || -> hound::Result<Vec<u8>> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec)?;
        for sample in samples {
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
