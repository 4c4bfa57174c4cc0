//! Files of the download folder. Whatever is planted in their place is neither followed, nor
//! emptied, nor waited for.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{FetchError, Result};

/// More than this is no note and no marker.
const NOTE_BYTES: u64 = 1 << 20;

/// The plain file at `path`, if there is one. A link, a folder or a device is an error.
pub(crate) fn plain(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found)),
        Ok(found) => Err(in_the_way(path, found.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FetchError::io("read", path, error)),
    }
}

/// Makes a new file. A plain file of this name goes first; if it has other names, they keep what is
/// in it.
pub(crate) fn create_anew(path: &Path) -> Result<File> {
    if plain(path)?.is_some() {
        remove(path)?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| FetchError::io("make", path, error))
}

/// Opens the file at `path` to lock it. It is made if it is not there, and never written to.
pub(crate) fn open_lock(path: &Path) -> Result<File> {
    plain(path)?;
    open(
        path,
        "make",
        false,
        OpenOptions::new().write(true).create(true),
    )
}

/// Opens a file that was made here, to write more to it.
pub(crate) fn open_to_extend(path: &Path) -> Result<File> {
    plain(path)?;
    let file = open(path, "write", false, OpenOptions::new().write(true))?;
    // Another name of the file is not known here, and may be that of someone else's.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        let found = file
            .metadata()
            .map_err(|error| FetchError::io("read", path, error))?;
        if found.nlink() > 1 {
            return Err(FetchError::InTheWay {
                path: path.to_owned(),
                reason: "it is a hard link to a file with another name too".into(),
            });
        }
    }
    Ok(file)
}

/// Opens a file to read it. It may be a link to a file, for it may have been put there by hand.
pub(crate) fn open_to_read(path: &Path) -> Result<File> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) => {
            // A link that leads nowhere.
            plain(path)?;
            return Err(FetchError::io("read", path, error));
        }
    };
    if !found.is_file() {
        return Err(in_the_way(path, found.file_type()));
    }
    open(path, "read", true, OpenOptions::new().read(true))
}

/// The text of a note, if there is one that can be one.
pub(crate) fn read_note(path: &Path) -> Result<Option<String>> {
    if plain(path)?.is_none() {
        return Ok(None);
    }
    let mut text = String::new();
    let read = open(path, "read", false, OpenOptions::new().read(true))?
        .take(NOTE_BYTES)
        .read_to_string(&mut text);
    match read {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(FetchError::io("read", path, error)),
    }
}

/// Opens a plain file. What has become a link or a pipe since it was looked at is refused, too.
fn open(
    path: &Path,
    action: &'static str,
    follow: bool,
    options: &mut OpenOptions,
) -> Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;

        let mut flags = OFlags::NONBLOCK;
        flags.set(OFlags::NOFOLLOW, !follow);
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) => {
            if !follow {
                plain(path)?;
            }
            return Err(FetchError::io(action, path, error));
        }
    };
    let found = file
        .metadata()
        .map_err(|error| FetchError::io("read", path, error))?;
    if !found.is_file() {
        return Err(in_the_way(path, found.file_type()));
    }
    Ok(file)
}

/// Removes a file, if it is there. Of a link, the link goes.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(FetchError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// Says that something is at `path` that is not what a download puts there.
pub(crate) fn in_the_way(path: &Path, found: FileType) -> FetchError {
    let reason = if found.is_symlink() {
        "it is a symbolic link, which is not followed"
    } else if found.is_dir() {
        "it is a folder"
    } else if found.is_file() {
        "it is a file"
    } else {
        "it is a pipe or a device"
    };
    FetchError::InTheWay {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
