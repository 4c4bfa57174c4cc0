use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use burn::tensor::backend::AutodiffBackend;

use super::dashboard::{Dashboard, Show};
use super::interrupt::stop_on_interrupt;
use super::run::{RunFolder, RunResult};
use super::settings::Settings;
use super::trainer::{Event, Outcome, begin, train};
use crate::backend::{BackendName, Job, run_on};
use crate::{Error, Result};

/// A run that has ended.
#[derive(Debug)]
pub struct Trained {
    /// Its folder.
    pub run: RunFolder,
    /// Its metrics.
    pub result: RunResult,
}

/// Begins a run in the folder `path` and trains it to its end, as `sori train` does.
///
/// # Errors
/// When the settings, the data, the folder or the backend cannot be used, training diverges, or
/// Ctrl-C interrupts it; a run that has begun can be resumed with [`resume`].
pub fn fit(settings: &Settings, path: &Path, backend: BackendName, show: Show) -> Result<Trained> {
    run_on(
        backend,
        Fit {
            settings: Some(settings),
            path,
            backend,
            show,
        },
    )?
}

/// Trains the run in the folder `path` from its last checkpoint to its end.
///
/// # Errors
/// As [`fit`].
pub fn resume(path: &Path, backend: BackendName, show: Show) -> Result<Trained> {
    run_on(
        backend,
        Fit {
            settings: None,
            path,
            backend,
            show,
        },
    )?
}

struct Fit<'a> {
    settings: Option<&'a Settings>,
    path: &'a Path,
    backend: BackendName,
    show: Show,
}

impl Job for Fit<'_> {
    type Output = Result<Trained>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Trained> {
        let mut dashboard = Dashboard::new(self.show);
        let mut report = |event: &Event<'_>| dashboard.show(event);
        let stop = stop_on_interrupt();
        // A flag left from an earlier run of this process is not meant for this one.
        stop.store(false, Ordering::Relaxed);
        let run = match self.settings {
            Some(settings) => begin::<B::InnerBackend>(
                settings,
                self.path,
                self.backend.as_str(),
                device,
                stop,
                &mut report,
            )?,
            None => RunFolder::open(self.path)?,
        };
        match train::<B>(&run, device, stop, &mut report)? {
            Outcome::Ended(result) => Ok(Trained {
                run,
                result: *result,
            }),
            Outcome::Interrupted => Err(Error::Interrupted {
                again: format!("sori train --resume {}", self.path.display()),
            }),
        }
    }
}

/// Makes a folder below `parent` for a new run: `name-1`, or the next number that is free, also
/// while other processes do the same.
///
/// # Errors
/// When it cannot be made.
pub fn fresh_folder(parent: &Path, name: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(parent).map_err(Error::io("cannot create", parent))?;
    let mut number = 1;
    loop {
        let path = parent.join(format!("{name}-{number}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(e) => return Err(Error::io("cannot create", &path)(e)),
        }
    }
}
