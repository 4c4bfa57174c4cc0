//! Pictures of features, alignments and graphs, drawn with plotters.

use std::path::Path;
use std::sync::Once;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use sori_datasets::{FeatureConfig, FeatureKind, Features};
use sori_models::RandomWiredConfig;
use sori_models::random_wired::graph::{Graph, GraphKind};

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
    picture(HEIGHT, path, |area| {
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
    picture(rows + 90 + HEIGHT, path, |area| {
        let (above, below) = area.split_vertically(rows + 90);
        attention(features, config, alignment, title, &above)?;
        heat_map(features, config, "", &below)
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
    picture(height, path, |area| {
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
    })
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

/// A PNG file of this height with what `content` draws.
fn picture(
    height: u32,
    path: &Path,
    content: impl FnOnce(&Area<'_>) -> std::result::Result<(), Failure>,
) -> Result<()> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // Compiled in, so it is a font; without it the picture would only lack its text.
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
    let draw = || -> std::result::Result<Vec<u8>, Failure> {
        let mut pixels = vec![255; (WIDTH * height * 3) as usize];
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
    let file = draw()
        .map_err(|e| std::io::Error::other(e.to_string()))
        .map_err(Error::io("cannot draw", path))?;
    crate::file::write_atomically(path, &file)
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
        .build_cartesian_2d(0.0..seconds, -f64::from(peak)..f64::from(peak))?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("amplitude")
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    // One vertical stroke per column, from its least to its largest sample.
    let group = features.frames.div_ceil(MAX_COLUMNS).max(1);
    let strokes = features.values.chunks(group).enumerate().map(|(i, part)| {
        let x = (i * group) as f64 / f64::from(config.sample_rate_hz);
        let low = part.iter().copied().fold(f32::INFINITY, f32::min);
        let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        PathElement::new([(x, f64::from(low)), (x, f64::from(high))], BLUE)
    });
    chart.draw_series(strokes)?;
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
        .build_cartesian_2d(0.0..seconds, (0..count.max(1)).into_segmented())?;
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
    let high = cells.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let low = cells.iter().copied().fold(f32::INFINITY, f32::min);
    let low = match decibels {
        Some(_) => low.max(high - 80.0),
        None => low,
    };
    let span = (high - low).max(f32::EPSILON);

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
        _ => ("coefficient", Box::new(|bin| format!("{bin:.0}"))),
    }
}
