//! Sound that is decoded by symphonia: flac, ogg vorbis, mp3, AAC, and wav of ADPCM.

use std::collections::VecDeque;
use std::io::Cursor;
use std::path::Path;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_AC3, CODEC_ID_ALAC, CODEC_ID_EAC3, CODEC_ID_FLAC, CODEC_ID_MP3,
    CODEC_ID_OPUS, CODEC_ID_SPEEX,
};
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::format::{Format, checked_rate, damaged, truncated};
use super::mixer::mix;
use super::mp3;
use super::mp4::{self, Heard};
use super::ogg::{check_pages, vorbis_head};
use super::opened::Opened;
use crate::{Error, Result};

/// A stream, opened as far as its first packet.
pub(super) struct OpenTrack {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    id: u32,
    pub(super) sample_rate_hz: u32,
    /// Units per second of the packets' times.
    time_scale: Option<u32>,
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
    if format == Format::Mp4 && params.codec != CODEC_ID_AAC {
        return Err(unsupported(path, format, params));
    }
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default().verify(true))
        .map_err(|error| match error {
            SymphoniaError::Unsupported(_) => unsupported(path, format, params),
            other => stream_error(path, format, &other),
        })?;
    // Of AAC the decoder knows it best, from what it is set up by.
    let rate_hz = decoder.codec_params().sample_rate.or(params.sample_rate);
    let sample_rate_hz = checked_rate(path, format, rate_hz.unwrap_or(0))?;
    let promised = match format {
        // Without an encoder's tag this is a guess from the bit rate.
        Format::Mp3 => track.num_frames.filter(|_| track.delay.is_some()),
        Format::Mp4 => None,
        _ => track.num_frames,
    };
    let time_scale = track.time_base.map(|base| base.denom.get());
    let id = track.id;
    Ok(OpenTrack {
        reader,
        decoder,
        id,
        sample_rate_hz,
        time_scale,
        promised,
    })
}

/// The error of a codec that is not decoded, by its name.
fn unsupported(path: &Path, format: Format, params: &AudioCodecParameters) -> Error {
    const NAMES: [(AudioCodecId, &str); 7] = [
        (CODEC_ID_OPUS, "Opus"),
        (CODEC_ID_SPEEX, "Speex"),
        (CODEC_ID_ALAC, "Apple Lossless (ALAC)"),
        (CODEC_ID_AC3, "AC-3"),
        (CODEC_ID_EAC3, "E-AC-3"),
        (CODEC_ID_FLAC, "flac"),
        (CODEC_ID_MP3, "mp3"),
    ];
    let name = NAMES.iter().find(|(codec, _)| *codec == params.codec);
    if format == Format::Wav {
        let reason = "ADPCM of more than two channels is not supported; one or two are";
        return damaged(path, format, reason);
    }
    let supported = match format {
        Format::Mp4 => "AAC-LC of one or two channels is",
        _ => "flac, vorbis and mp3 are",
    };
    let reason = match name {
        _ if params.codec == CODEC_ID_AAC => {
            return damaged(path, format, "the AAC inside ".to_owned() + NOT_LC);
        }
        Some((_, name)) => format!("the codec inside is {name}, which is not supported"),
        None => "the codec inside is not supported".into(),
    };
    damaged(path, format, format!("{reason}; {supported}"))
}

const NOT_LC: &str = "is HE-AAC, of another profile or of more than two channels, which is not \
                      supported; AAC-LC of one or two channels is";

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

/// The sound of a file, decoded packet by packet.
pub(super) struct DecodedSound {
    format: Format,
    track: OpenTrack,
    /// The streams behind this one.
    later: VecDeque<Vec<u8>>,
    heard: Heard,
    /// Samples of this stream so far.
    found: u64,
    interleaved: Vec<f32>,
}

impl DecodedSound {
    pub(super) fn open(path: &Path, mut file: Opened) -> Result<Self> {
        let format = file.format;
        let mut later = VecDeque::new();
        let mut movie = Vec::new();
        let source: Box<dyn MediaSource> = match format {
            Format::Mp3 => {
                later = mp3::streams(path, file.without_tags_behind(path)?.contents(path)?)?.into();
                Box::new(Cursor::new(later.pop_front().unwrap_or_default()))
            }
            Format::Ogg => {
                // The decoder mixes up what more channels have in common (symphonia 0.6.1).
                if let Some((channels @ 3.., _)) = vorbis_head(&file.head) {
                    let reason = format!(
                        "it has {channels} channels, which is not supported; one or two are"
                    );
                    return Err(damaged(path, format, reason));
                }
                let bytes = file.contents(path)?;
                check_pages(path, &bytes)?;
                Box::new(Cursor::new(bytes))
            }
            Format::Mp4 => {
                movie = mp4::movie(path, &mut file)?;
                Box::new(file)
            }
            Format::Flac => Box::new(file.without_tags_behind(path)?),
            Format::Wav => Box::new(file),
        };
        let track = open_track(path, format, source)?;
        let heard = match format {
            Format::Mp4 => mp4::heard(path, &movie, track.id, track.sample_rate_hz)?,
            _ => Heard::default(),
        };
        Ok(Self {
            format,
            track,
            later,
            heard,
            found: 0,
            interleaved: Vec::new(),
        })
    }

    pub(super) const fn sample_rate_hz(&self) -> u32 {
        self.track.sample_rate_hz
    }

    /// The number of samples that the file says it holds, if it does.
    pub(super) fn promised(&self) -> u64 {
        self.track.promised.or(self.heard.promised).unwrap_or(0)
    }

    /// Adds samples, of one packet at most; returns whether there may be more.
    pub(super) fn next(&mut self, path: &Path, samples: &mut Vec<f32>) -> Result<bool> {
        let format = self.format;
        let packet = match self.track.reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == self.track.id => packet,
            Ok(Some(_)) => return Ok(true),
            Ok(None) => return self.next_stream(path),
            Err(SymphoniaError::IoError(error))
                if format == Format::Flac && error.kind() == std::io::ErrorKind::UnexpectedEof =>
            {
                return self.next_stream(path);
            }
            Err(error) => return Err(stream_error(path, format, &error)),
        };
        if format == Format::Mp4 {
            self.check_is_lc(path, &packet)?;
        }
        let sound = self
            .track
            .decoder
            .decode(&packet)
            .map_err(|error| stream_error(path, format, &error))?;
        if sound.spec().rate() != self.track.sample_rate_hz {
            return Err(damaged(path, format, "its sample rate changes on the way"));
        }
        let channels = sound.spec().channels().count().max(1);
        self.interleaved.resize(sound.samples_interleaved(), 0.0);
        sound.copy_to_slice_interleaved(&mut self.interleaved);
        let begin = samples.len();
        mix(&self.interleaved, channels, samples);
        let count = (samples.len() - begin) as u64;
        // Of these, those that are to be heard.
        let within = |at: u64| (at.saturating_sub(self.found).min(count)) as usize;
        let (skip, end) = (
            within(self.heard.skip),
            self.heard.end.map_or(count as usize, within),
        );
        samples.truncate(begin + end);
        samples.drain(begin..begin + skip.min(end));
        self.found += count;
        Ok(true)
    }

    /// Refuses a packet that stands for more samples than plain AAC has: they would be those above
    /// the band that is coded plainly (SBR), of a file that does not say so.
    fn check_is_lc(&self, path: &Path, packet: &Packet) -> Result<()> {
        let scale = u64::from(self.track.time_scale.unwrap_or(self.track.sample_rate_hz));
        let rate = u64::from(self.track.sample_rate_hz);
        // Times may be in units that are longer than a sample.
        let most = 1024 * scale / rate + 1;
        if packet.dur.get() > most.max(1024 * scale * 3 / (2 * rate)) {
            let reason = "the AAC inside ".to_owned() + NOT_LC;
            return Err(damaged(path, self.format, reason));
        }
        Ok(())
    }

    /// Ends this stream, and begins the next if there is one.
    fn next_stream(&mut self, path: &Path) -> Result<bool> {
        let promised = self.track.promised.or(self.heard.promised);
        if let Some(promised) = promised.filter(|&promised| self.found < promised) {
            return Err(truncated(
                path,
                format!(
                    "its header promises {promised} samples and {} are there",
                    self.found
                ),
            ));
        }
        if self.track.decoder.finalize().verify_ok == Some(false) {
            return Err(damaged(
                path,
                self.format,
                "the decoded sound does not match the checksum in its header",
            ));
        }
        let Some(bytes) = self.later.pop_front() else {
            return Ok(false);
        };
        self.track = open_track(path, self.format, Box::new(Cursor::new(bytes)))?;
        self.found = 0;
        Ok(true)
    }
}
