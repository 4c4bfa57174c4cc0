//! The colour that a microphone, a telephone or a room gives to sound.

use std::f64::consts::TAU;

use rustfft::num_complex::Complex32;

use super::convolve::Convolver;
use super::fft::RealFft;
use crate::draw::Draw;
use crate::level::{decibels, mean_power, set_mean_power};

/// The lowest band, in Hz; below it the gain is this band's.
const LOWEST_HZ: f64 = 125.0;

/// Filters by a gain for each octave, as a graphic equalizer does. Its plan is kept.
#[derive(Clone)]
pub(super) struct Equalizer {
    sample_rate_hz: f64,
    fft: RealFft,
}

impl Equalizer {
    pub(super) fn new(sample_rate_hz: u32) -> Self {
        Self {
            sample_rate_hz: f64::from(sample_rate_hz),
            // At least 32 ms, to tell the lowest octave from the next.
            fft: RealFft::new((sample_rate_hz.div_ceil(31) as usize).next_power_of_two()),
        }
    }

    /// The number of bands: 125 Hz, 250 Hz and so on, the last at or above half the sample
    /// rate.
    pub(super) fn num_bands(&self) -> usize {
        let octaves = (self.sample_rate_hz / 2.0 / LOWEST_HZ).log2().ceil();
        octaves.max(0.0) as usize + 1
    }

    /// A gain for each band, from anywhere between two, in dB.
    pub(super) fn draw(&self, draw: &mut Draw, range_db: (f64, f64)) -> Vec<f64> {
        (0..self.num_bands())
            .map(|_| draw.between(range_db))
            .collect()
    }

    /// The signal with these gains in dB at the bands and, between two of them, gains linear in
    /// octaves; with the same length, times and mean power as before.
    pub(super) fn filter(
        &mut self,
        convolver: &mut Convolver,
        signal: &[f32],
        gains_db: &[f64],
    ) -> Vec<f32> {
        let response = self.response(gains_db);
        let mut filtered = convolver.convolve(signal, &response);
        filtered.drain(..response.len() / 2);
        filtered.truncate(signal.len());
        set_mean_power(&mut filtered, mean_power(signal));
        filtered
    }

    /// The impulse response, symmetric about its middle sample: all frequencies are delayed alike.
    fn response(&mut self, gains_db: &[f64]) -> Vec<f32> {
        let length = self.fft.len();
        let mut spectrum: Vec<Complex32> = (0..self.fft.bins())
            .map(|bin| {
                let hz = bin as f64 * self.sample_rate_hz / length as f64;
                let gain = decibels(gain_db(gains_db, hz)) / length as f64;
                Complex32::new(gain as f32, 0.0)
            })
            .collect();
        let mut response = vec![0.0; length];
        self.fft.inverse(&mut spectrum, &mut response);
        response.rotate_right(length / 2);
        // Cut off gently.
        for (n, sample) in response.iter_mut().enumerate() {
            *sample *= (0.5 - 0.5 * (TAU * n as f64 / length as f64).cos()) as f32;
        }
        response
    }
}

/// The gain at a frequency, between those of the bands.
fn gain_db(gains_db: &[f64], hz: f64) -> f64 {
    let last = gains_db.len() - 1;
    let octave = (hz / LOWEST_HZ).log2().clamp(0.0, last as f64);
    let below = (octave as usize).min(last.saturating_sub(1));
    let above = (below + 1).min(last);
    gains_db[below] + (octave - below as f64) * (gains_db[above] - gains_db[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gain of a tone, in dB above that of the lowest band.
    fn gain_of_tone(equalizer: &mut Equalizer, hz: f64, gains_db: &[f64]) -> f64 {
        let rate = equalizer.sample_rate_hz;
        // Beside a second tone at the lowest band: one alone would keep its power.
        let sound = |hz: f64| (0..16_000).map(move |n| (TAU * hz * f64::from(n) / rate).sin());
        let samples: Vec<f32> = sound(LOWEST_HZ)
            .zip(sound(hz))
            .map(|(low, high)| (low + high) as f32)
            .collect();
        let filtered = equalizer.filter(&mut Convolver::default(), &samples, gains_db);
        assert_eq!(filtered.len(), samples.len());
        let amplitude = |hz: f64| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, &sample) in filtered.iter().enumerate().take(12_000).skip(4_000) {
                let angle = TAU * hz * n as f64 / rate;
                re += f64::from(sample) * angle.cos();
                im += f64::from(sample) * angle.sin();
            }
            re.hypot(im)
        };
        20.0 * (amplitude(hz) / amplitude(LOWEST_HZ)).log10()
    }

    #[test]
    fn each_octave_has_its_gain_and_between_two_it_is_linear() {
        let mut equalizer = Equalizer::new(16_000);
        let gains_db = [0.0, 6.0, -4.0, 3.0, 8.0, -6.0, 2.0];
        assert_eq!(equalizer.num_bands(), gains_db.len());
        // The peaks of an octave are rounded off by the length of the response, most at the
        // bottom, where an octave is narrow.
        for (hz, expected, within) in [
            (250.0, 6.0, 1.5),
            (500.0, -4.0, 1.0),
            (1000.0, 3.0, 0.5),
            (2000.0, 8.0, 0.5),
            (4000.0, -6.0, 0.5),
            (2000.0 * 2.0_f64.sqrt(), 1.0, 0.3),
            (500.0 * 2.0_f64.sqrt(), -0.5, 0.3),
        ] {
            let found = gain_of_tone(&mut equalizer, hz, &gains_db);
            assert!(
                (found - expected).abs() < within,
                "{hz} Hz: {found} dB instead of {expected}"
            );
        }
    }

    #[test]
    fn equal_gains_change_nothing_at_any_rate() {
        for rate in [250, 300, 8_000, 22_050, 44_100] {
            let mut equalizer = Equalizer::new(rate);
            let signal: Vec<f32> = Draw::new(1, 0)
                .normals(3000)
                .into_iter()
                .map(|x| x as f32)
                .collect();
            let gains_db = vec![-7.0; equalizer.num_bands()];
            let same = equalizer.filter(&mut Convolver::default(), &signal, &gains_db);
            for (same, before) in same.iter().zip(&signal) {
                assert!(
                    (same - before).abs() < 1e-4,
                    "{rate} Hz: {same} is not {before}"
                );
            }
        }
    }
}
