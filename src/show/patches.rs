//! The picture of patches of features, recorded and generated.

use sori_datasets::{FeatureConfig, Features};

use super::canvas::{Canvas, TEXT, TITLE, WIDTH};
use super::heat_map::{Shades, bin_axis};
use super::panel::{Axis, BAR, LEFT, Panel};
use super::theme::Theme;
use crate::error::Result;

/// The room above a section, for its name.
const NAME: f32 = 44.0;
/// The room between patches.
const GAP: f32 = 10.0;
/// The room below a row of patches, for the axis of time.
const TIME: f32 = 30.0;
const PER_ROW: usize = 8;

/// Draws patches of features extracted under `config` as a PNG file: each section under its name, all on
/// one scale of colours, time to the right, frequency upwards. Sections without patches are left out.
pub(crate) fn patches_picture(
    sections: &[(&str, &Vec<Features>)],
    config: &FeatureConfig,
    theme: Theme,
) -> Result<Vec<u8>> {
    let all = || sections.iter().flat_map(|(_, patches)| patches.iter());
    let largest = |size: fn(&Features) -> usize| all().map(size).max().unwrap_or(1).max(1);
    let (frames, bins) = (largest(|patch| patch.frames), largest(|patch| patch.bins));
    let room = WIDTH as f32 - LEFT - BAR;
    let side = ((room / PER_ROW as f32 - GAP) / frames as f32)
        .clamp(1.0, 4.0)
        .floor();
    // A patch wider than the room has some frames in each pixel.
    let width = (frames as f32 * side).min(room);
    let height = (bins as f32 * side).clamp(60.0, 400.0);
    let per_row = (((room + GAP) / (width + GAP)) as usize).clamp(1, PER_ROW);
    let rows = |patches: &Vec<Features>| patches.len().div_ceil(per_row) as f32;
    let shown = || sections.iter().filter(|(_, patches)| !patches.is_empty());
    let section = |patches| NAME + rows(patches) * (height + TIME);
    let total: f32 = shown().map(|(_, patches)| section(patches)).sum();
    let mut canvas = Canvas::new(WIDTH, (total + 36.0) as u32, theme)?;
    let shades = Shades::of_several(all(), config);
    let seconds = frames as f64 * config.frame_period_s();
    let time = Axis::new("", [0.0, seconds], 2);
    let frequency = bin_axis(config);
    let mut top = 0.0;
    for (name, patches) in shown() {
        let style = canvas.style(TITLE);
        canvas.text(name, (LEFT, top + 24.0), style);
        for (index, patch) in patches.iter().enumerate() {
            let (row, column) = (index / per_row, index % per_row);
            let panel = Panel::exactly([
                LEFT + column as f32 * (width + GAP),
                top + NAME + row as f32 * (height + TIME),
                width,
                height,
            ]);
            panel.cells(
                &mut canvas,
                [patch.frames, patch.bins],
                shades.map,
                |frame, bin| shades.place(patch.row(frame)[bin], bin),
            );
            panel.outline(&mut canvas);
            panel.x_axis(&mut canvas, &time);
            if column == 0 {
                panel.sparse_y_axis(&mut canvas, &frequency);
            }
        }
        let last = rows(patches);
        let rows_height = last * (height + TIME) - TIME;
        let beside = Panel::exactly([
            LEFT,
            top + NAME,
            per_row.min(patches.len()) as f32 * (width + GAP) - GAP,
            rows_height,
        ]);
        beside.bar(&mut canvas, shades.map, &shades.unit, shades.limits);
        beside.y_title(&mut canvas, &frequency);
        top += section(patches);
    }
    let style = canvas.style(TEXT);
    canvas.text("seconds", (LEFT, top + 16.0), style);
    canvas.to_png()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_number_is_drawn() {
        let patch = Features {
            frames: 2,
            bins: 2,
            values: vec![0.0, f32::NAN, 1.0, f32::INFINITY],
        };
        let config = FeatureConfig {
            num_mels: 2,
            ..FeatureConfig::default()
        };
        let sections = [("made", &vec![patch]), ("none", &Vec::new())];
        patches_picture(&sections, &config, Theme::Dark).unwrap();
    }
}
