//! What synthesised sounds are drawn with: random numbers, levels and noise.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::corpus::Part;

/// Random numbers of one clip. Only raw bits are taken from the generator, whose stream is fixed
/// by its specification, so that a clip stays the same with later versions of it.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// Those of the clip at this place of a part.
    pub(crate) fn new(seed: u64, part: Part, index: u32) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(bytes);
        generator.set_stream((part as u64) << 32 | u64::from(index));
        Self(generator)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..count.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// Samples of white noise of power 1.
    pub(crate) fn white(&mut self, samples: usize) -> Vec<f64> {
        (0..samples).map(|_| self.normal()).collect()
    }

    /// White noise through Kellet's filter: -3 dB per octave.
    pub(crate) fn pink(&mut self, samples: usize) -> Vec<f64> {
        let mut state = [0.0; 3];
        (0..samples)
            .map(|_| {
                let white = self.normal();
                state[0] = 0.997_65 * state[0] + white * 0.099_046;
                state[1] = 0.963_00 * state[1] + white * 0.296_516_4;
                state[2] = 0.570_00 * state[2] + white * 1.052_691_3;
                state.iter().sum::<f64>() + white * 0.1848
            })
            .collect()
    }
}

/// The factor of an amplitude.
pub(crate) fn decibels(value: f64) -> f64 {
    10.0_f64.powf(value / 20.0)
}

/// Above 0 even where there is only silence, so that it can be divided by.
pub(crate) fn mean_power(samples: &[f64]) -> f64 {
    let sum: f64 = samples.iter().map(|sample| sample * sample).sum();
    (sum / samples.len().max(1) as f64).max(f64::MIN_POSITIVE)
}

/// The sound as samples of which the largest is `peak`.
pub(crate) fn scaled_to_peak(sound: &[f64], peak: f64) -> Vec<f32> {
    let largest = sound.iter().fold(f64::MIN_POSITIVE, |largest, sample| {
        sample.abs().max(largest)
    });
    let scale = peak / largest;
    sound.iter().map(|sample| (sample * scale) as f32).collect()
}

/// The sum of `amplitudes[k] * sin((k + 1) phase)`: a fundamental and its overtones.
pub(crate) fn harmonics(phase: f64, amplitudes: &[f64]) -> f64 {
    // sin((k + 1)φ) = 2 cos(φ) sin(kφ) - sin((k - 1)φ)
    let (mut before, mut now, twice_cos) = (0.0, phase.sin(), 2.0 * phase.cos());
    let mut sum = 0.0;
    for amplitude in amplitudes {
        sum += amplitude * now;
        (before, now) = (now, twice_cos * now - before);
    }
    sum
}
