//! Errors between a corpus's name and its folder, in full sentences.

use std::path::{Path, PathBuf};

use crate::shown::shown;

/// Result of this crate's fallible functions.
pub type Result<T> = std::result::Result<T, FetchError>;

/// An error: what went wrong, with which file, and what would help.
///
/// `Display` writes control characters and marks of direction, which a server or an archive may have
/// put into a text, as `\u{..}`. The fields hold them as they came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No corpus of this name can be downloaded.
    #[error(
        "there is no corpus '{}' to download: {reason}; there are {known}",
        shown(name)
    )]
    UnknownCorpus {
        /// The name.
        name: String,
        /// Why not, where that is known.
        reason: String,
        /// The names there are.
        known: String,
    },
    /// An address that nothing can be downloaded from.
    #[error(
        "cannot download from '{}': {}; an address such as https://host/path is needed",
        shown(url),
        shown(reason)
    )]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server answered, and not with the file.
    #[error(
        "{} answered {}: the file has moved or may not be had; {homepage} says where it is now, \
         and another source can be given",
        shown(url),
        shown(status)
    )]
    Status {
        /// What was asked for.
        url: String,
        /// The status and its name, such as `404 Not Found`.
        status: String,
        /// The page of the corpus.
        homepage: String,
    },
    /// No server was reached.
    #[error("cannot reach {}: {}", shown(url), shown(reason))]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why it was not reached.
        reason: String,
    },
    /// The connection was lost more often than it is taken up again.
    #[error(
        "the download of {} was cut off after {have} {}: {}, at the last of {attempts} attempts; {}",
        shown(url), out_of(*total), shown(reason), kept(*have, part)
    )]
    CutOff {
        /// What was asked for.
        url: String,
        /// Bytes that arrived.
        have: u64,
        /// Bytes there are, if the server said.
        total: Option<u64>,
        /// How often it was tried without getting anywhere.
        attempts: u32,
        /// What happened last.
        reason: String,
        /// Where the bytes are.
        part: PathBuf,
    },
    /// The file that arrived is not the published one.
    #[error(
        "{} is not the published file: its {algorithm} is {found}, not {expected}; what arrived \
         was deleted, so that the next attempt starts anew",
        shown(url)
    )]
    Checksum {
        /// What was asked for.
        url: String,
        /// `SHA-256` or `MD5`.
        algorithm: &'static str,
        /// The published one.
        expected: String,
        /// That of what arrived.
        found: String,
    },
    /// There is no room for the rest.
    #[error(
        "the disk is full: {} needs {}, {} there; make room and give the same command again, what \
         is here already is kept",
        shown(path.display()), more(*needed), free(*available)
    )]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// Bytes that are missing, if that is known.
        needed: Option<u64>,
        /// Bytes that are free, if that is known.
        available: Option<u64>,
    },
    /// An archive that cannot be unpacked.
    #[error("cannot unpack {}: {}", shown(archive.display()), shown(reason))]
    Damaged {
        /// The archive.
        archive: PathBuf,
        /// What is wrong with it and what became of it.
        reason: String,
    },
    /// An archive with an entry that would do more than put a file into the corpus's folder.
    #[error(
        "{} was not unpacked: its entry '{}' {}",
        shown(archive.display()), shown(entry), shown(reason)
    )]
    Unsafe {
        /// The archive.
        archive: PathBuf,
        /// The entry's name.
        entry: String,
        /// What it would do.
        reason: String,
    },
    /// A download or an archive is larger than a corpus of this size can be.
    #[error("{} is refused: {}", shown(from), shown(reason))]
    TooLarge {
        /// The address or the archive.
        from: String,
        /// What is too large, and how large it may be.
        reason: String,
    },
    /// Something is already where the corpus is to be, and was not put there by a download.
    #[error(
        "{} is in the way: {}; move it away or choose another folder",
        shown(path.display()), shown(reason)
    )]
    InTheWay {
        /// What is there.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// Another download of the same corpus to the same folder is under way.
    #[error(
        "{} is locked: this corpus is being fetched to this folder already",
        shown(lock.display())
    )]
    Busy {
        /// The file by which they know of each other.
        lock: PathBuf,
    },
    /// The caller asked to stop.
    #[error("stopped; what is here already is kept, and the same command takes it up again")]
    Stopped,
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {}", shown(path.display()), shown(source))]
    Io {
        /// What was being done, such as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

impl FetchError {
    /// A failed attempt to read or write; a full disk is told apart.
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        if matches!(source.kind(), StorageFull | QuotaExceeded) {
            return Self::DiskFull {
                path: path.to_owned(),
                needed: None,
                available: path.parent().and_then(free_bytes),
            };
        }
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Bytes that may be written to the file system of a folder; none where that cannot be asked.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(folder).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// `1 byte`, `999 bytes`, `4.7 MB`, `30.6 GB`.
pub(crate) fn sized(bytes: u64) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        0..1_000_000 => format!("{bytes} bytes"),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn out_of(total: Option<u64>) -> String {
    match total {
        Some(total) => format!("of {total} bytes"),
        None => "bytes".to_owned(),
    }
}

fn kept(have: u64, part: &Path) -> String {
    match have {
        0 => "nothing of it is kept, and the same command starts anew".to_owned(),
        _ => format!(
            "what arrived is kept in {}, and the same command takes it up again",
            shown(part.display())
        ),
    }
}

fn more(needed: Option<u64>) -> String {
    match needed {
        Some(bytes) => format!("{} more", sized(bytes)),
        None => "more than there is".to_owned(),
    }
}

fn free(available: Option<u64>) -> String {
    match available {
        Some(0) => "none is free".to_owned(),
        Some(bytes) => format!("{} are free", sized(bytes)),
        None => "and not enough is free".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        assert_eq!(sized(0), "0 bytes");
        assert_eq!(sized(1), "1 byte");
        assert_eq!(sized(999_999), "999999 bytes");
        assert_eq!(sized(4_700_000), "4.7 MB");
        assert_eq!(sized(30_593_501_606), "30.6 GB");
    }

    /// `/dev/full` answers every write as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        use std::io::Write;

        let mut full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let source = full.write_all(b"x").unwrap_err();
        let error = FetchError::io("write", Path::new("/dev/full"), source);
        assert!(
            matches!(error, FetchError::DiskFull { needed: None, .. }),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .starts_with("the disk is full: /dev/full needs more"),
            "{error}"
        );

        let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = FetchError::io("write", Path::new("a"), source);
        assert_eq!(error.to_string(), "cannot write a: permission denied");
    }

    #[test]
    fn a_full_disk_says_how_much_is_missing() {
        let error = FetchError::DiskFull {
            path: "data/a.part".into(),
            needed: Some(2_428_923_189),
            available: Some(1_000_000),
        };
        assert_eq!(
            error.to_string(),
            "the disk is full: data/a.part needs 2.4 GB more, 1.0 MB are free there; make room and \
             give the same command again, what is here already is kept"
        );
    }
}
