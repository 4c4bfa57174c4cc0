//! All randomness of a run is derived from its seed and a position, so that a resumed run draws the
//! same numbers as one that was never stopped.

/// What random numbers are drawn for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Initial parameters.
    Initialize = 1,
    /// The order of an epoch.
    Shuffle = 2,
    /// Dropout of a step.
    Step = 3,
    /// Augmentation of an epoch.
    Augment = 4,
    /// Which recording another is mixed with.
    Partner = 5,
    /// Symbols that a speller reads instead of the transcript's.
    Sample = 6,
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
