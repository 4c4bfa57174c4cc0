//! Trains runs in processes of their own, several at once, because a process has a single random state.

use std::collections::VecDeque;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::options::Common;
use crate::file::{is_temporary, remove_temporary, write_atomically};
use crate::run::claim::is_locked;
use crate::run::folder::has_begun;
use crate::train::stop_on_interrupt;
use crate::{BackendName, Error, Result, RunFolder};

/// The time from one look at a process to the next.
const LOOK: Duration = Duration::from_millis(20);
/// The time that a process has for its last checkpoint.
const GRACE: Duration = Duration::from_secs(10);

/// A run to train.
pub(super) struct Trial {
    /// What it is called.
    pub(super) name: String,
    /// The file of its settings.
    pub(super) settings: PathBuf,
    pub(super) seed: u64,
    /// Its run folder; one that holds a run goes on where it is.
    pub(super) folder: PathBuf,
}

/// Runs at a time, and the threads of each.
#[derive(Clone, Copy)]
pub(super) struct Share {
    pub(super) at_once: usize,
    threads: usize,
}

impl Share {
    /// The share of `count` runs in this machine's cores, or in the threads that are asked for; `jobs` at
    /// a time if it is given.
    pub(super) fn of(common: &Common, jobs: Option<u16>, count: usize) -> Self {
        let cores = match common.threads {
            Some(threads) => usize::from(threads),
            None => available_parallelism().map_or(1, usize::from),
        };
        let at_once = jobs.map_or(cores, usize::from).min(count).max(1);
        Self {
            at_once,
            threads: (cores / at_once).max(1),
        }
    }
}

/// Writes the plan of trials into the file `name` of the folder `out`, or checks that the folder holds the
/// same one. Messages call it `what`, such as a comparison.
///
/// # Errors
/// When the folder holds another plan or something else, or cannot be read or written.
pub(super) fn begin<P: Serialize + DeserializeOwned + PartialEq>(
    plan: &P,
    out: &Path,
    name: &str,
    what: &str,
) -> Result<()> {
    let path = out.join(name);
    if path.is_file() {
        let text = std::fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
        if serde_json::from_str::<P>(&text).ok().as_ref() != Some(plan) {
            return Err(Error::Input(format!(
                "{} holds another {what} (its {name} says which); name another --out, or give the command \
                 that began it",
                out.display()
            )));
        }
        return Ok(());
    }
    std::fs::create_dir_all(out).map_err(Error::io("cannot create", out))?;
    let entries = std::fs::read_dir(out).map_err(Error::io("cannot read", out))?;
    // A process that was killed while it wrote its plan leaves a temporary file.
    let mut names = entries.flatten().map(|entry| entry.file_name());
    if names.any(|name| !is_temporary(&name.to_string_lossy())) {
        return Err(Error::Input(format!(
            "{} holds something else; a {what} needs a folder of its own",
            out.display()
        )));
    }
    let text = serde_json::to_string_pretty(plan)
        .map_err(|e| Error::Input(format!("the {what} cannot be written as JSON: {e}")))?;
    write_atomically(&path, text.as_bytes())?;
    remove_temporary(out);
    Ok(())
}

/// Trains what is missing of these runs of `model`. Returns for each the reason if it failed.
///
/// # Errors
/// When it is interrupted, or a line cannot be printed.
pub(super) fn train_all(
    common: &Common,
    model: &str,
    trials: &[Trial],
    share: Share,
) -> Result<Vec<Option<String>>> {
    let stop = stop_on_interrupt();
    let backend = common.backend_for(None);
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..trials.len()).collect());
    let done = Mutex::new((0, vec![None; trials.len()]));
    let work = || -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let next = queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(index) = next else {
                return Ok(());
            };
            let trial = &trials[index];
            let failure = match train(trial, model, share.threads, backend, stop) {
                Ok(failure) => failure,
                Err(error) => Some(error.to_string()),
            };
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.0 += 1;
            let told = match &failure {
                None => String::new(),
                Some(reason) => format!(": {reason}"),
            };
            let (count, total) = (done.0, trials.len());
            common.tell(&format!("{count}/{total}  {}{told}", trial.name))?;
            done.1[index] = failure;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..share.at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Interrupted {
            again: "the same command".to_string(),
        });
    }
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner).1)
}

/// Trains one run to its end. Returns the reason if it failed.
fn train(
    trial: &Trial,
    model: &str,
    threads: usize,
    backend: BackendName,
    stop: &AtomicBool,
) -> Result<Option<String>> {
    let path = &trial.folder;
    // A run of a comparison that was killed stops by itself, after its step and a checkpoint.
    while is_locked(path) && !stop.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
    }
    let begun = has_begun(path);
    if begun && RunFolder::open(path)?.result()?.is_some() {
        return Ok(None);
    }
    let sori = std::env::current_exe().map_err(Error::io("cannot find", "sori".as_ref()))?;
    let mut command = Command::new(&sori);
    command.args(["train", "--quiet", "--threads", &threads.to_string()]);
    // If this process is killed, the run's standard input ends, and it stops with a checkpoint.
    command.arg("--stop-with-stdin");
    command.args(["--backend", backend.as_str()]);
    if begun {
        command.arg("--resume").arg(path);
    } else {
        command.arg(model).arg("--config").arg(&trial.settings);
        command.args(["--seed", &trial.seed.to_string()]);
        command.arg("--out").arg(path);
    }
    let mut said = tempfile::tempfile().map_err(Error::io("cannot make", "a log".as_ref()))?;
    let log = said
        .try_clone()
        .map_err(Error::io("cannot open", "a log".as_ref()))?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(Error::io("cannot start", &sori))?;
    let status = wait(&mut child, stop).map_err(Error::io("cannot wait for", &sori))?;
    let mut text = Vec::new();
    // Without its output the run's failure has no reason, but stays one.
    let _ = said.rewind().and_then(|()| said.read_to_end(&mut text));
    if status.success() || stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&text);
    let reason = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("error: "));
    let panic = || text.lines().find(|line| line.contains("panicked"));
    Ok(Some(reason.or_else(panic).map_or_else(
        || format!("its process ended by {status}"),
        str::to_string,
    )))
}

/// Waits for a run to end. When this process is told to stop, so is the run, which writes a checkpoint. If
/// that takes too long, it is killed, which is safe at any moment.
fn wait(child: &mut Child, stop: &AtomicBool) -> std::io::Result<ExitStatus> {
    let mut stopped = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) {
            drop(child.stdin.take());
            if stopped.get_or_insert_with(Instant::now).elapsed() > GRACE {
                child.kill()?;
            }
        }
        thread::sleep(LOOK);
    }
}
