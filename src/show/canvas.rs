//! The canvas of a picture: a bitmap to draw on with plotters, and its PNG file.

use std::sync::{Mutex, PoisonError};

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::font::font_for;
use crate::error::{Error, Result};

/// The width of every picture, in pixels.
pub(super) const WIDTH: u32 = 1000;
/// The usual height of a picture, in pixels.
pub(super) const HEIGHT: u32 = 460;
/// The most columns of values in a picture; more could not be told apart.
pub(super) const MAX_COLUMNS: usize = 900;

/// The result of drawing, with an error of any part of plotters.
pub(super) type Drawn<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A part of the canvas.
pub(super) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Draws `content` on a white canvas of this height and returns a PNG file. `texts` are those the font
/// is chosen for.
pub(super) fn picture<'a>(
    height: u32,
    texts: impl IntoIterator<Item = &'a str>,
    content: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<Vec<u8>> {
    // Fonts are registered for the whole process, so pictures are drawn one at a time.
    static DRAWING: Mutex<()> = Mutex::new(());
    let _drawing = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    // Without a font the picture only lacks its text.
    let _ = register_font("sans-serif", FontStyle::Normal, font_for(texts));
    let draw = || -> Drawn<Vec<u8>> {
        let mut pixels = vec![255; WIDTH as usize * height as usize * 3];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (WIDTH, height)).into_drawing_area();
            area.fill(&WHITE)?;
            content(&area)?;
            area.present()?;
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, WIDTH, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(&pixels)?;
        Ok(file)
    };
    draw().map_err(|e| Error::Input(format!("the picture cannot be drawn: {e}")))
}

/// The colour of a value on the scale from `low` to `high`; grey if it is not a number.
pub(super) fn color(value: f32, low: f32, high: f32) -> RGBColor {
    let place = (value - low) / (high - low).max(f32::EPSILON);
    match place.is_nan() {
        true => RGBColor(128, 128, 128),
        false => ViridisRGB.get_color(place.clamp(0.0, 1.0)),
    }
}
