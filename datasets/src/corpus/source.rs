//! Where a recording's sound comes from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::joined::no_pieces;
use super::{Joined, Mixture};
use crate::audio::AudioMemory;
use crate::synth::dtmf::{self, DtmfClip};
use crate::synth::morse::{self, MorseClip};
use crate::synth::scenes::{self, SceneClip};
use crate::{Error, Result, Waveform, audio};

/// Where a recording's sound comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// An audio file.
    File(PathBuf),
    /// A stretch of an audio file.
    Segment(Segment),
    /// A file of nothing but samples: 16 kHz, 16 bits with the low byte first, one channel.
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

/// A stretch of an audio file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The file.
    pub path: PathBuf,
    /// Where it begins.
    pub start_ms: u64,
    /// How long it is.
    pub length_ms: u64,
}

impl Segment {
    fn waveform(&self, sample_rate_hz: u32) -> Result<Waveform> {
        let whole = audio::decode(&self.path)?;
        let samples = |ms: u64| (u128::from(ms) * u128::from(whole.sample_rate_hz) / 1000) as usize;
        let (start, end) = (
            samples(self.start_ms),
            samples(self.start_ms + self.length_ms),
        );
        let cut = whole.samples.get(start..end).filter(|cut| !cut.is_empty());
        let Some(cut) = cut else {
            return Err(Error::Truncated {
                path: self.path.clone(),
                reason: format!(
                    "it has {} samples; {start} to {end} of them were expected",
                    whole.samples.len()
                ),
            });
        };
        let cut = Waveform {
            samples: cut.to_vec(),
            sample_rate_hz: whole.sample_rate_hz,
        };
        audio::resample(&cut, sample_rate_hz)
            .map_err(|error| error.at(self.path.display().to_string()))
    }
}

impl Source {
    /// The sound at the rate wanted.
    ///
    /// # Errors
    ///
    /// Those of [`audio::load`]; [`Error::Truncated`] if a file ends before a segment of it does.
    pub fn waveform(&self, sample_rate_hz: u32) -> Result<Waveform> {
        self.waveform_from(&AudioMemory::default(), sample_rate_hz)
    }

    /// The same, with whole files, alone, mixed or joined, by way of `memory`; stretches of files and
    /// files without a header are decoded each time.
    ///
    /// # Errors
    ///
    /// Those of [`waveform`](Self::waveform).
    pub fn waveform_from(&self, memory: &AudioMemory, sample_rate_hz: u32) -> Result<Waveform> {
        match self {
            Self::File(path) => memory.load(path, sample_rate_hz).map(Arc::unwrap_or_clone),
            Self::Segment(segment) => segment.waveform(sample_rate_hz),
            Self::Raw(path) => audio::resample(&audio::decode_raw(path)?, sample_rate_hz)
                .map_err(|error| error.at(path.display().to_string())),
            Self::Mixture(mixture) => mixture.waveform(memory, sample_rate_hz),
            Self::Joined(joined) => joined.waveform(memory, sample_rate_hz),
            Self::Dtmf(clip) => audio::resample(&clip.waveform(), sample_rate_hz),
            Self::Morse(clip) => audio::resample(&clip.waveform(), sample_rate_hz),
            Self::Scene(clip) => audio::resample(&clip.waveform(), sample_rate_hz),
        }
    }

    /// The files it is made from, each with the millisecond it is used from (0 for a whole file);
    /// none for what is synthesised. Recordings share sound if they share one of these pairs, so
    /// none of them may be in two parts.
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
    pub(super) fn sample_rate_hz(&self) -> Result<u32> {
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
        let read =
            |path: &Path| std::fs::read(path).map_err(|error| Error::io("read", path, error));
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
