//! Decoding of flac, ogg vorbis and mp3 files, by symphonia.

use std::io::Cursor;
use std::path::Path;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::format::{Format, checked_rate, damaged, truncated};
use super::mixer::Mixer;
use super::ogg::check_pages;
use super::waveform::Waveform;
use crate::{Error, Result};

/// A compressed file, opened as far as its first packet.
pub(super) struct OpenTrack {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    id: u32,
    pub(super) sample_rate_hz: u32,
    /// The number of samples the file says it holds, if it says so reliably.
    promised: Option<u64>,
}

pub(super) fn open_track(
    path: &Path,
    format: Format,
    source: Box<dyn MediaSource>,
) -> Result<OpenTrack> {
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

pub(super) fn decode_compressed(path: &Path, format: Format, bytes: Vec<u8>) -> Result<Waveform> {
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
