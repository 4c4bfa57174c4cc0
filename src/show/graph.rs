//! The picture of a randomly wired network.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use sori_models::RandomWiredConfig;
use sori_models::random_wired::graph::{Graph, GraphKind};

use super::canvas::{Area, Drawn, picture};
use crate::error::Result;
use crate::file::write_atomically;

const TITLE_HEIGHT: u32 = 76;
const STAGE_HEIGHT: u32 = 290;
/// The roles of a node in its stage, and their colours.
const ROLES: [(&str, RGBColor); 4] = [
    ("sees the stage's input", RGBColor(34, 139, 84)),
    ("between", RGBColor(120, 124, 132)),
    ("makes its output", RGBColor(222, 106, 32)),
    ("both", RGBColor(138, 60, 168)),
];

/// Draws the graphs of a randomly wired network as a PNG file, stage below stage: the nodes in their
/// order from left to right, each edge as an arc in the colour of its source.
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

/// Draws the role of each colour.
fn legend(area: &Area<'_>) -> Drawn {
    for (index, (role, color)) in ROLES.into_iter().enumerate() {
        let x = 28 + 220 * index as i32;
        area.draw(&Circle::new((x, 53), 7, color.filled()))?;
        area.draw(&Text::new(role, (x + 14, 48), ("sans-serif", 15)))?;
    }
    Ok(())
}

/// Draws a graph with its nodes on a line and its edges above it.
fn arcs(graph: &Graph, caption: &str, area: &Area<'_>) -> Drawn {
    const MARGIN: f64 = 36.0;
    /// The number of points on an arc.
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
        // Short edges are raised, so that they stand out from the line.
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
