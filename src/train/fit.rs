//! A whole training in one call, with progress.

use std::path::Path;
use std::sync::atomic::Ordering;

use burn::tensor::backend::AutodiffBackend;
use sori_datasets::Corpus;
use sori_models::{Architecture, ModelConfig, catalogue};

use super::begin::begin;
use super::interrupt::stop_on_interrupt;
use super::open::train_on;
use super::progress::{Event, Outcome};
use crate::backend::{BackendName, Job, run_on};
use crate::run::folder::RunFolder;
use crate::run::records::RunResult;
use crate::settings::schema::Settings;
use crate::show::dashboard::{Dashboard, Show};
use crate::{Error, Result};

/// A run that has ended.
#[derive(Debug)]
pub struct Trained<A: Architecture = ModelConfig> {
    /// Its folder.
    pub run: RunFolder<A>,
    /// Its metrics.
    pub result: RunResult,
}

/// Begins a run of a model of the zoo in the folder `path` and trains it to its end, as `sori train`
/// does.
///
/// # Errors
/// When the settings, the data, the folder or the backend cannot be used, training diverges, or
/// Ctrl-C interrupts it; a run that has begun can be resumed with [`resume`].
///
/// ```no_run
/// use sori::{BackendName, Settings, Show, fit};
///
/// let settings = Settings::new("cnn1d", "folder:recordings", 16_000)?;
/// let trained = fit(&settings, "runs/mine".as_ref(), BackendName::default(), Show::Auto)?;
/// println!("{} {:.3}", trained.result.metric, trained.result.value);
/// # Ok::<(), sori::Error>(())
/// ```
pub fn fit(settings: &Settings, path: &Path, backend: BackendName, show: Show) -> Result<Trained> {
    fit_as(settings, path, backend, show)
}

/// [`fit`] for any architecture.
///
/// # Errors
/// As [`fit`].
pub fn fit_as<A: Architecture>(
    settings: &Settings<A>,
    path: &Path,
    backend: BackendName,
    show: Show,
) -> Result<Trained<A>> {
    fit_corpus(settings, None, path, backend, show)
}

/// [`fit_as`] on a training corpus that is already open.
pub(crate) fn fit_corpus<A: Architecture>(
    settings: &Settings<A>,
    corpus: Option<Corpus>,
    path: &Path,
    backend: BackendName,
    show: Show,
) -> Result<Trained<A>> {
    let start = Start::New {
        settings,
        corpus: corpus.map(Box::new),
        path,
        backend,
    };
    run_on(backend, Fit { start, show })?
}

/// Trains the run in the folder `path` from its last checkpoint to its end.
///
/// # Errors
/// As [`fit`].
pub fn resume(path: &Path, backend: BackendName, show: Show) -> Result<Trained> {
    resume_as(path, backend, show)
}

/// [`resume`] for any architecture.
///
/// # Errors
/// As [`fit`].
pub fn resume_as<A: Architecture>(
    path: &Path,
    backend: BackendName,
    show: Show,
) -> Result<Trained<A>> {
    resume_run(RunFolder::open_as(path)?, backend, show)
}

/// [`resume_as`] for a run that is already open.
pub(crate) fn resume_run<A: Architecture>(
    run: RunFolder<A>,
    backend: BackendName,
    show: Show,
) -> Result<Trained<A>> {
    let start = Start::Again(Box::new(run));
    run_on(backend, Fit { start, show })?
}

/// The start of a training.
enum Start<'a, A: Architecture> {
    New {
        settings: &'a Settings<A>,
        corpus: Option<Box<Corpus>>,
        path: &'a Path,
        backend: BackendName,
    },
    Again(Box<RunFolder<A>>),
}

struct Fit<'a, A: Architecture> {
    start: Start<'a, A>,
    show: Show,
}

impl<A: Architecture> Job for Fit<'_, A> {
    type Output = Result<Trained<A>>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Trained<A>> {
        let mut dashboard = Dashboard::new(self.show);
        let mut report = |event: &Event<'_>| dashboard.show(event);
        let stop = stop_on_interrupt();
        // A flag left from an earlier run of this process does not apply to this one.
        stop.store(false, Ordering::Relaxed);
        let (run, data) = match self.start {
            Start::Again(run) => (*run, None),
            Start::New {
                settings,
                corpus,
                path,
                backend,
            } => {
                let name = backend.as_str();
                let (run, data) = begin::<A, B::InnerBackend>(
                    settings,
                    corpus.map(|corpus| *corpus),
                    path,
                    name,
                    device,
                    stop,
                    &mut report,
                )?;
                (run, Some(data))
            }
        };
        match train_on::<A, B>(&run, data, device, stop, &mut report)? {
            Outcome::Ended(result) => Ok(Trained {
                run,
                result: *result,
            }),
            Outcome::Interrupted => Err(Error::Interrupted {
                again: match catalogue().iter().any(|card| card.name == run.info().model) {
                    true => format!("sori train --resume {}", run.path().display()),
                    // The command knows only the zoo.
                    false => format!("resume_as, for the run {}", run.path().display()),
                },
            }),
        }
    }
}
