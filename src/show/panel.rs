//! A panel of a picture: what is drawn lies within a frame with axes, and a bar shows its colours.

use super::canvas::{Align, Canvas, TEXT, TITLE, cut_to_width};
use super::color_map::ColorMap;
use super::scale::{Tick, ticks, whole_ticks};

/// One axis of a panel.
pub(super) struct Axis {
    title: String,
    low: f64,
    high: f64,
    ticks: Vec<Tick>,
}

impl Axis {
    /// An axis from `low` to `high` with round numbers, about `most` of them.
    pub(super) fn new(title: &str, [low, high]: [f64; 2], most: usize) -> Self {
        // An axis has a length.
        let high = if high > low { high } else { low + 1.0 };
        Self::with_ticks(title, [low, high], ticks(low, high, most))
    }

    /// An axis with whole numbers.
    pub(super) fn whole(title: &str, [low, high]: [f64; 2], most: usize) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self::with_ticks(title, [low, high], whole_ticks(low, high, most))
    }

    /// An axis with these ticks.
    pub(super) fn with_ticks(title: &str, [low, high]: [f64; 2], ticks: Vec<Tick>) -> Self {
        Self {
            title: title.to_string(),
            low,
            high,
            ticks,
        }
    }

    /// The axis of time.
    pub(super) fn seconds(seconds: f64) -> Self {
        Self::new("seconds", [0.0, seconds], 10)
    }

    /// The place of a value between the ends of the axis, from 0 to 1.
    fn place(&self, value: f64) -> f32 {
        ((value - self.low) / (self.high - self.low)) as f32
    }
}

/// Where a panel lies on its canvas: the rectangle within its axes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

/// The room left of a panel, for the axis.
pub(super) const LEFT: f32 = 88.0;
/// The room right of a panel without a bar of colours, and with one.
pub(super) const RIGHT: f32 = 24.0;
/// The room for a bar of colours.
pub(super) const BAR: f32 = 112.0;
/// The room above a panel, for its title.
pub(super) const ABOVE: f32 = 40.0;
/// The room below a panel, for the axis.
pub(super) const BELOW: f32 = 58.0;

impl Panel {
    /// The panel with the usual axes in the part `[left, top, width, height]` of a canvas, with `right`
    /// pixels beside it.
    pub(super) fn within([left, top, width, height]: [f32; 4], right: f32) -> Self {
        Self::exactly([
            left + LEFT,
            top + ABOVE,
            width - LEFT - right,
            height - ABOVE - BELOW,
        ])
    }

    /// The panel at `[left, top, width, height]`, without its axes.
    pub(super) fn exactly([left, top, width, height]: [f32; 4]) -> Self {
        Self {
            left: left.round(),
            top: top.round(),
            width: width.round().max(1.0),
            height: height.round().max(1.0),
        }
    }

    /// The place of a pair of values on the canvas.
    pub(super) fn at(
        &self,
        (x, horizontal): (f64, &Axis),
        (y, vertical): (f64, &Axis),
    ) -> (f32, f32) {
        (
            self.left + horizontal.place(x) * self.width,
            self.top + (1.0 - vertical.place(y)) * self.height,
        )
    }

    /// Draws the lines of a grid.
    pub(super) fn grid(&self, canvas: &mut Canvas, x: &Axis, y: &Axis) {
        let color = canvas.theme.grid();
        for tick in &x.ticks {
            let at = (self.left + x.place(tick.at) * self.width).round() + 0.5;
            canvas.line(
                [(at, self.top), (at, self.top + self.height)],
                1.0,
                color,
                None,
            );
        }
        for tick in &y.ticks {
            let at = (self.top + (1.0 - y.place(tick.at)) * self.height).round() + 0.5;
            canvas.line(
                [(self.left, at), (self.left + self.width, at)],
                1.0,
                color,
                None,
            );
        }
    }

    /// Draws the title and, around the panel, its axes.
    pub(super) fn frame(&self, canvas: &mut Canvas, title: &str, x: &Axis, y: &Axis) {
        let bottom = self.top + self.height;
        let style = canvas.style(TITLE);
        let title = cut_to_width(title, TITLE, self.width + RIGHT);
        canvas.text(&title, (self.left, self.top - 18.0), style);
        self.outline(canvas);
        self.x_axis(canvas, x);
        let style = canvas.style(TEXT).aligned(Align::Middle);
        canvas.text(
            &x.title,
            (self.left + self.width / 2.0, bottom + 42.0),
            style,
        );
        self.y_axis(canvas, &y.ticks, y);
        self.y_title(canvas, y);
    }

    /// Writes the title of the vertical axis.
    pub(super) fn y_title(&self, canvas: &mut Canvas, axis: &Axis) {
        let style = canvas.style(TEXT).aligned(Align::Middle);
        let middle = (self.left - LEFT + 16.0, self.top + self.height / 2.0);
        let title = cut_to_width(&axis.title, TEXT, self.height + ABOVE);
        canvas.text(&title, middle, style.turned());
    }

    /// Draws the ticks of the horizontal axis.
    pub(super) fn x_axis(&self, canvas: &mut Canvas, axis: &Axis) {
        let ink = canvas.theme.ink();
        let style = canvas.style(TEXT).aligned(Align::Middle);
        let bottom = self.top + self.height;
        for tick in &axis.ticks {
            let at = (self.left + axis.place(tick.at) * self.width).round();
            canvas.line([(at, bottom), (at, bottom + 5.0)], 1.0, ink, None);
            canvas.text(&tick.label, (at, bottom + 18.0), style);
        }
    }

    /// Draws those ticks of the vertical axis that have room in a small panel.
    pub(super) fn sparse_y_axis(&self, canvas: &mut Canvas, axis: &Axis) {
        let mut ticks: Vec<Tick> = Vec::new();
        for tick in &axis.ticks {
            let apart = |other: &Tick| {
                (axis.place(other.at) - axis.place(tick.at)).abs() * self.height >= 20.0
            };
            if ticks.iter().all(apart) {
                ticks.push(tick.clone());
            }
        }
        self.y_axis(canvas, &ticks, axis);
    }

    /// Draws ticks of the vertical axis.
    fn y_axis(&self, canvas: &mut Canvas, ticks: &[Tick], axis: &Axis) {
        let ink = canvas.theme.ink();
        let style = canvas.style(TEXT).aligned(Align::End);
        for tick in ticks {
            let at = (self.top + (1.0 - axis.place(tick.at)) * self.height).round();
            canvas.line([(self.left - 5.0, at), (self.left, at)], 1.0, ink, None);
            canvas.text(&tick.label, (self.left - 9.0, at), style);
        }
    }

    /// Draws the outline of the panel.
    pub(super) fn outline(&self, canvas: &mut Canvas) {
        let (left, top) = (self.left - 0.5, self.top - 0.5);
        let (right, bottom) = (self.left + self.width + 0.5, self.top + self.height + 0.5);
        let corners = [
            (left, top),
            (right, top),
            (right, bottom),
            (left, bottom),
            (left, top - 0.5),
        ];
        let ink = canvas.theme.ink();
        canvas.line(corners, 1.0, ink, None);
    }

    /// Fills the panel with cells, `columns` from left to right and `rows` from the bottom up, by the
    /// place of each on the scale of `map`. Where several share a pixel, the one that tells most shows.
    pub(super) fn cells(
        &self,
        canvas: &mut Canvas,
        [columns, rows]: [usize; 2],
        map: ColorMap,
        place: impl Fn(usize, usize) -> f32,
    ) {
        let (width, height) = (self.width as usize, self.height as usize);
        if columns == 0 || rows == 0 {
            return;
        }
        // The cells under pixel `at` of `pixels`.
        let under = |at: usize, pixels: usize, cells: usize| {
            let start = at * cells / pixels;
            start..((at + 1) * cells / pixels).clamp(start + 1, cells.max(start + 1))
        };
        let telling = |a: f32, b: f32| match map.weight(b) > map.weight(a) {
            true => b,
            false => a,
        };
        // Columns are brought together first, so that each cell is looked at once.
        for x in 0..width {
            let shared = under(x, width, columns);
            let merged: Vec<f32> = (0..rows)
                .map(|row| {
                    let places = shared.clone().map(|column| place(column, row));
                    places.reduce(telling).unwrap_or(f32::NAN)
                })
                .collect();
            for y in 0..height {
                let cells = merged[under(y, height, rows)].iter().copied();
                let color = map.color(cells.reduce(telling).unwrap_or(f32::NAN));
                let at = (
                    self.left as u32 + x as u32,
                    self.top as u32 + (height - 1 - y) as u32,
                );
                canvas.pixel(at.0, at.1, color);
            }
        }
    }

    /// Draws, right of the panel, the colours of `map` from `low` to `high`, and their unit.
    pub(super) fn bar(
        &self,
        canvas: &mut Canvas,
        map: ColorMap,
        unit: &str,
        [low, high]: [f64; 2],
    ) {
        let bar = Self::exactly([self.left + self.width + 14.0, self.top, 16.0, self.height]);
        let rows = bar.height as usize;
        bar.cells(canvas, [1, rows], map, |_, row| {
            row as f32 / rows.saturating_sub(1).max(1) as f32
        });
        bar.outline(canvas);
        let most = (self.height / 46.0).clamp(2.0, 6.0) as usize;
        let axis = Axis::new(unit, [low, high], most);
        let (right, ink) = (bar.left + bar.width, canvas.theme.ink());
        let style = canvas.style(TEXT);
        for tick in &axis.ticks {
            let at = (bar.top + (1.0 - axis.place(tick.at)) * bar.height).round();
            canvas.line([(right, at), (right + 5.0, at)], 1.0, ink, None);
            canvas.text(&tick.label, (right + 8.0, at), style);
        }
        let middle = (right + 68.0, self.top + self.height / 2.0);
        let unit = cut_to_width(unit, TEXT, self.height + ABOVE);
        canvas.text(&unit, middle, style.aligned(Align::Middle).turned());
    }
}
