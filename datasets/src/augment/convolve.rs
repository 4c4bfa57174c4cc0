//! Convolution by the Fourier transform.

use rustfft::num_complex::Complex32;

use super::fft::RealFft;

/// The shortest transform in samples; a power of two.
const MIN_FFT: usize = 256;

/// Convolves by overlap-add: the signal block by block, each as long as the transform leaves room
/// for. Plans are kept.
#[derive(Clone, Default)]
pub(super) struct Convolver {
    /// By the logarithm of their length to base 2.
    plans: Vec<Option<RealFft>>,
}

impl Convolver {
    /// `Σ_k kernel[k] · signal[n - k]`, of `signal + kernel - 1` samples; none if one is empty.
    pub(super) fn convolve(&mut self, signal: &[f32], kernel: &[f32]) -> Vec<f32> {
        if signal.is_empty() || kernel.is_empty() {
            return Vec::new();
        }
        let whole = signal.len() + kernel.len() - 1;
        // Four times the kernel costs the least per sample; all at once where that is shorter.
        let length = whole.min(4 * kernel.len()).next_power_of_two().max(MIN_FFT);
        let fft = self.plan(length);
        let block = length - kernel.len() + 1;
        let scale = 1.0 / length as f32;

        let mut time = vec![0.0; length];
        time[..kernel.len()].copy_from_slice(kernel);
        let mut response = vec![Complex32::ZERO; fft.bins()];
        fft.forward(&mut time, &mut response);
        for value in &mut response {
            *value *= scale;
        }

        let mut spectrum = vec![Complex32::ZERO; fft.bins()];
        let mut sum = vec![0.0; whole];
        for (index, part) in signal.chunks(block).enumerate() {
            time[..part.len()].copy_from_slice(part);
            time[part.len()..].fill(0.0);
            fft.forward(&mut time, &mut spectrum);
            for (value, response) in spectrum.iter_mut().zip(&response) {
                *value *= response;
            }
            fft.inverse(&mut spectrum, &mut time);
            for (sum, &value) in sum[index * block..].iter_mut().zip(&time) {
                *sum += value;
            }
        }
        sum
    }

    fn plan(&mut self, length: usize) -> &mut RealFft {
        let index = length.trailing_zeros() as usize;
        if self.plans.len() <= index {
            self.plans.resize(index + 1, None);
        }
        self.plans[index].get_or_insert_with(|| RealFft::new(length))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::draw::Draw;

    fn noise(seed: u64, count: usize) -> Vec<f32> {
        let mut draw = Draw::new(seed, 0);
        (0..count).map(|_| draw.normal() as f32).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn convolution_is_the_sum_it_is_defined_as(
            signal in 1_usize..3000,
            kernel in 1_usize..400,
            seed in any::<u64>(),
        ) {
            let (signal, kernel) = (noise(seed, signal), noise(!seed, kernel));
            let fast = Convolver::default().convolve(&signal, &kernel);
            prop_assert_eq!(fast.len(), signal.len() + kernel.len() - 1);
            let mut exact = vec![0.0; fast.len()];
            for (n, &sample) in signal.iter().enumerate() {
                for (k, &weight) in kernel.iter().enumerate() {
                    exact[n + k] += f64::from(sample) * f64::from(weight);
                }
            }
            for (fast, exact) in fast.iter().zip(&exact) {
                prop_assert!((f64::from(*fast) - exact).abs() < 1e-4, "{} is not {}", fast, exact);
            }
        }
    }

    #[test]
    fn nothing_convolved_is_nothing() {
        assert!(Convolver::default().convolve(&[], &[1.0]).is_empty());
        assert!(Convolver::default().convolve(&[1.0], &[]).is_empty());
    }
}
