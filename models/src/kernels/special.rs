//! The logistic function and the error function, branch-free like the functions of [`math`](super::math)
//! that they are made of.

use super::Real;

/// The logistic function `1 / (1 + e⁻ˣ)`, within 2e-7.
#[inline(always)]
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

/// The error function, within 3e-7 of single precision: formula 7.1.26 of [Abramowitz and
/// Stegun](https://personal.math.ubc.ca/~cbm/aands/page_299.htm), whose own error is 1.5e-7.
#[inline(always)]
pub(crate) fn erf<T: Real>(x: T) -> T {
    let number = T::from_f64;
    let size = if x < T::ZERO { -x } else { x };
    let t = T::ONE / (T::ONE + number(0.327_591_1) * size);
    let mut p = number(1.061_405_429);
    p = p * t + number(-1.453_152_027);
    p = p * t + number(1.421_413_741);
    p = p * t + number(-0.284_496_736);
    p = p * t + number(0.254_829_592);
    let y = T::ONE - p * t * (-(size * size)).exp();
    if x < T::ZERO { -y } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_is_that_of_double_precision() {
        for i in -2_000_000..=2_000_000 {
            let x = i as f32 * 5e-5;
            let wide = f64::from(x);
            let error = (f64::from(sigmoid(x)) - 1.0 / (1.0 + (-wide).exp())).abs();
            assert!(error < 2e-7, "sigmoid({x}) is off by {error}");
        }
        assert_eq!(sigmoid(f32::INFINITY), 1.0);
        assert_eq!(sigmoid(-1e4f32), 0.0);
        assert!(sigmoid(f32::NAN).is_nan());
    }
}
