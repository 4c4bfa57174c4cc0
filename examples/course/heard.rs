//! A trained run, and its features of a recording.

use std::path::Path;

use sori::RunFolder;
use sori::datasets::{FeatureConfig, FeatureExtractor, Features, Pipeline, Waveform, audio};

use crate::Error;

/// The recording at the run's sample rate.
pub fn waveform(run: &RunFolder, path: &Path) -> Result<Waveform, Error> {
    Ok(audio::load(path, run.settings().features.sample_rate_hz)?)
}

/// The features that the run's network reads.
pub fn features(run: &RunFolder, waveform: &Waveform) -> Result<Features, Error> {
    let mut pipeline = Pipeline::new(run.settings().features.clone())?;
    if let Some(stats) = &run.info().stats {
        pipeline = pipeline.with_stats(stats.clone())?;
    }
    Ok(pipeline.loader()?.load_waveform(waveform)?)
}

/// A spectrogram to look at, and how it was made.
pub fn spectrogram(waveform: &Waveform) -> Result<(Features, FeatureConfig), Error> {
    let config = FeatureConfig {
        sample_rate_hz: waveform.sample_rate_hz,
        ..FeatureConfig::default()
    };
    Ok((FeatureExtractor::new(&config)?.extract(waveform)?, config))
}

/// The rows of features as columns of a picture.
pub fn columns(features: &Features) -> Vec<Vec<f32>> {
    features.rows().map(<[f32]>::to_vec).collect()
}
