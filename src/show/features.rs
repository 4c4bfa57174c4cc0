//! The picture of a recording's features: a heat map, or the curve of a waveform.

use std::path::Path;

use sori_datasets::{FeatureConfig, FeatureKind, Features};

use super::canvas::{Canvas, HEIGHT, WIDTH};
use super::heat_map::heat_map;
use super::panel::{Axis, Panel, RIGHT};
use super::theme::Theme;
use crate::error::Result;
use crate::file::write_atomically;

/// The whole of a canvas of the usual size.
const WHOLE: [f32; 4] = [0.0, 0.0, WIDTH as f32, HEIGHT as f32];

/// Draws `features`, extracted under `config`, as a PNG file: time in seconds to the right, frequency in
/// hertz (or the number of a coefficient) upwards, the values as they are by colour, with a bar that names
/// their unit; a waveform as a curve.
///
/// # Errors
/// When the file cannot be written.
pub fn draw_features(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    theme: Theme,
    path: &Path,
) -> Result<()> {
    write_atomically(path, &features_picture(features, config, title, theme)?)
}

/// The picture of [`draw_features`].
pub(crate) fn features_picture(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    theme: Theme,
) -> Result<Vec<u8>> {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, theme)?;
    if config.kind == FeatureKind::Waveform {
        curve(&mut canvas, features, config, title);
    } else {
        heat_map(&mut canvas, WHOLE, features, config, title);
    }
    canvas.to_png()
}

/// Draws a waveform as a curve over the seconds.
fn curve(canvas: &mut Canvas, features: &Features, config: &FeatureConfig, title: &str) {
    let rate = f64::from(config.sample_rate_hz);
    let values = features.values.iter();
    let peak = values.fold(1e-3_f32, |peak, v| peak.max(v.abs()));
    let most = 1.05 * f64::from(peak);
    let x = Axis::seconds(features.frames as f64 / rate);
    let y = Axis::new("amplitude", [-most, most], 8);
    let panel = Panel::within(WHOLE, RIGHT);
    panel.grid(canvas, &x, &y);
    // One line through the first, the least, the largest and the last sample of each column.
    let group = features.frames.div_ceil(WIDTH as usize).max(1);
    let points = features
        .values
        .chunks(group)
        .enumerate()
        .flat_map(|(i, part)| {
            let seconds = (i * group) as f64 / rate;
            let low = part.iter().copied().fold(f32::INFINITY, f32::min);
            let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let column = match part {
                [only] => vec![*only],
                _ => vec![part[0], low, high, part[part.len() - 1]],
            };
            column.into_iter().map(move |y| (seconds, f64::from(y)))
        });
    let points = points.map(|(seconds, value)| panel.at((seconds, &x), (value, &y)));
    let color = canvas.theme.accent();
    canvas.line(points.collect::<Vec<_>>(), 1.2, color, None);
    panel.frame(canvas, title, &x, &y);
}
