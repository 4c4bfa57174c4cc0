//! Several recordings one after another.

use std::path::PathBuf;

use crate::draw::Draw;
use crate::level::add_at_snr;
use crate::{AudioMemory, Error, Result, Waveform, audio};

/// Several audio files one after another, as loud as they are, with pauses before, between and
/// after them and a low white noise over it all, so that a pause is not plain zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The pieces, at least one.
    pub pieces: Vec<Piece>,
    /// The pause after the last.
    pub tail_ms: u64,
    /// Signal-to-noise ratio of the whole.
    pub snr_db: f64,
    /// Seed of the noise.
    pub noise_seed: u64,
}

/// A file of a [`Joined`] sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The file.
    pub path: PathBuf,
    /// The pause before it.
    pub pause_ms: u64,
}

impl Joined {
    /// Its sound, resampled to `sample_rate_hz`; files are looked up in `memory` first. The pieces
    /// are joined at the sample rate of the first file.
    ///
    /// # Errors
    ///
    /// Those of [`AudioMemory::load`], naming the file; [`Error::Nothing`] if there are no pieces.
    pub fn waveform(&self, memory: &AudioMemory, sample_rate_hz: u32) -> Result<Waveform> {
        let Some(first) = self.pieces.first() else {
            return Err(no_pieces());
        };
        let native_hz = audio::sample_rate_hz(&first.path)?;
        let pause = |ms: u64| (ms * u64::from(native_hz) / 1000) as usize;
        let mut samples = Vec::new();
        for piece in &self.pieces {
            samples.resize(samples.len() + pause(piece.pause_ms), 0.0);
            samples.extend_from_slice(&memory.load(&piece.path, native_hz)?.samples);
        }
        samples.resize(samples.len() + pause(self.tail_ms), 0.0);
        let noise = Draw::new(self.noise_seed, 0).normals(samples.len());
        let noise: Vec<f32> = noise.into_iter().map(|noise| noise as f32).collect();
        add_at_snr(&mut samples, &noise, self.snr_db);
        let joined = Waveform {
            samples,
            sample_rate_hz: native_hz,
        };
        audio::resample(&joined, sample_rate_hz)
            .map_err(|error| error.at(first.path.display().to_string()))
    }
}

/// The error of a sound made of no files.
pub(super) fn no_pieces() -> Error {
    Error::Nothing {
        place: "the recording".into(),
        reason: "it is made of no audio files; at least one is needed".into(),
    }
}
