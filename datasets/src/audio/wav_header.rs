//! The header of wav files: what is in front of the samples.

use std::io::{BufReader, Read, Result as IoResult, Seek};
use std::path::Path;

use super::format::{Format, checked_rate, damaged, truncated};
use super::opened::Opened;
use crate::{Error, Result};

/// The samples of a wav: how they are written, and where.
pub(super) struct WavHeader {
    pub(super) encoding: Encoding,
    pub(super) channels: usize,
    pub(super) sample_rate_hz: u32,
    /// Bytes of a sample of all channels; of a block, where blocks are coded.
    pub(super) block_bytes: usize,
    /// Bytes of the samples that are promised.
    pub(super) data_bytes: u64,
    /// Bytes that are there for them.
    pub(super) there_bytes: u64,
}

/// How a sample of one channel is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Without a sign, as samples of one byte always are.
    Int8,
    Int16,
    Int24,
    /// In the lower three of four bytes (ALSA's `S24_LE`).
    Int24In32,
    Int32,
    Float32,
    Float64,
    ALaw,
    MuLaw,
    /// In blocks of ADPCM.
    Coded,
}

/// The rest of a `SubFormat` behind its two bytes of format: usual, and of ambisonic sound.
const SUB_FORMATS: [[u8; 14]; 2] = [
    *b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71",
    *b"\x00\x00\x21\x07\xd3\x11\x86\x44\xc8\xc1\xca\x00\x00\x00",
];

/// Reads up to the first sample.
pub(super) fn read_header(path: &Path, file: &mut BufReader<Opened>) -> Result<WavHeader> {
    let file_bytes = file.get_ref().length();
    walk(path, file, file_bytes).map_err(|failure| match failure {
        Failure::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(path, "it stops within its header")
        }
        Failure::Io(error) => Error::io("read", path, error),
        Failure::Refused(error) => error,
    })
}

/// An error of the file, or of the system.
enum Failure {
    Io(std::io::Error),
    Refused(Error),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

fn walk(
    path: &Path,
    file: &mut BufReader<Opened>,
    file_bytes: u64,
) -> std::result::Result<WavHeader, Failure> {
    // The file is a chunk itself, with "WAVE" in front of those in it.
    let (_, whole_bytes) = chunk(file)?;
    file.seek_relative(4)?;
    let mut sound = None;
    let mut long_bytes = None;
    loop {
        let (name, length) = chunk(file)?;
        match &name {
            b"fmt " => sound = Some(format_chunk(path, file, length)?),
            b"ds64" if length >= 16 => {
                let sizes: [u8; 16] = bytes(file)?;
                long_bytes = sizes.last_chunk().copied().map(u64::from_le_bytes);
                skip(file, u64::from(length) - 16)?;
            }
            b"data" => {
                let there_bytes = file_bytes.saturating_sub(file.stream_position()?);
                let data_bytes = match long_bytes {
                    Some(long) if length == u32::MAX => long,
                    _ => {
                        check_length(path, whole_bytes, length, there_bytes, file_bytes)?;
                        u64::from(length)
                    }
                };
                let sound = sound.ok_or_else(|| {
                    damaged(path, Format::Wav, "its samples come before their format")
                })?;
                return Ok(WavHeader {
                    data_bytes,
                    there_bytes,
                    ..sound
                });
            }
            _ => skip(file, u64::from(length))?,
        }
        // Chunks are padded to an even length.
        skip(file, u64::from(length % 2))?;
    }
}

/// Refuses a wav whose header leaves open how long it is. What cannot come back to its header, as
/// on its way into a pipe, writes no length there, all ones (ffmpeg), or about 2 GiB (sox, arecord).
fn check_length(
    path: &Path,
    whole_bytes: u32,
    data_bytes: u32,
    there_bytes: u64,
    file_bytes: u64,
) -> Result<()> {
    let open = match data_bytes {
        // A file that is as long as it says holds no sound, and has other chunks behind.
        0 => there_bytes > 0 && u64::from(whole_bytes) + 8 != file_bytes,
        0x7fff_0000..=0x8000_0000 | 0xffff_ff00.. => u64::from(data_bytes) > there_bytes,
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
    Ok(())
}

/// The format of the samples, in a chunk of this length.
fn format_chunk(
    path: &Path,
    file: &mut BufReader<Opened>,
    length: u32,
) -> std::result::Result<WavHeader, Failure> {
    let refuse = |reason: String| Failure::Refused(damaged(path, Format::Wav, reason));
    if length < 16 {
        return Err(refuse(format!(
            "its format takes {length} bytes; 16 at least were expected"
        )));
    }
    let fixed: [u8; 16] = bytes(file)?;
    let word = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let (mut tag, channels, block_bytes, bits) = (word(0), word(2), word(12), word(14));
    let rate_hz = u32::from_le_bytes([4, 5, 6, 7].map(|at| fixed[at]));
    let mut left = u64::from(length) - 16;
    // An extensible format: the tag is the first of the sixteen bytes at its end. How many of a
    // sample's bits are valid does not matter: they are the upper ones.
    let is_extensible = tag == 0xfffe && left >= 24;
    if is_extensible {
        let more: [u8; 24] = bytes(file)?;
        left -= 24;
        if SUB_FORMATS
            .iter()
            .any(|sub_format| more.ends_with(sub_format))
        {
            tag = u16::from_le_bytes([more[8], more[9]]);
        }
    }
    skip(file, left)?;
    let sample_rate_hz = checked_rate(path, Format::Wav, rate_hz)?;
    if channels == 0 {
        return Err(refuse(
            "it has 0 channels; one at least was expected".into(),
        ));
    }
    let per_channel = match block_bytes % channels {
        0 if block_bytes > 0 => block_bytes / channels,
        _ => bits.div_ceil(8),
    };
    let encoding = encoding(tag, is_extensible, per_channel, bits).map_err(refuse)?;
    Ok(WavHeader {
        encoding,
        channels: usize::from(channels),
        sample_rate_hz,
        block_bytes: match encoding {
            Encoding::Coded => usize::from(block_bytes.max(1)),
            _ => usize::from(per_channel) * usize::from(channels),
        },
        data_bytes: 0,
        there_bytes: 0,
    })
}

/// How samples of a format, in so many bytes and of so many bits, are written.
fn encoding(
    tag: u16,
    is_extensible: bool,
    bytes: u16,
    bits: u16,
) -> std::result::Result<Encoding, String> {
    let name = match (tag, bytes, bits) {
        (1, 1, 1..=8) => return Ok(Encoding::Int8),
        (1, 2, 9..=16) => return Ok(Encoding::Int16),
        (1, 3, 17..=24) => return Ok(Encoding::Int24),
        (1, 4, 24) => return Ok(Encoding::Int24In32),
        (1, 4, 25..=32) => return Ok(Encoding::Int32),
        (3, 4, 32) => return Ok(Encoding::Float32),
        (3, 8, 64) => return Ok(Encoding::Float64),
        (6, 1, 8) => return Ok(Encoding::ALaw),
        (7, 1, 8) => return Ok(Encoding::MuLaw),
        (2 | 0x11, _, 4) if !is_extensible => return Ok(Encoding::Coded),
        (2 | 0x11, _, 4) => "ADPCM under an extensible header".into(),
        (1, ..) => format!("integers of {bits} bits in {bytes} bytes"),
        (3, ..) => format!("floating point of {bits} bits in {bytes} bytes"),
        (2, ..) => format!("MS ADPCM of {bits} bits"),
        (6 | 7, ..) => format!("A-law or mu-law of {bits} bits"),
        (0x11, ..) => format!("IMA ADPCM of {bits} bits"),
        (0x14, ..) => "G.723 ADPCM".into(),
        (0x31, ..) => "GSM 6.10".into(),
        (0x40 | 0x45 | 0x64, ..) => "G.726 ADPCM".into(),
        (0x50, ..) => "MPEG audio of layer I or II".into(),
        (0x55, ..) => "mp3 within wav".into(),
        (0xff | 0x1610 | 0x1600, ..) => "AAC within wav".into(),
        (0x160..=0x163, ..) => "Windows Media Audio".into(),
        (0x2000, ..) => "AC-3".into(),
        (0x566f | 0x674f..=0x6771, ..) => "vorbis within wav".into(),
        (0xf1ac, ..) => "flac within wav".into(),
        _ => format!("of the format 0x{tag:04x}"),
    };
    Err(format!(
        "this wav is {name}, which is not supported; integers of 8, 16, 24 or 32 bits, floating \
         point of 32 or 64 bits, A-law, mu-law, IMA ADPCM and MS ADPCM are"
    ))
}

/// The name and length of the chunk that begins here.
fn chunk(file: &mut impl Read) -> IoResult<([u8; 4], u32)> {
    Ok((bytes(file)?, u32::from_le_bytes(bytes(file)?)))
}

fn bytes<const N: usize>(file: &mut impl Read) -> IoResult<[u8; N]> {
    let mut found = [0; N];
    file.read_exact(&mut found)?;
    Ok(found)
}

/// Passes over bytes, which need not be there.
fn skip(file: &mut BufReader<Opened>, bytes: u64) -> IoResult<()> {
    file.seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX))
}
