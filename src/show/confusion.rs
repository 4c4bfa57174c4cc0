//! The picture of a confusion matrix.

use console::measure_text_width;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{WIDTH, picture};
use crate::error::Result;
use crate::metric::confusion::ConfusionMatrix;

/// Draws a confusion matrix as a PNG file: true classes in rows, the fraction of a row by colour, and
/// counts where there is room. None if there are too many classes to draw.
pub(crate) fn confusion_picture(
    confusion: &ConfusionMatrix,
    labels: &[String],
) -> Result<Option<Vec<u8>>> {
    const LONGEST: usize = 16;
    let count = labels.len();
    let cut = |label: &String| label.chars().take(LONGEST).collect::<String>();
    let longest = labels.iter().map(|label| measure_text_width(&cut(label)));
    // Room for the labels and the description of an axis.
    let labelled = 44 + 8 * longest.max().unwrap_or(0) as u32;
    let room = WIDTH - labelled - 24;
    if count as u32 > room {
        return Ok(None);
    }
    let side = (room / count.max(1) as u32).min(48);
    let size = side * count as u32 + labelled + 24;
    // Plotters counts the end of a segmented range as a segment.
    let segments = || (0..count.saturating_sub(1)).into_segmented();
    picture(size, labels.iter().map(String::as_str), |area| {
        let (matrix, _) = area.split_horizontally(size);
        let mut chart = ChartBuilder::on(&matrix)
            .margin(12)
            .x_label_area_size(labelled)
            .y_label_area_size(labelled)
            .build_cartesian_2d(segments(), segments())?;
        let name = |at: &SegmentValue<usize>, turned: bool| match at {
            SegmentValue::CenterOf(at) if *at < count && side >= 9 => {
                cut(&labels[if turned { count - 1 - at } else { *at }])
            }
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(count)
            .y_labels(count)
            .x_label_formatter(&|at| name(at, false))
            .y_label_formatter(&|at| name(at, true))
            .x_label_style(
                ("sans-serif", 13)
                    .into_font()
                    .transform(FontTransform::Rotate90),
            )
            .y_label_style(("sans-serif", 13))
            .x_desc("heard as")
            .y_desc("is")
            .axis_desc_style(("sans-serif", 14))
            .draw()?;
        for truth in 0..count {
            let total: usize = (0..count).map(|heard| confusion.count(truth, heard)).sum();
            for heard in 0..count {
                let found = confusion.count(truth, heard);
                let share = found as f64 / total.max(1) as f64;
                let row = count - 1 - truth;
                let corners = [
                    (SegmentValue::Exact(heard), SegmentValue::Exact(row)),
                    (SegmentValue::Exact(heard + 1), SegmentValue::Exact(row + 1)),
                ];
                // From white to a dark blue.
                let color = RGBColor(
                    (255.0 - 230.0 * share) as u8,
                    (255.0 - 180.0 * share) as u8,
                    (255.0 - 100.0 * share) as u8,
                );
                chart.draw_series([Rectangle::new(corners, color.filled())])?;
                if found > 0 && side >= 20 {
                    let ink = if share > 0.5 { &WHITE } else { &BLACK };
                    let style = ("sans-serif", 13)
                        .into_font()
                        .color(ink)
                        .pos(Pos::new(HPos::Center, VPos::Center));
                    let at = (SegmentValue::CenterOf(heard), SegmentValue::CenterOf(row));
                    chart.draw_series([Text::new(found.to_string(), at, style)])?;
                }
            }
        }
        Ok(())
    })
    .map(Some)
}
