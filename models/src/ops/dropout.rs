//! Dropout.

use burn::tensor::{Distribution, Tensor, backend::Backend};

/// Drops each value with probability `probability` and scales the others by `1 / (1 − probability)`,
/// so that their expectation stays ([Srivastava et al.
/// 2014](https://jmlr.org/papers/v15/srivastava14a.html)). Which ones are dropped follows from the
/// random numbers of the backend, hence from its seed.
///
/// # Panics
/// If `probability` is not in `0..=1`.
pub fn dropout<B: Backend, const D: usize>(x: Tensor<B, D>, probability: f64) -> Tensor<B, D> {
    assert!(
        (0.0..=1.0).contains(&probability),
        "a probability of dropout is from 0 to 1, not {probability}"
    );
    if probability == 0.0 {
        return x;
    }
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::dropout(&x, probability) {
        return y;
    }
    if probability == 1.0 {
        return x * 0.0;
    }
    let keep = 1.0 - probability;
    let kept = x.random_like(Distribution::Bernoulli(keep));
    x * kept * (1.0 / keep)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::dropout as kernel;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn dropout<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
        probability: f64,
    ) -> Option<Tensor<B, D>> {
        let dims = x.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let drop = Drop {
            probability,
            seed: seed::<B>(&x.device()),
        };
        let [x] = inputs.values();
        let y = drop.of(x);
        Some(inputs.finish(drop, y, dims, |_| ()))
    }

    /// Sixty-four bits of the backend's random numbers.
    fn seed<B: Backend>(device: &B::Device) -> u64 {
        let distribution = Distribution::Uniform(0.0, 65_536.0);
        let drawn = Tensor::<B, 1>::random([4], distribution, device).into_data();
        drawn
            .iter::<f32>()
            .fold(0, |seed, part| (seed << 16) | u64::from(part as u16))
    }

    /// What is dropped.
    #[derive(Debug)]
    struct Drop {
        probability: f64,
        seed: u64,
    }

    impl Drop {
        fn of(&self, x: &[f32]) -> Vec<f32> {
            kernel::dropout(x, self.probability, self.seed)
        }
    }

    impl Operator<1> for Drop {
        type Saved = ();

        fn backward(
            self,
            (): Self::Saved,
            gradient: Array,
            [wanted]: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            let found = wanted.then(|| self.of(gradient.values()));
            gradient.give();
            [found]
        }
    }
}

#[cfg(test)]
mod tests {
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    use super::*;

    type Cpu = Autodiff<NdArray<f32>>;
    type Portable = Autodiff<NdArray<f64>>;

    fn gradients_are_of_the_values_that_were_kept<B: burn::tensor::backend::AutodiffBackend>() {
        let device = Default::default();
        let x = Tensor::<B, 2>::ones([50, 70], &device).require_grad();
        let y = dropout(x.clone(), 0.4);
        let gradients = (y.clone() * 3.0).sum().backward();
        let found = x.grad(&gradients).expect("a gradient").into_data();
        let expected = (y * 3.0).into_data();
        found.assert_approx_eq::<f64>(&expected, Default::default());
        let kept = expected.iter::<f64>().filter(|&y| y > 0.0).count();
        assert!((1900..2300).contains(&kept), "{kept} of 3500");
    }

    #[test]
    fn gradients_are_of_the_values_that_were_kept_on_kernels_and_without() {
        gradients_are_of_the_values_that_were_kept::<Cpu>();
        gradients_are_of_the_values_that_were_kept::<Portable>();
    }

    #[test]
    fn two_calls_drop_different_values() {
        let x = Tensor::<Cpu, 1>::ones([1000], &Default::default());
        assert_ne!(
            dropout(x.clone(), 0.5).into_data(),
            dropout(x, 0.5).into_data()
        );
    }

    #[test]
    fn the_bounds_of_the_probability_keep_all_and_nothing() {
        let x = Tensor::<Cpu, 1>::ones([9], &Default::default());
        assert_eq!(dropout(x.clone(), 0.0).into_data(), x.clone().into_data());
        assert_eq!(
            dropout(x.clone(), 1.0).into_data(),
            x.zeros_like().into_data()
        );
    }
}
