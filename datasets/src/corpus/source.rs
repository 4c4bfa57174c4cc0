//! Where a recording's sound comes from.

use std::path::{Path, PathBuf};

use crate::level::{decibels, scale, set_mean_power};
use crate::synth::dtmf::{self, DtmfClip};
use crate::synth::scenes::{self, SceneClip};
use crate::{Error, Result, Waveform, audio};

/// Where a recording's sound comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// An audio file.
    File(PathBuf),
    /// Several audio files at once.
    Mixture(Vec<Voice>),
    /// A synthesised telephone key.
    Dtmf(DtmfClip),
    /// A synthesised scene of sounds.
    Scene(SceneClip),
}

/// One of the files of a mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    /// The file.
    pub path: PathBuf,
    /// Its level against that of the other voices, each taken at the same mean power.
    pub gain_db: f64,
    /// By how much of its length it is turned round: what leaves at the end comes back in front.
    pub turn: f64,
}

/// The mean power of a voice of 0 dB: a tenth of full scale.
const VOICE_POWER: f64 = 0.01;

impl Source {
    /// The sound at the rate wanted. A mixture is as long as its longest voice and may exceed ±1.
    ///
    /// # Errors
    ///
    /// Those of [`audio::load`].
    pub fn waveform(&self, sample_rate_hz: u32) -> Result<Waveform> {
        match self {
            Self::File(path) => audio::load(path, sample_rate_hz),
            Self::Mixture(voices) => mixed(voices, sample_rate_hz),
            Self::Dtmf(clip) => audio::resample(&clip.waveform(), sample_rate_hz),
            Self::Scene(clip) => audio::resample(&clip.waveform(), sample_rate_hz),
        }
    }

    /// The rate it is recorded at, that of the first voice of a mixture.
    ///
    /// # Errors
    ///
    /// Those of [`audio::sample_rate_hz`].
    pub fn sample_rate_hz(&self) -> Result<u32> {
        match (self, self.files().first()) {
            (Self::Dtmf(_), _) => Ok(dtmf::SAMPLE_RATE_HZ),
            (Self::Scene(_), _) => Ok(scenes::SAMPLE_RATE_HZ),
            (_, Some(path)) => audio::sample_rate_hz(path),
            (_, None) => Err(Error::Nothing {
                place: "a mixture".into(),
                reason: "it has no voice".into(),
            }),
        }
    }

    /// The files that its sound is made of.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::File(path) => vec![path],
            Self::Mixture(voices) => voices.iter().map(|voice| voice.path.as_path()).collect(),
            Self::Dtmf(_) | Self::Scene(_) => Vec::new(),
        }
    }
}

fn mixed(voices: &[Voice], sample_rate_hz: u32) -> Result<Waveform> {
    let mut sum = Vec::new();
    for voice in voices {
        let mut samples = audio::load(&voice.path, sample_rate_hz)?.samples;
        set_mean_power(&mut samples, VOICE_POWER);
        scale(&mut samples, decibels(voice.gain_db));
        let turn = (voice.turn.rem_euclid(1.0) * samples.len() as f64) as usize;
        samples.rotate_right(turn);
        if sum.len() < samples.len() {
            sum.resize(samples.len(), 0.0);
        }
        for (sum, sample) in sum.iter_mut().zip(samples) {
            *sum += sample;
        }
    }
    Ok(Waveform {
        samples: sum,
        sample_rate_hz,
    })
}
