//! The format of a file, and its faults.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::{Error, Result};

/// Sample rates of recordings. A damaged header beyond them would have a file of a few seconds
/// resampled to hours.
const PLAUSIBLE_HZ: RangeInclusive<u32> = 1000..=1_000_000;

/// The format of a file, by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Wav,
    Flac,
    Ogg,
    Mp3,
    Mp4,
}

impl Format {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Ogg => "ogg vorbis",
            Self::Mp3 => "mp3",
            Self::Mp4 => "m4a",
        }
    }

    /// The format of what begins with `head`, behind an ID3 tag or not.
    pub(super) fn of(path: &Path, head: &[u8], tagged: bool) -> Result<Self> {
        match head {
            [] => Err(Error::EmptyFile {
                path: path.to_owned(),
            }),
            _ if is_wav(head) => Ok(Self::Wav),
            [b'f', b'L', b'a', b'C', ..] => Ok(Self::Flac),
            [b'O', b'g', b'g', b'S', ..] => Ok(Self::Ogg),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Ok(Self::Mp4),
            // What else is behind such a tag is mp3, perhaps behind padding.
            _ if tagged => Ok(Self::Mp3),
            // Eleven bits of synchronisation and a layer that is not reserved.
            [0xff, second, ..] if second & 0xe0 == 0xe0 && second & 0x06 != 0 => Ok(Self::Mp3),
            [b'R', b'I', b'F', b'F', ..] if head.len() < 12 => Err(Error::Truncated {
                path: path.to_owned(),
                reason: format!(
                    "it stops after {} bytes, within the first header",
                    head.len()
                ),
            }),
            _ => Err(Error::NotAudio {
                path: path.to_owned(),
                found: format!(
                    "it starts with \"{}\"",
                    head.iter()
                        .take(8)
                        .map(|&byte| if byte.is_ascii_graphic() {
                            byte as char
                        } else {
                            '.'
                        })
                        .collect::<String>()
                ),
            }),
        }
    }
}

/// Files beyond 4 GiB are `RF64`.
fn is_wav(head: &[u8]) -> bool {
    (head.starts_with(b"RIFF") || head.starts_with(b"RF64")) && head.get(8..12) == Some(b"WAVE")
}

pub(super) fn damaged(path: &Path, format: Format, reason: impl Into<String>) -> Error {
    Error::Decode {
        path: path.to_owned(),
        format: format.name(),
        reason: reason.into(),
    }
}

pub(super) fn truncated(path: &Path, reason: impl Into<String>) -> Error {
    Error::Truncated {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

pub(super) fn checked_rate(path: &Path, format: Format, sample_rate_hz: u32) -> Result<u32> {
    if !PLAUSIBLE_HZ.contains(&sample_rate_hz) {
        return Err(damaged(
            path,
            format,
            format!(
                "its header says {sample_rate_hz} samples per second; {} to {} are plausible",
                PLAUSIBLE_HZ.start(),
                PLAUSIBLE_HZ.end()
            ),
        ));
    }
    Ok(sample_rate_hz)
}
