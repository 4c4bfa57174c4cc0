//! Levels: powers, decibels, gain, and one sound added to another at a ratio.

/// The factor of an amplitude.
pub(super) fn decibels(value: f64) -> f64 {
    10.0_f64.powf(value / 20.0)
}

/// Mean of the squares; 0 of nothing.
pub(super) fn mean_power(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    sum / samples.len().max(1) as f64
}

/// Multiplies all samples.
pub(super) fn scale(samples: &mut [f32], factor: f64) {
    for sample in samples {
        *sample = (f64::from(*sample) * factor) as f32;
    }
}

/// Brings samples to a mean power, unless they are silent.
pub(super) fn set_mean_power(samples: &mut [f32], power: f64) {
    let now = mean_power(samples);
    if now > 0.0 {
        scale(samples, (power / now).sqrt());
    }
}

/// Adds `noise`, scaled so that the mean power of `signal` is this far above it. Nothing is added
/// if either is silent.
pub(super) fn add_at_snr(signal: &mut [f32], noise: &[f32], snr_db: f64) {
    let (signal_power, noise_power) = (mean_power(signal), mean_power(noise));
    if signal_power == 0.0 || noise_power == 0.0 {
        return;
    }
    let factor = (signal_power / noise_power).sqrt() / decibels(snr_db);
    for (sample, &noise) in signal.iter_mut().zip(noise) {
        *sample = (f64::from(*sample) + f64::from(noise) * factor) as f32;
    }
}
