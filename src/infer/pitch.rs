//! The pitch of a recording over time, by a network with a score for each pitch.

use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, activation};
use serde::Serialize;
use sori_datasets::Waveform;
use sori_models::Architecture;
use sori_models::ops::in_pool;

use super::pieces::{Piece, Pieces};
use super::predictor::{Predictor, WINDOWS_AT_ONCE, at};
use crate::numbers::{argmax, check_finite, host};
use crate::task::reading::{NUM_PITCHES, Reading, hz_of_pitch};
use crate::{Error, Result};

/// The lowest and the highest pitch that are looked for, as places on the scale: 50 Hz and 2006 Hz, as
/// torchcrepe does.
const RANGE: std::ops::Range<usize> = 39..NUM_PITCHES;
/// Pitches on either side of the best that have a say in the answer.
const AROUND: usize = 4;

/// The pitch at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pitch {
    /// The time in seconds.
    pub time_s: f64,
    /// The frequency.
    pub hz: f64,
    /// The probability of that pitch: high where the sound has one, low where it is silence or noise.
    pub periodicity: f32,
}

impl<B: Backend, A: Architecture> Predictor<B, A> {
    /// The pitch of the audio file `path`, once every `hop_s` seconds, as [`pitch`](Self::pitch).
    /// `on_progress` is told the share of the file that has been read.
    ///
    /// # Errors
    /// When the file cannot be read as audio, or as [`pitch`](Self::pitch).
    pub fn pitch_file(
        &self,
        path: &Path,
        hop_s: f64,
        on_progress: impl FnMut(f64),
    ) -> Result<Vec<Pitch>> {
        let pitches = || self.pitches(self.sound(path, on_progress)?, hop_s);
        pitches().map_err(|e| at(path, e))
    }

    /// The pitch of a waveform at the run's sample rate, once every `hop_s` seconds. The first window is
    /// centred at the first sample.
    ///
    /// A frequency is the mean of the best pitch from 50 Hz on and the four on either side of it, in cents,
    /// weighted by their probabilities, as in CREPE's code.
    ///
    /// # Errors
    /// When the run's network gives no pitch, or as [`predict`](Self::predict).
    pub fn pitch(&self, waveform: &Waveform, hop_s: f64) -> Result<Vec<Pitch>> {
        self.pitches(self.blocks(waveform)?, hop_s)
    }

    /// The probability of each of the 360 pitches, of a waveform at the run's sample rate, once every `hop_s`
    /// seconds.
    ///
    /// # Errors
    /// As [`pitch`](Self::pitch).
    pub fn pitch_probabilities(&self, waveform: &Waveform, hop_s: f64) -> Result<Vec<Vec<f32>>> {
        let mut rows = Vec::new();
        self.each_pitch(self.blocks(waveform)?, hop_s, |_, row| {
            rows.push(row.to_vec())
        })?;
        Ok(rows)
    }

    fn pitches(
        &self,
        blocks: impl Iterator<Item = Result<Vec<f32>>>,
        hop_s: f64,
    ) -> Result<Vec<Pitch>> {
        let mut found = Vec::new();
        self.each_pitch(blocks, hop_s, |time_s, row| {
            found.push(decoded(time_s, row))
        })?;
        Ok(found)
    }

    /// Takes each time with the probability of each pitch then.
    fn each_pitch(
        &self,
        blocks: impl Iterator<Item = Result<Vec<f32>>>,
        hop_s: f64,
        mut take: impl FnMut(f64, &[f32]),
    ) -> Result<()> {
        if self.reading() != Some(Reading::Pitch) {
            return Err(Error::Input(format!(
                "the weights of this {} give no pitch; those of `crepe_tiny` do",
                self.info.model
            )));
        }
        let network = self.classifier("pitch")?;
        let windows = self.default_windows();
        let window = self.samples(windows.window_s);
        let cut = self.window_cut(super::windows::Windows { hop_s, ..windows });
        let hop = self.samples(hop_s);
        let silence = || std::iter::once(Ok(vec![0.0; window / 2]));
        let padded = silence().chain(blocks).chain(silence());
        // The last piece ends with the recording, wherever that is.
        let on_time = |piece: &Result<Piece>| {
            let start = piece.as_ref().map_or(0, |piece| piece.start);
            start.is_multiple_of(hop)
        };
        let mut pieces = Pieces::new(padded, cut).filter(on_time);
        let mut time = 0;
        loop {
            let group = pieces.by_ref().take(WINDOWS_AT_ONCE);
            let group = group.collect::<Result<Vec<Piece>>>()?;
            if group.is_empty() {
                return Ok(());
            }
            let rows: Vec<Waveform> = group.into_iter().map(|it| self.waveform(it)).collect();
            let batch = self.batch(&rows)?;
            let logits: Tensor<B, 2> =
                in_pool::<B, _>(|| network.forward(batch.features, &batch.lengths));
            let probabilities = host(activation::sigmoid(logits));
            check_finite(probabilities.iter())?;
            for row in probabilities.chunks(NUM_PITCHES) {
                take(
                    time as f64 * hop as f64 / f64::from(self.sample_rate_hz()),
                    row,
                );
                time += 1;
            }
        }
    }
}

/// The pitch of these probabilities.
fn decoded(time_s: f64, probabilities: &[f32]) -> Pitch {
    let best = RANGE.start + argmax(&probabilities[RANGE]);
    let around = best.saturating_sub(AROUND).max(RANGE.start)..(best + AROUND + 1).min(RANGE.end);
    let weights = around.map(|place| (place as f64, f64::from(probabilities[place])));
    let (sum, total) = weights.fold((0.0, 0.0), |(sum, total), (place, weight)| {
        (sum + place * weight, total + weight)
    });
    let place = match total > 0.0 {
        true => sum / total,
        false => best as f64,
    };
    Pitch {
        time_s,
        hz: hz_of_pitch(place),
        periodicity: probabilities[best],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pitches_beside_the_best_have_their_say() {
        let mut probabilities = vec![0.0; NUM_PITCHES];
        (probabilities[100], probabilities[101]) = (0.75, 0.25);
        probabilities[3] = 0.9; // below 50 Hz
        let pitch = decoded(0.5, &probabilities);
        assert!((pitch.hz - hz_of_pitch(100.25)).abs() < 1e-9);
        assert_eq!((pitch.time_s, pitch.periodicity), (0.5, 0.75));
        assert!(hz_of_pitch(38.0) < 50.0 && hz_of_pitch(40.0) > 50.0);
    }

    #[test]
    fn silence_has_a_pitch_of_no_periodicity() {
        assert_eq!(decoded(0.0, &vec![0.0; NUM_PITCHES]).periodicity, 0.0);
    }
}
