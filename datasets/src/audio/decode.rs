//! Decoding of audio files, told by their contents.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::compressed::{decode_compressed, open_track};
use super::format::{Format, checked_rate, damaged};
use super::wav::{check_length, decode_wav, wav_error};
use super::waveform::Waveform;
use crate::finite::first_not_finite;
use crate::{Error, Result};

/// Enough of a file to tell its format; a wav's header nearly always ends within it.
const HEAD_BYTES: u64 = 4096;

/// Decodes an audio file: wav (8, 16, 24 and 32 bit integer, 32 bit float), flac, ogg vorbis or
/// mp3, told by its contents. Channels are averaged into one; the rate stays the file's.
///
/// A damaged file is an error, never shorter sound: counts promised by headers, flac's checksum
/// of the decoded sound, those of ogg's pages and the completeness of the last frame are checked.
///
/// # Errors
///
/// Names the file: [`Error::Io`] (missing, unreadable), [`Error::EmptyFile`],
/// [`Error::NotAudio`], [`Error::Decode`], [`Error::Truncated`], [`Error::NoSamples`],
/// [`Error::NotFiniteSample`].
pub fn decode(path: &Path) -> Result<Waveform> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let format = Format::of(path, &bytes)?;
    let waveform = guarded(path, format, || match format {
        Format::Wav => decode_wav(path, &bytes),
        _ => decode_compressed(path, format, bytes),
    })?;
    if waveform.samples.is_empty() {
        return Err(Error::NoSamples {
            path: path.to_owned(),
        });
    }
    if let Some(index) = first_not_finite(&waveform.samples) {
        return Err(Error::NotFiniteSample {
            path: path.to_owned(),
            index,
            value: waveform.samples[index],
        });
    }
    Ok(waveform)
}

/// Reads the sample rate of an audio file from its header alone.
///
/// # Errors
///
/// As [`decode`], as far as the header shows them.
pub fn sample_rate_hz(path: &Path) -> Result<u32> {
    let open = || File::open(path).map_err(|error| Error::io("read", path, error));
    let mut head = Vec::new();
    let file = open()?;
    let file_bytes = file
        .metadata()
        .map_err(|error| Error::io("read", path, error))?
        .len();
    file.take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(|error| Error::io("read", path, error))?;
    let format = Format::of(path, &head)?;
    guarded(path, format, || match format {
        Format::Wav => {
            check_length(path, &head, file_bytes)?;
            let reader = hound::WavReader::open(path).map_err(|error| wav_error(path, error))?;
            checked_rate(path, format, reader.spec().sample_rate)
        }
        _ => Ok(open_track(path, format, Box::new(open()?))?.sample_rate_hz),
    })
}

/// Runs a decoder. Its panic on damaged input becomes an error.
fn guarded<T>(path: &Path, format: Format, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(damaged(path, format, "the file is damaged")))
}
