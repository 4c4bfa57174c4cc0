//! A corpus from its name to its folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::catalogue::{CATALOGUE, NOT_OFFERED, PublicArchive, PublicCorpus};
use crate::download::download;
use crate::error::{FetchError, Result};
use crate::files::remove;
use crate::marker::{MarkedArchive, Marker, is_whole, write_marker};
use crate::options::FetchOptions;
use crate::progress::OnProgress;
use crate::unpack::unpack;
use crate::verify::{Digests, digests};

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
        unpack(archive, path, &target, progress)
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
        let digests = digests(archive.file, path, progress)?;
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
    let part = download(corpus, archive, url, path, options, progress)?;
    let digests = digests(archive.file, part.path(), progress)?;
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
