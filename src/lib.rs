#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")
)]

pub mod backend;
pub mod batch;
pub mod bench;
pub mod cli;
pub mod decode;
mod error;
mod file;
pub mod generate;
pub mod metric;
pub mod picture;
pub mod predict;
pub mod report;
pub mod stream;
pub mod task;
pub mod train;

pub use backend::BackendName;
pub use error::{Error, Result};
pub use generate::generate;
pub use predict::{Predictor, guesses};
pub use report::report;
pub use sori_datasets as datasets;
pub use sori_models as models;
pub use stream::Transcriber;
pub use train::{RunFolder, Settings, Show, Trained, fit, resume};
