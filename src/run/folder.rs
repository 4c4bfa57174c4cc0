//! An opened run folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use sori_datasets::Alphabet;
use sori_models::{Architecture, ModelConfig};

use super::claim::{CHECKPOINTS, Claim, INFO, lock, was_claimed};
use super::info::RunInfo;
use super::zoo::{located, name_of};
use crate::file::read_json;
use crate::settings::schema::Settings;
use crate::task::any::AnyTask;
use crate::task::name::TaskName;
use crate::{Error, Result};

/// A run folder. `run.json`, `config.toml` and `alphabet.json` are read once, when it is opened.
#[derive(Debug)]
pub struct RunFolder<A: Architecture = ModelConfig> {
    path: PathBuf,
    info: RunInfo,
    settings: Settings<A>,
    task: AnyTask,
    /// The name of a network that Sori has trained. It is not trained further in its place.
    zoo: Option<String>,
    /// Keeps a second process from training into the same folder.
    lock: Mutex<Option<File>>,
    /// Held while a session trains it.
    session: Mutex<()>,
}

impl RunFolder {
    /// Opens the run of a model of the zoo in `path`, or the network `zoo:NAME` of those that Sori has trained.
    ///
    /// # Errors
    /// When there is no run (the error names what is there instead), or its files are inconsistent.
    ///
    /// ```no_run
    /// let run = sori::RunFolder::open("runs/mine".as_ref())?;
    /// println!("{} on {}", run.info().model, run.settings().data.train);
    /// # Ok::<(), sori::Error>(())
    /// ```
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_as(path)
    }
}

impl<A: Architecture> RunFolder<A> {
    /// Opens the run of a network of architecture `A` in `path`, or the network `zoo:NAME` of those that Sori has
    /// trained.
    ///
    /// # Errors
    /// When there is no run (the error names what is there instead), or its files are inconsistent.
    pub fn open_as(path: &Path) -> Result<Self> {
        let place = located(path)?;
        if has_begun(&place) {
            let mut run = Self::read(&place, None)?;
            run.zoo = name_of(path).map(str::to_string);
            return Ok(run);
        }
        Err(no_run(&place))
    }

    /// Opens the run that has just begun in a claimed folder.
    pub(crate) fn begun(claim: Claim) -> Result<Self> {
        Self::read(&claim.path, Some(claim.lock))
    }

    fn read(path: &Path, lock: Option<File>) -> Result<Self> {
        let info: RunInfo = read_json(&path.join(INFO))?;
        let config = path.join("config.toml");
        let text = fs::read_to_string(&config).map_err(Error::io("cannot read", &config))?;
        let settings = Settings::<A>::from_toml(&text, &config.display().to_string())?;
        settings.check()?;
        let mut seen = HashSet::new();
        if let Some(label) = info.labels.iter().find(|label| !seen.insert(*label)) {
            return Err(Error::run(
                path,
                format!(
                    "its run.json has the label {label} twice; put it back as `sori train` wrote it"
                ),
            ));
        }
        let task = task(path, &info, &settings)?;
        let belongs = task.num_outputs() == settings.model.num_outputs()
            && info.scale.is_some() == (info.task == TaskName::Regress)
            && (info.imported.is_some() || info.splits.train > 0 && info.splits.valid > 0)
            && info.window_s > 0.0;
        if !belongs {
            return Err(mismatch(path));
        }
        Ok(Self {
            path: path.to_path_buf(),
            info,
            settings,
            task,
            zoo: None,
            lock: Mutex::new(lock),
            session: Mutex::new(()),
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The contents of `run.json`.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// The contents of `config.toml`.
    pub fn settings(&self) -> &Settings<A> {
        &self.settings
    }

    /// The task, with its labels, alphabet or scale. Thresholds of tags are in the checkpoint.
    pub fn task(&self) -> &AnyTask {
        &self.task
    }

    /// Locks the folder for this process until the run is dropped, and the run for one session until the
    /// guard is dropped.
    ///
    /// # Errors
    /// When another process holds the lock, another session of this one trains the run, or it is a network of the
    /// zoo.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, ()>> {
        if let Some(name) = &self.zoo {
            return Err(Error::Input(format!(
                "zoo:{name} stays as it is; a run of your own starts from it by `sori train {} --from zoo:{name}`",
                self.info.model
            )));
        }
        let session = match self.session.try_lock() {
            Ok(session) => session,
            // A session that panicked left its last checkpoint whole.
            Err(TryLockError::Poisoned(session)) => session.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::run(
                    &self.path,
                    "this process is training it already",
                ));
            }
        };
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(lock(&self.path)?);
        }
        Ok(session)
    }

    /// The best checkpoint's file.
    ///
    /// # Errors
    /// When no epoch has ended yet.
    pub fn best_checkpoint(&self) -> Result<PathBuf> {
        best_checkpoint_in(&self.path)
    }

    pub(crate) fn last_path(&self) -> PathBuf {
        last_path(&self.path)
    }

    pub(crate) fn best_path(&self) -> PathBuf {
        best_path(&self.path)
    }
}

/// The best checkpoint of the run in the folder `path`, whatever its architecture.
///
/// # Errors
/// When there is no run, or no epoch of it has ended yet.
pub(crate) fn best_checkpoint_in(path: &Path) -> Result<PathBuf> {
    let path = &located(path)?;
    if !has_begun(path) {
        return Err(no_run(path));
    }
    let best = best_path(path);
    if best.is_file() {
        return Ok(best);
    }
    Err(Error::run(
        path,
        "it has no checkpoints/best.safetensors, which the first epoch writes at its end; go on \
         with `sori train --resume`",
    ))
}

/// Whether a run has begun in the folder `path`.
pub(crate) fn has_begun(path: &Path) -> bool {
    path.join(INFO).is_file()
}

/// The last checkpoint of the run folder `run`.
pub(crate) fn last_path(run: &Path) -> PathBuf {
    run.join(CHECKPOINTS).join("last.safetensors")
}

/// The best checkpoint of the run folder `run`.
pub(crate) fn best_path(run: &Path) -> PathBuf {
    run.join(CHECKPOINTS).join("best.safetensors")
}

/// The alphabet of the run folder `run`.
pub(crate) fn alphabet_path(run: &Path) -> PathBuf {
    run.join("alphabet.json")
}

/// The task of a run with its data.
fn task<A: Architecture>(path: &Path, info: &RunInfo, settings: &Settings<A>) -> Result<AnyTask> {
    let alphabet: Option<Alphabet> = match info.task {
        TaskName::Transcribe => Some(read_json(&alphabet_path(path))?),
        _ => None,
    };
    if let Some(alphabet) = &alphabet
        && alphabet.num_symbols() != info.labels.len()
    {
        return Err(Error::run(
            path,
            "its alphabet.json does not belong to its run.json; put them back as `sori train` wrote them",
        ));
    }
    let (labels, loss) = (info.labels.clone(), settings.train.regression_loss);
    let task = AnyTask::new(info.task, labels, alphabet, info.scale, loss);
    let task = task.ok_or_else(|| mismatch(path))?;
    Ok(task.with_mean_over_windows(info.mean_over_windows))
}

fn mismatch(path: &Path) -> Error {
    Error::run(
        path,
        "its run.json does not belong to its config.toml; put them back as `sori train` wrote them",
    )
}

/// The error of a folder without a run.
fn no_run(path: &Path) -> Error {
    Error::run(
        path,
        if !path.exists() {
            "there is no such folder"
        } else if !path.is_dir() {
            "this is a file; a run is a folder that `sori train` made"
        } else if was_claimed(path) {
            "this run was stopped while it read its recordings, before it had begun; begin it \
             again with `sori train MODEL --out` and this folder"
        } else {
            "this folder is not a run that `sori train` began (it has no run.json)"
        },
    )
}
