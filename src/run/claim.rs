//! A folder claimed for a new run, and the lock against a second process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::file::remove_temporary;
use crate::{Error, Result};

/// The lock file in a run folder.
const LOCK: &str = "lock";
/// The folder of the checkpoints.
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// The file whose existence marks a run as begun.
pub(crate) const INFO: &str = "run.json";

/// A folder claimed for a new run that has not begun yet.
pub(crate) struct Claim {
    pub(crate) path: PathBuf,
    pub(crate) lock: File,
}

impl Claim {
    /// Claims the folder `path` for a new run. It must not exist, be empty, or be left over from a run
    /// that was killed before it had begun.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        if path.join(INFO).exists() {
            return Err(Error::run(
                path,
                "there is a run already; continue it with `sori train --resume`, or choose another \
                 folder",
            ));
        }
        fs::create_dir_all(path).map_err(Error::io("cannot create", path))?;
        let mut entries = fs::read_dir(path).map_err(Error::io("cannot read", path))?;
        if entries.next().is_some() && !was_claimed(path) {
            return Err(Error::run(
                path,
                "this folder holds something else; a new run needs a folder of its own",
            ));
        }
        Ok(Self {
            path: path.to_path_buf(),
            lock: lock(path)?,
        })
    }

    /// Removes the folder if nothing was written to it. Otherwise the lock stays, so that
    /// [`new`](Self::new) recognises the rest of a run that had not begun.
    pub(crate) fn give_up(&self) {
        let only_lock = fs::read_dir(&self.path).is_ok_and(|entries| entries.count() == 1);
        if only_lock {
            // A leftover file is harmless.
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Whether the folder `path` was claimed for a run.
pub(crate) fn was_claimed(path: &Path) -> bool {
    path.join(LOCK).is_file()
}

/// Locks the run folder `path` for this process until the file is dropped, and removes temporary
/// files of a killed process.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = path.join(LOCK);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file)
        .map_err(Error::io("cannot create", &file))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::run(path, "another process is training it right now"));
        }
        Err(TryLockError::Error(e)) => return Err(Error::io("cannot lock", &file)(e)),
    }
    remove_temporary(path);
    remove_temporary(&path.join(CHECKPOINTS));
    Ok(lock)
}
