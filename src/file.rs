//! Atomic writes of files, and JSON files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// The prefix of the temporary files of [`write_atomically`].
const TEMPORARY: &str = ".sori-";

/// Writes `bytes` to `path` atomically: after a crash at any moment the file is either the old one or
/// the new one. A temporary file in the same folder is written, flushed to the disk and renamed.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || -> io::Result<()> {
        // If it is dropped before the rename, for instance because the disk is full, it is removed.
        let mut temporary = temporary_in(folder)?;
        temporary.as_file_mut().write_all(bytes)?;
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|e| e.error)?;
        // The rename reaches the disk with the folder.
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(Error::io("cannot write", path))
}

/// Creates a temporary file with default permissions. Those of `tempfile` are for the owner
/// alone.
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut refused = None;
    let create = |path: &Path| File::create_new(path).inspect_err(|e| refused = e.raw_os_error());
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .make_in(folder, create);
    // `tempfile` adds the temporary path to the message, which helps nobody.
    temporary.map_err(|e| refused.map_or(e, io::Error::from_raw_os_error))
}

/// Removes the temporary files that an interrupted [`write_atomically`] left in `folder`.
pub(crate) fn remove_temporary(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if is_temporary(&entry.file_name().to_string_lossy()) {
            // A file that cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a temporary file of [`write_atomically`] has this name.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY)
}

/// Reads the JSON file `path`.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
    serde_json::from_str(&text).map_err(|e| Error::Config {
        origin: path.display().to_string(),
        reason: e.to_string(),
    })
}

/// Writes `value` to the JSON file `path`, [atomically](write_atomically).
pub(crate) fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| Error::Config {
        origin: path.display().to_string(),
        reason: e.to_string(),
    })?;
    text.push('\n');
    write_atomically(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        fs::write(folder.path().join(".sori-left"), b"half").unwrap();
        remove_temporary(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_and_the_temporary_file_is_not() {
        let error = write_atomically(Path::new("no/such/file"), b"").unwrap_err();
        assert!(error.to_string().contains("no/such/file"), "{error}");
        assert!(!error.to_string().contains(TEMPORARY), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_has_the_permissions_of_a_plainly_created_one() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let [plain, whole] = ["plain", "whole"].map(|name| folder.path().join(name));
        File::create(&plain).unwrap();
        write_atomically(&whole, b"").unwrap();
        let [plain, whole] =
            [plain, whole].map(|path| fs::metadata(path).unwrap().permissions().mode());
        assert_eq!(whole, plain);
    }
}
