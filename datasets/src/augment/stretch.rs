//! Another tempo at the same pitch, and another pitch at the same tempo.

use std::f64::consts::TAU;

use rustfft::num_complex::Complex32;

use super::fft::RealFft;
use super::speed::{change_speed, length_at};

/// A phase vocoder, with its plans and buffers.
///
/// Frames are taken from the sound at one pace and laid over each other at another. The phases
/// continue from frame to frame: each peak of the spectrum is turned by the angle that takes the
/// frame one hop *earlier in the sound* to the frame laid down before ([Puckette 1995], which
/// needs no unwrapping and no arc tangent), and all bins around a peak are turned with it
/// (identity phase locking, [Laroche and Dolson 1999]; regions end midway between peaks). At the
/// same tempo the sound comes out unchanged. Onsets smear over one frame.
///
/// [Puckette 1995]: https://doi.org/10.1109/ASPAA.1995.482995
/// [Laroche and Dolson 1999]: https://doi.org/10.1109/89.759041
#[derive(Clone)]
pub(super) struct PhaseVocoder {
    fft: RealFft,
    window: Vec<f32>,
    time: Vec<f32>,
    /// The frame, the one a hop earlier in the sound, and the one laid down before.
    frame: Vec<Complex32>,
    earlier: Vec<Complex32>,
    laid: Vec<Complex32>,
    power: Vec<f32>,
    peaks: Vec<usize>,
}

/// Frames overlap four times: Hann's window squared then adds up to 3/2 everywhere.
const OVERLAP: usize = 4;
const OVERLAP_SUM: f32 = 1.5;
/// The shortest frame in milliseconds; it is rounded up to a power of two of samples.
const FRAME_MS: f64 = 46.0;

impl PhaseVocoder {
    pub(super) fn new(sample_rate_hz: u32) -> Self {
        let samples = (FRAME_MS * f64::from(sample_rate_hz) / 1000.0) as usize;
        let length = samples.next_power_of_two().max(16);
        let fft = RealFft::new(length);
        let spectrum = vec![Complex32::ZERO; fft.bins()];
        Self {
            window: (0..length)
                .map(|n| (0.5 - 0.5 * (TAU * n as f64 / length as f64).cos()) as f32)
                .collect(),
            time: vec![0.0; length],
            frame: spectrum.clone(),
            earlier: spectrum.clone(),
            power: vec![0.0; spectrum.len()],
            laid: spectrum,
            peaks: Vec::new(),
            fft,
        }
    }

    /// The samples at `factor` times the tempo: `round(samples / factor)` of them, at least one.
    pub(super) fn stretch(&mut self, samples: &[f32], factor: f64) -> Vec<f32> {
        let length = length_at(samples.len(), factor);
        let frame_samples = self.fft.len() as i64;
        let hop = frame_samples / OVERLAP as i64;
        let mut sum = vec![0.0; length];
        // The first and last frames that reach into the result.
        let first = 1 - OVERLAP as i64 / 2;
        let last = (length as i64 + frame_samples / 2) / hop;
        for index in first..=last {
            let middle = (index as f64 * hop as f64 * factor).round() as i64;
            let start = middle - frame_samples / 2;
            self.take(samples, start, false);
            if index > first {
                self.take(samples, start - hop, true);
                self.lock_phases();
            }
            self.laid.copy_from_slice(&self.frame);
            self.fft.inverse(&mut self.frame, &mut self.time);
            let to = index * hop - frame_samples / 2;
            let scale = 1.0 / (OVERLAP_SUM * frame_samples as f32);
            let skipped = (-to).max(0) as usize;
            let inside = sum[to.max(0) as usize..].iter_mut();
            for ((sum, &value), &weight) in inside
                .zip(&self.time[skipped..])
                .zip(&self.window[skipped..])
            {
                *sum += value * weight * scale;
            }
        }
        sum
    }

    /// The samples `semitones` higher, as many as there were: at `2^(-semitones / 12)` times the
    /// tempo, and then played faster by as much.
    pub(super) fn shift_pitch(&mut self, samples: &[f32], semitones: f64) -> Vec<f32> {
        let ratio = 2.0_f64.powf(semitones / 12.0);
        let longer = self.stretch(samples, 1.0 / ratio);
        let mut shifted = change_speed(&longer, ratio);
        shifted.resize(samples.len(), 0.0);
        shifted
    }

    /// Transforms the frame that begins here, with silence beyond the ends.
    fn take(&mut self, samples: &[f32], start: i64, earlier: bool) {
        self.time.fill(0.0);
        let skipped = (-start).max(0) as usize;
        let from = (start.max(0) as usize).min(samples.len());
        let inside = self.time.iter_mut().zip(&self.window).skip(skipped);
        for ((time, &weight), &sample) in inside.zip(&samples[from..]) {
            *time = sample * weight;
        }
        let spectrum = if earlier {
            &mut self.earlier
        } else {
            &mut self.frame
        };
        self.fft.forward(&mut self.time, spectrum);
    }

    /// Turns each peak of the frame, and the bins around it, so that it continues what was laid
    /// down.
    fn lock_phases(&mut self) {
        for (power, value) in self.power.iter_mut().zip(&self.frame) {
            *power = value.norm_sqr();
        }
        // A peak exceeds two neighbours on either side.
        self.peaks.clear();
        for (index, near) in self.power.windows(5).enumerate() {
            let middle = near[2];
            if middle > near[0] && middle > near[1] && middle > near[3] && middle > near[4] {
                self.peaks.push(index + 2);
            }
        }
        let mut begin = 0;
        for (index, &peak) in self.peaks.iter().enumerate() {
            let end = match self.peaks.get(index + 1) {
                Some(next) => (peak + next) / 2 + 1,
                None => self.frame.len(),
            };
            let turn = self.laid[peak] * self.earlier[peak].conj();
            let norm = turn.norm();
            // Where one of them is silent there is nothing to continue.
            if norm > f32::MIN_POSITIVE {
                let turn = turn / norm;
                for value in &mut self.frame[begin..end] {
                    *value *= turn;
                }
            }
            begin = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;

    #[test]
    fn the_same_tempo_is_the_same_sound() {
        let mut draw = Draw::new(0, 0);
        let samples: Vec<f32> = (0..5000).map(|_| draw.normal() as f32).collect();
        let same = PhaseVocoder::new(8000).stretch(&samples, 1.0);
        assert_eq!(same.len(), samples.len());
        for (same, sample) in same.iter().zip(&samples) {
            assert!((same - sample).abs() < 1e-4, "{same} is not {sample}");
        }
    }

    #[test]
    fn a_stretched_tone_is_the_same_tone() {
        for factor in [0.7, 1.3] {
            let samples: Vec<f32> = (0..16_000).map(|n| (0.3 * n as f32).sin()).collect();
            let longer = PhaseVocoder::new(16_000).stretch(&samples, factor);
            assert_eq!(longer.len(), (16_000.0 / factor).round() as usize);
            // A tone obeys x[n+1] + x[n-1] = 2 cos(ω) x[n], and its mean power is a half.
            let middle = &longer[2000..longer.len() - 2000];
            let error: f32 = middle
                .windows(3)
                .map(|x| (x[0] + x[2] - 2.0 * 0.3_f32.cos() * x[1]).abs())
                .fold(0.0, f32::max);
            assert!(error < 1e-2, "factor {factor}: {error}");
            let power = crate::level::mean_power(middle);
            assert!((power - 0.5).abs() < 0.01, "factor {factor}: {power}");
        }
    }
}
