//! Mixing channels down to one.

/// Adds the average of interleaved channels. The whole frames of them are taken.
pub(super) fn mix(interleaved: &[f32], channels: usize, samples: &mut Vec<f32>) {
    mixed(interleaved.iter().copied(), channels, samples);
}

/// As [`mix`], of samples that are written in `N` bytes each.
pub(super) fn mix_bytes<const N: usize>(
    bytes: &[u8],
    channels: usize,
    samples: &mut Vec<f32>,
    value: impl Fn([u8; N]) -> f32,
) {
    let (values, _) = bytes.as_chunks::<N>();
    mixed(values.iter().map(|bytes| value(*bytes)), channels, samples);
}

fn mixed(mut values: impl ExactSizeIterator<Item = f32>, channels: usize, samples: &mut Vec<f32>) {
    if channels == 1 {
        // As a sum that begins at zero: minus zero becomes zero.
        samples.extend(values.map(|value| value + 0.0));
        return;
    }
    let frames = values.len() / channels.max(1);
    samples.reserve(frames);
    for _ in 0..frames {
        let frame = values.by_ref().take(channels).map(f64::from);
        let sum = frame.fold(0.0, |sum, value| sum + value);
        samples.push((sum / channels as f64) as f32);
    }
}
