//! A corpus from its name to its folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::archives::{Obtained, discard, downloaded_sha256, move_aside, note_download, set_aside};
use crate::catalogue::{CATALOGUE, NOT_OFFERED, PublicArchive, PublicCorpus};
use crate::download::download;
use crate::error::{FetchError, Result};
use crate::files::{in_the_way, open_lock, open_to_read};
use crate::marker::{MARKER, MarkedArchive, Marker, is_whole, write_marker};
use crate::options::FetchOptions;
use crate::progress::OnProgress;
use crate::unpack::unpack;
use crate::verify::digests;

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
/// by [`ControlFlow::Break`](std::ops::ControlFlow::Break).
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
/// - [`FetchError::Damaged`], [`FetchError::Unsafe`] and [`FetchError::TooLarge`] if it cannot or
///   must not be unpacked;
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

    let mut obtained = Vec::new();
    for archive in corpus.archives {
        let url = address(corpus, archive, options)?;
        let path = into.join(archive.file);
        obtained.push(obtain(corpus, archive, url, path, options, progress)?);
    }
    let marker = Marker {
        corpus: corpus.name.to_owned(),
        archives: corpus.archives.iter().zip(&obtained).map(marked).collect(),
    };

    let staging = staging_folder(corpus, into)?;
    let staged = staging.path().join(corpus.name);
    fs::create_dir(&staged).map_err(|error| FetchError::io("make the folder", &staged, error))?;
    for (archive, found) in corpus.archives.iter().zip(&obtained) {
        let target = staged.join(archive.unpack_into);
        unpack(archive, &found.path, &target, progress)
            .map_err(|error| set_aside(archive, found, error))?;
    }
    if let Some(reason) = unlike(corpus, &staged) {
        let mut error = FetchError::Damaged {
            archive: obtained.last().map_or(&home, |last| &last.path).clone(),
            reason,
        };
        for (archive, found) in corpus.archives.iter().zip(&obtained) {
            error = set_aside(archive, found, error);
        }
        return Err(error);
    }
    write_marker(&marker, &staged)?;
    fs::rename(&staged, &home)
        .map_err(|error| FetchError::io("move the unpacked corpus to", &home, error))?;
    if !options.keep_archives {
        for found in &obtained {
            found.discard()?;
        }
    }
    Ok(folder)
}

/// What is wrong with the unpacked corpus as a whole.
fn unlike(corpus: &PublicCorpus, staged: &Path) -> Option<String> {
    if !staged.join(corpus.folder).is_dir() {
        return Some(format!(
            "the folder '{}' was expected in it; the corpus may have changed its layout",
            corpus.folder
        ));
    }
    if fs::symlink_metadata(staged.join(MARKER)).is_ok() {
        return Some(format!(
            "it holds {MARKER}, which only a download may write"
        ));
    }
    None
}

fn marked((archive, found): (&PublicArchive, &Obtained)) -> MarkedArchive {
    MarkedArchive {
        file: archive.file.to_owned(),
        url: found.url.clone(),
        bytes: found.digests.bytes,
        sha256: found.digests.sha256.clone(),
        published: archive.checksum.map(|known| known.digits().to_owned()),
    }
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

/// Sees to it that an archive is at `path`, whole.
fn obtain(
    corpus: &PublicCorpus,
    archive: &PublicArchive,
    url: String,
    path: PathBuf,
    options: &FetchOptions,
    progress: &mut OnProgress<'_>,
) -> Result<Obtained> {
    if fs::symlink_metadata(&path).is_ok() {
        let once = downloaded_sha256(&path)?;
        let digests = digests(archive.file, &path, open_to_read(&path)?, progress)?;
        let downloaded = once.as_ref() == Some(&digests.sha256);
        match digests.unmet(archive.checksum) {
            None => {
                return Ok(Obtained {
                    path,
                    url,
                    digests,
                    downloaded,
                });
            }
            // It was downloaded for another release of the corpus.
            Some(_) if downloaded => discard(&path)?,
            // It was downloaded and has changed since.
            Some(_) if once.is_some() => {
                move_aside(&path)?;
            }
            Some(found) => {
                return Err(FetchError::InTheWay {
                    path,
                    reason: format!(
                        "it is not the published archive, to judge by its checksum {found}"
                    ),
                });
            }
        }
    }
    let part = download(corpus, archive, &url, &path, options, progress)?;
    let digests = digests(
        archive.file,
        part.path(),
        open_to_read(part.path())?,
        progress,
    )?;
    if let (Some(checksum), Some(found)) = (archive.checksum, digests.unmet(archive.checksum)) {
        let error = FetchError::Checksum {
            url,
            algorithm: checksum.algorithm(),
            expected: checksum.digits().to_owned(),
            found: found.to_owned(),
        };
        part.discard()?;
        return Err(error);
    }
    part.rename_to(&path)?;
    note_download(&path, &url, &digests)?;
    Ok(Obtained {
        path,
        url,
        digests,
        downloaded: true,
    })
}

/// An empty folder to unpack into, which goes when it is dropped; what an earlier download left of
/// it goes now.
fn staging_folder(corpus: &PublicCorpus, into: &Path) -> Result<tempfile::TempDir> {
    let name = format!("{}.unpacking", corpus.name);
    let path = into.join(&name);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => {
            fs::remove_dir_all(&path).map_err(|error| FetchError::io("remove", &path, error))?;
        }
        Ok(found) => return Err(in_the_way(&path, found.file_type())),
        Err(_) => {}
    }
    tempfile::Builder::new()
        .prefix(&name)
        .rand_bytes(0)
        .tempdir_in(into)
        .map_err(|error| FetchError::io("make the folder", &path, error))
}

/// Keeps a second download of the same corpus away, also one of another process, until the file is
/// dropped. It is never removed: whoever had opened it before that could lock it while another
/// makes and locks a new one.
fn lock(path: PathBuf) -> Result<File> {
    let file = open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FetchError::Busy { lock: path }),
        Err(TryLockError::Error(error)) => Err(FetchError::io("lock", &path, error)),
    }
}
