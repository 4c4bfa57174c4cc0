//! The picture of a confusion matrix.

use super::canvas::{Align, Canvas, TEXT, WIDTH, cut_to_width, text_width};
use super::theme::{Color, Theme};
use crate::error::Result;
use crate::metric::confusion::ConfusionMatrix;

/// The most pixels of a label; a longer one is cut.
const LONGEST: f32 = 240.0;
/// The room between the edge and the matrix for the description of an axis.
const DESCRIBED: f32 = 40.0;
/// The room around the picture.
const MARGIN: f32 = 16.0;

/// Draws a confusion matrix as a PNG file: true classes in rows, predicted ones in columns, the fraction of
/// a row by colour, and counts where there is room. None if there are too many classes to draw.
pub(crate) fn confusion_picture(
    confusion: &ConfusionMatrix,
    labels: &[String],
    theme: Theme,
) -> Result<Option<Vec<u8>>> {
    let count = labels.len();
    // Labels are written while there is room for a line each; then the matrix alone.
    let room = WIDTH as f32 - 2.0 * MARGIN - DESCRIBED - LONGEST;
    let side = (room / count.max(1) as f32).floor().min(52.0);
    let labelled = count <= 80;
    let side = if labelled { side.max(14.0) } else { side };
    if side < 1.0 {
        return Ok(None);
    }
    let size = (side - 1.0).min(TEXT);
    let labels: Vec<String> = match labelled {
        true => {
            let labels = labels.iter();
            labels
                .map(|label| cut_to_width(label, size, LONGEST))
                .collect()
        }
        false => vec![String::new(); count],
    };
    let widths = labels.iter().map(|label| text_width(label, size));
    let label_width = widths.fold(0.0, f32::max).ceil() + 10.0;
    // Axes stand in the middle of the matrix, however small it is.
    let (left, top) = (MARGIN + DESCRIBED + label_width, MARGIN);
    let extent = side * count as f32;
    let height = (top + extent + label_width + DESCRIBED + MARGIN).max(180.0);
    let width = (left + extent + MARGIN).max(320.0);
    let mut canvas = Canvas::new(width as u32, height as u32, theme)?;

    for truth in 0..count {
        let total: usize = (0..count).map(|heard| confusion.count(truth, heard)).sum();
        for heard in 0..count {
            let found = confusion.count(truth, heard);
            let share = found as f64 / total.max(1) as f64;
            let (x, y) = (left + side * heard as f32, top + side * truth as f32);
            let color = shade(theme, share);
            canvas.fill([x, y, side, side], color);
            let number = found.to_string();
            let number_size = (0.36 * side).clamp(11.0, TEXT);
            if found > 0 && text_width(&number, number_size) < side - 3.0 && side >= 20.0 {
                let mut style = canvas.style(number_size).aligned(Align::Middle);
                style.color = match color.is_light() {
                    true => Color(20, 20, 20),
                    false => Color(255, 255, 255),
                };
                canvas.text(&number, (x + side / 2.0, y + side / 2.0), style);
            }
        }
    }
    if side >= 8.0 {
        let color = theme.grid();
        for line in 0..=count {
            let at = side * line as f32;
            canvas.line(
                [(left, top + at), (left + extent, top + at)],
                1.0,
                color,
                None,
            );
            canvas.line(
                [(left + at, top), (left + at, top + extent)],
                1.0,
                color,
                None,
            );
        }
    }
    let style = canvas.style(size).aligned(Align::End);
    for (index, label) in labels.iter().enumerate() {
        let at = side * (index as f32 + 0.5);
        canvas.text(label, (left - 6.0, top + at), style);
        canvas.text(label, (left + at, top + extent + 6.0), style.turned());
    }
    let style = canvas.style(TEXT + 1.0).aligned(Align::Middle);
    let middle = extent / 2.0;
    canvas.text("truth", (MARGIN + 10.0, top + middle), style.turned());
    let below = top + extent + label_width + 20.0;
    canvas.text("prediction", (left + middle.max(40.0), below), style);
    canvas.to_png().map(Some)
}

/// The colour of a share of a row: from the paper's to a blue that stands out from it.
fn shade(theme: Theme, share: f64) -> Color {
    let most = match theme {
        Theme::Light => Color(8, 64, 140),
        Theme::Dark => Color(120, 190, 255),
    };
    // Rare mistakes are seen too.
    theme.paper().toward(most, share.clamp(0.0, 1.0).powf(0.7))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of(count: usize, label: &str) -> Option<(u32, u32)> {
        let labels = vec![label.to_string(); count];
        let matrix = ConfusionMatrix::new(count);
        let png = confusion_picture(&matrix, &labels, Theme::Light).unwrap()?;
        let reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        Some((reader.info().width, reader.info().height))
    }

    #[test]
    fn there_is_room_for_labels_of_any_length() {
        let short = size_of(10, "dog").unwrap();
        let long = size_of(10, "the water that drops").unwrap();
        let wider = text_width("the water that drops", TEXT) - text_width("dog", TEXT);
        for (short, long) in [(short.0, long.0), (short.1, long.1)] {
            assert!(long as f32 >= short as f32 + wider - 2.0, "{short} {long}");
        }
        assert!(size_of(50, "a class of fifty").unwrap().0 <= WIDTH);
        assert!(size_of(400, "one of many").is_some());
        assert_eq!(size_of(2000, "one of too many"), None);
    }
}
