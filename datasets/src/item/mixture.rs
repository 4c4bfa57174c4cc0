//! Several recordings at once.

use std::path::PathBuf;

use crate::level::{decibels, mean_power_f64 as mean_power, scaled_to_peak};
use crate::{AudioMemory, Result, Waveform};

/// The largest sample of a mixture.
const PEAK: f64 = 0.95;

/// Several audio files at once, each brought to the same power before its gain, rolled, and the
/// sum scaled to a peak of 0.95.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// The voices mixed.
    pub voices: Vec<Voice>,
    /// Length of the mixture.
    pub length_ms: u64,
}

/// A file within a mixture. It starts at `roll` and wraps around at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    /// The file.
    pub path: PathBuf,
    /// Its power relative to a voice of 0 dB.
    pub gain_db: f64,
    /// Its start in the file, from 0 (the beginning) to 1 (the end).
    pub roll: f64,
}

impl Mixture {
    /// Its sound, resampled to `sample_rate_hz`; files are looked up in `memory` first.
    ///
    /// # Errors
    ///
    /// Those of [`AudioMemory::load`], naming the file.
    pub fn waveform(&self, memory: &AudioMemory, sample_rate_hz: u32) -> Result<Waveform> {
        let length = self.length_ms as usize * sample_rate_hz as usize / 1000;
        let mut sum = vec![0.0; length];
        for voice in &self.voices {
            let loaded = memory.load(&voice.path, sample_rate_hz)?;
            let clip: Vec<f64> = loaded.samples.iter().copied().map(f64::from).collect();
            let begin = (voice.roll * clip.len() as f64) as usize;
            let scale = decibels(voice.gain_db) / mean_power(&clip).sqrt();
            let rolled = clip.iter().cycle().skip(begin);
            for (sample, voice) in sum.iter_mut().zip(rolled) {
                *sample += scale * voice;
            }
        }
        Ok(Waveform {
            samples: scaled_to_peak(&sum, PEAK),
            sample_rate_hz,
        })
    }
}
