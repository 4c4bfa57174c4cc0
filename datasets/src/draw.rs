//! Reproducible random numbers.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::box_muller::normal_pairs;
use crate::part::Part;

/// Pairs of normal numbers that are made at a time.
const PAIRS: usize = 256;

/// Random numbers from a seed. Only raw bits are taken from the generator: its specification fixes
/// them, so later versions draw the same numbers.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The numbers of one stream of a seed. Streams are independent of each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(bytes);
        generator.set_stream(stream);
        Self(generator)
    }

    /// The numbers of the clip with this index in a part.
    pub(crate) fn of_clip(seed: u64, part: Part, index: u32) -> Self {
        Self::new(seed, (part as u64) << 32 | u64::from(index))
    }

    /// Any number, each as likely.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [low, high); `low` if they are the same.
    pub(crate) fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..count.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// `count` standard normal numbers. It uses both numbers of each pair that Box and Muller's
    /// method gives.
    pub(crate) fn normals(&mut self, count: usize) -> Vec<f64> {
        let mut numbers = Vec::with_capacity(count + 1);
        let (mut firsts, mut seconds) = ([0.0; PAIRS], [0.0; PAIRS]);
        while numbers.len() < count {
            let pairs = (count - numbers.len()).div_ceil(2).min(PAIRS);
            let (firsts, seconds) = (&mut firsts[..pairs], &mut seconds[..pairs]);
            for (first, second) in firsts.iter_mut().zip(seconds.iter_mut()) {
                (*first, *second) = (1.0 - self.unit(), self.unit());
            }
            normal_pairs(firsts, seconds);
            let pairs = firsts.iter().zip(seconds.iter());
            numbers.extend(pairs.flat_map(|(&first, &second)| [first, second]));
        }
        numbers.truncate(count);
        numbers
    }
}
