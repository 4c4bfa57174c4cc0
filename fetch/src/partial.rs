//! A partial file, with a note on its version.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ureq::http::header::{ETAG, HeaderName, LAST_MODIFIED};
use ureq::http::{HeaderMap, HeaderValue};

use crate::error::{FetchError, Result};
use crate::files::{create_anew, open_to_extend, plain, read_note, remove};

/// What has arrived of a file, and beside it a note on which version of the file it is of.
pub(crate) struct PartialFile {
    path: PathBuf,
    note: PathBuf,
}

/// The version of a file, as the server names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Version {
    pub(crate) url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    pub(crate) total: Option<u64>,
}

impl Version {
    pub(crate) fn new(url: &str, headers: &HeaderMap, total: Option<u64>) -> Self {
        let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        Self {
            url: url.to_owned(),
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
            total,
        }
    }

    /// Whether the two are said to be of different content.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        fn told_apart<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            one.is_some() && other.is_some() && one != other
        }
        told_apart(&self.etag, &other.etag) || told_apart(&self.total, &other.total)
    }

    /// What `If-Range` may name (RFC 9110, section 13.1.5): a strong entity tag, else a date.
    pub(crate) fn validator(&self) -> Option<&str> {
        self.etag
            .as_deref()
            .filter(|etag| !etag.starts_with("W/"))
            .or(self.last_modified.as_deref())
    }

    /// Whether the validator can stand in a request. A server cannot have sent one that cannot.
    fn can_be_asked_for(&self) -> bool {
        self.validator()
            .is_none_or(|text| HeaderValue::from_str(text).is_ok())
    }
}

impl PartialFile {
    pub(crate) fn of(path: &Path) -> Self {
        let beside = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self {
            path: beside(".part"),
            note: beside(".part.json"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes it.
    pub(crate) fn discard(&self) -> Result<()> {
        remove(&self.path)?;
        remove(&self.note)
    }

    /// Makes it the file it is a part of, now that it is the whole.
    pub(crate) fn rename_to(&self, path: &Path) -> Result<()> {
        if plain(path)?.is_some() {
            return Err(FetchError::InTheWay {
                path: path.to_owned(),
                reason: "it was put there while the same file was downloaded".into(),
            });
        }
        fs::rename(&self.path, path)
            .map_err(|error| FetchError::io("move the download to", path, error))?;
        remove(&self.note)
    }

    /// How many bytes are here, and of which version. A note that cannot be read is none.
    pub(crate) fn state(&self) -> Result<(u64, Option<Version>)> {
        let have = plain(&self.path)?.map_or(0, |found| found.len());
        let version = read_note(&self.note)?
            .and_then(|text| serde_json::from_str(&text).ok())
            .filter(Version::can_be_asked_for);
        Ok((have, version))
    }

    /// Opens it to be written from `start` on.
    pub(crate) fn open(&self, start: u64, version: &Version) -> Result<File> {
        let mut file = if start == 0 {
            // Before the note says that it is of another version.
            create_anew(&self.path)?
        } else {
            open_to_extend(&self.path)?
        };
        let failed = |error| FetchError::io("write", &self.path, error);
        file.set_len(start).map_err(failed)?;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let failed = |error| FetchError::io("write", &self.note, error);
        let note = serde_json::to_vec(version).map_err(|error| failed(error.into()))?;
        create_anew(&self.note)?.write_all(&note).map_err(failed)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_entity_tag_is_no_validator() {
        let mut version = Version {
            etag: Some("\"a\"".into()),
            last_modified: Some("Tue, 15 Nov 1994 12:45:26 GMT".into()),
            ..Version::default()
        };
        assert_eq!(version.validator(), Some("\"a\""));
        version.etag = Some("W/\"a\"".into());
        assert_eq!(version.validator(), version.last_modified.as_deref());
        version.last_modified = None;
        assert_eq!(version.validator(), None);
    }
}
