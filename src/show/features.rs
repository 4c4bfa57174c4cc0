//! The picture of a recording's features: a heat map, or the curve of a waveform.

use std::path::Path;

use plotters::prelude::*;
use sori_datasets::{FeatureConfig, FeatureKind, Features};

use super::canvas::{Area, Drawn, HEIGHT, MAX_COLUMNS, picture};
use super::heat_map::heat_map;
use crate::error::Result;
use crate::file::write_atomically;

/// Draws `features`, extracted under `config`, as a PNG file: time in seconds to the right, frequency
/// in hertz (or the number of a coefficient) upwards; a waveform as a curve.
///
/// # Errors
/// When the file cannot be written.
pub fn draw_features(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    path: &Path,
) -> Result<()> {
    write_atomically(path, &features_picture(features, config, title)?)
}

/// The picture of [`draw_features`].
pub(crate) fn features_picture(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
) -> Result<Vec<u8>> {
    picture(HEIGHT, [title], |area| {
        if config.kind == FeatureKind::Waveform {
            curve(features, config, title, area)
        } else {
            heat_map(features, config, title, area)
        }
    })
}

/// Draws a waveform as a curve over the seconds.
fn curve(features: &Features, config: &FeatureConfig, title: &str, area: &Area<'_>) -> Drawn {
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
        .build_cartesian_2d(
            0.0..seconds,
            -1.05 * f64::from(peak)..1.05 * f64::from(peak),
        )?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("amplitude")
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    // One line through the first, the least, the largest and the last sample of each column.
    let group = features.frames.div_ceil(MAX_COLUMNS).max(1);
    let points = features
        .values
        .chunks(group)
        .enumerate()
        .flat_map(|(i, part)| {
            let x = (i * group) as f64 / f64::from(config.sample_rate_hz);
            let low = part.iter().copied().fold(f32::INFINITY, f32::min);
            let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let column = match part {
                [only] => vec![*only],
                _ => vec![part[0], low, high, part[part.len() - 1]],
            };
            column.into_iter().map(move |y| (x, f64::from(y)))
        });
    chart.draw_series(LineSeries::new(points, BLUE))?;
    Ok(())
}
