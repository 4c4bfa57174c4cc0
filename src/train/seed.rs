//! All randomness of a run is derived from its seed and a position, so that a resumed run draws the
//! same numbers as one that was never stopped.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// What random numbers are drawn for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Initial parameters.
    Initialize = 1,
    /// The order of an epoch.
    Shuffle = 2,
    /// Dropout of a step.
    Step = 3,
}

/// Mixes a seed with a purpose and a position (Steele, Lea and Flood's SplitMix64).
pub(super) fn derive(seed: u64, purpose: Purpose, position: u64) -> u64 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    [purpose as u64, position]
        .into_iter()
        .fold(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)), |state, x| {
            mix(state ^ x.wrapping_add(0x9E37_79B9_7F4A_7C15))
        })
}

/// The order in which epoch `epoch` visits `len` examples.
pub(super) fn shuffled(len: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(derive(seed, Purpose::Shuffle, epoch as u64));
    order.shuffle(&mut rng);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_each_example_once_in_an_order_of_its_own() {
        let first = shuffled(100, 7, 0);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(first, shuffled(100, 7, 0));
        assert_ne!(first, shuffled(100, 7, 1));
        assert_ne!(first, shuffled(100, 8, 0));
    }
}
