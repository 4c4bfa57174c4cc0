//! The settings of a run: defaults, a recipe, TOML files and `key=value` overrides become one set,
//! which the run folder keeps.

pub(crate) mod checks;
mod choices;
mod facts;
pub(crate) mod layers;
pub(crate) mod listing;
pub(crate) mod nearest;
pub(crate) mod paths;
pub(crate) mod recipes;
pub(crate) mod schema;
pub(crate) mod training;

pub use listing::{Setting, listing, shared_listing};
pub use recipes::{RecipeName, Source};
pub use schema::{DataSettings, Settings, TextSettings};
pub use training::{BestBy, OptimizerKind, Precision, ScheduleKind, TrainSettings};

#[cfg(test)]
mod tests;
