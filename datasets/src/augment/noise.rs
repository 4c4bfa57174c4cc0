//! Noise to add: made, or part of a recording.

use super::NoiseKind;
use crate::draw::Draw;
use crate::synth;

/// `count` samples of synthesised noise, of any level.
pub(super) fn made(kind: NoiseKind, draw: &mut Draw, count: usize) -> Vec<f32> {
    let white = draw.normals(count);
    let noise = match kind {
        NoiseKind::White => white,
        NoiseKind::Pink => synth::spectrum::pink(white),
    };
    noise.into_iter().map(|sample| sample as f32).collect()
}

/// `count` samples from anywhere in a clip, which is repeated if it is shorter.
///
/// # Panics
///
/// If the clip is empty.
pub(super) fn part(clip: &[f32], draw: &mut Draw, count: usize) -> Vec<f32> {
    let starts = if clip.len() > count {
        clip.len() - count + 1
    } else {
        clip.len()
    };
    let start = draw.below(starts);
    let endless = clip[start..].iter().chain(clip.iter().cycle());
    endless.copied().take(count).collect()
}
