//! The picture of what a recogniser trained by CTC emits: the probability of each symbol over time, above
//! the spectrogram.

use std::path::Path;

use sori_datasets::{FeatureConfig, Features, Waveform};

use super::alignment::spectrogram;
use super::canvas::{Align, Canvas, HEIGHT, TEXT, WIDTH};
use super::heat_map::heat_map;
use super::panel::{Axis, BAR, Panel};
use super::theme::{Color, Theme};
use crate::decode::StepProbabilities;
use crate::error::Result;
use crate::file::write_atomically;
use crate::numbers::argmax;

/// The height of the panel of probabilities.
const ABOVE: f32 = 340.0;
/// The upper end of the axis of probabilities: above 1 are the names of the symbols.
const TOP: f64 = 1.13;
/// The least distance of two names in pixels.
const APART: f32 = 11.0;
/// A symbol that never reaches this probability is left out.
const SEEN: f32 = 0.02;

/// Draws the probabilities of symbols in `waveform` over its spectrogram, as a PNG file.
///
/// # Errors
/// When the recording is too short, or the file cannot be written.
pub fn draw_emissions(
    waveform: &Waveform,
    probabilities: &StepProbabilities,
    title: &str,
    theme: Theme,
    path: &Path,
) -> Result<()> {
    let (features, config) = spectrogram(waveform)?;
    let png = spikes_picture(&features, &config, probabilities, title, theme)?;
    write_atomically(path, &png)
}

/// The picture of [`draw_emissions`], over the spectrogram `features`, extracted under `config`.
pub(crate) fn spikes_picture(
    features: &Features,
    config: &FeatureConfig,
    probabilities: &StepProbabilities,
    title: &str,
    theme: Theme,
) -> Result<Vec<u8>> {
    let mut canvas = Canvas::new(WIDTH, ABOVE as u32 + HEIGHT - 60, theme)?;
    let seconds = features.frames as f64 * config.frame_period_s();
    spikes(&mut canvas, seconds, probabilities, title);
    let area = [0.0, ABOVE - 20.0, WIDTH as f32, HEIGHT as f32 - 40.0];
    heat_map(&mut canvas, area, features, config, "");
    canvas.to_png()
}

fn spikes(canvas: &mut Canvas, seconds: f64, probabilities: &StepProbabilities, title: &str) {
    let StepProbabilities { rows, step_s, .. } = probabilities;
    let x = Axis::seconds(seconds);
    let ticks = super::scale::ticks(0.0, 1.0, 5);
    let y = Axis::with_ticks("probability", [0.0, TOP], ticks);
    let panel = Panel::within([0.0, 0.0, WIDTH as f32, ABOVE], BAR);
    panel.grid(canvas, &x, &y);
    let middle = |step: usize| ((step as f64 + 0.5) * step_s).min(seconds);
    let colors = Colors {
        blank: canvas.theme.paper().toward(canvas.theme.ink(), 0.45),
        theme: canvas.theme,
    };
    let num_symbols = rows.first().map_or(0, Vec::len);
    for symbol in 0..num_symbols {
        if symbol > 0 && rows.iter().all(|row| row[symbol] < SEEN) {
            continue;
        }
        let points = rows
            .iter()
            .enumerate()
            .map(|(step, row)| panel.at((middle(step), &x), (f64::from(row[symbol]), &y)));
        let points: Vec<_> = points.collect();
        let (width, dash) = match symbol {
            0 => (1.2, Some(4.0)),
            _ => (1.8, None),
        };
        canvas.line(points, width, colors.of(symbol), dash);
    }
    // A name at the peak of each run of steps whose most probable symbol it is.
    let best: Vec<usize> = rows.iter().map(|row| argmax(row)).collect();
    let mut last = f32::NEG_INFINITY;
    let mut start = 0;
    for run in best.chunk_by(|a, b| a == b) {
        let (symbol, steps) = (run[0], start..start + run.len());
        start = steps.end;
        if symbol == 0 {
            continue;
        }
        let peak = steps.max_by(|a, b| rows[*a][symbol].total_cmp(&rows[*b][symbol]));
        let at = panel.at((middle(peak.unwrap_or(0)), &x), (1.065, &y));
        if at.0 - last < APART {
            continue;
        }
        last = at.0;
        let mut style = canvas.style(TEXT).aligned(Align::Middle);
        style.color = colors.of(symbol);
        canvas.text(&probabilities.name(symbol), at, style);
    }
    panel.frame(canvas, title, &x, &y);
    let mut style = canvas.style(TEXT);
    style.color = colors.of(0);
    let (right, _) = panel.at((seconds, &x), (0.0, &y));
    let (_, top) = panel.at((0.0, &x), (1.0, &y));
    canvas.line(
        [(right + 10.0, top), (right + 34.0, top)],
        1.2,
        colors.of(0),
        Some(4.0),
    );
    canvas.text("blank", (right + 40.0, top), style);
}

struct Colors {
    blank: Color,
    theme: Theme,
}

impl Colors {
    /// The colour of a symbol, the same wherever it occurs.
    fn of(&self, symbol: usize) -> Color {
        match symbol {
            0 => self.blank,
            // Without grey, which is the blank's: number 7 of the ten.
            symbol => {
                let color = (symbol - 1) % 9;
                self.theme.series(color + usize::from(color >= 7))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_without_steps_or_with_many_is_drawn() {
        let features = Features {
            frames: 8,
            bins: 40,
            values: vec![0.5; 320],
        };
        for steps in [0, 1, 5000] {
            let row = |step: usize| match step % 3 {
                0 => vec![0.1, 0.8, 0.1],
                _ => vec![0.9, 0.0, 0.1],
            };
            let probabilities = StepProbabilities {
                symbols: vec!['소', ' '],
                rows: (0..steps).map(row).collect(),
                step_s: 0.02,
            };
            let config = FeatureConfig::default();
            spikes_picture(&features, &config, &probabilities, "", Theme::Dark).unwrap();
        }
    }
}
