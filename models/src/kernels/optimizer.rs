//! One step of an optimizer as one pass over a parameter, its gradient and what the optimizer
//! remembers of it.

use rayon::prelude::*;

use super::Real;
use super::tasks::Tasks;

/// Values of a parameter that one task takes.
const TASK: usize = 1 << 14;

/// The factors of a step of Adam.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Adam {
    /// The learning rate over the first moment's bias correction.
    pub(crate) rate: f64,
    /// Decay of the first moment and of the second.
    pub(crate) betas: [f64; 2],
    /// The second moment's bias correction, `1 − β₂ᵗ`.
    pub(crate) correction: f64,
    /// Added to the root of the second moment.
    pub(crate) epsilon: f64,
    /// Factor of the gradient, applied first, for clipping.
    pub(crate) scale: f64,
    /// Weight decay added to the gradient, as L2 regularisation does.
    pub(crate) decay: f64,
    /// Factor of the parameter, applied first: `1 − learning rate · weight decay` is AdamW's.
    pub(crate) keep: f64,
}

/// Moves a parameter and both moments.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn adam<T: Real>(
    step: &Adam,
    parameter: &mut [T],
    gradient: &[T],
    first: &mut [T],
    second: &mut [T],
) {
    let len = parameter.len();
    assert!(gradient.len() == len && first.len() == len && second.len() == len);
    parameter
        .par_chunks_mut(TASK)
        .zip(gradient.par_chunks(TASK))
        .zip(first.par_chunks_mut(TASK).zip(second.par_chunks_mut(TASK)))
        .run(|((p, g), (m, v))| adam_part(step, p, g, m, v));
}

/// The factors of a step of gradient descent with momentum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sgd {
    /// The learning rate.
    pub(crate) rate: f64,
    /// Share of the last change that is kept.
    pub(crate) momentum: f64,
    /// Whether the parameter moves by where the momentum will be, as Nesterov's does.
    pub(crate) ahead: bool,
    /// Factor of the gradient, applied first, for clipping.
    pub(crate) scale: f64,
    /// Weight decay added to the gradient.
    pub(crate) decay: f64,
}

/// Moves a parameter and its momentum.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn sgd<T: Real>(step: &Sgd, parameter: &mut [T], gradient: &[T], momentum: &mut [T]) {
    let len = parameter.len();
    assert!(gradient.len() == len && momentum.len() == len);
    parameter
        .par_chunks_mut(TASK)
        .zip(gradient.par_chunks(TASK))
        .zip(momentum.par_chunks_mut(TASK))
        .run(|((p, g), m)| sgd_part(step, p, g, m));
}

/// The factors of a step over the root of the squared gradients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rms {
    /// The learning rate.
    pub(crate) rate: f64,
    /// Share of the squares that is kept, and share of the new one that is added.
    pub(crate) shares: [f64; 2],
    /// Added to the root.
    pub(crate) epsilon: f64,
    /// Factor of the gradient, applied first, for clipping.
    pub(crate) scale: f64,
    /// Weight decay added to the gradient.
    pub(crate) decay: f64,
}

/// Moves a parameter and its squares.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn rms<T: Real>(step: &Rms, parameter: &mut [T], gradient: &[T], squares: &mut [T]) {
    let len = parameter.len();
    assert!(gradient.len() == len && squares.len() == len);
    parameter
        .par_chunks_mut(TASK)
        .zip(gradient.par_chunks(TASK))
        .zip(squares.par_chunks_mut(TASK))
        .run(|((p, g), v)| rms_part(step, p, g, v));
}

/// Moves each average towards its value: it keeps the share `kept` of itself.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn moving_average<T: Real>(kept: f64, average: &mut [T], values: &[T]) {
    assert_eq!(average.len(), values.len());
    average
        .par_chunks_mut(TASK)
        .zip(values.par_chunks(TASK))
        .run(|(average, values)| average_part(kept, average, values));
}

/// The sum of the squares, in double precision and always in the same order.
pub(crate) fn sum_of_squares<T: Real>(values: &[T]) -> f64 {
    let parts: Vec<f64> = values.par_chunks(TASK).map(squares).gather();
    parts.iter().sum()
}

vectorised! {
    fn adam_part<T: Real>(
        step: &Adam,
        parameter: &mut [T],
        gradient: &[T],
        first: &mut [T],
        second: &mut [T],
    ) {
        let number = T::from_f64;
        let [beta_1, beta_2] = step.betas.map(number);
        let [rest_1, rest_2] = step.betas.map(|beta| number(1.0 - beta));
        let [rate, epsilon] = [number(step.rate), number(step.epsilon)];
        let [scale, decay, keep] = [number(step.scale), number(step.decay), number(step.keep)];
        let correction = number(1.0 / step.correction);
        let moments = first.iter_mut().zip(second);
        for ((p, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
            let g = g * scale + *p * decay;
            *m = *m * beta_1 + g * rest_1;
            *v = *v * beta_2 + g * g * rest_2;
            *p = *p * keep - *m / ((*v * correction).sqrt() + epsilon) * rate;
        }
    }

    fn sgd_part<T: Real>(step: &Sgd, parameter: &mut [T], gradient: &[T], momentum: &mut [T]) {
        let [rate, kept, scale, decay] =
            [step.rate, step.momentum, step.scale, step.decay].map(T::from_f64);
        let ahead = if step.ahead { [step.momentum, 1.0] } else { [1.0, 0.0] };
        let [of_momentum, of_gradient] = ahead.map(T::from_f64);
        for ((p, &g), m) in parameter.iter_mut().zip(gradient).zip(momentum) {
            let g = g * scale + *p * decay;
            *m = *m * kept + g;
            *p = *p - (*m * of_momentum + g * of_gradient) * rate;
        }
    }

    fn rms_part<T: Real>(step: &Rms, parameter: &mut [T], gradient: &[T], squares: &mut [T]) {
        let [rate, epsilon, scale, decay] =
            [step.rate, step.epsilon, step.scale, step.decay].map(T::from_f64);
        let [kept, added] = step.shares.map(T::from_f64);
        for ((p, &g), v) in parameter.iter_mut().zip(gradient).zip(squares) {
            let g = g * scale + *p * decay;
            *v = *v * kept + g * g * added;
            *p = *p - g / (v.sqrt() + epsilon) * rate;
        }
    }

    fn average_part<T: Real>(kept: f64, average: &mut [T], values: &[T]) {
        let [kept, added] = [kept, 1.0 - kept].map(T::from_f64);
        for (average, &value) in average.iter_mut().zip(values) {
            *average = *average * kept + value * added;
        }
    }

    fn squares<T: Real>(values: &[T]) -> f64 {
        // Sixteen sums at once are a vector's.
        let mut sums = [0.0f64; 16];
        let blocks = values.chunks_exact(16);
        let rest: f64 = blocks.remainder().iter().map(|x| x.to_f64() * x.to_f64()).sum();
        for block in blocks {
            for (sum, x) in sums.iter_mut().zip(block) {
                let x = x.to_f64();
                *sum += x * x;
            }
        }
        sums.iter().sum::<f64>() + rest
    }
}
