//! The picture of a randomly wired network.

use std::path::Path;

use sori_models::RandomWiredConfig;
use sori_models::random_wired::graph::{Graph, GraphKind};

use super::canvas::{Align, Canvas, TEXT, TITLE, WIDTH};
use super::color_map::ColorMap;
use super::theme::{Color, Theme};
use crate::error::Result;
use crate::file::write_atomically;

const TITLE_HEIGHT: u32 = 76;
const STAGE_HEIGHT: u32 = 290;
/// The roles of a node in its stage, and their colours.
const ROLES: [(&str, Color); 4] = [
    ("sees the stage's input", Color(34, 139, 84)),
    ("between", Color(120, 124, 132)),
    ("makes its output", Color(222, 106, 32)),
    ("both", Color(138, 60, 168)),
];

/// Draws the graphs of a randomly wired network as a PNG file, stage below stage: the nodes in their
/// order from left to right, each edge as an arc in the colour of its source.
///
/// # Errors
/// When the configuration is wrong or the file cannot be written.
pub fn draw_graph(config: &RandomWiredConfig, theme: Theme, path: &Path) -> Result<()> {
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
    let mut canvas = Canvas::new(WIDTH, height, theme)?;
    let style = canvas.style(TITLE);
    canvas.text(&title, (20.0, 22.0), style);
    legend(&mut canvas);
    for (index, graph) in graphs.iter().enumerate() {
        let caption = format!(
            "stage {}: {} channels, {} edges, {} nodes deep",
            index + 1,
            config.channels[index],
            graph.edges().count(),
            graph.depths().into_iter().max().unwrap_or(0) + 1
        );
        let top = TITLE_HEIGHT + index as u32 * STAGE_HEIGHT;
        arcs(&mut canvas, graph, &caption, top as f32);
    }
    write_atomically(path, &canvas.to_png()?)
}

/// Draws the role of each colour.
fn legend(canvas: &mut Canvas) {
    let style = canvas.style(TEXT);
    for (index, (role, color)) in ROLES.into_iter().enumerate() {
        let x = 28.0 + 230.0 * index as f32;
        canvas.circle((x, 54.0), 7.0, color);
        canvas.text(role, (x + 14.0, 54.0), style);
    }
}

/// Draws a graph with its nodes on a line and its edges above it, below `top`.
fn arcs(canvas: &mut Canvas, graph: &Graph, caption: &str, top: f32) {
    const MARGIN: f32 = 36.0;
    /// The number of points on an arc.
    const POINTS: usize = 60;
    let nodes = graph.num_nodes();
    let step = (WIDTH as f32 - 2.0 * MARGIN) / nodes.saturating_sub(1).max(1) as f32;
    let base = STAGE_HEIGHT as f32 - 40.0;
    let x = |node: usize| MARGIN + node as f32 * step;
    let longest = graph.edges().map(|(from, to)| to - from).max();
    let longest = longest.unwrap_or(1) as f32;
    let style = canvas.style(TEXT);
    canvas.text(caption, (20.0, top + 12.0), style);
    for (from, to) in graph.edges() {
        // Short edges are raised, so that they stand out from the line.
        let rise = (base - 34.0) * ((to - from) as f32 / longest).powf(0.8);
        let point = |index: usize| {
            let turn = std::f32::consts::PI * index as f32 / POINTS as f32;
            let along = (1.0 - turn.cos()) / 2.0;
            let (from, to) = (x(from), x(to));
            (from + along * (to - from), top + base - rise * turn.sin())
        };
        let color = ColorMap::Weight.color(from as f32 / nodes as f32 * 0.85);
        canvas.line((0..=POINTS).map(point), 1.2, color, None);
    }
    let radius = (step * 0.3).clamp(1.0, 8.0);
    let (sources, sinks) = (graph.sources(), graph.sinks());
    for node in 0..nodes {
        let role = match (sources.contains(&node), sinks.contains(&node)) {
            (true, false) => 0,
            (false, false) => 1,
            (false, true) => 2,
            (true, true) => 3,
        };
        let at = (x(node), top + base);
        canvas.circle(at, radius, ROLES[role].1);
        if step >= 20.0 {
            let style = style.aligned(Align::Middle);
            canvas.text(&node.to_string(), (at.0, at.1 + 20.0), style);
        }
    }
}
