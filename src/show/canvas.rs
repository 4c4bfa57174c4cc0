//! The canvas of a picture: shapes, lines and text on a bitmap, and its PNG file.

use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, PremultipliedColorU8, Rect, Stroke,
    StrokeDash, Transform,
};

use super::font::Line;
use super::theme::{Color, Theme};
use crate::error::{Error, Result};

/// The usual width of a picture, in pixels.
pub(super) const WIDTH: u32 = 1000;
/// The usual height of a picture, in pixels.
pub(super) const HEIGHT: u32 = 460;
/// The size of most text, in pixels. At 800 of 1,000 pixels it is still 13 pixels high.
pub(super) const TEXT: f32 = 16.0;
/// The size of a picture's title.
pub(super) const TITLE: f32 = 19.0;

/// A bitmap to draw on. Places are in pixels from the upper left corner.
pub(super) struct Canvas {
    pixmap: Pixmap,
    /// The colours of everything on it.
    pub(super) theme: Theme,
}

/// How a text lies at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// How text is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// The size of its letters in pixels.
    pub(super) size: f32,
    /// Its colour.
    pub(super) color: Color,
    /// How it lies at its place.
    pub(super) align: Align,
    /// Whether it is read upwards.
    pub(super) upward: bool,
}

impl Style {
    /// This style in another place.
    pub(super) fn aligned(self, align: Align) -> Self {
        Self { align, ..self }
    }

    /// This style read upwards.
    pub(super) fn turned(self) -> Self {
        Self {
            upward: true,
            ..self
        }
    }
}

impl Canvas {
    /// An empty canvas.
    ///
    /// # Errors
    /// When it is too large.
    pub(super) fn new(width: u32, height: u32, theme: Theme) -> Result<Self> {
        let mut pixmap = Pixmap::new(width, height).ok_or_else(|| {
            Error::Input(format!(
                "a picture of {width} × {height} pixels is too large"
            ))
        })?;
        let Color(r, g, b) = theme.paper();
        pixmap.fill(tiny_skia::Color::from_rgba8(r, g, b, 255));
        Ok(Self { pixmap, theme })
    }

    /// The style of text of this size in the colour of the theme.
    pub(super) fn style(&self, size: f32) -> Style {
        Style {
            size,
            color: self.theme.ink(),
            align: Align::Start,
            upward: false,
        }
    }

    /// Fills a rectangle.
    pub(super) fn fill(&mut self, [x, y, width, height]: [f32; 4], color: Color) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            let mut paint = paint(color);
            // Rectangles meet at whole pixels.
            paint.anti_alias = false;
            self.pixmap
                .fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    /// Sets a pixel.
    pub(super) fn pixel(&mut self, x: u32, y: u32, Color(r, g, b): Color) {
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        if x < width
            && y < height
            && let Some(color) = PremultipliedColorU8::from_rgba(r, g, b, 255)
        {
            self.pixmap.pixels_mut()[(y * width + x) as usize] = color;
        }
    }

    /// Draws a line through points; with `dash`, in dashes of this length.
    pub(super) fn line(
        &mut self,
        points: impl IntoIterator<Item = (f32, f32)>,
        width: f32,
        color: Color,
        dash: Option<f32>,
    ) {
        let mut path = PathBuilder::new();
        for (index, (x, y)) in points.into_iter().enumerate() {
            match index {
                0 => path.move_to(x, y),
                _ => path.line_to(x, y),
            }
        }
        let Some(path) = path.finish() else { return };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash: dash.and_then(|length| StrokeDash::new(vec![length, length], 0.0)),
            ..Stroke::default()
        };
        let transform = Transform::identity();
        self.pixmap
            .stroke_path(&path, &paint(color), &stroke, transform, None);
    }

    /// Fills a circle.
    pub(super) fn circle(&mut self, (x, y): (f32, f32), radius: f32, color: Color) {
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            let transform = Transform::identity();
            self.pixmap
                .fill_path(&path, &paint(color), FillRule::Winding, transform, None);
        }
    }

    /// Writes a text, whose middle line is at `(x, y)`.
    pub(super) fn text(&mut self, text: &str, (x, y): (f32, f32), style: Style) {
        let line = Line::of(text, style.size);
        let before = match style.align {
            Align::Start => 0.0,
            Align::Middle => line.width / 2.0,
            Align::End => line.width,
        };
        // The middle between the base line and the top of capitals.
        let drop = 0.36 * style.size;
        let (width, height) = (self.pixmap.width() as i32, self.pixmap.height() as i32);
        let (left, base) = match style.upward {
            false => (x - before, y + drop),
            true => (x + drop, y + before),
        };
        let (left, base) = (left.round() as i32, base.round() as i32);
        let pixels = self.pixmap.pixels_mut();
        line.draw(|along, down, covered| {
            let (x, y) = match style.upward {
                false => (left + along, base + down),
                true => (left + down, base - along),
            };
            if (0..width).contains(&x) && (0..height).contains(&y) {
                let pixel = &mut pixels[(y * width + x) as usize];
                let under = Color(pixel.red(), pixel.green(), pixel.blue());
                let Color(r, g, b) = under.toward(style.color, f64::from(covered.clamp(0.0, 1.0)));
                if let Some(mixed) = PremultipliedColorU8::from_rgba(r, g, b, 255) {
                    *pixel = mixed;
                }
            }
        });
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub(super) fn to_png(&self) -> Result<Vec<u8>> {
        let pixels = self.pixmap.pixels().iter();
        let bytes: Vec<u8> = pixels
            .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
            .collect();
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.pixmap.width(), self.pixmap.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&bytes))
            .map_err(|e| Error::Input(format!("the picture cannot be drawn: {e}")))?;
        Ok(file)
    }
}

/// The width of a text in pixels.
pub(super) fn text_width(text: &str, size: f32) -> f32 {
    Line::of(text, size).width
}

/// `text`, cut with an ellipsis if it is wider than `width` pixels.
pub(super) fn cut_to_width(text: &str, size: f32, width: f32) -> String {
    if text_width(text, size) <= width {
        return text.to_string();
    }
    let mut cut: Vec<char> = text.chars().collect();
    loop {
        cut.pop();
        let shorter: String = cut.iter().collect::<String>().trim_end().to_string() + "…";
        if cut.is_empty() || text_width(&shorter, size) <= width {
            return shorter;
        }
    }
}

fn paint(Color(r, g, b): Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, 255);
    paint.anti_alias = true;
    paint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_where_it_shows() {
        assert_eq!(cut_to_width("dog", 16.0, 100.0), "dog");
        let cut = cut_to_width("the water that drops from a roof", 16.0, 100.0);
        assert!(
            cut.ends_with('…') && text_width(&cut, 16.0) <= 100.0,
            "{cut}"
        );
    }
}
