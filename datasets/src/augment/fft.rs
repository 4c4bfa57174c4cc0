//! The Fourier transform of real sound and its inverse.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex32;

/// Both transforms of one length, with their working memory.
#[derive(Clone)]
pub(super) struct RealFft {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    scratch: Vec<Complex32>,
}

impl RealFft {
    pub(super) fn new(length: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(length);
        let inverse = planner.plan_fft_inverse(length);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            forward,
            inverse,
            scratch: vec![Complex32::ZERO; scratch],
        }
    }

    /// Number of samples `N`.
    pub(super) fn len(&self) -> usize {
        self.forward.len()
    }

    /// Number of frequencies, `N / 2 + 1`.
    pub(super) fn bins(&self) -> usize {
        self.len() / 2 + 1
    }

    /// The spectrum `[bins]` of `time` `[N]`, which is overwritten.
    pub(super) fn forward(&mut self, time: &mut [f32], spectrum: &mut [Complex32]) {
        let scratch = &mut self.scratch[..self.forward.get_scratch_len()];
        if self
            .forward
            .process_with_scratch(time, spectrum, scratch)
            .is_err()
        {
            unreachable!("all lengths are those of the plan");
        }
    }

    /// `N` times the sound `[N]` of `spectrum` `[bins]`, which is overwritten. What is imaginary
    /// at frequency 0 and at half the sample rate is left out, as no real sound has it.
    pub(super) fn inverse(&mut self, spectrum: &mut [Complex32], time: &mut [f32]) {
        spectrum[0].im = 0.0;
        if self.len().is_multiple_of(2) {
            spectrum[self.len() / 2].im = 0.0;
        }
        let scratch = &mut self.scratch[..self.inverse.get_scratch_len()];
        if self
            .inverse
            .process_with_scratch(spectrum, time, scratch)
            .is_err()
        {
            unreachable!("all lengths are those of the plan, and the ends are real");
        }
    }
}
