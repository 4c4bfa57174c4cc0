#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")
)]

pub mod arrival;
pub mod backend;
pub mod bench;
pub mod cli;
pub mod data;
pub mod decode;
mod error;
pub mod export;
mod file;
pub mod infer;
pub mod metric;
pub mod numbers;
mod optim;
pub mod run;
mod seed;
pub mod settings;
pub mod show;
pub mod task;
pub mod train;
mod weights;

pub use burn;
pub use sori_datasets as datasets;
pub use sori_fetch as fetch;
pub use sori_models as models;

pub use backend::BackendName;
pub use error::{Error, Result};
pub use export::{Export, export, export_as};
pub use infer::{Predictor, Transcriber, generate, generate_as, guesses, guesses_as};
pub use run::{RunFolder, load_weights};
pub use settings::{RecipeName, Settings};
pub use show::{Show, Theme, report, report_folder};
pub use train::{Trained, fit, fit_as, resume, resume_as};

/// The programs of `docs/library.md` compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct LibraryPage;

/// The programs of the course run, and what they assert holds.
#[cfg(doctest)]
#[doc = include_str!("../docs/course/01-fully-connected.md")]
#[doc = include_str!("../docs/course/02-convolution.md")]
#[doc = include_str!("../docs/course/03-cnn.md")]
#[doc = include_str!("../docs/course/04-recurrence.md")]
#[doc = include_str!("../docs/course/05-attention.md")]
#[doc = include_str!("../docs/course/06-data.md")]
#[doc = include_str!("../docs/course/07-ctc.md")]
#[doc = include_str!("../docs/course/08-deep-speech-2.md")]
#[doc = include_str!("../docs/course/09-listen-attend-spell.md")]
#[doc = include_str!("../docs/course/10-training.md")]
struct CoursePages;
