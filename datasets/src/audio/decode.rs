//! Wav by hound; flac, ogg vorbis and mp3 by symphonia; all channels mixed down to one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use symphonia::core::checksum::Crc32;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, Monitor};
use symphonia::core::meta::MetadataOptions;

use super::Waveform;
use crate::{Error, Result};

/// Sample rates of recordings. A damaged header beyond them would have a file of a few seconds
/// resampled to hours.
const PLAUSIBLE_HZ: RangeInclusive<u32> = 1000..=1_000_000;

/// As much of a file as tells what it is, and where a wav's header nearly always ends.
const HEAD_BYTES: u64 = 4096;

/// What a file is, by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Wav,
    Flac,
    Ogg,
    Mp3,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Ogg => "ogg vorbis",
            Self::Mp3 => "mp3",
        }
    }

    fn of(path: &Path, head: &[u8]) -> Result<Self> {
        match head {
            [] => Err(Error::EmptyFile {
                path: path.to_owned(),
            }),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'A',
                b'V',
                b'E',
                ..,
            ] => Ok(Self::Wav),
            [b'f', b'L', b'a', b'C', ..] => Ok(Self::Flac),
            [b'O', b'g', b'g', b'S', ..] => Ok(Self::Ogg),
            // A tag in front; what follows it is nearly always mp3, and is probed anyway.
            [b'I', b'D', b'3', ..] => Ok(Self::Mp3),
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
    if let Some(index) = crate::features::first_not_finite(&waveform.samples) {
        return Err(Error::NotFiniteSample {
            path: path.to_owned(),
            index,
            value: waveform.samples[index],
        });
    }
    Ok(waveform)
}

/// The sample rate of an audio file by its header alone.
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

/// Runs a decoder; should it panic on damaged input, that is an error as any other.
fn guarded<T>(path: &Path, format: Format, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(damaged(path, format, "the file is damaged")))
}

fn damaged(path: &Path, format: Format, reason: impl Into<String>) -> Error {
    Error::Decode {
        path: path.to_owned(),
        format: format.name(),
        reason: reason.into(),
    }
}

fn truncated(path: &Path, reason: impl Into<String>) -> Error {
    Error::Truncated {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

fn checked_rate(path: &Path, format: Format, sample_rate_hz: u32) -> Result<u32> {
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

fn wav_error(path: &Path, error: hound::Error) -> Error {
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
fn check_length(path: &Path, head: &[u8], file_bytes: u64) -> Result<()> {
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

fn decode_wav(path: &Path, bytes: &[u8]) -> Result<Waveform> {
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

/// Averages interleaved channels into one.
struct Mixer {
    channels: usize,
    sum: f64,
    seen: usize,
    samples: Vec<f32>,
}

impl Mixer {
    /// `promised` samples are made room for, but never more than `bytes` of them: a damaged
    /// header may promise anything.
    fn new(channels: usize, promised: usize, bytes: usize) -> Self {
        Self {
            channels: channels.max(1),
            sum: 0.0,
            seen: 0,
            samples: Vec::with_capacity(promised.min(bytes)),
        }
    }

    fn push(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.seen += 1;
        if self.seen == self.channels {
            self.samples.push((self.sum / self.channels as f64) as f32);
            (self.sum, self.seen) = (0.0, 0);
        }
    }
}

/// A compressed file, opened as far as its first packet.
struct OpenTrack {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    id: u32,
    sample_rate_hz: u32,
    /// How many samples the file says it holds, where it says so reliably.
    promised: Option<u64>,
}

fn open_track(path: &Path, format: Format, source: Box<dyn MediaSource>) -> Result<OpenTrack> {
    let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let reader = symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|error| stream_error(path, format, &error))?;
    let Some(track) = reader.default_track(TrackType::Audio) else {
        return Err(damaged(
            path,
            format,
            "it holds no audio of a kind that can be read",
        ));
    };
    let Some(params) = track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio())
    else {
        return Err(damaged(path, format, "its first track is not audio"));
    };
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default().verify(true))
        .map_err(|error| match error {
            SymphoniaError::Unsupported(_) => damaged(
                path,
                format,
                "the codec inside is not supported; flac, vorbis and mp3 are",
            ),
            other => stream_error(path, format, &other),
        })?;
    let sample_rate_hz = checked_rate(path, format, params.sample_rate.unwrap_or(0))?;
    let promised = match format {
        // Without an encoder's tag this is a guess from the bit rate.
        Format::Mp3 => track.num_frames.filter(|_| track.delay.is_some()),
        _ => track.num_frames,
    };
    let id = track.id;
    Ok(OpenTrack {
        reader,
        decoder,
        id,
        sample_rate_hz,
        promised,
    })
}

fn stream_error(path: &Path, format: Format, error: &SymphoniaError) -> Error {
    match error {
        SymphoniaError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(path, "it stops in the middle of a stream")
        }
        SymphoniaError::ResetRequired => damaged(
            path,
            format,
            "it chains several streams; split it into one file each",
        ),
        other => damaged(path, format, other.to_string()),
    }
}

fn decode_compressed(path: &Path, format: Format, bytes: Vec<u8>) -> Result<Waveform> {
    if format == Format::Ogg {
        check_pages(path, &bytes)?;
    }
    let bytes: std::sync::Arc<[u8]> = bytes.into();
    let source = Box::new(Cursor::new(bytes.clone()));
    let mut track = open_track(path, format, source)?;
    let mut mixer = Mixer::new(1, track.promised.unwrap_or(0) as usize, bytes.len());
    let mut interleaved = Vec::<f32>::new();
    let mut last_packet = None;
    loop {
        let packet = match track.reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == track.id => packet,
            Ok(Some(_)) => continue,
            Ok(None) => break,
            Err(SymphoniaError::IoError(error))
                if format == Format::Flac && error.kind() == std::io::ErrorKind::UnexpectedEof =>
            {
                break;
            }
            Err(error) => return Err(stream_error(path, format, &error)),
        };
        let sound = track
            .decoder
            .decode(&packet)
            .map_err(|error| stream_error(path, format, &error))?;
        if sound.spec().rate() != track.sample_rate_hz {
            return Err(damaged(path, format, "its sample rate changes on the way"));
        }
        mixer.channels = sound.spec().channels().count().max(1);
        interleaved.resize(sound.samples_interleaved(), 0.0);
        sound.copy_to_slice_interleaved(&mut interleaved);
        for &sample in &interleaved {
            mixer.push(sample);
        }
        if format == Format::Mp3 {
            last_packet = Some(packet.data);
        }
    }
    let found = mixer.samples.len() as u64;
    if let Some(promised) = track.promised.filter(|&promised| found < promised) {
        return Err(truncated(
            path,
            format!("its header promises {promised} samples and {found} are there"),
        ));
    }
    if last_packet.is_some_and(|packet| ends_within_a_frame(&bytes, &packet)) {
        return Err(truncated(path, "its last frame is not complete"));
    }
    if track.decoder.finalize().verify_ok == Some(false) {
        return Err(damaged(
            path,
            format,
            "the decoded sound does not match the checksum in its header",
        ));
    }
    Ok(Waveform {
        samples: mixer.samples,
        sample_rate_hz: track.sample_rate_hz,
    })
}

/// Whether an mp3 goes on behind its last whole frame with the beginning of another. (An mp3 has
/// no end of its own, so the decoder takes a cut one for complete.)
fn ends_within_a_frame(bytes: &[u8], last_packet: &[u8]) -> bool {
    bytes
        .windows(last_packet.len().max(1))
        .rposition(|window| window == last_packet)
        .and_then(|start| bytes.get(start + last_packet.len()..))
        .is_some_and(|rest| rest.len() >= 2 && rest[0] == 0xff && rest[1] & 0xe0 == 0xe0)
}

/// Refuses an ogg file with a page that is damaged or missing; the demuxer passes over it. (That
/// the last page is there, the demuxer sees.)
fn check_pages(path: &Path, bytes: &[u8]) -> Result<()> {
    // Of each stream, by its serial number: the number of its next page and whether it has ended.
    let mut streams = BTreeMap::<u32, (u32, bool)>::new();
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        let ended = streams.values().all(|&(_, ended)| ended);
        // Behind the last page there may be something else, such as a tag.
        if ended && !rest.windows(4).any(|four| four == b"OggS") {
            break;
        }
        count += 1;
        let place = format!("page {count}, at byte {}", bytes.len() - rest.len());
        let Some((page, behind)) = page_bytes(rest).and_then(|size| rest.split_at_checked(size))
        else {
            return Err(truncated(path, format!("it stops within {place}")));
        };
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| page[at + byte]));
        // Of all but itself, in whose place are zeros.
        let mut checksum = Crc32::new(0);
        checksum.process_buf_bytes(&page[..22]);
        checksum.process_buf_bytes(&[0; 4]);
        checksum.process_buf_bytes(&page[26..]);
        let (version, flags) = (page[4], page[5]);
        let (first, last) = (flags & 0b10 != 0, flags & 0b100 != 0);
        let (serial, sequence) = (number(14), number(18));
        let expected = streams.get(&serial).map(|&(next, _)| next);
        let fault = if !page.starts_with(b"OggS") {
            Some("does not begin with \"OggS\"")
        } else if checksum.crc() != number(22) {
            Some("does not match its checksum")
        } else if version != 0 || flags > 0b111 {
            Some("is not of version 0, the only one there is")
        } else if !first && expected != Some(sequence) {
            Some("does not follow the one before it in its stream")
        } else {
            None
        };
        if let Some(fault) = fault {
            let reason = format!("{place}, {fault}: the file is damaged");
            return Err(damaged(path, Format::Ogg, reason));
        }
        streams.insert(serial, (sequence.wrapping_add(1), last));
        rest = behind;
    }
    Ok(())
}

/// How long the ogg page is that begins here: its header, the lengths of its segments, and these.
fn page_bytes(bytes: &[u8]) -> Option<usize> {
    let segments = usize::from(*bytes.get(26)?);
    let lengths = bytes.get(27..27 + segments)?;
    let contents: usize = lengths.iter().map(|&length| usize::from(length)).sum();
    Some(27 + segments + contents)
}
