//! Pictures, reports, dashboards and numbers as text: everything that people look at.

pub(crate) mod advice;
pub(crate) mod alignment;
mod canvas;
pub(crate) mod confusion;
pub(crate) mod curves;
pub(crate) mod dashboard;
pub(crate) mod features;
pub(crate) mod filters;
mod font;
pub(crate) mod graph;
mod heat_map;
mod page;
pub(crate) mod patches;
pub(crate) mod report;
pub(crate) mod terminal;
pub(crate) mod text;
#[cfg(feature = "tui")]
mod tui;

pub use alignment::draw_alignment;
pub use dashboard::{Dashboard, Show};
pub use features::draw_features;
pub use graph::draw_graph;
pub use report::report;
