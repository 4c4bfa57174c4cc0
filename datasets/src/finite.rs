//! Values that are not finite.

/// Index of the first value that is infinite or not a number.
pub(crate) fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Block by block without an early end, which becomes vector instructions.
    const BLOCK: usize = 256;
    let broken = |block: &[f32]| block.iter().fold(false, |any, x| any | !x.is_finite());
    let block = values.chunks(BLOCK).position(broken)?;
    let within = values[block * BLOCK..]
        .iter()
        .position(|x| !x.is_finite())?;
    Some(block * BLOCK + within)
}
