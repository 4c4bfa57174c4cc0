//! The picture of learning curves.

use super::canvas::{Canvas, HEIGHT, TEXT, WIDTH, cut_to_width};
use super::panel::{Axis, Panel, RIGHT};
use super::scale::Tick;
use super::theme::Theme;
use crate::error::Result;
use crate::run::records::EpochRecord;

/// The course of one training run, epoch by epoch.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) train_loss: Vec<f64>,
    pub(crate) valid_loss: Vec<f64>,
    /// The task's headline metric over the validation part.
    pub(crate) valid: Vec<f64>,
}

impl Curve {
    /// The mean over `runs` at each epoch that all of them have, with `metric` as the headline. An epoch that learned
    /// from the validation part has nothing to say of it.
    pub(crate) fn mean(name: &str, runs: &[Vec<EpochRecord>], metric: &str) -> Self {
        let epochs = runs.iter().map(Vec::len).min().unwrap_or(0);
        let mean = |of: &dyn Fn(&EpochRecord) -> f64| -> Vec<f64> {
            let at = |epoch: usize| runs.iter().map(|run| of(&run[epoch])).sum::<f64>();
            (0..epochs)
                .map(|epoch| at(epoch) / runs.len() as f64)
                .collect()
        };
        let unseen = |epoch: &EpochRecord, value: f64| match epoch.joined {
            true => f64::NAN,
            false => value,
        };
        Self {
            name: name.to_string(),
            train_loss: mean(&|epoch| epoch.train_loss),
            valid_loss: mean(&|epoch| unseen(epoch, epoch.valid_loss)),
            valid: mean(&|epoch| unseen(epoch, epoch.valid.get(metric))),
        }
    }
}

/// The length of a dash.
const DASH: f32 = 7.0;
/// The height of a line of the legend.
const LINE: f32 = 24.0;

/// Draws learning curves as a PNG file: on the left the loss in training and, dashed, in validation, on a
/// logarithmic scale if it is positive; on the right the `metric` of the validation part, as a person
/// reads it; and below them the names.
pub(crate) fn curves_picture(curves: &[Curve], metric: &str, theme: Theme) -> Result<Vec<u8>> {
    let height = HEIGHT as f32;
    let legend = (curves.len() + 1) as f32 * LINE + 16.0;
    let mut canvas = Canvas::new(WIDTH, (height + legend) as u32, theme)?;
    let half = WIDTH as f32 / 2.0;
    let losses: Vec<Line<'_>> = curves
        .iter()
        .enumerate()
        .flat_map(|(series, curve)| {
            let line = |values, dashed| Line {
                values,
                series,
                dashed,
            };
            [
                line(&curve.valid_loss, true),
                line(&curve.train_loss, false),
            ]
        })
        .collect();
    let area = [0.0, 0.0, half, height];
    lines(&mut canvas, area, "loss", &losses, true);
    let valid: Vec<Line<'_>> = curves
        .iter()
        .enumerate()
        .map(|(series, curve)| Line {
            values: &curve.valid,
            series,
            dashed: false,
        })
        .collect();
    let area = [half, 0.0, half, height];
    lines(
        &mut canvas,
        area,
        &format!("{metric} in validation"),
        &valid,
        false,
    );

    let style = canvas.style(TEXT);
    let mut entry = |row: usize, column: f32, name: &str, color, dash| {
        let y = height + (row as f32 + 0.5) * LINE;
        let x = 88.0 + column;
        canvas.line([(x, y), (x + 42.0, y)], 2.5, color, dash);
        let name = cut_to_width(name, TEXT, WIDTH as f32 - x - 70.0);
        canvas.text(&name, (x + 54.0, y), style);
    };
    entry(0, 0.0, "loss in training", theme.ink(), None);
    entry(0, 250.0, "loss in validation", theme.ink(), Some(DASH));
    for (index, curve) in curves.iter().enumerate() {
        entry(index + 1, 0.0, &curve.name, theme.series(index), None);
    }
    canvas.to_png()
}

/// One line over the epochs.
struct Line<'a> {
    values: &'a [f64],
    /// The curve that it belongs to.
    series: usize,
    dashed: bool,
}

/// Draws lines over the epochs.
fn lines(canvas: &mut Canvas, area: [f32; 4], name: &str, lines: &[Line<'_>], logarithmic: bool) {
    let finite = || {
        let all = lines.iter().flat_map(|line| line.values);
        all.copied().filter(|value| value.is_finite())
    };
    // The loss of a density can be negative.
    let logarithmic = logarithmic && finite().all(|value| value > 0.0);
    let scale = |value: f64| match logarithmic {
        true => value.log10(),
        false => value,
    };
    let (low, high) = finite()
        .map(scale)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = ((high - low) * 0.04).max(0.01);
    let ends = [low - margin, high + margin];
    let epochs = lines.iter().map(|line| line.values.len()).max();
    let x = Axis::whole("epoch", [1.0, epochs.unwrap_or(1).max(2) as f64], 7);
    let ticks = match logarithmic {
        true => logarithmic_ticks(ends),
        false => Vec::new(),
    };
    // A narrow range has no round number of its own on a logarithmic scale.
    let y = match ticks.len() {
        0 | 1 if logarithmic => Axis::with_ticks("", ends, powers_of(ends)),
        0 | 1 => Axis::new("", ends, 7),
        _ => Axis::with_ticks("", ends, ticks),
    };
    let panel = Panel::within(area, RIGHT);
    panel.grid(canvas, &x, &y);
    for line in lines {
        let points = line.values.iter().enumerate();
        let points = points.filter(|(_, value)| value.is_finite());
        let points =
            points.map(|(epoch, &value)| panel.at((epoch as f64 + 1.0, &x), (scale(value), &y)));
        let points: Vec<_> = points.collect();
        let color = canvas.theme.series(line.series);
        // Lines beyond the colours are thinner.
        let width = if line.series < 10 { 2.2 } else { 1.2 };
        // Dots show a single epoch, which has no line.
        if points.len() < 40 {
            for &point in &points {
                canvas.circle(point, width + 0.6, color);
            }
        }
        canvas.line(points, width, color, line.dashed.then_some(DASH));
    }
    let name = match logarithmic {
        true => format!("{name} (logarithmic)"),
        false => name.to_string(),
    };
    panel.frame(canvas, &name, &x, &y);
}

/// 1, 2 and 5 times powers of ten, at their logarithms.
fn logarithmic_ticks([low, high]: [f64; 2]) -> Vec<Tick> {
    let factors: &[f64] = match high - low {
        span if span > 4.0 => &[1.0],
        span if span > 0.8 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
    };
    let powers = low.floor() as i32..=high.ceil() as i32;
    let all = powers.flat_map(|power| factors.iter().map(move |factor| (*factor, power)));
    let ticks = all.map(|(factor, power)| {
        let value = factor * 10f64.powi(power);
        let decimals = usize::try_from(-power).unwrap_or(0) + usize::from(factor.fract() > 0.0);
        Tick {
            at: value.log10(),
            label: format!("{value:.decimals$}"),
        }
    });
    ticks
        .filter(|tick| (low..=high).contains(&tick.at))
        .collect()
}

/// Numbers in a range too narrow for round ones, at their logarithms.
fn powers_of([low, high]: [f64; 2]) -> Vec<Tick> {
    super::scale::ticks(10f64.powf(low), 10f64.powf(high), 6)
        .into_iter()
        .map(|tick| Tick {
            at: tick.at.log10(),
            ..tick
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_have_round_ticks_on_a_logarithmic_scale() {
        let labels = |ends: [f64; 2]| -> Vec<String> {
            let ticks = logarithmic_ticks(ends).into_iter();
            ticks.map(|tick| tick.label).collect()
        };
        assert_eq!(
            labels([-2.0, 0.4]),
            ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]
        );
        assert_eq!(labels([0.1, 0.5]), ["1.5", "2", "3"]);
    }

    #[test]
    fn a_loss_that_is_no_number_is_left_out() {
        let curve = Curve {
            name: "소리".to_string(),
            train_loss: vec![f64::NAN, 1.0],
            valid_loss: vec![f64::INFINITY, 2.0],
            valid: vec![f64::NAN, f64::NAN],
        };
        curves_picture(&[curve], "accuracy", Theme::Dark).unwrap();
        curves_picture(&[], "accuracy", Theme::Light).unwrap();
    }
}
