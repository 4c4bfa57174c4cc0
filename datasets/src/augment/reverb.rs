//! The sound of a room.

use super::convolve::Convolver;
use crate::draw::Draw;
use crate::level::{decibels, mean_power, set_mean_power};

/// A made impulse response: the direct sound, 1, and then white noise that decays by 60 dB in
/// `rt60_s`, as [Moorer 1979] makes the response of a room and Polack (1988) models it. `direct_db` is how far the energy of the direct sound is above that
/// of all the noise. It ends after `rt60_s`.
///
/// [Moorer 1979]: https://doi.org/10.2307/3680280
pub(super) fn room(draw: &mut Draw, rt60_s: f64, direct_db: f64, sample_rate_hz: u32) -> Vec<f32> {
    let length = (rt60_s * f64::from(sample_rate_hz)).round().max(1.0);
    let decay = decibels(-60.0 / length);
    let mut envelope = 1.0;
    let mut response = vec![1.0_f32];
    for noise in draw.normals(length as usize) {
        envelope *= decay;
        response.push((envelope * noise) as f32);
    }
    let late = &mut response[1..];
    let energy = decibels(-direct_db).powi(2);
    set_mean_power(late, energy / length);
    response
}

/// The signal as it sounds in the room: with the same length and mean power, and the direct sound,
/// taken to be the loudest sample of the response, at the time it had. A silent response changes
/// nothing.
pub(super) fn reverberate(convolver: &mut Convolver, signal: &[f32], response: &[f32]) -> Vec<f32> {
    let (mut direct, mut loudest) = (0, 0.0);
    for (index, sample) in response.iter().enumerate() {
        if sample.abs() > loudest {
            (direct, loudest) = (index, sample.abs());
        }
    }
    if loudest == 0.0 {
        return signal.to_vec();
    }
    let mut wet = convolver.convolve(signal, response);
    wet.drain(..direct);
    wet.truncate(signal.len());
    set_mean_power(&mut wet, mean_power(signal));
    wet
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_made_room_decays_by_60_db_in_its_time_and_has_the_direct_sound_asked_for() {
        let rate = 16_000;
        let response = room(&mut Draw::new(1, 0), 0.5, 3.0, rate);
        assert_eq!(response.len(), 8001);
        let late: f64 = mean_power(&response[1..]) * 8000.0;
        assert!((-10.0 * late.log10() - 3.0).abs() < 1e-4, "{late}");
        // Schroeder's backward integral, between 5 and 35 dB down, gives the decay in dB/s.
        let mut left: Vec<f64> = response[1..]
            .iter()
            .rev()
            .scan(0.0, |sum, &x| {
                *sum += f64::from(x) * f64::from(x);
                Some(*sum)
            })
            .collect();
        left.reverse();
        let when = |db: f64| left.iter().position(|x| 10.0 * (x / left[0]).log10() < db);
        let seconds = (when(-35.0).unwrap() - when(-5.0).unwrap()) as f64 / f64::from(rate);
        assert!((seconds - 0.25).abs() < 0.02, "{seconds} s for 30 dB");
    }

    #[test]
    fn the_direct_sound_stays_where_it_was() {
        let mut signal = vec![0.0; 1000];
        signal[300] = 0.5;
        let mut response = vec![0.01, 0.02, -1.0, 0.3, 0.0, 0.1];
        let wet = reverberate(&mut Convolver::default(), &signal, &response);
        assert_eq!(wet.len(), 1000);
        let peak = (0..1000).max_by(|&a, &b| wet[a].abs().total_cmp(&wet[b].abs()));
        assert_eq!(peak, Some(300));
        assert!((mean_power(&wet) / mean_power(&signal) - 1.0).abs() < 1e-5);
        assert!((wet[301] / wet[300] + 0.3).abs() < 1e-5);

        response.fill(0.0);
        assert_eq!(
            reverberate(&mut Convolver::default(), &signal, &response),
            signal
        );
    }
}
