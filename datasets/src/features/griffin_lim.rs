//! Sound from a spectrum: the phase of magnitudes, by the algorithm of [Griffin and Lim
//! (1984)](https://doi.org/10.1109/TASSP.1984.1164317) with the momentum of [Perraudin, Balazs and
//! Søndergaard (2013)](https://doi.org/10.1109/WASPAA.2013.6701851).

use std::f32::consts::TAU;
use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::mel::MelFilters;
use super::window::window;
use super::{FeatureConfig, FeatureKind, Features, PadMode};
use crate::draw::Draw;
use crate::{Error, Result, Waveform};

/// The momentum, as in librosa.
const MOMENTUM: f32 = 0.99;

/// A sound whose features under `config` are close to these: their magnitudes with phases found in
/// `iterations` steps, 32 of which do for most. Mel filters are undone by the least spectrum without
/// negative values whose filtered power is that of the features. Features normalised by the corpus must be
/// brought back to their units first.
///
/// # Errors
///
/// [`Error::Config`] for a kind of features that keeps too little of a sound: `waveform`, `mfcc`,
/// derivatives, and features normalised by the recording; and as [`FeatureConfig::check`].
pub fn griffin_lim(
    features: &Features,
    config: &FeatureConfig,
    iterations: usize,
) -> Result<Waveform> {
    config.check()?;
    let refuse = |field, value: String, expected: &str| {
        Err(Error::Config {
            field,
            value,
            expected: expected.to_string(),
        })
    };
    if config.deltas > 0 {
        let expected = "0, to make sound of features";
        return refuse("deltas", config.deltas.to_string(), expected);
    }
    if config.normalize == super::Normalize::Utterance {
        let expected = "none or corpus, to make sound of features: the recording's level is lost";
        return refuse("normalize", config.normalize.to_string(), expected);
    }
    if features.bins != config.num_bins() {
        let expected = format!("such that frames have {} bins", features.bins);
        return refuse("kind", config.kind.to_string(), &expected);
    }
    let magnitudes: Vec<f32> = match config.kind {
        FeatureKind::Spectrogram => features.values.iter().map(|v| v.max(0.0)).collect(),
        FeatureKind::PowerSpectrogram => each(features, |v| v.max(0.0).sqrt()),
        FeatureKind::Log1pSpectrogram => each(features, |v| v.exp_m1().max(0.0)),
        FeatureKind::Mel => unmixed(features, config, |v| v.max(0.0)),
        FeatureKind::LogMel => unmixed(features, config, f32::exp),
        FeatureKind::Log1pMel => unmixed(features, config, |v| {
            ((10f32.powf(v) - 1.0) / 10_000.0).max(0.0)
        }),
        FeatureKind::MelDb => unmixed(features, config, |v| 10f32.powf(v / 10.0)),
        FeatureKind::Waveform | FeatureKind::Mfcc => {
            let expected = "a spectrogram or mel features, to make sound of them";
            return refuse("kind", config.kind.to_string(), expected);
        }
    };
    let frames = Frames::new(config, features.frames);
    // Phases that no frame shares with its neighbours make no false tone; they are the same each time.
    let mut draw = Draw::new(0, 0);
    let mut spectrum: Vec<Complex32> = magnitudes
        .iter()
        .map(|&magnitude| Complex32::from_polar(magnitude, TAU * draw.unit() as f32))
        .collect();
    let mut before = vec![Complex32::ZERO; spectrum.len()];
    for _ in 0..iterations {
        let samples = frames.samples(&spectrum);
        let rebuilt = frames.spectrum(&samples);
        let bins = spectrum.iter_mut().zip(&mut before);
        for (((bin, before), rebuilt), &magnitude) in bins.zip(rebuilt).zip(&magnitudes) {
            let ahead = rebuilt - *before * (MOMENTUM / (1.0 + MOMENTUM));
            *before = rebuilt;
            let size = ahead.norm();
            *bin = match size > 1e-20 {
                true => ahead * (magnitude / size),
                false => Complex32::new(magnitude, 0.0),
            };
        }
    }
    let mut samples = frames.samples(&spectrum);
    if config.centered {
        let half = config.fft_samples() / 2;
        samples.truncate(samples.len() - half);
        samples.drain(..half);
    }
    Ok(Waveform {
        samples,
        sample_rate_hz: config.sample_rate_hz,
    })
}

fn each(features: &Features, of: impl Fn(f32) -> f32) -> Vec<f32> {
    features.values.iter().map(|&value| of(value)).collect()
}

/// Magnitudes whose filtered power is `power` of the features.
fn unmixed(features: &Features, config: &FeatureConfig, power: impl Fn(f32) -> f32) -> Vec<f32> {
    let filters = MelFilters::new(config);
    let bins = config.fft_samples() / 2 + 1;
    let rows = features.rows().flat_map(|row| {
        let mels: Vec<f32> = row.iter().map(|&value| power(value)).collect();
        filters.unmix(&mels, bins)
    });
    rows.map(f32::sqrt).collect()
}

/// The transform of frames there and back.
struct Frames {
    forward: Arc<dyn Fft<f32>>,
    back: Arc<dyn Fft<f32>>,
    /// The window, with the zeros around it, `[fft_samples]`.
    window: Vec<f32>,
    hop: usize,
    count: usize,
    /// The sum over frames of the squared window at each sample.
    weight: Vec<f32>,
    /// Samples at both ends that are silent.
    silent: usize,
}

impl Frames {
    fn new(config: &FeatureConfig, count: usize) -> Self {
        let size = config.fft_samples();
        let short = window(config.window, config.window_samples());
        let mut whole = vec![0.0; size];
        let start = (size - short.len()) / 2;
        whole[start..start + short.len()].copy_from_slice(&short);
        let hop = config.hop_samples();
        let mut weight = vec![0.0; count.saturating_sub(1) * hop + size];
        for frame in 0..count {
            let under = &mut weight[frame * hop..][..size];
            for (sum, w) in under.iter_mut().zip(&whole) {
                *sum += w * w;
            }
        }
        let mut planner = FftPlanner::new();
        Self {
            forward: planner.plan_fft_forward(size),
            back: planner.plan_fft_inverse(size),
            window: whole,
            hop,
            count,
            weight,
            silent: match config.centered && config.pad_mode == PadMode::Constant {
                true => size / 2,
                false => 0,
            },
        }
    }

    /// The samples whose frames are nearest to `spectrum`, `[frames, fft_samples / 2 + 1]`.
    fn samples(&self, spectrum: &[Complex32]) -> Vec<f32> {
        let size = self.window.len();
        let bins = size / 2 + 1;
        let mut samples = vec![0.0; self.weight.len()];
        let mut frame = vec![Complex32::ZERO; size];
        for (index, row) in spectrum.chunks_exact(bins).enumerate() {
            frame[..bins].copy_from_slice(row);
            for bin in bins..size {
                frame[bin] = row[size - bin].conj();
            }
            self.back.process(&mut frame);
            let under = &mut samples[index * self.hop..][..size];
            for ((sum, value), w) in under.iter_mut().zip(&frame).zip(&self.window) {
                *sum += value.re * w / size as f32;
            }
        }
        // Samples at the edge of a single window are not raised above what it can tell of them.
        let least = 1e-3 * self.weight.iter().copied().fold(0.0, f32::max);
        for (sample, &weight) in samples.iter_mut().zip(&self.weight) {
            *sample /= weight.max(least).max(f32::MIN_POSITIVE);
        }
        let length = samples.len();
        samples[..self.silent.min(length)].fill(0.0);
        samples[length - self.silent.min(length)..].fill(0.0);
        samples
    }

    /// The spectrum of the frames of samples.
    fn spectrum(&self, samples: &[f32]) -> Vec<Complex32> {
        let size = self.window.len();
        let mut frame = vec![Complex32::ZERO; size];
        let mut spectrum = Vec::with_capacity(self.count * (size / 2 + 1));
        for index in 0..self.count {
            let under = &samples[index * self.hop..][..size];
            for ((value, sample), w) in frame.iter_mut().zip(under).zip(&self.window) {
                *value = Complex32::new(sample * w, 0.0);
            }
            self.forward.process(&mut frame);
            spectrum.extend_from_slice(&frame[..size / 2 + 1]);
        }
        spectrum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureExtractor;

    fn sine(hz: f32) -> Waveform {
        let sample = |index: usize| 0.5 * (TAU * hz * index as f32 / 8000.0).sin();
        Waveform {
            samples: (0..4000).map(sample).collect(),
            sample_rate_hz: 8000,
        }
    }

    /// The distance of two spectra, relative to the first.
    fn convergence(right: &Features, found: &Features) -> f64 {
        let square = |value: f32| f64::from(value) * f64::from(value);
        let pairs = right.values.iter().zip(&found.values);
        let distance: f64 = pairs.map(|(a, b)| square(a - b)).sum();
        let size: f64 = right.values.iter().map(|v| square(*v)).sum();
        (distance / size).sqrt()
    }

    fn there_and_back(kind: FeatureKind) -> Result<(Features, Features, Waveform)> {
        let config = FeatureConfig {
            kind,
            sample_rate_hz: 8000,
            num_mels: 64,
            window_ms: 32.0,
            ..FeatureConfig::default()
        };
        let mut extractor = FeatureExtractor::new(&config)?;
        let features = extractor.extract(&sine(440.0))?;
        let sound = griffin_lim(&features, &config, 60)?;
        // Its own features, in magnitudes.
        let config = FeatureConfig {
            kind: FeatureKind::Spectrogram,
            ..config
        };
        let mut extractor = FeatureExtractor::new(&config)?;
        let right = extractor.extract(&sine(440.0))?;
        let found = extractor.extract(&sound)?;
        Ok((right, found, sound))
    }

    #[test]
    fn a_sine_comes_back_from_its_magnitudes() -> Result<()> {
        for kind in [
            FeatureKind::Spectrogram,
            FeatureKind::PowerSpectrogram,
            FeatureKind::Log1pSpectrogram,
        ] {
            let (right, found, sound) = there_and_back(kind)?;
            let distance = convergence(&right, &found);
            assert!(distance < 0.1, "{kind}: {distance}");
            // Frames end with the last whole hop.
            assert!((3920..=4000).contains(&sound.samples.len()));
        }
        Ok(())
    }

    #[test]
    fn a_sine_keeps_its_pitch_through_mel_filters() -> Result<()> {
        for kind in [FeatureKind::Mel, FeatureKind::LogMel, FeatureKind::MelDb] {
            let (right, found, _) = there_and_back(kind)?;
            let loudest = |features: &Features| {
                let row = features.row(features.frames / 2);
                (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]))
            };
            assert_eq!(loudest(&right), loudest(&found), "{kind}");
            assert!(
                convergence(&right, &found) < 0.45,
                "{kind}: {}",
                convergence(&right, &found)
            );
        }
        Ok(())
    }

    #[test]
    fn features_that_keep_too_little_are_refused_by_name() {
        let features = Features {
            frames: 1,
            bins: 13,
            values: vec![0.0; 13],
        };
        let config = FeatureConfig {
            kind: FeatureKind::Mfcc,
            ..FeatureConfig::default()
        };
        let found = griffin_lim(&features, &config, 1);
        assert!(found.is_err_and(|error| error.to_string().contains("mfcc")));
    }
}
