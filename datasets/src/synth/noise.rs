//! Noise by the shape of its spectrum.

/// White noise through Kellet's filter: -3 dB per octave.
pub(crate) fn pink(mut white: Vec<f64>) -> Vec<f64> {
    let mut state = [0.0; 3];
    for sample in &mut white {
        let input = *sample;
        state[0] = 0.997_65 * state[0] + input * 0.099_046;
        state[1] = 0.963_00 * state[1] + input * 0.296_516_4;
        state[2] = 0.570_00 * state[2] + input * 1.052_691_3;
        *sample = state.iter().sum::<f64>() + input * 0.1848;
    }
    white
}
