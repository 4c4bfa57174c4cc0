//! Events of a training run.

use std::path::Path;
use std::time::Duration;

use crate::run::info::RunInfo;
use crate::run::records::{EpochRecord, RunResult};
use crate::task::any::AnyTask;

/// An event of a run, for display.
pub enum Event<'a> {
    /// Recordings are read once before training: `done` of `total`.
    Scan {
        /// Recordings read so far.
        done: usize,
        /// All recordings.
        total: usize,
    },
    /// Training begins or resumes.
    Begin {
        /// The description of the run.
        info: &'a RunInfo,
        /// Its task.
        task: &'a AnyTask,
        /// The SPEC of its training corpus.
        data: &'a str,
        /// Epochs of the run.
        epochs: usize,
        /// The run folder.
        path: &'a Path,
        /// Steps taken in earlier sessions.
        steps_done: usize,
    },
    /// The run starts from the weights of another run.
    From {
        /// The other run's folder.
        run: &'a str,
        /// Parameters that the other run does not have, or has in another shape.
        fresh: &'a [String],
    },
    /// A step was taken.
    Step(Progress),
    /// An epoch ended.
    Epoch(&'a EpochRecord),
}

/// The progress of a run.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The current epoch, counted from 1.
    pub epoch: usize,
    /// Number of epochs.
    pub epochs: usize,
    /// Steps taken in this epoch.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Mean training loss of the epoch so far.
    pub loss: f64,
    /// Training accuracy of the epoch so far; only of classes.
    pub accuracy: Option<f64>,
    /// Share of blanks among the epoch's steps so far; only of transcripts by CTC.
    pub blank: Option<f64>,
    /// Training recordings per second in this session.
    pub items_per_second: f64,
    /// Estimated time to the end of the last epoch.
    pub left: Duration,
}

/// The outcome of a session.
#[derive(Debug)]
pub enum Outcome {
    /// The run has ended.
    Ended(Box<RunResult>),
    /// It was interrupted; a checkpoint holds where.
    Interrupted,
}
