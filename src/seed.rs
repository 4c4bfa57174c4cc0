//! Seeds of a run's random numbers, derived from the seed of the run and a position. A resumed run
//! draws the same numbers as an uninterrupted one.

/// The use of random numbers. Each use has a stream of its own.
#[derive(Clone, Copy)]
pub(crate) enum SeedUse {
    /// Initial parameters.
    Initialize = 1,
    /// The order of an epoch.
    Shuffle = 2,
    /// Dropout in a step.
    Step = 3,
    /// Augmentation in an epoch.
    Augment = 4,
    /// The choice of the recording that another is mixed with.
    Partner = 5,
    /// The symbols that a speller reads in place of the transcript's (scheduled sampling).
    Sample = 6,
}

/// Mixes a seed with a purpose and a position, by SplitMix64 ([Steele, Lea and Flood
/// 2014](https://doi.org/10.1145/2660193.2660195)).
pub(crate) fn derive(seed: u64, purpose: SeedUse, position: u64) -> u64 {
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
