//! Activations, value by value, and their derivatives.

use rayon::prelude::*;

use super::special::{erf, sigmoid};
use super::tasks::Tasks;
use super::{Real, buffer};

/// The functions; see [`crate::ops::Activation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Relu,
    LeakyRelu,
    Sigmoid,
    Tanh,
    Elu,
    Gelu,
}

/// The slope of a leaky ReLU below zero.
pub(crate) const LEAK: f64 = 0.01;

/// Values that one task takes.
const TASK: usize = 1 << 14;

/// `f(x)`.
pub(crate) fn forward<T: Real>(function: Function, x: &[T]) -> Vec<T> {
    let mut y = buffer::take(x.len());
    y.par_chunks_mut(TASK)
        .zip(x.par_chunks(TASK))
        .run(|(y, x)| apply(function, x, y));
    y
}

/// `f'(x)` times the gradient, in the gradient's memory.
pub(crate) fn backward<T: Real>(function: Function, x: &[T], gradient: &mut [T]) {
    gradient
        .par_chunks_mut(TASK)
        .zip(x.par_chunks(TASK))
        .run(|(gradient, x)| derive(function, x, gradient));
}

#[inline(always)]
fn map<T: Real>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

#[inline(always)]
fn scale<T: Real>(x: &[T], gradient: &mut [T], slope: impl Fn(T) -> T) {
    for (gradient, &x) in gradient.iter_mut().zip(x) {
        *gradient = *gradient * slope(x);
    }
}

/// The normal distribution up to `x`.
#[inline(always)]
fn normal<T: Real>(x: T) -> T {
    T::from_f64(0.5) * (T::ONE + erf(x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)))
}

vectorised! {
    fn apply<T: Real>(function: Function, x: &[T], y: &mut [T]) {
        let leak = T::from_f64(LEAK);
        // Written so that what is not a number stays so.
        match function {
            Function::Relu => map(x, y, |x| if x < T::ZERO { T::ZERO } else { x }),
            Function::LeakyRelu => map(x, y, |x| if x < T::ZERO { x * leak } else { x }),
            Function::Sigmoid => map(x, y, |x| sigmoid(x)),
            Function::Tanh => map(x, y, |x| x.tanh()),
            Function::Elu => map(x, y, |x| {
                let below = x.exp() - T::ONE;
                if x > T::ZERO { x } else { below }
            }),
            Function::Gelu => map(x, y, |x| x * normal(x)),
        }
    }

    fn derive<T: Real>(function: Function, x: &[T], gradient: &mut [T]) {
        let leak = T::from_f64(LEAK);
        match function {
            Function::Relu => scale(x, gradient, |x| if x > T::ZERO { T::ONE } else { T::ZERO }),
            Function::LeakyRelu => scale(x, gradient, |x| if x > T::ZERO { T::ONE } else { leak }),
            Function::Sigmoid => scale(x, gradient, |x| {
                let y = sigmoid(x);
                y * (T::ONE - y)
            }),
            Function::Tanh => scale(x, gradient, |x| {
                let y = x.tanh();
                T::ONE - y * y
            }),
            Function::Elu => scale(x, gradient, |x| {
                let below = x.exp();
                if x > T::ZERO { T::ONE } else { below }
            }),
            Function::Gelu => scale(x, gradient, |x| {
                // Φ(x) + x φ(x)
                let density = (T::from_f64(-0.5) * x * x).exp() * T::from_f64(0.398_942_280_401_432_7);
                normal(x) + x * density
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_finite_differences() {
        let x: Vec<f64> = (-40..40).map(|i| f64::from(i) * 0.17 + 0.01).collect();
        let h = 1e-3;
        for function in [
            Function::Relu,
            Function::LeakyRelu,
            Function::Sigmoid,
            Function::Tanh,
            Function::Elu,
            Function::Gelu,
        ] {
            let mut found = vec![1.0; x.len()];
            backward(function, &x, &mut found);
            let up = forward(function, &x.iter().map(|x| x + h).collect::<Vec<_>>());
            let down = forward(function, &x.iter().map(|x| x - h).collect::<Vec<_>>());
            for (i, found) in found.iter().enumerate() {
                let expected = (up[i] - down[i]) / (2.0 * h);
                // erf is an approximation, whose error the difference magnifies.
                let close = (found - expected).abs() < 3e-4;
                assert!(close, "{function:?}'({}) = {found}, not {expected}", x[i]);
            }
        }
    }
}
