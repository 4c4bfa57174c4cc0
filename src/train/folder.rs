//! Folders for new runs.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Makes a folder below `parent` for a new run: `name-1`, or the next free number. Safe against
/// other processes doing the same.
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
