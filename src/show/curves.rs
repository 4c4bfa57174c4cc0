//! The picture of learning curves.

use plotters::prelude::*;

use super::canvas::{Area, Drawn, HEIGHT, WIDTH, picture};
use crate::error::Result;

/// The course of one training run, epoch by epoch.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) train_loss: Vec<f64>,
    /// The task's headline metric over the validation part.
    pub(crate) valid: Vec<f64>,
}

/// Draws learning curves as a PNG file: on the left the training loss, on a logarithmic scale if it is
/// positive, on the right the `metric` of the validation part, and below them the names.
pub(crate) fn curves_picture(curves: &[Curve], metric: &str) -> Result<Vec<u8>> {
    const LINE: u32 = 22;
    let legend = curves.len() as u32 * LINE + 16;
    let names = curves.iter().map(|curve| curve.name.as_str());
    picture(HEIGHT + legend, names, |area| {
        let (above, below) = area.split_vertically(HEIGHT);
        let (left, right) = above.split_horizontally(WIDTH / 2);
        lines(
            curves,
            |curve| &curve.train_loss,
            "training loss",
            true,
            &left,
        )?;
        let name = format!("validation {metric}");
        lines(curves, |curve| &curve.valid, &name, false, &right)?;
        for (index, curve) in curves.iter().enumerate() {
            let y = (index as u32 * LINE + LINE / 2) as i32;
            let stroke = PathElement::new([(70, y), (110, y)], line_style(index));
            below.draw(&stroke)?;
            let at = (120, y - 8);
            below.draw(&Text::new(curve.name.clone(), at, ("sans-serif", 15)))?;
        }
        Ok(())
    })
}

/// The style of a curve: a colour of the palette, and a thinner line once all colours are used.
fn line_style(index: usize) -> ShapeStyle {
    let width = if index < Palette99::COLORS.len() {
        2
    } else {
        1
    };
    Palette99::pick(index).stroke_width(width)
}

/// Draws one line for each curve over the epochs.
fn lines<'a>(
    curves: &'a [Curve],
    values: impl Fn(&'a Curve) -> &'a [f64],
    name: &str,
    logarithmic: bool,
    area: &Area<'_>,
) -> Drawn {
    // The loss of a density can be negative.
    let mut all = curves.iter().flat_map(&values);
    let logarithmic = logarithmic && all.all(|value| *value > 0.0 || value.is_nan());
    let scale = |value: f64| {
        if logarithmic { value.log10() } else { value }
    };
    let shown = |curve| {
        values(curve)
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .map(scale)
    };
    let epochs = curves.iter().map(|curve| values(curve).len()).max();
    let (low, high) = curves
        .iter()
        .flat_map(&shown)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = ((high - low) * 0.04).max(0.01);
    let mut chart = ChartBuilder::on(area)
        .caption(name, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(
            1.0..epochs.unwrap_or(1).max(2) as f64,
            low - margin..high + margin,
        )?;
    let label = |value: &f64| {
        let value = if logarithmic {
            10f64.powf(*value)
        } else {
            *value
        };
        let narrow = !logarithmic && high - low < 0.1;
        let decimals = if narrow || value.abs() < 0.1 { 3 } else { 2 };
        format!("{value:.decimals$}")
    };
    chart
        .configure_mesh()
        .x_desc("epoch")
        .x_label_formatter(&|epoch| match epoch.fract() {
            0.0 => epoch.to_string(),
            _ => String::new(),
        })
        .y_label_formatter(&label)
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    for (index, curve) in curves.iter().enumerate() {
        let points = values(curve).iter().enumerate();
        let points = points.filter(|(_, value)| value.is_finite());
        let points = points.map(|(epoch, &value)| (epoch as f64 + 1.0, scale(value)));
        // Dots show a single epoch, which has no line.
        let line = LineSeries::new(points, line_style(index).filled()).point_size(2);
        chart.draw_series(line)?;
    }
    Ok(())
}
