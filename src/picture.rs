//! Pictures of features, alignments and graphs, drawn with plotters.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use console::measure_text_width;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use sori_datasets::{FeatureConfig, FeatureKind, Features};
use sori_models::RandomWiredConfig;
use sori_models::random_wired::graph::{Graph, GraphKind};

use crate::file::write_atomically;
use crate::metric::ConfusionMatrix;
use crate::predict::Alignment;
use crate::{Error, Result};

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 460;
/// More columns than this cannot be told apart.
const MAX_COLUMNS: usize = 900;

type Failure = Box<dyn std::error::Error>;

/// Draws `features` made under `config` as a PNG file: time in seconds to the right, frequency in
/// hertz (or the number of a coefficient) upwards; a waveform as its curve.
///
/// # Errors
/// When the file cannot be written.
pub fn draw_features(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    path: &Path,
) -> Result<()> {
    write_atomically(path, &features_picture(features, config, title)?)
}

/// The picture of [`draw_features`].
pub(crate) fn features_picture(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
) -> Result<Vec<u8>> {
    picture(HEIGHT, [title], |area| {
        if config.kind == FeatureKind::Waveform {
            curve(features, config, title, area)
        } else {
            heat_map(features, config, title, area)
        }
    })
}

/// Draws where a speller attended as a PNG file: its symbols from above downwards, each with a row
/// that is bright where it rests on the recording, over the spectrogram `features` (made under
/// `config`) at the same times.
///
/// # Errors
/// When the file cannot be written.
pub fn draw_alignment(
    features: &Features,
    config: &FeatureConfig,
    alignment: &Alignment,
    title: &str,
    path: &Path,
) -> Result<()> {
    // Room for a line of text each.
    let rows = (alignment.symbols.len() as u32 * 18).clamp(HEIGHT / 2, 4 * HEIGHT);
    let written: String = alignment.symbols.iter().collect();
    let png = picture(rows + 90 + HEIGHT, [title, &written], |area| {
        let (above, below) = area.split_vertically(rows + 90);
        attention(features, config, alignment, title, &above)?;
        heat_map(features, config, "", &below)
    })?;
    write_atomically(path, &png)
}

/// How one way of training went, epoch by epoch.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) train_loss: Vec<f64>,
    /// The task's headline metric over the validation part.
    pub(crate) valid: Vec<f64>,
}

/// Learning curves as a PNG file: to the left the training loss, by its logarithm where it has one, to the right
/// the `metric` over the validation part, and the names of the curves below.
pub(crate) fn curves_picture(curves: &[Curve], metric: &str) -> Result<Vec<u8>> {
    const LINE: u32 = 22;
    let legend = curves.len() as u32 * LINE + 16;
    let names = curves.iter().map(|curve| curve.name.as_str());
    picture(HEIGHT + legend, names, |area| {
        let (above, below) = area.split_vertically(HEIGHT);
        let (left, right) = above.split_horizontally(WIDTH / 2);
        lines(
            curves,
            |curve| &curve.train_loss,
            "training loss",
            true,
            &left,
        )?;
        let name = format!("validation {metric}");
        lines(curves, |curve| &curve.valid, &name, false, &right)?;
        for (index, curve) in curves.iter().enumerate() {
            let y = (index as u32 * LINE + LINE / 2) as i32;
            let stroke = PathElement::new([(70, y), (110, y)], line_style(index));
            below.draw(&stroke)?;
            let at = (120, y - 8);
            below.draw(&Text::new(curve.name.clone(), at, ("sans-serif", 15)))?;
        }
        Ok(())
    })
}

/// A colour for each curve, and then again with thinner lines.
fn line_style(index: usize) -> ShapeStyle {
    let width = if index < Palette99::COLORS.len() {
        2
    } else {
        1
    };
    Palette99::pick(index).stroke_width(width)
}

/// One line for each curve over the epochs.
fn lines<'a>(
    curves: &'a [Curve],
    values: impl Fn(&'a Curve) -> &'a [f64],
    name: &str,
    logarithmic: bool,
    area: &Area<'_>,
) -> std::result::Result<(), Failure> {
    // A density may be above one, and its loss below zero.
    let mut all = curves.iter().flat_map(&values);
    let logarithmic = logarithmic && all.all(|value| *value > 0.0 || value.is_nan());
    let scale = |value: f64| {
        if logarithmic { value.log10() } else { value }
    };
    let shown = |curve| {
        values(curve)
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .map(scale)
    };
    let epochs = curves.iter().map(|curve| values(curve).len()).max();
    let (low, high) = curves
        .iter()
        .flat_map(&shown)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = ((high - low) * 0.04).max(0.01);
    let mut chart = ChartBuilder::on(area)
        .caption(name, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(
            1.0..epochs.unwrap_or(1).max(2) as f64,
            low - margin..high + margin,
        )?;
    let label = |value: &f64| {
        let value = if logarithmic {
            10f64.powf(*value)
        } else {
            *value
        };
        let narrow = !logarithmic && high - low < 0.1;
        let decimals = if narrow || value.abs() < 0.1 { 3 } else { 2 };
        format!("{value:.decimals$}")
    };
    chart
        .configure_mesh()
        .x_desc("epoch")
        .x_label_formatter(&|epoch| match epoch.fract() {
            0.0 => epoch.to_string(),
            _ => String::new(),
        })
        .y_label_formatter(&label)
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    for (index, curve) in curves.iter().enumerate() {
        let points = values(curve).iter().enumerate();
        let points = points.filter(|(_, value)| value.is_finite());
        let points = points.map(|(epoch, &value)| (epoch as f64 + 1.0, scale(value)));
        // A dot for each epoch, as one alone is no line.
        let line = LineSeries::new(points, line_style(index).filled()).point_size(2);
        chart.draw_series(line)?;
    }
    Ok(())
}

/// How often each class was taken for each other, as a PNG file: the truth in rows, shares of it by
/// colour, and counts where there is room. None where there are too many classes to draw.
pub(crate) fn confusion_picture(
    confusion: &ConfusionMatrix,
    labels: &[String],
) -> Result<Option<Vec<u8>>> {
    const LONGEST: usize = 16;
    let count = labels.len();
    let cut = |label: &String| label.chars().take(LONGEST).collect::<String>();
    let longest = labels.iter().map(|label| measure_text_width(&cut(label)));
    // Room for the labels, and for what an axis is.
    let labelled = 44 + 8 * longest.max().unwrap_or(0) as u32;
    let room = WIDTH - labelled - 24;
    if count as u32 > room {
        return Ok(None);
    }
    let side = (room / count.max(1) as u32).min(48);
    let size = side * count as u32 + labelled + 24;
    // The last of a range of plotters' segments is a segment too.
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

/// How strongly each filter over a waveform answers to each frequency, as a PNG file: a column for
/// each, sorted by the middle of what it answers to.
pub(crate) fn filters_picture(filters: &[Vec<f32>], sample_rate_hz: f64) -> Result<Vec<u8>> {
    const ROWS: usize = 64;
    let response = |filter: &Vec<f32>| -> Vec<f64> {
        let at = |row: usize| {
            let turn = std::f64::consts::PI * (row as f64 + 0.5) / ROWS as f64;
            let taps = filter.iter().enumerate();
            let (re, im) = taps.fold((0.0, 0.0), |(re, im), (tap, &value)| {
                let (sin, cos) = (turn * tap as f64).sin_cos();
                (re + f64::from(value) * cos, im - f64::from(value) * sin)
            });
            f64::hypot(re, im)
        };
        let magnitudes: Vec<f64> = (0..ROWS).map(at).collect();
        let peak = magnitudes.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        magnitudes.iter().map(|value| value / peak).collect()
    };
    let mut responses: Vec<Vec<f64>> = filters.iter().map(response).collect();
    let middle = |response: &Vec<f64>| {
        let weighed: f64 = response
            .iter()
            .enumerate()
            .map(|(row, v)| row as f64 * v * v)
            .sum();
        weighed / response.iter().map(|v| v * v).sum::<f64>()
    };
    responses.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
    picture(HEIGHT, [], |area| {
        let top = sample_rate_hz / 2.0;
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..responses.len() as f64, 0.0..top)?;
        let height = top / ROWS as f64;
        let cells = responses.iter().enumerate().flat_map(|(column, response)| {
            response.iter().enumerate().map(move |(row, value)| {
                let (x, y) = (column as f64, row as f64 * height);
                let color = ViridisRGB.get_color(*value).filled();
                Rectangle::new([(x, y), (x + 1.0, y + height)], color)
            })
        });
        chart.draw_series(cells)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("filter, by the middle of what it answers to")
            .y_desc("hertz")
            .y_label_formatter(&|hertz| format!("{hertz:.0}"))
            .x_label_formatter(&|filter| format!("{filter:.0}"))
            .label_style(("sans-serif", 14))
            .draw()?;
        Ok(())
    })
}

/// Draws the graphs of a randomly wired network as a PNG file, a stage below the other: its nodes in their
/// order from left to right, each edge an arc in the colour of the node it leads from.
///
/// # Errors
/// When the configuration is wrong or the file cannot be written.
pub fn draw_graph(config: &RandomWiredConfig, path: &Path) -> Result<()> {
    let graphs = config.graphs()?;
    let parameters = match config.graph {
        GraphKind::ErdosRenyi => format!("P = {}", config.edge_probability),
        GraphKind::BarabasiAlbert => format!("M = {}", config.edges_per_node),
        GraphKind::WattsStrogatz => format!(
            "K = {}, P = {}",
            config.num_neighbors, config.rewiring_probability
        ),
    };
    let title = format!(
        "{}, {parameters}, {} nodes, seed {}",
        config.graph.title(),
        config.num_nodes,
        config.graph_seed
    );
    let height = TITLE_HEIGHT + graphs.len() as u32 * STAGE_HEIGHT;
    let png = picture(height, [], |area| {
        let (above, mut below) = area.split_vertically(TITLE_HEIGHT);
        above.draw(&Text::new(title, (20, 14), ("sans-serif", 20)))?;
        legend(&above)?;
        for (index, graph) in graphs.iter().enumerate() {
            let (stage, rest) = below.split_vertically(STAGE_HEIGHT);
            let caption = format!(
                "stage {}: {} channels, {} edges, {} nodes deep",
                index + 1,
                config.channels[index],
                graph.edges().count(),
                graph.depths().into_iter().max().unwrap_or(0) + 1
            );
            arcs(graph, &caption, &stage)?;
            below = rest;
        }
        Ok(())
    })?;
    write_atomically(path, &png)
}

const TITLE_HEIGHT: u32 = 76;
const STAGE_HEIGHT: u32 = 290;
/// What a node does in its stage.
const ROLES: [(&str, RGBColor); 4] = [
    ("sees the stage's input", RGBColor(34, 139, 84)),
    ("between", RGBColor(120, 124, 132)),
    ("makes its output", RGBColor(222, 106, 32)),
    ("both", RGBColor(138, 60, 168)),
];

fn legend(area: &Area<'_>) -> std::result::Result<(), Failure> {
    for (index, (role, color)) in ROLES.into_iter().enumerate() {
        let x = 28 + 220 * index as i32;
        area.draw(&Circle::new((x, 53), 7, color.filled()))?;
        area.draw(&Text::new(role, (x + 14, 48), ("sans-serif", 15)))?;
    }
    Ok(())
}

/// A graph with its nodes on a line and its edges above it.
fn arcs(graph: &Graph, caption: &str, area: &Area<'_>) -> std::result::Result<(), Failure> {
    const MARGIN: f64 = 36.0;
    /// Points on an arc.
    const POINTS: usize = 60;
    let nodes = graph.num_nodes();
    let (width, height) = area.dim_in_pixel();
    let step = (f64::from(width) - 2.0 * MARGIN) / nodes.saturating_sub(1).max(1) as f64;
    let base = f64::from(height) - 40.0;
    let x = |node: usize| MARGIN + node as f64 * step;
    let longest = graph.edges().map(|(from, to)| to - from).max();
    let longest = longest.unwrap_or(1) as f64;
    area.draw(&Text::new(caption, (20, 4), ("sans-serif", 15)))?;
    for (from, to) in graph.edges() {
        // Short edges are raised so that they can be told from the line.
        let rise = (base - 34.0) * ((to - from) as f64 / longest).powf(0.8);
        let point = |index: usize| {
            let turn = std::f64::consts::PI * index as f64 / POINTS as f64;
            let along = (1.0 - turn.cos()) / 2.0;
            let (from, to) = (x(from), x(to));
            let y = base - rise * turn.sin();
            (
                (from + along * (to - from)).round() as i32,
                y.round() as i32,
            )
        };
        let color = ViridisRGB.get_color(from as f64 / nodes as f64 * 0.85);
        let arc = PathElement::new((0..=POINTS).map(point).collect::<Vec<_>>(), color);
        area.draw(&arc)?;
    }
    let radius = (step * 0.3).clamp(1.0, 8.0) as i32;
    let (sources, sinks) = (graph.sources(), graph.sinks());
    for node in 0..nodes {
        let role = match (sources.contains(&node), sinks.contains(&node)) {
            (true, false) => 0,
            (false, false) => 1,
            (false, true) => 2,
            (true, true) => 3,
        };
        let at = (x(node) as i32, base as i32);
        area.draw(&Circle::new(at, radius, ROLES[role].1.filled()))?;
        if step >= 20.0 {
            let style = TextStyle::from(("sans-serif", 13)).pos(Pos::new(HPos::Center, VPos::Top));
            area.draw(&Text::new(node.to_string(), (at.0, at.1 + 12), style))?;
        }
    }
    Ok(())
}

/// Patches of features as a PNG file, section by section under its name, all on one scale: time to the
/// right, frequency upwards. Sections without patches are left out.
pub(crate) fn patches_picture(sections: &[(&str, &Vec<Features>)]) -> Result<Vec<u8>> {
    const LINE: u32 = 34;
    const GAP: u32 = 10;
    const PER_ROW: u32 = 8;
    let all = || sections.iter().flat_map(|(_, patches)| patches.iter());
    let largest = |size: fn(&Features) -> usize| all().map(size).max().unwrap_or(1).max(1) as u32;
    let (frames, bins) = (largest(|patch| patch.frames), largest(|patch| patch.bins));
    // Of patches wider than the page every second frame, or every third …
    let every = frames.div_ceil(WIDTH - 2 * GAP);
    let frames = frames.div_ceil(every);
    let side = (((WIDTH - GAP) / PER_ROW - GAP) / frames).clamp(1, 4);
    let per_row = ((WIDTH - GAP) / (frames * side + GAP)).clamp(1, PER_ROW);
    let rows = |patches: &Vec<Features>| (patches.len() as u32).div_ceil(per_row);
    let shown = || sections.iter().filter(|(_, patches)| !patches.is_empty());
    let height = |patches| LINE + rows(patches) * (bins * side + GAP);
    let values = || all().flat_map(|patch| patch.values.iter().copied());
    let low = values().fold(f32::INFINITY, f32::min);
    let span = (values().fold(f32::NEG_INFINITY, f32::max) - low).max(f32::EPSILON);
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
                    let color = ViridisRGB.get_color(((value - low) / span).clamp(0.0, 1.0));
                    let corners = [(x, y - side as i32), (x + side as i32, y)];
                    area.draw(&Rectangle::new(corners, color.filled()))?;
                }
            }
            top += height(patches);
        }
        Ok(())
    })
}

/// A PNG file of this height with what `content` draws, `texts` among it.
fn picture<'a>(
    height: u32,
    texts: impl IntoIterator<Item = &'a str>,
    content: impl FnOnce(&Area<'_>) -> std::result::Result<(), Failure>,
) -> Result<Vec<u8>> {
    // The font of a name is that of all threads.
    static DRAWING: Mutex<()> = Mutex::new(());
    let _drawing = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    let is_east_asian = texts.into_iter().flat_map(str::chars).any(is_east_asian);
    let font = is_east_asian.then(east_asian_font).flatten();
    // Without a font the picture only lacks its text.
    let _ = register_font(
        "sans-serif",
        FontStyle::Normal,
        font.unwrap_or(dejavu::sans::regular()),
    );
    let draw = || -> std::result::Result<Vec<u8>, Failure> {
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

/// Whether this is of the writings of Korean, Chinese or Japanese, which the font compiled in has not.
fn is_east_asian(character: char) -> bool {
    matches!(character, '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{318f}' | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7ff}')
}

/// A font of the system that has them, if there is one where they usually lie.
fn east_asian_font() -> Option<&'static [u8]> {
    const PATHS: [&str; 9] = [
        "/usr/share/fonts/truetype/nanum/NanumGothic.ttf",
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/nanum/NanumGothic.ttf",
        "/System/Library/Fonts/AppleSDGothicNeo.ttc",
        "/System/Library/Fonts/Supplemental/AppleGothic.ttf",
        "C:\\Windows\\Fonts\\malgun.ttf",
    ];
    static FOUND: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let found = FOUND.get_or_init(|| PATHS.iter().find_map(|path| std::fs::read(path).ok()));
    found.as_deref()
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn curve(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    area: &Area<'_>,
) -> std::result::Result<(), Failure> {
    let seconds = features.frames as f64 / f64::from(config.sample_rate_hz);
    let peak = features
        .values
        .iter()
        .fold(1e-3_f32, |peak, v| peak.max(v.abs()));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(
            0.0..seconds,
            -1.05 * f64::from(peak)..1.05 * f64::from(peak),
        )?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("amplitude")
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    // One line through the first, the least, the largest and the last sample of each column.
    let group = features.frames.div_ceil(MAX_COLUMNS).max(1);
    let points = features
        .values
        .chunks(group)
        .enumerate()
        .flat_map(|(i, part)| {
            let x = (i * group) as f64 / f64::from(config.sample_rate_hz);
            let low = part.iter().copied().fold(f32::INFINITY, f32::min);
            let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let column = match part {
                [only] => vec![*only],
                _ => vec![part[0], low, high, part[part.len() - 1]],
            };
            column.into_iter().map(move |y| (x, f64::from(y)))
        });
    chart.draw_series(LineSeries::new(points, BLUE))?;
    Ok(())
}

fn attention(
    features: &Features,
    config: &FeatureConfig,
    alignment: &Alignment,
    title: &str,
    area: &Area<'_>,
) -> std::result::Result<(), Failure> {
    let seconds = features.frames as f64 * config.frame_period_s();
    let count = alignment.symbols.len();
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..seconds, (0..count.saturating_sub(1)).into_segmented())?;
    let symbol = |row: &usize| match alignment.symbols.iter().rev().nth(*row) {
        Some(' ') => "␣".to_string(),
        Some(symbol) => symbol.to_string(),
        None => String::new(),
    };
    let cells = alignment.weights.iter().rev().enumerate();
    let cells = cells.flat_map(|(row, weights)| {
        let largest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let steps = weights.iter().enumerate();
        steps.map(move |(step, weight)| {
            let start = step as f64 * alignment.step_s;
            let end = (start + alignment.step_s).min(seconds);
            let corners = [
                (start, SegmentValue::Exact(row)),
                (end, SegmentValue::Exact(row + 1)),
            ];
            Rectangle::new(corners, ViridisRGB.get_color(weight / largest).filled())
        })
    });
    chart.draw_series(cells)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("seconds")
        .y_desc("written")
        .y_labels(count.max(1))
        .y_label_formatter(&|row| match row {
            SegmentValue::CenterOf(row) => symbol(row),
            _ => String::new(),
        })
        .label_style(("sans-serif", 14))
        .draw()?;
    Ok(())
}

fn heat_map(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    area: &Area<'_>,
) -> std::result::Result<(), Failure> {
    let seconds = features.frames as f64 * config.frame_period_s();
    let group = features.frames.div_ceil(MAX_COLUMNS).max(1);
    let columns = features.frames.div_ceil(group);
    // Magnitudes and powers span orders of magnitude: their picture is in decibels.
    let decibels = match config.kind {
        FeatureKind::Spectrogram => Some(20.0),
        FeatureKind::PowerSpectrogram | FeatureKind::Mel => Some(10.0),
        _ => None,
    };
    let value = |frame: usize, bin: usize| {
        let raw = features.row(frame)[bin];
        decibels.map_or(raw, |factor| factor * raw.max(1e-10).log10())
    };
    let cell = |column: usize, bin: usize| {
        (column * group..((column + 1) * group).min(features.frames))
            .map(|frame| value(frame, bin))
            .fold(f32::NEG_INFINITY, f32::max)
    };
    let cells: Vec<f32> = (0..columns)
        .flat_map(|column| (0..features.bins).map(move |bin| (column, bin)))
        .map(|(column, bin)| cell(column, bin))
        .collect();
    let range = |cells: &mut dyn Iterator<Item = f32>| {
        cells.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let (low, high) = range(&mut cells.iter().copied());
    let low = match decibels {
        Some(_) => low.max(high - 80.0),
        None => low,
    };
    // Coefficients are of different sizes, and each has a range of its own.
    let ranges: Vec<(f32, f32)> = match is_spectrum(config) {
        true => vec![(low, high); features.bins],
        false => (0..features.bins)
            .map(|bin| range(&mut cells.iter().skip(bin).step_by(features.bins).copied()))
            .collect(),
    };

    let (description, label) = bin_axis(config);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..seconds, 0.0..features.bins as f64)?;
    let width = seconds / columns as f64;
    chart.draw_series(cells.iter().enumerate().map(|(i, value)| {
        let (column, bin) = (i / features.bins, i % features.bins);
        let x = column as f64 * width;
        let (low, high) = ranges[bin];
        let span = (high - low).max(f32::EPSILON);
        let color = ViridisRGB.get_color(((value - low) / span).clamp(0.0, 1.0));
        Rectangle::new(
            [(x, bin as f64), (x + width, bin as f64 + 1.0)],
            color.filled(),
        )
    }))?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("seconds")
        .y_desc(description)
        .y_label_formatter(&|bin| label(*bin))
        .label_style(("sans-serif", 14))
        .draw()?;
    Ok(())
}

/// Whether all bins are of one kind, from low frequencies to high ones.
fn is_spectrum(config: &FeatureConfig) -> bool {
    config.kind != FeatureKind::Mfcc && config.deltas == 0
}

/// What the bins are, and how a position on their axis is written.
fn bin_axis(config: &FeatureConfig) -> (&'static str, Box<dyn Fn(f64) -> String>) {
    let rate = f64::from(config.sample_rate_hz);
    match config.kind {
        FeatureKind::Spectrogram
        | FeatureKind::PowerSpectrogram
        | FeatureKind::Log1pSpectrogram
            if config.deltas == 0 =>
        {
            let top = (config.num_bins() - 1) as f64;
            (
                "hertz",
                Box::new(move |bin| format!("{:.0}", bin / top * rate / 2.0)),
            )
        }
        FeatureKind::Mel | FeatureKind::LogMel | FeatureKind::MelDb if config.deltas == 0 => {
            let config = config.clone();
            // A bin's cell is drawn from its number to the next: its middle is where it peaks.
            (
                "hertz (mel scale)",
                Box::new(move |bin| format!("{:.0}", config.mel_peak_hz(bin - 0.5))),
            )
        }
        _ => (
            "coefficient, each in its range",
            Box::new(|bin| format!("{bin:.0}")),
        ),
    }
}
