//! Another speed by resampling at any factor: pitch and length change together.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Zero crossings of the sinc on either side.
const CROSSINGS: usize = 16;
/// Entries of the kernel's table from one zero crossing to the next.
const RESOLUTION: usize = 512;
/// Places between two samples for which weights are made; between two places they are
/// interpolated.
const PLACES: usize = 128;
/// The filter's edge (-6 dB), as a part of the band that both rates can hold.
const EDGE: f64 = 0.92;
/// Kaiser's β: 80 dB below the pass band.
const BETA: f64 = 8.0;
/// Partial sums of a weighted sum, so that it becomes vector instructions.
const LANES: usize = 8;

/// `sinc(x) · kaiser(x / CROSSINGS)` at `x = n / RESOLUTION`, and two zeros.
static KERNEL: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let last = CROSSINGS * RESOLUTION;
    let mut kernel: Vec<f64> = (0..=last)
        .map(|n| {
            let x = n as f64 / RESOLUTION as f64;
            let sinc = match n {
                0 => 1.0,
                _ => (PI * x).sin() / (PI * x),
            };
            let part = n as f64 / last as f64;
            sinc * bessel_i0(BETA * (1.0 - part * part).sqrt()) / bessel_i0(BETA)
        })
        .collect();
    kernel.extend([0.0, 0.0]);
    kernel
});

/// The modified Bessel function of the first kind of order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > 1e-17 * sum {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// The kernel `x` zero crossings from its middle.
fn kernel(x: f64) -> f64 {
    let at = (x.abs() * RESOLUTION as f64).min((CROSSINGS * RESOLUTION) as f64);
    // Not `fract`, which is a call where the processor's instruction may not be assumed.
    let index = at as usize;
    let rest = at - index as f64;
    KERNEL[index] + rest * (KERNEL[index + 1] - KERNEL[index])
}

/// `round(samples / factor)`, at least one of any.
pub(super) fn length_at(samples: usize, factor: f64) -> usize {
    ((samples as f64 / factor).round() as usize).max(samples.min(1))
}

/// The samples played `factor` times as fast, at the same sample rate: `round(samples / factor)`
/// of them, and at least one. Sample `n` is the sound at time `n · factor`, low-pass filtered
/// below half of the lower of the two rates.
///
/// Windowed-sinc interpolation, [Smith and Gossett 1984](https://ccrma.stanford.edu/~jos/resample/).
/// Beyond its ends the sound is taken to be silent.
pub(super) fn change_speed(samples: &[f32], factor: f64) -> Vec<f32> {
    let length = length_at(samples.len(), factor);
    // In crossings per input sample.
    let density = EDGE / factor.max(1.0);
    let half = (CROSSINGS as f64 / density).ceil() as usize;
    let taps = (2 * half).next_multiple_of(LANES);

    // Row `p` holds the weights for a time `p / PLACES` after the sample at tap `half - 1`.
    let mut weights = vec![0.0_f32; (PLACES + 1) * taps];
    for (place, row) in weights.chunks_exact_mut(taps).enumerate() {
        let fraction = place as f64 / PLACES as f64;
        for (tap, weight) in row.iter_mut().enumerate() {
            let distance = tap as f64 - (half - 1) as f64 - fraction;
            *weight = (density * kernel(density * distance)) as f32;
        }
    }

    // Room for the taps of the last time too, which rounding may put just beyond the end.
    let last = ((length - length.min(1)) as f64 * factor) as usize;
    let mut padded = vec![0.0; half - 1];
    padded.extend_from_slice(samples);
    padded.resize((last + taps).max(padded.len()), 0.0);
    let mut changed = vec![0.0; length];
    interpolate(&padded, &weights, taps, factor, &mut changed);
    changed
}

/// Fills each place of `changed` with the sound at its time, by the two rows of weights (of `taps`
/// each) that the time lies between.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi2",
    "x86_64+avx2+fma+bmi2",
))]
fn interpolate(padded: &[f32], weights: &[f32], taps: usize, factor: f64, changed: &mut [f32]) {
    for (n, changed) in changed.iter_mut().enumerate() {
        let time = n as f64 * factor;
        let before = time as usize;
        let place = (time - before as f64) * PLACES as f64;
        let row = place as usize;
        let blend = (place - row as f64) as f32;
        let sound = &padded[before..][..taps];
        let rows = &weights[row * taps..][..2 * taps];
        let (near, far) = rows.split_at(taps);
        let (sound, near, far) = (
            sound.as_chunks::<LANES>().0,
            near.as_chunks::<LANES>().0,
            far.as_chunks::<LANES>().0,
        );
        let mut sums = [0.0_f32; LANES];
        for ((sound, near), far) in sound.iter().zip(near).zip(far) {
            for lane in 0..LANES {
                sums[lane] += sound[lane] * (near[lane] + blend * (far[lane] - near[lane]));
            }
        }
        *changed = sums.iter().sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum of tones within the pass band, and the same at another speed by its definition.
    #[test]
    fn a_band_limited_sound_is_the_sound_at_the_new_times() {
        let sound = |time: f64| {
            (0.05 * time).sin() + 0.5 * (0.7 * time + 1.0).sin() + 0.3 * (1.1 * time).cos()
        };
        let samples: Vec<f32> = (0..4000).map(|n| sound(f64::from(n)) as f32).collect();
        for factor in [0.5, 0.9, 0.987_654, 1.0, 1.1, 1.7, 2.0] {
            let changed = change_speed(&samples, factor);
            assert_eq!(changed.len(), (4000.0 / factor).round() as usize);
            // Away from the ends, where the silence beyond them is heard.
            for (n, &changed) in changed.iter().enumerate().skip(100) {
                if (n + 100) as f64 * factor > 4000.0 {
                    break;
                }
                let exact = sound(n as f64 * factor);
                let error = (f64::from(changed) - exact).abs();
                assert!(error < 1e-3, "factor {factor}, sample {n}: off by {error}");
            }
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_filtered_out() {
        // 0.4 of the sample rate, which at twice the speed would be 0.8.
        let samples: Vec<f32> = (0..4000)
            .map(|n| (std::f32::consts::TAU * 0.4 * n as f32).sin())
            .collect();
        let changed = change_speed(&samples, 2.0);
        let loudest = changed[100..1900]
            .iter()
            .fold(0.0_f32, |l, x| l.max(x.abs()));
        assert!(loudest < 1e-3, "{loudest}");
    }
}
