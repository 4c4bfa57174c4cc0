//! The source of a recording's sound.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::joined::{Joined, no_pieces};
use super::mixture::Mixture;
use super::segment::Segment;
use crate::synth::dtmf::{self, DtmfClip};
use crate::synth::morse::{self, MorseClip};
use crate::synth::scenes::{self, SceneClip};
use crate::{AudioMemory, Result, Waveform, audio, files};

/// The source of a recording's sound.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// An audio file.
    File(PathBuf),
    /// A stretch of an audio file.
    Segment(Segment),
    /// A file of samples without a header: 16 kHz, 16 bits with the low byte first, one channel.
    Raw(PathBuf),
    /// Several audio files at once.
    Mixture(Mixture),
    /// Several audio files one after another.
    Joined(Joined),
    /// A synthesised telephone key.
    Dtmf(DtmfClip),
    /// A synthesised message in Morse code.
    Morse(MorseClip),
    /// A synthesised sound scene.
    Scene(SceneClip),
}

impl Source {
    /// The sound, resampled to `sample_rate_hz`.
    ///
    /// # Errors
    ///
    /// Those of [`audio::load`]; [`Error::Truncated`](crate::Error::Truncated) if a file ends before a segment of it does.
    pub fn waveform(&self, sample_rate_hz: u32) -> Result<Waveform> {
        self.waveform_from(&AudioMemory::default(), sample_rate_hz)
    }

    /// The sound as [`waveform`](Self::waveform), looked up in `memory` first; of mixed and joined
    /// recordings their files.
    ///
    /// # Errors
    ///
    /// Those of [`waveform`](Self::waveform).
    pub fn waveform_from(&self, memory: &AudioMemory, sample_rate_hz: u32) -> Result<Waveform> {
        let resampled = |waveform: &Waveform| audio::resample(waveform, sample_rate_hz);
        let waveform = match self {
            Self::Mixture(mixture) => return mixture.waveform(memory, sample_rate_hz),
            Self::Joined(joined) => return joined.waveform(memory, sample_rate_hz),
            Self::File(path) => memory.load(path, sample_rate_hz),
            Self::Segment(segment) => {
                memory.sound(self, sample_rate_hz, || segment.waveform(sample_rate_hz))
            }
            Self::Raw(path) => memory.sound(self, sample_rate_hz, || {
                resampled(&audio::decode_raw(path)?)
                    .map_err(|error| error.at(path.display().to_string()))
            }),
            Self::Dtmf(clip) => memory.sound(self, sample_rate_hz, || resampled(&clip.waveform())),
            Self::Morse(clip) => memory.sound(self, sample_rate_hz, || resampled(&clip.waveform())),
            Self::Scene(clip) => memory.sound(self, sample_rate_hz, || resampled(&clip.waveform())),
        };
        waveform.map(Arc::unwrap_or_clone)
    }

    /// The sound for a single use: only files that several recordings are made of are kept in `memory`.
    pub(crate) fn waveform_once(
        &self,
        memory: &AudioMemory,
        sample_rate_hz: u32,
    ) -> Result<Waveform> {
        match self {
            Self::Mixture(_) | Self::Joined(_) => self.waveform_from(memory, sample_rate_hz),
            _ => self.waveform(sample_rate_hz),
        }
    }

    /// The files it is made from, each with its offset in milliseconds (0 for a whole file); none if
    /// it is synthesised. Two recordings share sound if they share one of these pairs, so no pair may
    /// occur in two parts.
    #[must_use]
    pub fn files(&self) -> Vec<(&Path, u64)> {
        match self {
            Self::File(path) | Self::Raw(path) => vec![(path, 0)],
            Self::Segment(segment) => vec![(&segment.path, segment.start_ms)],
            Self::Mixture(mixture) => mixture
                .voices
                .iter()
                .map(|voice| (voice.path.as_path(), 0))
                .collect(),
            Self::Joined(joined) => joined
                .pieces
                .iter()
                .map(|piece| (piece.path.as_path(), 0))
                .collect(),
            Self::Dtmf(_) | Self::Morse(_) | Self::Scene(_) => Vec::new(),
        }
    }

    /// The rate it is sampled at; the first file's where there are several.
    pub(crate) fn sample_rate_hz(&self) -> Result<u32> {
        match self {
            Self::Dtmf(_) => Ok(dtmf::SAMPLE_RATE_HZ),
            Self::Morse(_) => Ok(morse::SAMPLE_RATE_HZ),
            Self::Scene(_) => Ok(scenes::SAMPLE_RATE_HZ),
            Self::Raw(_) => Ok(audio::RAW_RATE_HZ),
            _ => match self.files().first() {
                Some((path, _)) => audio::sample_rate_hz(path),
                None => Err(no_pieces()),
            },
        }
    }

    /// Hashes everything the sound follows from: the bytes of its files, not their names.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) -> Result<()> {
        let read = |path: &Path| files::read(path);
        match self {
            Self::File(path) => {
                hasher.update(b"file").update(&read(path)?);
            }
            Self::Raw(path) => {
                hasher.update(b"raw").update(&read(path)?);
            }
            Self::Segment(segment) => {
                hasher
                    .update(b"segment")
                    .update(&segment.start_ms.to_le_bytes())
                    .update(&segment.length_ms.to_le_bytes())
                    .update(&read(&segment.path)?);
            }
            Self::Mixture(mixture) => {
                hasher
                    .update(b"mixture")
                    .update(&mixture.length_ms.to_le_bytes());
                for voice in &mixture.voices {
                    let bytes = read(&voice.path)?;
                    hasher
                        .update(&voice.gain_db.to_le_bytes())
                        .update(&voice.roll.to_le_bytes())
                        .update(&(bytes.len() as u64).to_le_bytes())
                        .update(&bytes);
                }
            }
            Self::Joined(joined) => {
                hasher
                    .update(b"joined")
                    .update(&joined.tail_ms.to_le_bytes())
                    .update(&joined.snr_db.to_le_bytes())
                    .update(&joined.noise_seed.to_le_bytes());
                for piece in &joined.pieces {
                    let bytes = read(&piece.path)?;
                    hasher
                        .update(&piece.pause_ms.to_le_bytes())
                        .update(&(bytes.len() as u64).to_le_bytes())
                        .update(&bytes);
                }
            }
            Self::Dtmf(clip) => {
                hasher.update(format!("{clip:?}").as_bytes());
            }
            Self::Morse(clip) => {
                hasher.update(format!("{clip:?}").as_bytes());
            }
            Self::Scene(clip) => {
                hasher.update(format!("{clip:?}").as_bytes());
            }
        }
        Ok(())
    }
}
