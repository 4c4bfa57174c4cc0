//! The picture of a speller's attention over a spectrogram.

use std::path::Path;

use plotters::prelude::*;
use sori_datasets::{FeatureConfig, FeatureExtractor, Features, audio};

use super::canvas::{Area, Drawn, HEIGHT, color, picture};
use super::heat_map::heat_map;
use crate::decode::alignment::Alignment;
use crate::error::{Error, Result};
use crate::file::write_atomically;
use crate::task::answer::Prediction;

/// Draws the attention of a speller as a PNG file: one row for each symbol, the first on top, bright
/// where the speller attended. Below it, at the same times, is the spectrogram `features`, extracted
/// under `config`.
///
/// # Errors
/// When the file cannot be written.
pub fn draw_alignment(
    features: &Features,
    config: &FeatureConfig,
    alignment: &Alignment,
    title: &str,
    path: &Path,
) -> Result<()> {
    // Room for a line of text each.
    let rows = (alignment.symbols.len() as u32 * 18).clamp(HEIGHT / 2, 4 * HEIGHT);
    let written: String = alignment.symbols.iter().collect();
    let png = picture(rows + 90 + HEIGHT, [title, &written], |area| {
        let (above, below) = area.split_vertically(rows + 90);
        attention(features, config, alignment, title, &above)?;
        heat_map(features, config, "", &below)
    })?;
    write_atomically(path, &png)
}

/// Draws the attention of the prediction of the audio file `audio` over its spectrogram, as a PNG file.
///
/// # Errors
/// When the recording or the file cannot be used, or the prediction is not a speller's.
pub fn draw_prediction(
    audio: &Path,
    sample_rate_hz: u32,
    prediction: &Prediction,
    png: &Path,
) -> Result<()> {
    let Some(alignment) = &prediction.alignment else {
        return Err(Error::Input(
            "the run's model does not attend to a recording; las does".to_string(),
        ));
    };
    let config = FeatureConfig {
        sample_rate_hz,
        ..FeatureConfig::default()
    };
    let waveform = audio::load(audio, sample_rate_hz)?;
    let features = FeatureExtractor::new(&config)?.extract(&waveform)?;
    let title = prediction.answer.to_string();
    draw_alignment(&features, &config, alignment, &title, png)
}

/// Draws a row of attention weights for each symbol.
fn attention(
    features: &Features,
    config: &FeatureConfig,
    alignment: &Alignment,
    title: &str,
    area: &Area<'_>,
) -> Drawn {
    let seconds = features.frames as f64 * config.frame_period_s();
    let count = alignment.symbols.len();
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..seconds, (0..count.saturating_sub(1)).into_segmented())?;
    let symbol = |row: &usize| match alignment.symbols.iter().rev().nth(*row) {
        Some(' ') => "␣".to_string(),
        Some(symbol) => symbol.to_string(),
        None => String::new(),
    };
    let cells = alignment.weights.iter().rev().enumerate();
    let cells = cells.flat_map(|(row, weights)| {
        let largest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let steps = weights.iter().enumerate();
        steps.map(move |(step, weight)| {
            let start = step as f64 * alignment.step_s;
            let end = (start + alignment.step_s).min(seconds);
            let corners = [
                (start, SegmentValue::Exact(row)),
                (end, SegmentValue::Exact(row + 1)),
            ];
            Rectangle::new(corners, color(*weight, 0.0, largest).filled())
        })
    });
    chart.draw_series(cells)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("seconds")
        .y_desc("written")
        .y_labels(count.max(1))
        .y_label_formatter(&|row| match row {
            SegmentValue::CenterOf(row) => symbol(row),
            _ => String::new(),
        })
        .label_style(("sans-serif", 14))
        .draw()?;
    Ok(())
}
