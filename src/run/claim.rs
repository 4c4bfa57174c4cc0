//! A folder claimed for a new run, and the lock against a second process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::file::remove_temporary;
use crate::{Error, Result};

/// The lock file in a run folder.
const LOCK: &str = "lock";
/// The contents of the lock file, which tell it from another program's.
const MARK: &[u8] = b"a run of sori\n";
/// What a run that has not begun may have left beside its lock.
const UNBEGUN: [&str; 6] = [
    CHECKPOINTS,
    "alphabet.json",
    "config.toml",
    "metrics.jsonl",
    "skipped.jsonl",
    "splits.json",
];
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
        if !is_free(path).map_err(Error::io("cannot read", path))? {
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

/// Whether the folder `path` is empty, or holds nothing but what is left of a run that had not begun.
fn is_free(path: &Path) -> io::Result<bool> {
    let mut others = 0;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name == LOCK {
            continue;
        }
        // Such as .DS_Store, and temporary files of Sori.
        if name.starts_with('.') {
            continue;
        }
        if !UNBEGUN.contains(&name.as_ref()) {
            return Ok(false);
        }
        others += 1;
    }
    // A process that was killed at once leaves an empty lock, alone.
    let lock = path.join(LOCK);
    let empty = fs::metadata(&lock).is_ok_and(|lock| lock.len() == 0);
    Ok(others == 0 && (empty || !lock.exists()) || was_claimed(path))
}

/// Whether the folder `path` was claimed for a run.
pub(crate) fn was_claimed(path: &Path) -> bool {
    let lock = path.join(LOCK);
    let regular = fs::symlink_metadata(&lock).is_ok_and(|lock| lock.is_file());
    regular && starts_with_mark(&lock)
}

fn starts_with_mark(lock: &Path) -> bool {
    let mut found = [0; MARK.len()];
    match File::open(lock).and_then(|mut file| file.read_exact(&mut found)) {
        Ok(()) => found == MARK,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
        // Windows does not let one read a file that another process has locked.
        Err(_) => true,
    }
}

/// Whether another process, or another session of this one, holds the lock of the run folder `path`.
pub(crate) fn is_locked(path: &Path) -> bool {
    let lock = File::open(path.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Locks the run folder `path` for this process until the file is dropped, and removes temporary
/// files of a killed process.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = path.join(LOCK);
    if fs::symlink_metadata(&file).is_ok_and(|found| !found.is_file()) {
        return Err(Error::run(
            &file,
            "this is not a regular file, as the lock of a run is; remove it",
        ));
    }
    let mut lock = OpenOptions::new()
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
    if lock.metadata().is_ok_and(|lock| lock.len() == 0) {
        lock.write_all(MARK)
            .map_err(Error::io("cannot write", &file))?;
    }
    remove_temporary(path);
    remove_temporary(&path.join(CHECKPOINTS));
    Ok(lock)
}
