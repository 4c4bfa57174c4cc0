//! The picture of a speller's attention over a spectrogram.

use std::path::Path;

use sori_datasets::{FeatureConfig, FeatureExtractor, FeatureKind, Features, Waveform, audio};

use super::canvas::{Canvas, HEIGHT, WIDTH};
use super::color_map::ColorMap;
use super::heat_map::heat_map;
use super::panel::{ABOVE, Axis, BAR, BELOW, Panel};
use super::scale::Tick;
use super::theme::Theme;
use crate::decode::alignment::Alignment;
use crate::error::{Error, Result};
use crate::file::write_atomically;
use crate::task::answer::Prediction;

/// The height of a row of weights, where there is room.
const ROW: u32 = 20;

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
    theme: Theme,
    path: &Path,
) -> Result<()> {
    let png = alignment_picture(features, config, alignment, title, theme)?;
    write_atomically(path, &png)
}

/// The picture of [`draw_alignment`].
pub(crate) fn alignment_picture(
    features: &Features,
    config: &FeatureConfig,
    alignment: &Alignment,
    title: &str,
    theme: Theme,
) -> Result<Vec<u8>> {
    // Room for a line of text each.
    let rows = (alignment.symbols.len() as u32 * ROW).clamp(HEIGHT / 4, 4 * HEIGHT);
    let above = rows + (ABOVE + BELOW) as u32;
    let mut canvas = Canvas::new(WIDTH, above + HEIGHT - 60, theme)?;
    let area = [0.0, 0.0, WIDTH as f32, above as f32];
    attention(&mut canvas, area, features, config, alignment, title);
    let area = [0.0, above as f32 - 20.0, WIDTH as f32, HEIGHT as f32 - 40.0];
    heat_map(&mut canvas, area, features, config, "");
    canvas.to_png()
}

/// Draws the attention of the prediction of the audio file `audio` over its spectrogram, as a PNG file.
///
/// # Errors
/// When the recording or the file cannot be used, or the prediction is not a speller's.
pub fn draw_prediction(
    audio: &Path,
    sample_rate_hz: u32,
    prediction: &Prediction,
    theme: Theme,
    png: &Path,
) -> Result<()> {
    let Some(alignment) = &prediction.alignment else {
        return Err(Error::Input(
            "the run's model does not attend to a recording; las does".to_string(),
        ));
    };
    let (features, config) = spectrogram(&audio::load(audio, sample_rate_hz)?)?;
    let title = prediction.answer.to_string();
    draw_alignment(&features, &config, alignment, &title, theme, png)
}

/// The spectrogram below pictures of what a network makes of a recording: mel power in decibels.
pub(crate) fn spectrogram(waveform: &Waveform) -> Result<(Features, FeatureConfig)> {
    let config = FeatureConfig {
        kind: FeatureKind::MelDb,
        sample_rate_hz: waveform.sample_rate_hz,
        ..FeatureConfig::default()
    };
    let features = FeatureExtractor::new(&config)?.extract(waveform)?;
    Ok((features, config))
}

/// Draws a row of attention weights for each symbol.
fn attention(
    canvas: &mut Canvas,
    area: [f32; 4],
    features: &Features,
    config: &FeatureConfig,
    alignment: &Alignment,
    title: &str,
) {
    /// Columns of a second's share of the picture: finer than pixels, as steps end between them.
    const COLUMNS: usize = 2 * WIDTH as usize;
    let seconds = features.frames as f64 * config.frame_period_s();
    let count = alignment.symbols.len();
    // Symbols are written while there is room for them.
    let height = area[3] - ABOVE - BELOW;
    let every = (count as f32 * 12.0 / height).ceil().max(1.0) as usize;
    let label = |symbol: &char| match symbol {
        ' ' => "␣".to_string(),
        symbol => symbol.to_string(),
    };
    let ticks = alignment.symbols.iter().enumerate().step_by(every);
    let ticks = ticks.map(|(index, symbol)| Tick {
        at: (count - index) as f64 - 0.5,
        label: label(symbol),
    });
    let ends = [0.0, count.max(1) as f64];
    let y = Axis::with_ticks("symbol written", ends, ticks.collect());
    let x = Axis::seconds(seconds);
    let largest: Vec<f32> = alignment
        .weights
        .iter()
        .map(|weights| weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max))
        .collect();
    let panel = Panel::within(area, BAR);
    panel.cells(canvas, [COLUMNS, count], ColorMap::Weight, |column, row| {
        let index = count - 1 - row;
        let step = column as f64 / COLUMNS as f64 * seconds / alignment.step_s;
        let weights = alignment.weights.get(index);
        let weight = weights.and_then(|weights| weights.get(step as usize));
        weight.map_or(0.0, |weight| weight / largest[index])
    });
    panel.frame(canvas, title, &x, &y);
    panel.bar(
        canvas,
        ColorMap::Weight,
        "share of the row's peak",
        [0.0, 1.0],
    );
}
