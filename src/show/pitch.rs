//! The picture of the pitch over time, above the spectrogram.

use std::path::Path;

use sori_datasets::Waveform;

use super::alignment::spectrogram;
use super::canvas::{Canvas, HEIGHT, WIDTH};
use super::heat_map::heat_map;
use super::panel::{Axis, BAR, Panel};
use super::scale::Tick;
use super::theme::Theme;
use crate::error::Result;
use crate::file::write_atomically;
use crate::infer::Pitch;

/// The height of the panel of pitches.
const ABOVE: f32 = 380.0;
/// The radius of a dot in pixels.
const DOT: f32 = 2.2;
/// The ends of the axis in Hz, and what stands along it.
const ENDS: [f64; 2] = [45.0, 2_100.0];
const TICKS: [u32; 6] = [50, 100, 200, 400, 800, 1_600];

/// Draws pitches of `waveform` over its spectrogram, as a PNG file: a dot for each time, the paler the less
/// periodic the sound is.
///
/// # Errors
/// When the recording is too short, or the file cannot be written.
pub fn draw_pitch(waveform: &Waveform, pitches: &[Pitch], theme: Theme, path: &Path) -> Result<()> {
    let (features, config) = spectrogram(waveform)?;
    let mut canvas = Canvas::new(WIDTH, ABOVE as u32 + HEIGHT - 60, theme)?;
    let seconds = features.frames as f64 * config.frame_period_s();
    dots(&mut canvas, seconds, pitches);
    let area = [0.0, ABOVE - 20.0, WIDTH as f32, HEIGHT as f32 - 40.0];
    heat_map(&mut canvas, area, &features, &config, "");
    write_atomically(path, &canvas.to_png()?)
}

fn dots(canvas: &mut Canvas, seconds: f64, pitches: &[Pitch]) {
    let x = Axis::seconds(seconds);
    let ticks = TICKS.map(|hz| Tick {
        at: f64::from(hz).log2(),
        label: hz.to_string(),
    });
    let y = Axis::with_ticks("pitch in Hz", ENDS.map(f64::log2), ticks.to_vec());
    let panel = Panel::within([0.0, 0.0, WIDTH as f32, ABOVE], BAR);
    panel.grid(canvas, &x, &y);
    let (paper, accent) = (canvas.theme.paper(), canvas.theme.accent());
    // What is periodic is drawn over what is not.
    let mut order: Vec<&Pitch> = pitches.iter().collect();
    order.sort_by(|a, b| a.periodicity.total_cmp(&b.periodicity));
    for pitch in order {
        let hz = pitch.hz.clamp(ENDS[0], ENDS[1]);
        let at = panel.at((pitch.time_s.min(seconds), &x), (hz.log2(), &y));
        let periodicity = f64::from(pitch.periodicity).clamp(0.0, 1.0);
        let color = paper.toward(accent, 0.1 + 0.9 * periodicity);
        canvas.circle(at, DOT, color);
    }
    panel.frame(canvas, "", &x, &y);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_with_any_pitches_is_drawn() {
        let waveform = Waveform {
            samples: (0..16_000).map(|n| (n as f32 * 0.1).sin()).collect(),
            sample_rate_hz: 16_000,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pitch.png");
        for count in [0, 1, 101] {
            let pitch = |index: usize| Pitch {
                time_s: index as f64 * 0.01,
                hz: 10.0 * index as f64,
                periodicity: 0.01 * index as f32,
            };
            let pitches: Vec<Pitch> = (0..count).map(pitch).collect();
            draw_pitch(&waveform, &pitches, Theme::Dark, &path).unwrap();
            assert!(path.metadata().unwrap().len() > 1000);
        }
    }
}
