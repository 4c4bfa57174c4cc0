//! Two recordings in one.

use std::f64::consts::TAU;

use rustfft::num_complex::Complex32;

use super::augmenter::MIX_STREAM;
use super::fft::RealFft;
use super::{MixConfig, MixKind};
use crate::draw::Draw;
use crate::{Error, Features, Result, Waveform};

impl MixConfig {
    /// Whether, and in what ratio from 0 to 1, the recording of this seed is to be mixed with another: the
    /// weight of its own target, the other's being `1 - ratio`. How they are mixed says [`kind`](Self::kind).
    #[must_use]
    pub fn ratio(&self, seed: u64) -> Option<f64> {
        let mut draw = Draw::new(seed, MIX_STREAM);
        if draw.unit() >= self.probability {
            return None;
        }
        Some(match self.kind {
            MixKind::Mixup => beta(&mut draw, self.alpha),
            MixKind::BetweenClass => draw.unit(),
        })
    }
}

/// Features averaged, `ratio · a + (1 - ratio) · b`: mixup,
/// [Zhang et al. 2018](https://arxiv.org/abs/1710.09412). The result is as long as the longer; what
/// the shorter lacks counts as 0, the mean of normalised features and what batches are padded
/// with.
///
/// # Errors
///
/// [`Error::StatsBins`] if they differ in bins.
pub fn mix_features(a: &Features, b: &Features, ratio: f64) -> Result<Features> {
    if a.bins != b.bins {
        return Err(Error::StatsBins {
            stats: a.bins,
            bins: b.bins,
        });
    }
    Ok(Features {
        frames: a.frames.max(b.frames),
        bins: a.bins,
        values: weighted(&a.values, &b.values, ratio, 1.0 - ratio),
    })
}

/// Waveforms mixed so that they are heard in the ratio: between-class learning,
/// [Tokozume et al. 2018](https://arxiv.org/abs/1711.10282). With the sound levels `G` in dB
/// ([`sound_level_db`]),
///
/// ```text
/// p = 1 / (1 + 10^((G_a - G_b) / 20) · (1 - ratio) / ratio)
/// mixed = (p · a + (1 - p) · b) / √(p² + (1 - p)²)
/// ```
///
/// The result is as long as the longer, and the shorter silent beyond its end. Targets are mixed
/// by `ratio`, not by `p`.
///
/// # Errors
///
/// [`Error::SampleRate`] if they differ in sample rate.
pub fn mix_waveforms(a: &Waveform, b: &Waveform, ratio: f64) -> Result<Waveform> {
    if a.sample_rate_hz != b.sample_rate_hz {
        return Err(Error::SampleRate {
            found_hz: b.sample_rate_hz,
            expected_hz: a.sample_rate_hz,
        });
    }
    let louder = crate::level::decibels(sound_level_db(a) - sound_level_db(b));
    // The paper's p, multiplied through by the ratio, so that a ratio of 0 is one as any.
    let p = ratio / (ratio + louder * (1.0 - ratio));
    let norm = p.hypot(1.0 - p);
    Ok(Waveform {
        samples: weighted(&a.samples, &b.samples, p / norm, (1.0 - p) / norm),
        sample_rate_hz: a.sample_rate_hz,
    })
}

/// `x · a + y · b`, as long as the longer.
fn weighted(a: &[f32], b: &[f32], x: f64, y: f64) -> Vec<f32> {
    let at = |values: &[f32], n: usize| values.get(n).map_or(0.0, |&value| f64::from(value));
    (0..a.len().max(b.len()))
        .map(|n| (x * at(a, n) + y * at(b, n)) as f32)
        .collect()
}

/// Length of the windows of [`sound_level_db`].
const LEVEL_WINDOW_MS: usize = 100;
/// The lowest level that is told apart.
const SILENCE_DB: f64 = -80.0;

/// The A-weighted level of the loudest tenth of a second, in dB relative to a mean power of 1; at
/// least -80. Windows (Hann's) overlap by half, and the last is filled up with silence.
#[must_use]
pub fn sound_level_db(waveform: &Waveform) -> f64 {
    let rate = waveform.sample_rate_hz as usize;
    let length = (rate * LEVEL_WINDOW_MS / 1000).max(2);
    let window: Vec<f64> = (0..length)
        .map(|n| 0.5 - 0.5 * (TAU * n as f64 / length as f64).cos())
        .collect();
    let mut fft = RealFft::new(length);
    // Twice, for the half of the spectrum that is not calculated, over the window's energy.
    let scale = 2.0 / (length as f64 * window.iter().map(|weight| weight * weight).sum::<f64>());
    let weights: Vec<f64> = (0..fft.bins())
        .map(|bin| scale * a_weight((bin * rate) as f64 / length as f64))
        .collect();

    let mut time = vec![0.0; length];
    let mut spectrum = vec![Complex32::ZERO; fft.bins()];
    let mut loudest = 0.0_f64;
    for start in (0..waveform.samples.len()).step_by(length / 2) {
        time.fill(0.0);
        let samples = &waveform.samples[start..];
        for ((time, &sample), &weight) in time.iter_mut().zip(samples).zip(&window) {
            *time = (f64::from(sample) * weight) as f32;
        }
        fft.forward(&mut time, &mut spectrum);
        let power = spectrum
            .iter()
            .zip(&weights)
            .map(|(value, weight)| f64::from(value.norm_sqr()) * weight)
            .sum();
        loudest = loudest.max(power);
        if samples.len() <= length {
            break;
        }
    }
    (10.0 * loudest.log10()).max(SILENCE_DB)
}

/// The A-weighting of a frequency as a factor of power (IEC 61672-1), 1 at 1 kHz.
fn a_weight(hz: f64) -> f64 {
    const POLES_HZ: [f64; 4] = [20.6, 107.7, 737.9, 12_194.0];
    /// +2 dB, which make it 1 at 1 kHz.
    const AT_1_KHZ: f64 = 1.584_893;
    let square = hz * hz;
    let [first, second, third, last] = POLES_HZ.map(|pole| square + pole * pole);
    let amplitude = POLES_HZ[3].powi(2) * square * square / (first * last);
    AT_1_KHZ * amplitude * amplitude / (second * third)
}

/// A number from Beta(alpha, alpha), by two from Gamma(alpha).
fn beta(draw: &mut Draw, alpha: f64) -> f64 {
    let (a, b) = (gamma(draw, alpha), gamma(draw, alpha));
    if a + b > 0.0 {
        a / (a + b)
    } else {
        // Both too small to be told from 0: so near an end that only which one is left to draw.
        f64::from(u8::from(draw.unit() < 0.5))
    }
}

/// A number from Gamma(shape), by [Marsaglia and Tsang 2000](https://doi.org/10.1145/358407.358414).
fn gamma(draw: &mut Draw, shape: f64) -> f64 {
    if shape < 1.0 {
        let power = (1.0 - draw.unit()).powf(1.0 / shape);
        return gamma(draw, shape + 1.0) * power;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = draw.normal();
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - draw.unit();
        if v > 0.0 && u.ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            return d * v;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    fn tone(hz: f64, amplitude: f64, samples: usize) -> Waveform {
        Waveform {
            samples: (0..samples)
                .map(|n| (amplitude * (TAU * hz * n as f64 / 16_000.0).sin()) as f32)
                .collect(),
            sample_rate_hz: 16_000,
        }
    }

    /// Levels of the A-weighting as tabulated by IEC 61672-1, whose tolerance is wider than this.
    #[test]
    fn the_level_of_a_tone_is_its_power_and_its_weighting() {
        for (hz, weight_db) in [(125.0, -16.1), (500.0, -3.2), (1000.0, 0.0), (4000.0, 1.0)] {
            let level = sound_level_db(&tone(hz, 0.5, 16_000));
            let expected = 10.0 * 0.125_f64.log10() + weight_db;
            assert!(
                (level - expected).abs() < 0.1,
                "{hz} Hz: {level} {expected}"
            );
        }
        assert_eq!(sound_level_db(&tone(1000.0, 0.0, 16_000)), SILENCE_DB);
        assert!(sound_level_db(&tone(1000.0, 0.5, 1)).is_finite());
    }

    #[test]
    fn between_classes_the_louder_is_turned_down_by_as_much() {
        let (loud, soft) = (tone(1000.0, 0.4, 16_000), tone(1500.0, 0.1, 8000));
        let mixed = mix_waveforms(&loud, &soft, 0.5).unwrap();
        assert_eq!(mixed.samples.len(), 16_000);
        // Each tone's amplitude in the mixture, by projection, where both sound.
        let amplitude = |hz: f64| {
            let dot: f64 = (0..8000)
                .map(|n| f64::from(mixed.samples[n]) * (TAU * hz * n as f64 / 16_000.0).sin())
                .sum();
            dot / 4000.0
        };
        let heard = 20.0 * (amplitude(1000.0) / amplitude(1500.0)).log10();
        let weights = 10.0 * (a_weight(1500.0) / a_weight(1000.0)).log10();
        assert!((heard - weights).abs() < 0.1, "{heard} {weights}");
        assert_eq!(
            mix_waveforms(&loud, &soft, 1.0).unwrap().samples,
            loud.samples
        );
        assert_eq!(
            mix_waveforms(&loud, &soft, 0.0).unwrap().samples[..8000],
            soft.samples
        );
    }

    /// Mean 1/2 and variance 1 / (8 alpha + 4) of Beta(alpha, alpha).
    #[test]
    fn ratios_have_the_mean_and_variance_of_their_distribution() {
        let count = 20_000;
        for alpha in [0.001, 0.2, 1.0, 4.0] {
            let mut draw = Draw::new(3, 0);
            let ratios: Vec<f64> = (0..count).map(|_| beta(&mut draw, alpha)).collect();
            assert!(ratios.iter().all(|ratio| (0.0..=1.0).contains(ratio)));
            let mean = ratios.iter().sum::<f64>() / f64::from(count);
            let variance = ratios.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / f64::from(count);
            assert!((mean - 0.5).abs() < 0.015, "alpha {alpha}: mean {mean}");
            let expected = 1.0 / (8.0 * alpha + 4.0);
            assert!(
                (variance - expected).abs() < 0.01,
                "alpha {alpha}: {variance}"
            );
        }
    }
}
