//! The short-time Fourier transform.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

use super::window::window;
use super::{FeatureConfig, PadMode};

/// The power spectrum `|X|²` of one frame after another; plan and buffers are made once.
#[derive(Clone)]
pub(super) struct Stft {
    plan: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    fft_samples: usize,
    hop_samples: usize,
    padding: Option<PadMode>,
    padded: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    power: Vec<f32>,
}

impl Stft {
    pub(super) fn new(config: &FeatureConfig) -> Self {
        let fft_samples = config.fft_samples();
        let plan = RealFftPlanner::<f32>::new().plan_fft_forward(fft_samples);
        Self {
            window: window(config.window, config.window_samples()),
            fft_samples,
            hop_samples: config.hop_samples(),
            padding: config.centered.then_some(config.pad_mode),
            padded: Vec::new(),
            frame: plan.make_input_vec(),
            spectrum: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            power: vec![0.0; fft_samples / 2 + 1],
            plan,
        }
    }

    /// Calls `each` with the power spectrum `[fft_samples / 2 + 1]` of every frame in order.
    pub(super) fn for_each_power(&mut self, samples: &[f32], mut each: impl FnMut(&[f32])) {
        self.pad(samples);
        // The window stands in the middle of the frame. Where within the transform its samples
        // lie changes phases only, so they go to the front and the rest stays zero.
        let offset = (self.fft_samples - self.window.len()) / 2;
        let last = self.padded.len().saturating_sub(self.fft_samples);
        for start in (0..=last).step_by(self.hop_samples) {
            let sound = &self.padded[start + offset..][..self.window.len()];
            for ((out, &sample), &weight) in self.frame.iter_mut().zip(sound).zip(&self.window) {
                *out = sample * weight;
            }
            self.frame[self.window.len()..].fill(0.0);
            self.plan
                .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
                .expect("the plan made these buffers");
            for (power, x) in self.power.iter_mut().zip(&self.spectrum) {
                *power = x.re * x.re + x.im * x.im;
            }
            each(&self.power);
        }
    }

    fn pad(&mut self, samples: &[f32]) {
        self.padded.clear();
        let half = self.fft_samples / 2;
        let length = samples.len();
        match self.padding {
            None => self.padded.extend_from_slice(samples),
            Some(PadMode::Constant) => {
                self.padded.resize(half, 0.0);
                self.padded.extend_from_slice(samples);
                self.padded.resize(length + 2 * half, 0.0);
            }
            Some(PadMode::Reflect) => {
                self.padded.extend(samples[1..=half].iter().rev());
                self.padded.extend_from_slice(samples);
                self.padded
                    .extend(samples[length - 1 - half..length - 1].iter().rev());
            }
        }
    }
}
