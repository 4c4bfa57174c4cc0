//! The embedding of a recording: what the last layer of a classifier sees, or the vector of a voice.

use std::path::Path;

use burn::tensor::backend::Backend;
use sori_datasets::{Features, Waveform, audio};
use sori_models::ops::in_pool;
use sori_models::{Architecture, Classifier};

use super::pieces::{Piece, Pieces};
use super::predictor::{Predictor, WINDOWS_AT_ONCE, at};
use super::windows::Windows;
use crate::numbers::{check_finite, host};
use crate::task::reading::Reading;
use crate::{Error, Result};

/// Frames of a part of a recording that has a vector of its own, and from one to the next.
const PART_FRAMES: usize = 160;
const PART_HOP_FRAMES: usize = 77;
/// The least share of sound in the last part. With less it is left out, unless it is the only one.
const LEAST_COVERAGE: f64 = 0.75;
/// The least volume of a recording, as the root of its mean square: −30 dB of full scale.
const LEAST_VOLUME: f64 = 0.031_622_776_601_683_79;

impl<B: Backend, A: Architecture> Predictor<B, A> {
    /// The embedding of the audio file `path`, as [`embed`](Self::embed).
    ///
    /// # Errors
    /// When the file cannot be read as audio, or as [`embed`](Self::embed).
    pub fn embed_file(&self, path: &Path, windows: Windows) -> Result<Vec<f32>> {
        let embed = || match self.reading() {
            Some(Reading::Voice) => self.embed(&audio::load(path, self.sample_rate_hz())?, windows),
            _ => self.embed_blocks(self.sound(path, |_| ())?, windows),
        };
        embed().map_err(|e| at(path, e))
    }

    /// The embedding of a waveform at the run's sample rate: the input of a classifier's last layer. Of a
    /// waveform longer than a window it is the mean over its windows.
    ///
    /// A network for voices gives a vector of length 1, as Resemblyzer does: the mean of those of parts of
    /// 160 frames, 77 frames apart, brought to that length. A recording that is quieter than −30 dB of full
    /// scale is amplified to that first; pauses are not taken out.
    ///
    /// # Errors
    /// When the run's network is no classifier, or as [`predict`](Self::predict).
    pub fn embed(&self, waveform: &Waveform, windows: Windows) -> Result<Vec<f32>> {
        let blocks = self.blocks(waveform)?;
        match self.reading() {
            Some(Reading::Voice) => self.embed_voice(waveform),
            _ => self.embed_blocks(blocks, windows),
        }
    }

    fn embed_blocks(
        &self,
        blocks: impl Iterator<Item = Result<Vec<f32>>>,
        windows: Windows,
    ) -> Result<Vec<f32>> {
        let network = self.classifier("embedding")?;
        let mut pieces = Pieces::new(blocks, self.window_cut(windows));
        let mut mean = Mean::default();
        loop {
            let group = pieces.by_ref().take(WINDOWS_AT_ONCE);
            let group = group.collect::<Result<Vec<Piece>>>()?;
            if group.is_empty() {
                return mean.value();
            }
            let parts: Vec<Waveform> = group.into_iter().map(|it| self.waveform(it)).collect();
            mean.add(self.embeddings(network, &self.features(&parts)?));
        }
    }

    fn embed_voice(&self, waveform: &Waveform) -> Result<Vec<f32>> {
        let network = self.classifier("embedding")?;
        let mut sound = waveform.clone();
        let hop = self.samples(self.settings.features.frame_period_s());
        let starts = part_starts(sound.samples.len(), hop);
        let end = starts.last().map_or(0, |start| (start + PART_FRAMES) * hop);
        amplify(&mut sound.samples);
        if sound.samples.len() < end {
            sound.samples.resize(end, 0.0);
        }
        let whole = self.features(std::slice::from_ref(&sound))?;
        let part = |&start: &usize| Features {
            frames: PART_FRAMES,
            bins: whole[0].bins,
            values: (start..start + PART_FRAMES)
                .flat_map(|frame| whole[0].row(frame).iter().copied())
                .collect(),
        };
        let mut mean = Mean::default();
        for group in starts.chunks(WINDOWS_AT_ONCE) {
            let parts: Vec<Features> = group.iter().map(part).collect();
            mean.add(self.embeddings(network, &parts));
        }
        let mut mean = mean.value()?;
        let length = mean
            .iter()
            .map(|&x| f64::from(x).powi(2))
            .sum::<f64>()
            .sqrt();
        if length > 0.0 {
            for value in &mut mean {
                *value = (f64::from(*value) / length) as f32;
            }
        }
        Ok(mean)
    }

    /// The embedding of each row, one after the other.
    fn embeddings(&self, network: &dyn Classifier<B>, rows: &[Features]) -> (usize, Vec<f32>) {
        let batch = self.batch_of(rows);
        let embedding = in_pool::<B, _>(|| network.embed(batch.features, &batch.lengths));
        (rows.len(), host(embedding))
    }
}

/// The cosine of the angle between two embeddings, from −1 to 1; 0 if one of them is zero.
///
/// ```
/// assert_eq!(sori::infer::similarity(&[3.0, 4.0], &[4.0, 3.0]), 0.96);
/// ```
pub fn similarity(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
        products.sum()
    };
    let lengths = (product(a, a) * product(b, b)).sqrt();
    match lengths > 0.0 {
        true => product(a, b) / lengths,
        false => 0.0,
    }
}

/// The mean of vectors.
#[derive(Default)]
struct Mean {
    sum: Vec<f64>,
    count: usize,
}

impl Mean {
    /// Adds so many vectors of one size, one after the other.
    fn add(&mut self, (count, values): (usize, Vec<f32>)) {
        let size = values.len() / count.max(1);
        self.sum.resize(size, 0.0);
        self.count += count;
        for vector in values.chunks(size.max(1)) {
            for (sum, &value) in self.sum.iter_mut().zip(vector) {
                *sum += f64::from(value);
            }
        }
    }

    fn value(self) -> Result<Vec<f32>> {
        if self.count == 0 {
            return Err(Error::Input("there is no sound in it".to_string()));
        }
        let share = 1.0 / self.count as f64;
        let mean: Vec<f32> = self.sum.iter().map(|sum| (sum * share) as f32).collect();
        check_finite(mean.iter())?;
        Ok(mean)
    }
}

/// The first frame of each part of a recording of so many samples.
fn part_starts(samples: usize, hop: usize) -> Vec<usize> {
    let frames = (samples + 1).div_ceil(hop);
    let last = (frames + PART_HOP_FRAMES + 1)
        .saturating_sub(PART_FRAMES)
        .max(1);
    let mut starts: Vec<usize> = (0..last).step_by(PART_HOP_FRAMES).collect();
    if let [.., _, start] = starts[..] {
        let covered = samples as f64 - (start * hop) as f64;
        if covered / ((PART_FRAMES * hop) as f64) < LEAST_COVERAGE {
            starts.pop();
        }
    }
    starts
}

/// Amplifies a sound to the least volume.
fn amplify(samples: &mut [f32]) {
    let square: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum();
    let volume = (square / samples.len().max(1) as f64).sqrt();
    if volume > 0.0 && volume < LEAST_VOLUME {
        for sample in samples {
            *sample = (f64::from(*sample) * LEAST_VOLUME / volume) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resemblyzer 0.1.4: `VoiceEncoder.compute_partial_slices(n, rate=1.3, min_coverage=0.75)`.
    #[test]
    fn parts_are_those_of_resemblyzer() {
        let expected: [(usize, &[usize]); 5] = [
            (0, &[0]),
            (25_599, &[0]),
            (31_000, &[0]),
            (31_520, &[0, 77]),
            (48_000, &[0, 77, 154]),
        ];
        for (samples, starts) in expected {
            assert_eq!(part_starts(samples, 160), starts, "{samples}");
        }
    }

    #[test]
    fn only_what_is_quiet_is_amplified() {
        let mut quiet = vec![0.01, -0.01];
        amplify(&mut quiet);
        assert!((f64::from(quiet[0]) - LEAST_VOLUME).abs() < 1e-8);
        for samples in [vec![0.5f32, -0.5], vec![0.0, 0.0], Vec::new()] {
            let mut same = samples.clone();
            amplify(&mut same);
            assert_eq!(same, samples);
        }
    }
}
