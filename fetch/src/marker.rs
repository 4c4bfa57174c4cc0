//! The marker in a folder that holds a whole corpus.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::catalogue::{Checksum, PublicCorpus};
use crate::error::{FetchError, Result};
use crate::files::{create_anew, read_note};

/// Name of the file that says that a folder holds a whole corpus, and what it was unpacked from.
pub const MARKER: &str = ".sori-fetch.json";

/// What [`MARKER`] holds.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Marker {
    pub(crate) corpus: String,
    pub(crate) archives: Vec<MarkedArchive>,
}

#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct MarkedArchive {
    pub(crate) file: String,
    pub(crate) url: String,
    pub(crate) bytes: u64,
    /// Of the file that was unpacked, whether or not a checksum is published.
    pub(crate) sha256: String,
    /// The published checksum, which was met.
    pub(crate) published: Option<String>,
}

/// Whether `home` holds this corpus.
pub(crate) fn is_whole(corpus: &PublicCorpus, home: &Path) -> Result<bool> {
    if fs::symlink_metadata(home).is_err() {
        return Ok(false);
    }
    let refuse = |reason: &str| FetchError::InTheWay {
        path: home.to_owned(),
        reason: reason.to_owned(),
    };
    if !home.is_dir() {
        return Err(refuse("it is not a folder"));
    }
    let Some(text) = read_note(&home.join(MARKER))? else {
        return Err(refuse(
            "it was not put there by a download (it holds no .sori-fetch.json)",
        ));
    };
    let marker: Marker = serde_json::from_str(&text)
        .map_err(|error| refuse(&format!("its .sori-fetch.json cannot be read ({error})")))?;
    let same = marker.archives.len() == corpus.archives.len()
        && marker
            .archives
            .iter()
            .zip(corpus.archives)
            .all(|(marked, archive)| {
                marked.file == archive.file
                    && marked.published.as_deref()
                        == archive.checksum.as_ref().map(Checksum::digits)
            });
    if !same {
        return Err(refuse("it holds another release of the corpus"));
    }
    if !home.join(corpus.folder).is_dir() {
        return Err(refuse(&format!(
            "the folder '{}' is missing in it",
            corpus.folder
        )));
    }
    Ok(true)
}

/// Writes the marker, once everything else is on the disk.
pub(crate) fn write_marker(marker: &Marker, folder: &Path) -> Result<()> {
    let path = folder.join(MARKER);
    let failed = |error| FetchError::io("write", &path, error);
    let text = serde_json::to_string_pretty(marker).map_err(|error| failed(error.into()))?;
    let mut file = create_anew(&path)?;
    // One call for the many files of a corpus; elsewhere a crash of the machine, not of the
    // program, may leave a marker beside files that are not.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::fs::syncfs(&file).map_err(|error| failed(error.into()))?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}
