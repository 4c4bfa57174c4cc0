//! Decoding of audio files, told by their contents.

use std::io::BufReader;
use std::path::Path;

use super::compressed::open_track;
use super::format::{Format, checked_rate};
use super::guard::guarded;
use super::mp3;
use super::ogg::vorbis_head;
use super::opened::Opened;
use super::reader::SoundReader;
use super::wav_header::read_header;
use super::waveform::Waveform;
use crate::Result;

/// Decodes an audio file, told by its contents. Channels are averaged into one; the rate stays the
/// file's. These are read:
///
/// - wav: integers of 8, 16, 24 and 32 bits, floating point of 32 and 64 bits, A-law, mu-law, IMA
///   ADPCM and MS ADPCM; files beyond 4 GiB (RF64) too
/// - flac
/// - ogg vorbis of one or two channels
/// - mp3, of several streams one after another too
/// - m4a (mp4) with AAC-LC of one or two channels
///
/// ID3 tags in front of any of these are passed over, as are ID3v1 and APE tags behind flac and mp3.
/// The silence that encoders of mp3 and AAC add is left out where the file says how much it is.
///
/// A damaged file is an error, never shorter sound: counts promised by headers, flac's checksum
/// of the decoded sound, those of ogg's pages, and that mp3 frames follow each other are checked.
///
/// [`SoundReader`] gives the same sound block by block.
///
/// # Errors
///
/// Names the file: [`Error::Io`] (missing, unreadable), [`Error::NotAFile`], [`Error::EmptyFile`],
/// [`Error::NotAudio`], [`Error::Decode`], [`Error::Truncated`], [`Error::NoSamples`],
/// [`Error::NotFiniteSample`].
///
/// [`Error::Io`]: crate::Error::Io
/// [`Error::NotAFile`]: crate::Error::NotAFile
/// [`Error::EmptyFile`]: crate::Error::EmptyFile
/// [`Error::NotAudio`]: crate::Error::NotAudio
/// [`Error::Decode`]: crate::Error::Decode
/// [`Error::Truncated`]: crate::Error::Truncated
/// [`Error::NoSamples`]: crate::Error::NoSamples
/// [`Error::NotFiniteSample`]: crate::Error::NotFiniteSample
pub fn decode(path: &Path) -> Result<Waveform> {
    let mut reader = SoundReader::open(path)?;
    let mut samples = Vec::with_capacity(reader.expected());
    while reader.append(&mut samples)? {}
    Ok(Waveform {
        samples,
        sample_rate_hz: reader.sample_rate_hz(),
    })
}

/// Reads the sample rate of an audio file from its header alone.
///
/// # Errors
///
/// As [`decode`], as far as the header shows them.
pub fn sample_rate_hz(path: &Path) -> Result<u32> {
    let file = Opened::open(path)?;
    let format = file.format;
    let by_head = match format {
        Format::Flac => flac_rate(&file.head),
        Format::Ogg => vorbis_head(&file.head).map(|(_, rate_hz)| rate_hz),
        Format::Mp3 => mp3::rate_of(&file.head),
        Format::Wav | Format::Mp4 => None,
    };
    if let Some(rate_hz) = by_head {
        return checked_rate(path, format, rate_hz);
    }
    guarded(path, format, || match format {
        Format::Wav => Ok(read_header(path, &mut BufReader::new(file))?.sample_rate_hz),
        _ => Ok(open_track(path, format, Box::new(file))?.sample_rate_hz),
    })
}

/// The rate in the first block of flac's metadata, which begins behind the mark and has a header of
/// four bytes.
fn flac_rate(head: &[u8]) -> Option<u32> {
    let [kind, _, _, _] = head.get(4..)?.first_chunk()?;
    let &[a, b, c] = head.get(18..)?.first_chunk()?;
    (kind & 0x7f == 0).then_some(u32::from_be_bytes([0, a, b, c]) >> 4)
}
