//! Sounds by the shape of their spectrum.

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

/// The sum of `amplitudes[k] · sin((k + 1) phase)`: a fundamental and its overtones.
pub(crate) fn harmonics(phase: f64, amplitudes: &[f64]) -> f64 {
    // sin((k + 1)φ) = 2 cos(φ) sin(kφ) - sin((k - 1)φ)
    let (mut before, mut now, twice_cos) = (0.0, phase.sin(), 2.0 * phase.cos());
    let mut sum = 0.0;
    for amplitude in amplitudes {
        sum += amplitude * now;
        (before, now) = (now, twice_cos * now - before);
    }
    sum
}
