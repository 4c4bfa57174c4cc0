//! The stretches of speech in a recording, by a network with a score for each chunk of it.

use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData, activation};
use sori_datasets::Waveform;
use sori_datasets::features::FeatureKind;
use sori_models::Architecture;
use sori_models::ops::in_pool;

use super::predictor::{Predictor, at};
use crate::numbers::{check_finite, host};
use crate::task::SoundEvent;
use crate::task::any::AnyTask;
use crate::task::reading::Reading;
use crate::{Error, Result};

/// Below the threshold by this much, speech ends; and the least probability where it does.
const BELOW_THRESHOLD: f32 = 0.15;
const LEAST_END: f32 = 0.01;
/// The threshold if the run has none.
const THRESHOLD: f32 = 0.5;
/// Shorter stretches are left out, and shorter pauses are part of a stretch, in milliseconds.
const LEAST_SPEECH_MS: usize = 250;
const LEAST_PAUSE_MS: usize = 100;
/// So much is added at both ends of a stretch, as far as it meets no other.
const MARGIN_MS: usize = 30;

/// The speech in a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    /// The stretches of speech, in order, with the mean probability of each.
    pub stretches: Vec<SoundEvent>,
    /// The probability of speech in each chunk.
    pub probabilities: Vec<f32>,
    /// The length of a chunk in seconds.
    pub chunk_s: f64,
    /// The length of the recording in seconds.
    pub duration_s: f64,
}

impl Speech {
    /// Start and end of each stretch in seconds.
    pub fn spans(&self) -> Vec<(f64, f64)> {
        let spans = self.stretches.iter().map(|it| (it.start_s, it.end_s));
        spans.collect()
    }

    /// The length of all stretches in seconds.
    pub fn speech_s(&self) -> f64 {
        self.spans().iter().map(|(start, end)| end - start).sum()
    }
}

impl<B: Backend, A: Architecture> Predictor<B, A> {
    /// The speech in the audio file `path`, as [`speech`](Self::speech). `on_progress` is told the share of
    /// the file that has been read.
    ///
    /// # Errors
    /// When the file cannot be read as audio, or as [`speech`](Self::speech).
    pub fn speech_file(&self, path: &Path, on_progress: impl FnMut(f64)) -> Result<Speech> {
        let speech = || self.speech_in(self.sound(path, on_progress)?);
        speech().map_err(|e| at(path, e))
    }

    /// The speech in a waveform at the run's sample rate.
    ///
    /// Speech begins with a chunk whose probability reaches the threshold, and ends where it is below the
    /// threshold less 0.15 and does not reach the threshold within 100 ms. What is shorter than 250 ms is left
    /// out, and 30 ms are added at both ends. This is how the package silero-vad cuts.
    ///
    /// # Errors
    /// When the run's network finds no speech, or as [`predict`](Self::predict).
    pub fn speech(&self, waveform: &Waveform) -> Result<Speech> {
        self.speech_in(self.blocks(waveform)?)
    }

    fn speech_in(&self, blocks: impl Iterator<Item = Result<Vec<f32>>>) -> Result<Speech> {
        let (info, features) = (&self.info, &self.settings.features);
        let stream = self.classifier("speech")?.stream();
        let (Some(Reading::Speech), FeatureKind::Waveform, Some(mut stream)) =
            (info.reading, features.kind, stream)
        else {
            return Err(Error::Input(format!(
                "the weights of this {} find no speech; those of `silero_vad` do",
                info.model
            )));
        };
        let (mut probabilities, mut samples) = (Vec::new(), 0);
        let mut take = |logits: Option<Tensor<B, 3>>| {
            let Some(logits) = logits else { return Ok(()) };
            probabilities.extend(host(activation::sigmoid(logits)));
            check_finite(probabilities.iter())
        };
        for block in blocks {
            let block = block?;
            if block.is_empty() {
                continue;
            }
            let count = block.len();
            samples += count;
            let block = TensorData::new(block, [1, count, 1]);
            let block = Tensor::from_data(block, &self.device);
            take(in_pool::<B, _>(|| stream.push(block)))?;
        }
        take(in_pool::<B, _>(|| stream.finish()))?;
        let threshold = match &self.task {
            AnyTask::Tag(task) => task.threshold(0),
            _ => THRESHOLD,
        };
        let rate = features.sample_rate_hz as usize;
        let chunk = self.settings.model.frames_per_step();
        let stretches = stretches(&probabilities, chunk, samples, rate, threshold);
        let seconds = |place: usize| place as f64 / rate as f64;
        let stretch = |&(start, end): &(usize, usize)| {
            let chunks = start / chunk..end.div_ceil(chunk).min(probabilities.len());
            let count = chunks.len().max(1) as f32;
            SoundEvent {
                start_s: seconds(start),
                end_s: seconds(end),
                label: "speech".to_string(),
                score: probabilities[chunks].iter().sum::<f32>() / count,
            }
        };
        Ok(Speech {
            stretches: stretches.iter().map(stretch).collect(),
            chunk_s: seconds(chunk),
            duration_s: seconds(samples),
            probabilities,
        })
    }
}

/// Start and end of each stretch, in samples, of a recording of so many samples at so many a second, from the
/// probability of each chunk.
fn stretches(
    probabilities: &[f32],
    chunk: usize,
    samples: usize,
    rate: usize,
    threshold: f32,
) -> Vec<(usize, usize)> {
    let [least, pause, margin] =
        [LEAST_SPEECH_MS, LEAST_PAUSE_MS, MARGIN_MS].map(|ms| rate * ms / 1000);
    let end_below = (threshold - BELOW_THRESHOLD).max(LEAST_END);
    let mut found: Vec<(usize, usize)> = Vec::new();
    let (mut start, mut quiet_from) = (None, None);
    for (index, &probability) in probabilities.iter().enumerate() {
        let here = index * chunk;
        if probability >= threshold {
            start.get_or_insert(here);
            quiet_from = None;
        } else if let Some(from) = start.filter(|_| probability < end_below) {
            let quiet = *quiet_from.get_or_insert(here);
            if here - quiet >= pause {
                found.extend((quiet - from > least).then_some((from, quiet)));
                (start, quiet_from) = (None, None);
            }
        }
    }
    if let Some(from) = start.filter(|from| samples - from > least) {
        found.push((from, samples));
    }
    // Margins, which meet in the middle of a short pause.
    let gap = |left: usize, right: usize| match right - left {
        between if between < 2 * margin => between / 2,
        _ => margin,
    };
    (0..found.len())
        .map(|index| {
            let (start, end) = found[index];
            let before = match index.checked_sub(1) {
                Some(before) => gap(found[before].1, start),
                None => margin.min(start),
            };
            let behind = match found.get(index + 1) {
                Some(&(next, _)) => gap(end, next),
                None => margin.min(samples - end),
            };
            (start - before, end + behind)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of chunks of one probability, the samples of the recording, and its stretches of speech.
    type Case<'a> = (&'a [(usize, f32)], usize, &'a [(usize, usize)]);

    /// silero-vad 6.2.3: `get_speech_timestamps_from_probs(p, 16000, audio_length_samples=n)`.
    #[test]
    fn stretches_are_those_of_silero_vad() {
        let from = |runs: &[(usize, f32)]| -> Vec<f32> {
            let runs = runs.iter().flat_map(|&(count, p)| vec![p; count]);
            runs.collect()
        };
        let cases: [Case<'_>; 5] = [
            // A pause of 96 ms is no pause, and one of 128 ms is.
            (
                &[(10, 0.9), (3, 0.1), (10, 0.9), (9, 0.1)],
                16_384,
                &[(0, 12_256)],
            ),
            (
                &[(4, 0.1), (10, 0.9), (5, 0.1), (10, 0.6), (3, 0.4)],
                16_300,
                &[(1_568, 7_648), (9_248, 16_300)],
            ),
            // Too short.
            (&[(4, 0.1), (7, 0.9), (12, 0.1)], 11_776, &[]),
            // What is between the two thresholds changes nothing.
            (
                &[(2, 0.4), (9, 0.55), (9, 0.4), (8, 0.2)],
                14_336,
                &[(544, 10_720)],
            ),
            (&[], 0, &[]),
        ];
        for (runs, samples, expected) in cases {
            let found = stretches(&from(runs), 512, samples, 16_000, 0.5);
            assert_eq!(found, expected, "{runs:?}");
        }
    }
}
