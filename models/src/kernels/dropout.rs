//! Dropout: values are dropped by random bits that are computed from a seed and their position, so
//! that the way back finds the same ones without a mask in memory.

use rayon::prelude::*;

use super::tasks::Tasks;
use super::{Real, buffer};

/// Values that one task takes.
const TASK: usize = 1 << 14;

/// Each value with probability `probability` zero, and otherwise times `1 / (1 − probability)`. The
/// same seed drops the same positions.
pub(crate) fn dropout<T: Real>(x: &[T], probability: f64, seed: u64) -> Vec<T> {
    // Below 2³²: a probability of 1 keeps nothing by its factor.
    let threshold = (probability * f64::from(u32::MAX)).round() as u32;
    let factor = match probability < 1.0 {
        true => T::from_f64(1.0 / (1.0 - probability)),
        false => T::ZERO,
    };
    let mut y = buffer::take(x.len());
    y.par_chunks_mut(TASK)
        .zip(x.par_chunks(TASK))
        .enumerate()
        .run(|(index, (y, x))| {
            let task_seed = seed.wrapping_add((index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let words = [(task_seed >> 32) as u32, task_seed as u32];
            drop_part(x, threshold, factor, words, y);
        });
    y
}

/// Bits that depend on all bits of `x`: the finisher of MurmurHash3, a bijection.
#[inline(always)]
fn mixed(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85EB_CA6B);
    x ^= x >> 13;
    x = x.wrapping_mul(0xC2B2_AE35);
    x ^ (x >> 16)
}

vectorised! {
    fn drop_part<T: Real>(x: &[T], threshold: u32, factor: T, [high, low]: [u32; 2], y: &mut [T]) {
        for (index, (y, &x)) in (0u32..).zip(y.iter_mut().zip(x)) {
            let bits = mixed(mixed(index ^ high).wrapping_add(low));
            let factor = if bits < threshold { T::ZERO } else { factor };
            *y = x * factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_dropped_as_the_probability_says_and_the_others_scaled() {
        let x = vec![2.0f32; 200_000];
        for probability in [0.01, 0.2, 0.5, 0.9] {
            let y = dropout(&x, probability, 7);
            let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64;
            let expected = probability * 200_000.0;
            let deviation = (expected * (1.0 - probability)).sqrt();
            assert!((dropped - expected).abs() < 4.0 * deviation);
            let kept = (2.0 / (1.0 - probability)) as f32;
            assert!(
                y.iter()
                    .all(|&y| y == 0.0 || (y - kept).abs() < 1e-4 * kept)
            );
        }
        assert!(dropout(&x, 1.0, 7).iter().all(|&y| y == 0.0));
    }

    #[test]
    fn neighbours_tasks_and_seeds_are_dropped_independently() {
        let x = vec![1.0f64; 4 * TASK];
        let dropped = |seed| -> Vec<bool> {
            let y = dropout(&x, 0.5, seed);
            y.iter().map(|&y| y == 0.0).collect()
        };
        let first = dropped(1);
        assert_eq!(first, dropped(1));
        let agreement = |a: &[bool], b: &[bool]| {
            let same = a.iter().zip(b).filter(|(a, b)| a == b).count();
            same as f64 / a.len().min(b.len()) as f64
        };
        // Half of a pair agrees by chance, with a deviation of 0.004 at most.
        for distance in [1, 2, 16, 1000, TASK] {
            assert!((agreement(&first, &first[distance..]) - 0.5).abs() < 0.02);
        }
        for seed in [2, 1 << 16, 1 << 32, 1 << 63] {
            assert!((agreement(&first, &dropped(seed)) - 0.5).abs() < 0.02);
        }
    }
}
