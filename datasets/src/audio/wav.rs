//! Decoding of wav files, by hound.

use std::io::Cursor;
use std::path::Path;

use super::format::{Format, checked_rate, damaged, truncated};
use super::mixer::Mixer;
use super::waveform::Waveform;
use crate::{Error, Result};

pub(super) fn wav_error(path: &Path, error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(_) => truncated(path, "it stops within its header"),
        hound::Error::Unsupported => damaged(
            path,
            Format::Wav,
            "its encoding is not supported; integer samples of 8, 16, 24 or 32 bits and \
             floating-point samples of 32 bits are",
        ),
        other => damaged(path, Format::Wav, other.to_string()),
    }
}

/// Refuses a wav whose header leaves open how long it is. What cannot come back to its header, as
/// on its way into a pipe, writes no length there, all ones (ffmpeg), or about 2 GiB (sox, arecord).
pub(super) fn check_length(path: &Path, head: &[u8], file_bytes: u64) -> Result<()> {
    // The file is a chunk itself, with "WAVE" in front of those in it.
    let Some((_, whole, contents)) = chunk(head) else {
        return Ok(());
    };
    let mut rest = contents.get(4..).unwrap_or_default();
    while let Some((name, length, behind)) = chunk(rest) {
        if name == *b"data" {
            let there = file_bytes.saturating_sub((head.len() - behind.len()) as u64);
            let open = match length {
                // A file that is as long as it says holds no sound, and has other chunks behind.
                0 => there > 0 && u64::from(whole) + 8 != file_bytes,
                0x7fff_0000..=0x8000_0000 | 0xffff_ff00.. => u64::from(length) > there,
                _ => false,
            };
            if open {
                return Err(damaged(
                    path,
                    Format::Wav,
                    "its header has no length, as a stream written to a pipe leaves it; write it \
                     again, such as by `sox --ignore-length in.wav out.wav`",
                ));
            }
            break;
        }
        // Chunks are padded to an even length.
        let padded = length.saturating_add(length % 2);
        rest = behind.get(padded as usize..).unwrap_or_default();
    }
    Ok(())
}

/// The name and length of the wav chunk that begins here, and all that is behind these two.
fn chunk(bytes: &[u8]) -> Option<([u8; 4], u32, &[u8])> {
    let (name, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    Some((*name, u32::from_le_bytes(*length), rest))
}

pub(super) fn decode_wav(path: &Path, bytes: &[u8]) -> Result<Waveform> {
    check_length(path, bytes, bytes.len() as u64)?;
    let mut reader =
        hound::WavReader::new(Cursor::new(bytes)).map_err(|error| wav_error(path, error))?;
    let spec = reader.spec();
    let sample_rate_hz = checked_rate(path, Format::Wav, spec.sample_rate)?;
    let promised = reader.duration();
    let mut mixer = Mixer::new(usize::from(spec.channels), promised as usize, bytes.len());
    let cut = |mixer: &Mixer| {
        truncated(
            path,
            format!(
                "its header promises {promised} samples and {} are there",
                mixer.samples.len()
            ),
        )
    };
    match (spec.sample_format, spec.bits_per_sample) {
        (hound::SampleFormat::Float, 32) => {
            for sample in reader.samples::<f32>() {
                mixer.push(sample.map_err(|_| cut(&mixer))?);
            }
        }
        (hound::SampleFormat::Int, bits @ (8 | 16 | 24 | 32)) => {
            let scale = 1.0 / (1_u64 << (bits - 1)) as f64;
            for sample in reader.samples::<i32>() {
                let sample = sample.map_err(|_| cut(&mixer))?;
                mixer.push((f64::from(sample) * scale) as f32);
            }
        }
        (_, bits) => {
            return Err(damaged(
                path,
                Format::Wav,
                format!(
                    "samples of {bits} bits are not supported; integers of 8, 16, 24 or 32 bits \
                     and floating point of 32 bits are"
                ),
            ));
        }
    }
    Ok(Waveform {
        samples: mixer.samples,
        sample_rate_hz,
    })
}
