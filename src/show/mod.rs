//! Pictures, reports, dashboards and numbers as text: everything that people look at.

pub(crate) mod advice;
pub(crate) mod alignment;
mod answers;
mod canvas;
mod color_map;
pub(crate) mod confusion;
pub(crate) mod curves;
pub(crate) mod dashboard;
mod example;
pub(crate) mod features;
pub(crate) mod filters;
mod font;
pub(crate) mod graph;
mod group;
mod heat_map;
mod page;
mod panel;
pub(crate) mod patches;
mod pitch;
mod reliability;
pub(crate) mod report;
mod scale;
pub(crate) mod spikes;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod text;
pub(crate) mod theme;
#[cfg(feature = "tui")]
mod tui;

pub use alignment::draw_alignment;
pub use dashboard::{Dashboard, Show};
pub use features::draw_features;
pub use graph::draw_graph;
pub use pitch::draw_pitch;
pub use report::{report, report_folder};
pub use spikes::draw_emissions;
pub use theme::Theme;
