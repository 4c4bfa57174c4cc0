//! The picture of patches of features, recorded and generated.

use plotters::prelude::*;
use sori_datasets::Features;

use super::canvas::{WIDTH, color, picture};
use crate::error::Result;

/// Draws patches of features as a PNG file: each section under its name, all on one colour scale, time
/// to the right, frequency upwards. Sections without patches are left out.
pub(crate) fn patches_picture(sections: &[(&str, &Vec<Features>)]) -> Result<Vec<u8>> {
    const LINE: u32 = 34;
    const GAP: u32 = 10;
    const PER_ROW: u32 = 8;
    let all = || sections.iter().flat_map(|(_, patches)| patches.iter());
    let largest = |size: fn(&Features) -> usize| all().map(size).max().unwrap_or(1).max(1) as u32;
    let (frames, bins) = (largest(|patch| patch.frames), largest(|patch| patch.bins));
    // Patches wider than the page are shown by every second frame, or every third, and so on.
    let every = frames.div_ceil(WIDTH - 2 * GAP);
    let frames = frames.div_ceil(every);
    let side = (((WIDTH - GAP) / PER_ROW - GAP) / frames).clamp(1, 4);
    let per_row = ((WIDTH - GAP) / (frames * side + GAP)).clamp(1, PER_ROW);
    let rows = |patches: &Vec<Features>| (patches.len() as u32).div_ceil(per_row);
    let shown = || sections.iter().filter(|(_, patches)| !patches.is_empty());
    let height = |patches| LINE + rows(patches) * (bins * side + GAP);
    let values = || all().flat_map(|patch| patch.values.iter().copied());
    let low = values().fold(f32::INFINITY, f32::min);
    let high = values().fold(f32::NEG_INFINITY, f32::max);
    let total: u32 = shown().map(|(_, patches)| height(patches)).sum();
    picture(total + GAP, [], |area| {
        let mut top = 0;
        for (name, patches) in shown() {
            let at = (GAP as i32, (top + GAP) as i32);
            area.draw(&Text::new((*name).to_string(), at, ("sans-serif", 16)))?;
            for (index, patch) in patches.iter().enumerate() {
                let (row, column) = (index as u32 / per_row, index as u32 % per_row);
                let left = GAP + column * (frames * side + GAP);
                let bottom = top + LINE + row * (bins * side + GAP) + bins * side;
                for (cell, value) in patch.values.iter().enumerate() {
                    let (frame, bin) = (cell / patch.bins, cell % patch.bins);
                    if frame % every as usize != 0 {
                        continue;
                    }
                    let x = (left + frame as u32 / every * side) as i32;
                    let y = (bottom - bin as u32 * side) as i32;
                    let color = color(*value, low, high);
                    let corners = [(x, y - side as i32), (x + side as i32, y)];
                    area.draw(&Rectangle::new(corners, color.filled()))?;
                }
            }
            top += height(patches);
        }
        Ok(())
    })
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
        patches_picture(&[("made", &vec![patch])]).unwrap();
    }
}
