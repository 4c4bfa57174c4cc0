//! Noise by the shape of its spectrum, of any level.

use crate::draw::Draw;

/// Normally distributed samples: the same power at all frequencies.
pub(crate) fn white(draw: &mut Draw, count: usize) -> Vec<f64> {
    (0..count).map(|_| draw.normal()).collect()
}

/// White noise through Kellet's filter: -3 dB per octave.
pub(crate) fn pink(draw: &mut Draw, count: usize) -> Vec<f64> {
    let mut state = [0.0; 3];
    (0..count)
        .map(|_| {
            let white = draw.normal();
            state[0] = 0.997_65 * state[0] + white * 0.099_046;
            state[1] = 0.963_00 * state[1] + white * 0.296_516_4;
            state[2] = 0.570_00 * state[2] + white * 1.052_691_3;
            state.iter().sum::<f64>() + white * 0.1848
        })
        .collect()
}
