//! A small canvas: heat maps and lines as PNG files.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

/// The width of every picture, in pixels.
pub const WIDTH: u32 = 800;
/// Shades from zero to the largest value.
const SHADES: f32 = 10.0;
/// The font of every text.
pub const FONT: &str = "sans-serif";

/// The result of drawing.
pub type Drawn = Result<(), Box<dyn Error>>;
/// A part of the canvas.
pub type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Draws `content` on a white canvas of this height and writes it as a PNG file.
pub fn picture(path: &Path, height: u32, content: impl FnOnce(&Area<'_>) -> Drawn) -> Drawn {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| "the font cannot be read")?;
    let mut pixels = vec![255; WIDTH as usize * height as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        content(&area)?;
        area.present()?;
    }
    let file = File::create(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), WIDTH, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.write_header()?.write_image_data(&pixels)?;
    println!("drawn in {}", path.display());
    Ok(())
}

/// A heat map: columns of cells, each from below upwards.
pub struct HeatMap<'a> {
    /// Above it.
    pub title: &'a str,
    /// The cells of each column.
    pub columns: &'a [Vec<f32>],
    /// The axis to the right: its description and range.
    pub x: (&'a str, Range<f64>),
    /// The axis upwards.
    pub y: (&'a str, Range<f64>),
    /// Whether values have a sign: red above zero, blue below, white at zero.
    pub signed: bool,
}

impl HeatMap<'_> {
    /// Draws it with both axes.
    pub fn draw(&self, area: &Area<'_>) -> Drawn {
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, (FONT, 16))
            .margin(8)
            .x_label_area_size(if self.x.0.is_empty() { 0 } else { 36 })
            .y_label_area_size(if self.y.0.is_empty() { 0 } else { 56 })
            .build_cartesian_2d(self.x.1.clone(), self.y.1.clone())?;
        let rows = self.columns.first().map_or(0, Vec::len);
        let width = (self.x.1.end - self.x.1.start) / self.columns.len() as f64;
        let height = (self.y.1.end - self.y.1.start) / rows as f64;
        let shade = self.shade();
        let cells = self
            .columns
            .iter()
            .enumerate()
            .flat_map(|(column, values)| {
                let x = self.x.1.start + column as f64 * width;
                let shade = &shade;
                values.iter().enumerate().map(move |(row, value)| {
                    let y = self.y.1.start + row as f64 * height;
                    Rectangle::new([(x, y), (x + width, y + height)], shade(*value).filled())
                })
            });
        chart.draw_series(cells)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(if self.x.0.is_empty() { 0 } else { 8 })
            .y_labels(if self.y.0.is_empty() { 0 } else { 6 })
            .x_desc(self.x.0)
            .y_desc(self.y.0)
            .x_label_formatter(&shown)
            .y_label_formatter(&shown)
            .label_style((FONT, 13))
            .draw()?;
        Ok(())
    }

    /// The colour of each value.
    fn shade(&self) -> impl Fn(f32) -> RGBColor + use<> {
        let all = || self.columns.iter().flatten().copied();
        let low = all().fold(f32::INFINITY, f32::min);
        let high = all().fold(f32::NEG_INFINITY, f32::max);
        let signed = self.signed;
        // In steps, so that the file stays small.
        let step = |value: f32| (value * SHADES).round() / SHADES;
        move |value| match signed {
            true => of_sign(step(
                value / low.abs().max(high.abs()).max(f32::MIN_POSITIVE),
            )),
            false => of_size(step((value - low) / (high - low).max(f32::MIN_POSITIVE))),
        }
    }
}

/// A number at an axis, without zeros at its end.
pub fn shown(value: &f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

/// The colour of a value from 0 to 1.
pub fn of_size(value: f32) -> RGBColor {
    ViridisRGB.get_color(value.clamp(0.0, 1.0))
}

/// The colour of a value from −1 (blue) over 0 (white) to 1 (red).
fn of_sign(value: f32) -> RGBColor {
    let value = value.clamp(-1.0, 1.0);
    let faded = (255.0 * (1.0 - value.abs())) as u8;
    let half = (255.0 * (1.0 - 0.6 * value.abs())) as u8;
    match value > 0.0 {
        true => RGBColor(half.max(180), faded, faded),
        false => RGBColor(faded, faded, half.max(180)),
    }
}

/// A line and its name.
pub struct Line<'a> {
    /// In the legend.
    pub name: &'a str,
    /// Its points.
    pub points: Vec<(f64, f64)>,
    /// Its colour.
    pub color: RGBColor,
}

/// Colours that a person without one kind of cone can tell apart (Okabe and Ito 2008).
pub const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
