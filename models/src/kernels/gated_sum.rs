//! One term of a sum with weights from the logistic function.

use rayon::prelude::*;

use super::tasks::Tasks;
use super::{Real, buffer};

/// Values that one task takes.
const TASK: usize = 1 << 14;

/// Products that are summed before the sum is widened.
const SUM_PRODUCTS: usize = 256;

/// `sum + gate · x`, or `gate · x` where there is no sum yet.
pub(crate) fn add<T: Real>(sum: Option<&[T]>, x: &[T], gate: T) -> Vec<T> {
    let mut y = buffer::take(x.len());
    match sum {
        Some(sum) => y
            .par_chunks_mut(TASK)
            .zip(sum.par_chunks(TASK))
            .zip(x.par_chunks(TASK))
            .run(|((y, sum), x)| scale_and_add(sum, x, gate, y)),
        None => y
            .par_chunks_mut(TASK)
            .zip(x.par_chunks(TASK))
            .run(|(y, x)| scale(x, gate, y)),
    }
    y
}

/// The sum of all products of two values at the same place: the gradient of a gate.
pub(crate) fn product<T: Real>(a: &[T], b: &[T]) -> f64 {
    let parts: Vec<f64> = a
        .par_chunks(TASK)
        .zip(b.par_chunks(TASK))
        .map(|(a, b)| {
            let blocks = a.chunks(SUM_PRODUCTS).zip(b.chunks(SUM_PRODUCTS));
            blocks.map(|(a, b)| sum_products(a, b).to_f64()).sum()
        })
        .gather();
    parts.iter().sum()
}

/// Sums that run side by side, so that they fit vector instructions.
const LANES: usize = 16;

vectorised! {
    fn scale<T: Real>(x: &[T], gate: T, y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = gate * x;
        }
    }

    fn scale_and_add<T: Real>(sum: &[T], x: &[T], gate: T, y: &mut [T]) {
        for ((y, &sum), &x) in y.iter_mut().zip(sum).zip(x) {
            *y = sum + gate * x;
        }
    }

    fn sum_products<T: Real>(a: &[T], b: &[T]) -> T {
        let mut sums = [T::ZERO; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        let mut total = T::ZERO;
        for sum in sums {
            total += sum;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_are_those_of_one_value_after_another() {
        let numbers = |step: usize| -> Vec<f64> {
            (0..40_001).map(|i| (i * step % 31) as f64 - 15.0).collect()
        };
        let (a, b) = (numbers(7), numbers(11));
        let expected: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert_eq!(product(&a, &b), expected);
        let first = add(None, &a, 0.5);
        let both = add(Some(&first), &b, 0.25);
        for i in 0..a.len() {
            assert_eq!(both[i], 0.5 * a[i] + 0.25 * b[i]);
        }
    }
}
