//! The settings of a run: defaults, a recipe, TOML files and `key=value` overrides become one set,
//! which the run folder keeps.

pub(crate) mod checks;
mod facts;
pub(crate) mod layers;
pub(crate) mod paths;
pub(crate) mod recipes;
pub(crate) mod schema;
pub(crate) mod training;

pub use recipes::RecipeName;
pub use schema::{DataSettings, Settings, TextSettings};
pub use training::{BestBy, OptimizerKind, ScheduleKind, TrainSettings};

#[cfg(test)]
mod tests;
