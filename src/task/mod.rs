//! What a model is for: its loss, its metrics and how its answer is shown.

pub mod classify;
