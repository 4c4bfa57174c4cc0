//! Reversal of a gradient.

use burn::tensor::{Tensor, backend::Backend};

/// The same values, with the gradient multiplied by `−weight` on the way back: the layers below learn
/// the opposite of what would help the layers above ([Ganin et al.
/// 2016](https://jmlr.org/papers/v17/15-239.html), equation 14).
pub fn reverse_gradient<B: Backend, const D: usize>(x: Tensor<B, D>, weight: f64) -> Tensor<B, D> {
    let value = x.clone().detach();
    // The second term is exactly zero.
    value.clone() + (value - x) * weight
}

#[cfg(test)]
mod tests {
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    use super::*;

    #[test]
    fn values_stay_and_gradients_turn_round() {
        let device = Default::default();
        let x = Tensor::<Autodiff<NdArray<f32>>, 1>::from_floats([0.1, -3.7, 1e6], &device);
        let x = x.require_grad();
        let y = reverse_gradient(x.clone(), 0.25);
        assert_eq!(y.to_data(), x.to_data());
        let slopes = Tensor::from_floats([1.0, 2.0, -4.0], &device);
        let gradients = (y * slopes).sum().backward();
        let found: Vec<f32> = x
            .grad(&gradients)
            .expect("a gradient")
            .to_data()
            .iter()
            .collect();
        assert_eq!(found, [-0.25, -0.5, 1.0]);
    }
}
