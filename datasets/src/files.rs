//! The names in a folder, and files that can be read to an end.

use std::fs::{File, Metadata};
use std::path::Path;

use crate::spelling::composed;
use crate::{Error, Result};

/// Names of what lies in a folder, sorted, without hidden ones; a name that is not Unicode is an
/// error, because ids, labels and manifests are text.
pub(crate) fn entries(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let list =
        std::fs::read_dir(folder).map_err(|error| Error::io("read the folder", folder, error))?;
    for entry in list {
        let entry = entry.map_err(|error| Error::io("read the folder", folder, error))?;
        match entry.file_name().into_string() {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => names.push(name),
            Err(name) => {
                return Err(Error::Layout {
                    path: folder.join(name),
                    reason: "its name is not Unicode; rename it".into(),
                });
            }
        }
    }
    // By what is printed, then by what is on the disk.
    names.sort_unstable();
    names.sort_by(|a, b| composed(a).cmp(&composed(b)));
    Ok(names)
}

/// Whether this is a regular file, or a link to one that is gone.
pub(crate) fn is_file_or_lost(path: &Path) -> bool {
    path.metadata().map_or(true, |metadata| metadata.is_file())
}

/// Opens a regular file. Whoever opens a named pipe waits until somebody writes into it, so what a
/// path is is looked at first.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |error| Error::io("read", path, error);
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile {
            path: path.to_owned(),
            kind: kind(&metadata),
        });
    }
    Ok((File::open(path).map_err(failed)?, metadata.len()))
}

/// Reads a regular file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let (mut file, bytes) = open(path)?;
    let mut contents = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    std::io::Read::read_to_end(&mut file, &mut contents)
        .map_err(|error| Error::io("read", path, error))?;
    Ok(contents)
}

/// Reads a regular file of text in UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|_| Error::Layout {
        path: path.to_owned(),
        reason: "it is not text in UTF-8".into(),
    })
}

/// What is there instead of a regular file.
fn kind(metadata: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    match metadata.is_dir() {
        true => "a folder",
        false => "something else",
    }
}
