//! The picture of the frequency responses of learned filters.

use super::canvas::{Canvas, HEIGHT, WIDTH};
use super::color_map::ColorMap;
use super::panel::{Axis, BAR, Panel};
use super::theme::Theme;
use crate::error::Result;

/// Draws the magnitude responses of filters over a waveform as a PNG file: a column for each filter,
/// sorted by the spectral centroid of its power.
pub(crate) fn filters_picture(
    filters: &[Vec<f32>],
    sample_rate_hz: f64,
    theme: Theme,
) -> Result<Vec<u8>> {
    const ROWS: usize = 64;
    let response = |filter: &Vec<f32>| -> Vec<f64> {
        let at = |row: usize| {
            let turn = std::f64::consts::PI * (row as f64 + 0.5) / ROWS as f64;
            let taps = filter.iter().enumerate();
            let (re, im) = taps.fold((0.0, 0.0), |(re, im), (tap, &value)| {
                let (sin, cos) = (turn * tap as f64).sin_cos();
                (re + f64::from(value) * cos, im - f64::from(value) * sin)
            });
            f64::hypot(re, im)
        };
        let magnitudes: Vec<f64> = (0..ROWS).map(at).collect();
        let peak = magnitudes.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        magnitudes.iter().map(|value| value / peak).collect()
    };
    let mut responses: Vec<Vec<f64>> = filters.iter().map(response).collect();
    let middle = |response: &Vec<f64>| {
        let weighed: f64 = response
            .iter()
            .enumerate()
            .map(|(row, v)| row as f64 * v * v)
            .sum();
        weighed / response.iter().map(|v| v * v).sum::<f64>()
    };
    responses.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
    let mut canvas = Canvas::new(WIDTH, HEIGHT, theme)?;
    let panel = Panel::within([0.0, 0.0, WIDTH as f32, HEIGHT as f32], BAR);
    let x = Axis::whole(
        "filter, by its centre of power",
        [0.0, responses.len() as f64],
        10,
    );
    let y = Axis::new("frequency (Hz)", [0.0, sample_rate_hz / 2.0], 7);
    panel.cells(
        &mut canvas,
        [responses.len(), ROWS],
        ColorMap::Weight,
        |filter, row| responses[filter][row] as f32,
    );
    panel.frame(&mut canvas, "", &x, &y);
    panel.bar(
        &mut canvas,
        ColorMap::Weight,
        "share of its peak",
        [0.0, 1.0],
    );
    canvas.to_png()
}
