//! Levels: powers, decibels, gain, and one sound added to another at a ratio.

/// The factor of an amplitude.
pub(crate) fn decibels(value: f64) -> f64 {
    10.0_f64.powf(value / 20.0)
}

/// Mean of the squares of samples in double precision; above 0 even where there is only silence, so
/// that it can be divided by.
pub(crate) fn mean_power_f64(samples: &[f64]) -> f64 {
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

/// Mean of the squares; 0 of nothing.
pub(crate) fn mean_power(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    sum / samples.len().max(1) as f64
}

/// Multiplies all samples.
pub(crate) fn scale(samples: &mut [f32], factor: f64) {
    for sample in samples {
        *sample = (f64::from(*sample) * factor) as f32;
    }
}

/// Brings samples to a mean power, unless they are silent.
pub(crate) fn set_mean_power(samples: &mut [f32], power: f64) {
    let now = mean_power(samples);
    if now > 0.0 {
        scale(samples, (power / now).sqrt());
    }
}

/// Adds `noise`, scaled so that the mean power of `signal` is this far above it. Nothing is added
/// if either is silent.
pub(crate) fn add_at_snr(signal: &mut [f32], noise: &[f32], snr_db: f64) {
    let (signal_power, noise_power) = (mean_power(signal), mean_power(noise));
    if signal_power == 0.0 || noise_power == 0.0 {
        return;
    }
    let factor = (signal_power / noise_power).sqrt() / decibels(snr_db);
    for (sample, &noise) in signal.iter_mut().zip(noise) {
        *sample = (f64::from(*sample) + f64::from(noise) * factor) as f32;
    }
}
