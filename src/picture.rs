//! Pictures of features, drawn with plotters.

use std::path::Path;
use std::sync::Once;

use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use sori_datasets::{FeatureConfig, FeatureKind, Features};

use crate::predict::Alignment;
use crate::{Error, Result};

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 460;
/// More columns than this cannot be told apart.
const MAX_COLUMNS: usize = 900;

type Failure = Box<dyn std::error::Error>;

/// Draws `features` made under `config` as a PNG file: time in seconds to the right, frequency in
/// hertz (or the number of a coefficient) upwards; a waveform as its curve.
///
/// # Errors
/// When the file cannot be written.
pub fn draw_features(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    path: &Path,
) -> Result<()> {
    picture(HEIGHT, path, |area| {
        if config.kind == FeatureKind::Waveform {
            curve(features, config, title, area)
        } else {
            heat_map(features, config, title, area)
        }
    })
}

/// Draws where a speller attended as a PNG file: its symbols from above downwards, each with a row
/// that is bright where it rests on the recording, over the spectrogram `features` (made under
/// `config`) at the same times.
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
    picture(rows + 90 + HEIGHT, path, |area| {
        let (above, below) = area.split_vertically(rows + 90);
        attention(features, config, alignment, title, &above)?;
        heat_map(features, config, "", &below)
    })
}

/// A PNG file of this height with what `content` draws.
fn picture(
    height: u32,
    path: &Path,
    content: impl FnOnce(&Area<'_>) -> std::result::Result<(), Failure>,
) -> Result<()> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // Compiled in, so it is a font; without it the picture would only lack its text.
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
    let draw = || -> std::result::Result<Vec<u8>, Failure> {
        let mut pixels = vec![255; (WIDTH * height * 3) as usize];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (WIDTH, height)).into_drawing_area();
            area.fill(&WHITE)?;
            content(&area)?;
            area.present()?;
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, WIDTH, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(&pixels)?;
        Ok(file)
    };
    let file = draw()
        .map_err(|e| std::io::Error::other(e.to_string()))
        .map_err(Error::io("cannot draw", path))?;
    crate::file::write_atomically(path, &file)
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn curve(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    area: &Area<'_>,
) -> std::result::Result<(), Failure> {
    let seconds = features.frames as f64 / f64::from(config.sample_rate_hz);
    let peak = features
        .values
        .iter()
        .fold(1e-3_f32, |peak, v| peak.max(v.abs()));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..seconds, -f64::from(peak)..f64::from(peak))?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("amplitude")
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    // One vertical stroke per column, from its least to its largest sample.
    let group = features.frames.div_ceil(MAX_COLUMNS).max(1);
    let strokes = features.values.chunks(group).enumerate().map(|(i, part)| {
        let x = (i * group) as f64 / f64::from(config.sample_rate_hz);
        let low = part.iter().copied().fold(f32::INFINITY, f32::min);
        let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        PathElement::new([(x, f64::from(low)), (x, f64::from(high))], BLUE)
    });
    chart.draw_series(strokes)?;
    Ok(())
}

fn attention(
    features: &Features,
    config: &FeatureConfig,
    alignment: &Alignment,
    title: &str,
    area: &Area<'_>,
) -> std::result::Result<(), Failure> {
    let seconds = features.frames as f64 * config.frame_period_s();
    let count = alignment.symbols.len();
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..seconds, (0..count.max(1)).into_segmented())?;
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
            Rectangle::new(corners, ViridisRGB.get_color(weight / largest).filled())
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

fn heat_map(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    area: &Area<'_>,
) -> std::result::Result<(), Failure> {
    let seconds = features.frames as f64 * config.frame_period_s();
    let group = features.frames.div_ceil(MAX_COLUMNS).max(1);
    let columns = features.frames.div_ceil(group);
    // Magnitudes and powers span orders of magnitude: their picture is in decibels.
    let decibels = match config.kind {
        FeatureKind::Spectrogram => Some(20.0),
        FeatureKind::PowerSpectrogram | FeatureKind::Mel => Some(10.0),
        _ => None,
    };
    let value = |frame: usize, bin: usize| {
        let raw = features.row(frame)[bin];
        decibels.map_or(raw, |factor| factor * raw.max(1e-10).log10())
    };
    let cell = |column: usize, bin: usize| {
        (column * group..((column + 1) * group).min(features.frames))
            .map(|frame| value(frame, bin))
            .fold(f32::NEG_INFINITY, f32::max)
    };
    let cells: Vec<f32> = (0..columns)
        .flat_map(|column| (0..features.bins).map(move |bin| (column, bin)))
        .map(|(column, bin)| cell(column, bin))
        .collect();
    let high = cells.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let low = cells.iter().copied().fold(f32::INFINITY, f32::min);
    let low = match decibels {
        Some(_) => low.max(high - 80.0),
        None => low,
    };
    let span = (high - low).max(f32::EPSILON);

    let (description, label) = bin_axis(config);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..seconds, 0.0..features.bins as f64)?;
    let width = seconds / columns as f64;
    chart.draw_series(cells.iter().enumerate().map(|(i, value)| {
        let (column, bin) = (i / features.bins, i % features.bins);
        let x = column as f64 * width;
        let color = ViridisRGB.get_color(((value - low) / span).clamp(0.0, 1.0));
        Rectangle::new(
            [(x, bin as f64), (x + width, bin as f64 + 1.0)],
            color.filled(),
        )
    }))?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("seconds")
        .y_desc(description)
        .y_label_formatter(&|bin| label(*bin))
        .label_style(("sans-serif", 14))
        .draw()?;
    Ok(())
}

/// What the bins are, and how a position on their axis is written.
fn bin_axis(config: &FeatureConfig) -> (&'static str, Box<dyn Fn(f64) -> String>) {
    let rate = f64::from(config.sample_rate_hz);
    match config.kind {
        FeatureKind::Spectrogram
        | FeatureKind::PowerSpectrogram
        | FeatureKind::Log1pSpectrogram
            if config.deltas == 0 =>
        {
            let top = (config.num_bins() - 1) as f64;
            (
                "hertz",
                Box::new(move |bin| format!("{:.0}", bin / top * rate / 2.0)),
            )
        }
        FeatureKind::Mel | FeatureKind::LogMel | FeatureKind::MelDb if config.deltas == 0 => {
            let config = config.clone();
            // A bin's cell is drawn from its number to the next: its middle is where it peaks.
            (
                "hertz (mel scale)",
                Box::new(move |bin| format!("{:.0}", config.mel_peak_hz(bin - 0.5))),
            )
        }
        _ => ("coefficient", Box::new(|bin| format!("{bin:.0}"))),
    }
}
