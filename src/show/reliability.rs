//! The reliability diagram of a classifier: how often it was right, by how sure it was.

use super::canvas::{Align, Canvas, TEXT};
use super::panel::{Axis, Panel, RIGHT};
use super::theme::{Color, Theme};
use crate::error::Result;
use crate::metric::calibration::Calibration;

/// Draws accuracy over probability as a PNG file. The diagonal is a classifier whose probabilities are
/// right; below it are answers that were surer than right.
pub(crate) fn reliability_picture(calibration: &Calibration, theme: Theme) -> Result<Vec<u8>> {
    const SIZE: f32 = 520.0;
    const WIDTH: f32 = 560.0;
    let mut canvas = Canvas::new(WIDTH as u32, SIZE as u32, theme)?;
    let panel = Panel::within([0.0, 0.0, WIDTH, SIZE], RIGHT);
    let x = Axis::new("probability of the answer", [0.0, 1.0], 5);
    let y = Axis::new("share that was right", [0.0, 1.0], 5);
    panel.grid(&mut canvas, &x, &y);
    let ranges = calibration.ranges();
    let most = ranges.iter().map(|range| range.count).max().unwrap_or(0);
    let accent = theme.accent();
    for (index, range) in ranges.iter().enumerate() {
        let Some(accuracy) = range.accuracy() else {
            continue;
        };
        let edge = |index: usize| index as f64 / ranges.len() as f64;
        let (left, top) = panel.at((edge(index), &x), (accuracy, &y));
        let (right, bottom) = panel.at((edge(index + 1), &x), (0.0, &y));
        // Ranges with few answers say little, and are paler.
        let weight = 0.25 + 0.6 * (range.count as f64 / most.max(1) as f64).sqrt();
        let color = theme.paper().toward(accent, weight);
        let (left, right) = (left.round() + 1.0, right.round() - 1.0);
        canvas.fill(
            [left, top.round(), right - left, bottom - top.round()],
            color,
        );
        let mut style = canvas.style(TEXT - 3.0).aligned(Align::Middle);
        // The number of a low bar lies on the paper.
        if bottom - top > 22.0 {
            style.color = match color.is_light() {
                true => Color(20, 20, 20),
                false => Color(255, 255, 255),
            };
        }
        let middle = (f32::midpoint(left, right), bottom - 10.0);
        canvas.text(&range.count.to_string(), middle, style);
    }
    let diagonal = [
        panel.at((0.0, &x), (0.0, &y)),
        panel.at((1.0, &x), (1.0, &y)),
    ];
    canvas.line(diagonal, 1.2, theme.ink(), Some(6.0));
    for range in ranges {
        if let Some((confidence, accuracy)) = range.mean_confidence().zip(range.accuracy()) {
            canvas.circle(panel.at((confidence, &x), (accuracy, &y)), 4.0, theme.ink());
        }
    }
    panel.frame(&mut canvas, "", &x, &y);
    canvas.to_png()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classifier_without_answers_is_drawn() {
        reliability_picture(&Calibration::default(), Theme::Light).unwrap();
    }
}
