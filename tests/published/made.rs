//! The sounds of `tests/golden/musicnn.py` and `tests/golden/published.py`, as 32-bit floats at 16 kHz.

use std::f64::consts::{PI, TAU};
use std::path::Path;

const RATE: f64 = 16_000.0;

/// Four plucked notes over a pulse of high tones: `sound()` of musicnn.py.
pub fn notes() -> Vec<f32> {
    let sample = |sample: u32| {
        let t = f64::from(sample) / RATE;
        let mut x = 0.0;
        for (index, pitch) in [196.0, 246.9, 293.7, 392.0].into_iter().enumerate() {
            let since = t - 0.7 * index as f64;
            if since >= 0.0 {
                for partial in 1..6 {
                    let partial = f64::from(partial);
                    x += 0.2 / partial * (-3.0 * since).exp() * (TAU * pitch * partial * t).sin();
                }
            }
        }
        let pulse = (-30.0 * (t % 0.35)).exp();
        for tone in [3111.0, 4177.0, 5233.0, 6299.0] {
            x += 0.02 * pulse * (TAU * tone * t).sin();
        }
        x as f32
    };
    (0..186 * 256).map(sample).collect()
}

/// Uniform noise: `noise()` of published.py.
pub fn noise() -> Vec<f32> {
    let mut state = 1u32;
    let sample = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((f64::from(state) / 4_294_967_296.0 - 0.5) * 0.2) as f32
    };
    (0..32_000).map(sample).collect()
}

/// Syllables of three vowels, with a pause: `vowels()` of published.py.
pub fn vowels() -> Vec<f32> {
    const FORMANTS: [[f64; 3]; 3] = [
        [730.0, 1090.0, 2440.0],
        [270.0, 2290.0, 3010.0],
        [300.0, 870.0, 2240.0],
    ];
    let sample = |sample: u32| {
        let t = f64::from(sample) / RATE;
        let pitch = 130.0 - 8.0 * t;
        let phase = TAU * (130.0 * t - 4.0 * t * t);
        let formants = FORMANTS[(t * 2.0) as usize % 3];
        let mut x = 0.0;
        for k in 1..30 {
            let k = f64::from(k);
            let level = |formant: f64| 1.0 / (1.0 + ((k * pitch - formant) / 90.0).powi(2));
            x += formants.into_iter().map(level).sum::<f64>() * (k * phase).sin();
        }
        let pause = if (1.5..2.25).contains(&t) { 0.0 } else { 1.0 };
        (0.1 * x * (PI * 4.0 * t).sin().powi(2) * pause) as f32
    };
    (0..64_000).map(sample).collect()
}

/// Writes samples at 16 kHz.
pub fn write_floats(path: &Path, samples: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        wav.write_sample(sample).unwrap();
    }
    wav.finalize().unwrap();
}
