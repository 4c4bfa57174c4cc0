//! Archives beside the corpus: which of them were downloaded here, and what becomes of those that
//! cannot be unpacked.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::catalogue::PublicArchive;
use crate::error::{FetchError, Result};
use crate::files::{create_anew, read_note, remove};
use crate::verify::Digests;

/// Most archives of one name that are set aside.
const ASIDE: u32 = 100;

/// An archive that is whole.
pub(crate) struct Obtained {
    pub(crate) path: PathBuf,
    pub(crate) url: String,
    pub(crate) digests: Digests,
    /// Whether a download put it there, rather than someone by hand.
    pub(crate) downloaded: bool,
}

/// What the note beside an archive says that was downloaded.
#[derive(serde::Serialize, serde::Deserialize)]
struct Origin {
    url: String,
    sha256: String,
}

impl Obtained {
    /// Removes it, if a download put it there.
    pub(crate) fn discard(&self) -> Result<()> {
        if self.downloaded {
            discard(&self.path)?;
        }
        Ok(())
    }
}

/// Writes beside an archive that it was downloaded.
pub(crate) fn note_download(path: &Path, url: &str, digests: &Digests) -> Result<()> {
    let note = beside(path, ".json");
    let failed = |error| FetchError::io("write", &note, error);
    let origin = Origin {
        url: url.to_owned(),
        sha256: digests.sha256.clone(),
    };
    let text = serde_json::to_vec(&origin).map_err(|error| failed(error.into()))?;
    create_anew(&note)?.write_all(&text).map_err(failed)
}

/// The SHA-256 of the archive that was once downloaded to `path`, if one was.
pub(crate) fn downloaded_sha256(path: &Path) -> Result<Option<String>> {
    let text = read_note(&beside(path, ".json"))?;
    let origin = text.and_then(|text| serde_json::from_str::<Origin>(&text).ok());
    Ok(origin.map(|origin| origin.sha256))
}

/// Removes an archive that was downloaded, and the note on it.
pub(crate) fn discard(path: &Path) -> Result<()> {
    remove(path)?;
    remove(&beside(path, ".json"))
}

/// Moves an archive out of the way, over nothing that is there, and returns its new name.
pub(crate) fn move_aside(path: &Path) -> Result<PathBuf> {
    let mut aside = beside(path, ".damaged");
    for number in 2..ASIDE {
        if fs::symlink_metadata(&aside).is_err() {
            break;
        }
        aside = beside(path, &format!(".damaged-{number}"));
    }
    if fs::symlink_metadata(&aside).is_ok() {
        return Err(FetchError::InTheWay {
            path: aside,
            reason: "it is the last of a hundred archives that were set aside".into(),
        });
    }
    fs::rename(path, &aside).map_err(|error| FetchError::io("move away", path, error))?;
    remove(&beside(path, ".json"))?;
    Ok(aside)
}

/// An archive that did not unpack is not taken for a good one again, unless its published checksum
/// says that it is one.
pub(crate) fn set_aside(
    archive: &PublicArchive,
    obtained: &Obtained,
    error: FetchError,
) -> FetchError {
    let more = |reason: String| format!("{reason}; {}", fate(archive, obtained));
    match error {
        FetchError::Damaged { archive, reason } => FetchError::Damaged {
            archive,
            reason: more(reason),
        },
        FetchError::Unsafe {
            archive,
            entry,
            reason,
        } => FetchError::Unsafe {
            archive,
            entry,
            reason: more(reason),
        },
        FetchError::TooLarge { from, reason } => FetchError::TooLarge {
            from,
            reason: more(reason),
        },
        other => other,
    }
}

/// Sees to it that the next attempt does not meet this archive again, and says how.
fn fate(archive: &PublicArchive, obtained: &Obtained) -> String {
    let path = &obtained.path;
    if let Some(checksum) = archive.checksum {
        return format!(
            "it has the published {} and is kept, for another download would bring the same; the \
             fault is that of the published archive or of this program",
            checksum.algorithm()
        );
    }
    // One of them is enough to look at, and what was put there by hand is never deleted.
    let is_first = fs::symlink_metadata(beside(path, ".damaged")).is_err();
    if obtained.downloaded && !is_first {
        return match discard(path) {
            Ok(()) => "it was deleted, and the next attempt downloads it anew".into(),
            Err(error) => format!("delete it before the next attempt ({error})"),
        };
    }
    match move_aside(path) {
        Ok(aside) => format!(
            "it was renamed to {}, and the next attempt downloads it anew",
            aside.display()
        ),
        Err(error) => format!("move it away before the next attempt ({error})"),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
