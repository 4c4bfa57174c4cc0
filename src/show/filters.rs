//! The picture of the frequency responses of learned filters.

use plotters::prelude::*;

use super::canvas::{HEIGHT, color, picture};
use crate::error::Result;

/// Draws the magnitude responses of filters over a waveform as a PNG file: a column for each filter,
/// sorted by the spectral centroid of its power.
pub(crate) fn filters_picture(filters: &[Vec<f32>], sample_rate_hz: f64) -> Result<Vec<u8>> {
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
    picture(HEIGHT, [], |area| {
        let top = sample_rate_hz / 2.0;
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..responses.len() as f64, 0.0..top)?;
        let height = top / ROWS as f64;
        let cells = responses.iter().enumerate().flat_map(|(column, response)| {
            response.iter().enumerate().map(move |(row, value)| {
                let (x, y) = (column as f64, row as f64 * height);
                let color = color(*value as f32, 0.0, 1.0).filled();
                Rectangle::new([(x, y), (x + 1.0, y + height)], color)
            })
        });
        chart.draw_series(cells)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("filter, by the middle of what it answers to")
            .y_desc("hertz")
            .y_label_formatter(&|hertz| format!("{hertz:.0}"))
            .x_label_formatter(&|filter| format!("{filter:.0}"))
            .label_style(("sans-serif", 14))
            .draw()?;
        Ok(())
    })
}
