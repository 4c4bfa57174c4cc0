//! Public corpora, from their names to their folders: download, check, unpack.
//!
//! [`fetch`] leaves a corpus in `INTO/NAME`. On the way there it uses, beside that folder:
//!
//! | | |
//! |---|---|
//! | `FILE.part`, `FILE.part.json` | what has arrived of an archive, and of which version of it |
//! | `FILE` | an archive that is whole |
//! | `FILE.damaged` | an archive without a published checksum that could not be unpacked |
//! | `NAME.unpacking` | the corpus, while it is being unpacked |
//! | `NAME.lock` | an empty file, locked while a download is under way; it stays |
//!
//! `NAME` itself appears by a rename, when everything is in it: a folder of that name with the file
//! [`MARKER`] in it is a whole corpus. Whatever interrupts a download, the next one goes on from
//! what is there. An archive that was put beside the folder by hand is used like one that was
//! downloaded.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use std::path::Path;
//! use sori_datasets::fetch::{self, FetchOptions};
//!
//! let options = FetchOptions::default();
//! let folder = fetch::fetch("yesno", Path::new("data"), &options, &mut |_| ControlFlow::Continue(()))?;
//! println!("{}", fetch::corpus("yesno")?.spec(&folder)); // yesno:data/yesno/waves_yesno
//! # Ok::<(), fetch::FetchError>(())
//! ```

mod catalogue;
mod download;
mod error;
mod unpack;
mod verify;

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use catalogue::{ArchiveFormat, CATALOGUE, Checksum, NOT_OFFERED, PublicArchive, PublicCorpus};
pub use error::{FetchError, Result};

use verify::Digests;

/// Name of the file that says that a folder holds a whole corpus, and what it was unpacked from.
pub const MARKER: &str = ".sori-fetch.json";

/// How to download.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Where to download from instead of the published address: the address of a folder that holds
    /// the archives under their names, or that of the archive itself if there is only one. The
    /// published checksum still has to be met.
    pub from: Option<String>,
    /// How often in a row a download is taken up again after it was cut off. It counts from the
    /// start when at least 1 MiB has arrived in between.
    pub retries: u32,
    /// Time before it is taken up again for the first time; it doubles each time, up to 30 s.
    pub first_pause: Duration,
    /// How long a server may send nothing before the connection counts as cut off.
    pub idle_timeout: Duration,
    /// Keeps the archives once they are unpacked.
    pub keep_archives: bool,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            from: None,
            retries: 5,
            first_pause: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(60),
            keep_archives: false,
        }
    }
}

/// How far a download is. `file` is the archive's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// An archive is being downloaded. Also reported, with the same numbers, while the server is
    /// waited for.
    Downloading {
        /// The archive.
        file: &'a str,
        /// Bytes that are here, those of earlier attempts included.
        bytes: u64,
        /// Bytes there are, if the server said.
        total: Option<u64>,
    },
    /// The connection was cut off; it is tried again after a pause.
    Waiting {
        /// The archive.
        file: &'a str,
        /// Which of the attempts in a row is next, from 1.
        retry: u32,
        /// How many there are.
        retries: u32,
        /// How long the pause still is.
        remaining: Duration,
        /// What happened.
        reason: &'a str,
    },
    /// The checksums of an archive are being computed.
    Verifying {
        /// The archive.
        file: &'a str,
        /// Bytes that were read.
        bytes: u64,
        /// Bytes there are.
        total: u64,
    },
    /// An archive is being unpacked.
    Unpacking {
        /// The archive.
        file: &'a str,
        /// Files that were written.
        files: u64,
        /// Bytes that were written, all files together.
        bytes: u64,
    },
}

/// What is told of the progress, and answers whether to go on.
pub type OnProgress<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

/// What [`MARKER`] holds.
#[derive(serde::Serialize, serde::Deserialize)]
struct Marker {
    corpus: String,
    archives: Vec<MarkedArchive>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct MarkedArchive {
    file: String,
    url: String,
    bytes: u64,
    /// Of the file that was unpacked, whether or not a checksum is published.
    sha256: String,
    /// The published checksum, which was met.
    published: Option<String>,
}

/// The corpus of this name.
///
/// # Errors
///
/// [`FetchError::UnknownCorpus`] if it is not in the [`CATALOGUE`].
pub fn corpus(name: &str) -> Result<&'static PublicCorpus> {
    if let Some(corpus) = CATALOGUE.iter().find(|corpus| corpus.name == name) {
        return Ok(corpus);
    }
    let known: Vec<&str> = CATALOGUE.iter().map(|corpus| corpus.name).collect();
    let reason = NOT_OFFERED
        .iter()
        .find(|(other, _)| *other == name)
        .map_or("the name is not known", |(_, reason)| reason);
    Err(FetchError::UnknownCorpus {
        name: name.to_owned(),
        reason: reason.to_owned(),
        known: known.join(", "),
    })
}

/// Downloads the corpus of this name to the folder `into`, unless it is there already, and returns
/// the folder that holds it.
///
/// `progress` is called several times a second, also while nothing arrives; it stops the download
/// by [`ControlFlow::Break`].
///
/// # Errors
///
/// [`FetchError::UnknownCorpus`], and those of [`fetch_corpus`].
pub fn fetch(
    name: &str,
    into: &Path,
    options: &FetchOptions,
    progress: &mut OnProgress<'_>,
) -> Result<PathBuf> {
    fetch_corpus(corpus(name)?, into, options, progress)
}

/// The same for a corpus that need not be in the [`CATALOGUE`].
///
/// # Errors
///
/// - [`FetchError::Address`], [`FetchError::Unreachable`], [`FetchError::Status`] and
///   [`FetchError::CutOff`] if an archive does not arrive;
/// - [`FetchError::Checksum`] if it is not the published one;
/// - [`FetchError::Damaged`] and [`FetchError::Unsafe`] if it cannot or must not be unpacked;
/// - [`FetchError::InTheWay`] and [`FetchError::Busy`] if the folder is not free;
/// - [`FetchError::DiskFull`] and [`FetchError::Io`] for what the file system says;
/// - [`FetchError::Stopped`] if `progress` says so.
pub fn fetch_corpus(
    corpus: &PublicCorpus,
    into: &Path,
    options: &FetchOptions,
    progress: &mut OnProgress<'_>,
) -> Result<PathBuf> {
    fs::create_dir_all(into).map_err(|error| FetchError::io("make the folder", into, error))?;
    let home = into.join(corpus.name);
    let folder = home.join(corpus.folder);
    if is_whole(corpus, &home)? {
        return Ok(folder);
    }
    let _lock = lock(into.join(format!("{}.lock", corpus.name)))?;
    // Another download may have ended between the first look and the lock.
    if is_whole(corpus, &home)? {
        return Ok(folder);
    }

    let mut paths = Vec::new();
    let mut marker = Marker {
        corpus: corpus.name.to_owned(),
        archives: Vec::new(),
    };
    for archive in corpus.archives {
        let url = address(corpus, archive, options)?;
        let path = into.join(archive.file);
        let digests = obtain(corpus, archive, &url, &path, options, progress)?;
        marker.archives.push(MarkedArchive {
            file: archive.file.to_owned(),
            url,
            bytes: digests.bytes,
            sha256: digests.sha256,
            published: archive.checksum.map(|known| known.digits().to_owned()),
        });
        paths.push(path);
    }

    let staging = staging_folder(corpus, into)?;
    let staged = staging.path().join(corpus.name);
    fs::create_dir(&staged).map_err(|error| FetchError::io("make the folder", &staged, error))?;
    for (archive, path) in corpus.archives.iter().zip(&paths) {
        let target = staged.join(archive.unpack_into);
        unpack::unpack(archive, path, &target, progress)
            .map_err(|error| set_aside(archive, path, error))?;
    }
    if !staged.join(corpus.folder).is_dir() {
        return Err(FetchError::Damaged {
            archive: paths.last().unwrap_or(&home).clone(),
            reason: format!(
                "the folder '{}' was expected in it; the corpus may have changed its layout",
                corpus.folder
            ),
        });
    }
    write_marker(&marker, &staged)?;
    fs::rename(&staged, &home)
        .map_err(|error| FetchError::io("move the unpacked corpus to", &home, error))?;
    if !options.keep_archives {
        for path in &paths {
            remove(path)?;
        }
    }
    Ok(folder)
}

/// Whether `home` holds this corpus.
fn is_whole(corpus: &PublicCorpus, home: &Path) -> Result<bool> {
    if fs::symlink_metadata(home).is_err() {
        return Ok(false);
    }
    let refuse = |reason: &str| FetchError::InTheWay {
        path: home.to_owned(),
        reason: reason.to_owned(),
    };
    let Ok(text) = fs::read_to_string(home.join(MARKER)) else {
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

/// Where an archive is to come from.
fn address(
    corpus: &PublicCorpus,
    archive: &PublicArchive,
    options: &FetchOptions,
) -> Result<String> {
    let Some(from) = &options.from else {
        return Ok(archive.url.to_owned());
    };
    if !from.starts_with("http://") && !from.starts_with("https://") {
        return Err(FetchError::Address {
            url: from.clone(),
            reason: "it starts with neither http:// nor https://".into(),
        });
    }
    let base = from.trim_end_matches('/');
    let is_archive = base.split(['?', '#']).next().is_some_and(|path| {
        [".tar.gz", ".tgz", ".zip"]
            .iter()
            .any(|end| path.ends_with(end))
    });
    if is_archive && corpus.archives.len() == 1 {
        return Ok(base.to_owned());
    }
    Ok(format!("{base}/{}", archive.file))
}

/// Sees to it that an archive is at `path`, whole, and returns its checksums.
fn obtain(
    corpus: &PublicCorpus,
    archive: &PublicArchive,
    url: &str,
    path: &Path,
    options: &FetchOptions,
    progress: &mut OnProgress<'_>,
) -> Result<Digests> {
    if path.exists() {
        let digests = verify::digests(archive.file, path, progress)?;
        return match digests.unmet(archive.checksum) {
            None => Ok(digests),
            Some(found) => Err(FetchError::InTheWay {
                path: path.to_owned(),
                reason: format!(
                    "it is not the published archive, to judge by its checksum {found}"
                ),
            }),
        };
    }
    let part = download::download(corpus, archive, url, path, options, progress)?;
    let digests = verify::digests(archive.file, part.path(), progress)?;
    if let (Some(checksum), Some(found)) = (archive.checksum, digests.unmet(archive.checksum)) {
        let error = FetchError::Checksum {
            url: url.to_owned(),
            algorithm: checksum.algorithm(),
            expected: checksum.digits().to_owned(),
            found: found.to_owned(),
        };
        part.discard()?;
        return Err(error);
    }
    part.rename_to(path)?;
    Ok(digests)
}

/// An archive that did not unpack is not taken for a good one again, unless its published checksum
/// says that it is one.
fn set_aside(archive: &PublicArchive, path: &Path, error: FetchError) -> FetchError {
    if archive.checksum.is_some() {
        return error;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    let moved = |reason: String| match fs::rename(path, &aside) {
        Ok(()) => format!(
            "{reason}; it was renamed to {}, and the next attempt downloads it anew",
            Path::new(&aside).display()
        ),
        Err(_) => format!("{reason}; delete it before the next attempt"),
    };
    match error {
        FetchError::Damaged { archive, reason } => FetchError::Damaged {
            archive,
            reason: moved(reason),
        },
        FetchError::Unsafe {
            archive,
            entry,
            reason,
        } => FetchError::Unsafe {
            archive,
            entry,
            reason: moved(reason),
        },
        other => other,
    }
}

/// An empty folder to unpack into, which goes when it is dropped; what an earlier download left of
/// it goes now.
fn staging_folder(corpus: &PublicCorpus, into: &Path) -> Result<tempfile::TempDir> {
    let name = format!("{}.unpacking", corpus.name);
    let path = into.join(&name);
    match fs::remove_dir_all(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(FetchError::io("remove", &path, error)),
    }
    tempfile::Builder::new()
        .prefix(&name)
        .rand_bytes(0)
        .tempdir_in(into)
        .map_err(|error| FetchError::io("make the folder", &path, error))
}

/// Writes the marker, once everything else is on the disk.
fn write_marker(marker: &Marker, folder: &Path) -> Result<()> {
    let path = folder.join(MARKER);
    let failed = |error| FetchError::io("write", &path, error);
    let text = serde_json::to_string_pretty(marker).map_err(|error| failed(error.into()))?;
    let mut file = File::create(&path).map_err(failed)?;
    // One call for the many files of a corpus; elsewhere a crash of the machine, not of the
    // program, may leave a marker beside files that are not.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::fs::syncfs(&file).map_err(|error| failed(error.into()))?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(FetchError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// Keeps a second download of the same corpus away, also one of another process, until the file is
/// dropped. It is never removed: whoever had opened it before that could lock it while another
/// makes and locks a new one.
fn lock(path: PathBuf) -> Result<File> {
    let file = File::create(&path).map_err(|error| FetchError::io("make", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FetchError::Busy { lock: path }),
        Err(TryLockError::Error(error)) => Err(FetchError::io("lock", &path, error)),
    }
}
