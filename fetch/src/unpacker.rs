//! Entries of an archive to files and folders. Nothing else is written: no links, no devices, and
//! nothing outside the folder.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::bounds::{Bounds, Meter, TAR_HEADER_BYTES};
use crate::catalogue::PublicArchive;
use crate::entry_name::path_below;
use crate::error::{FetchError, Result, sized};
use crate::progress::{FetchProgress, OnProgress};

const CHUNK_BYTES: usize = 128 << 10;

/// Writes the entries of an archive, and refuses what no corpus holds.
pub(crate) struct Unpacker<'a, 'p> {
    archive: &'a PublicArchive,
    path: &'a Path,
    pub(crate) target: &'a Path,
    progress: &'a mut OnProgress<'p>,
    pub(crate) bounds: Bounds,
    /// Of what the library reads.
    pub(crate) meter: Meter,
    /// Folders that were made already.
    folders: HashSet<PathBuf>,
    chunk: Vec<u8>,
    /// Entries of any kind.
    entries: u64,
    files: u64,
    bytes: u64,
}

impl<'a, 'p> Unpacker<'a, 'p> {
    pub(crate) fn new(
        archive: &'a PublicArchive,
        path: &'a Path,
        target: &'a Path,
        progress: &'a mut OnProgress<'p>,
    ) -> Self {
        Self {
            archive,
            path,
            target,
            progress,
            bounds: Bounds::of(archive),
            meter: Meter::default(),
            folders: HashSet::new(),
            chunk: vec![0; CHUNK_BYTES],
            entries: 0,
            files: 0,
            bytes: 0,
        }
    }

    /// Reads what is left of something.
    pub(crate) fn drain(&mut self, rest: &mut impl Read) -> Result<()> {
        loop {
            self.tell()?;
            if self.read(rest)? == 0 {
                return Ok(());
            }
        }
    }

    /// Reads the next of it to the beginning of `chunk`.
    fn read(&mut self, contents: &mut impl Read) -> Result<usize> {
        loop {
            match contents.read(&mut self.chunk) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if self.meter.is_spent() => {
                    return Err(self.endless());
                }
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
    }

    pub(crate) fn count(&mut self) -> Result<()> {
        self.entries += 1;
        if self.entries > self.bounds.entries {
            return Err(self.too_many(self.entries));
        }
        Ok(())
    }

    /// An archive with nothing in it is a tar file that was cut off at its beginning.
    pub(crate) fn not_empty(&self) -> Result<()> {
        if self.files == 0 {
            return Err(self.damaged("it holds no files".into()));
        }
        Ok(())
    }

    pub(crate) fn folder(&mut self, name: &str) -> Result<()> {
        let folder = self.inside(name)?;
        self.make(name, &folder)
    }

    /// Writes a file of this size.
    pub(crate) fn file(&mut self, name: &str, size: u64, contents: &mut impl Read) -> Result<()> {
        let path = self.inside(name)?;
        let Some(folder) = path.parent().filter(|_| path != self.target) else {
            return Err(self.unsafe_entry(name, "has no name of its own"));
        };
        if size > self.bounds.bytes - self.bytes {
            return Err(self.too_large(self.bytes.saturating_add(size)));
        }
        self.make(name, folder)?;
        // Never over something that is there, nor through a link.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| self.unmade(name, "write", &path, error))?;
        let mut written = 0;
        loop {
            self.tell()?;
            let read = self.read(contents)?;
            if read == 0 {
                break;
            }
            written += read as u64;
            if written > size {
                return Err(self.damaged(format!("an entry is longer than its {size} bytes")));
            }
            file.write_all(&self.chunk[..read])
                .map_err(|error| FetchError::io("write", &path, error))?;
            self.bytes += read as u64;
        }
        if written != size {
            return Err(self.damaged("it ends before its end: it is cut off".into()));
        }
        self.files += 1;
        Ok(())
    }

    /// Where an entry goes.
    fn inside(&self, name: &str) -> Result<PathBuf> {
        path_below(self.target, name).map_err(|reason| self.unsafe_entry(name, reason))
    }

    fn make(&mut self, name: &str, folder: &Path) -> Result<()> {
        if self.folders.contains(folder) {
            return Ok(());
        }
        fs::create_dir_all(folder)
            .map_err(|error| self.unmade(name, "make the folder", folder, error))?;
        self.folders.insert(folder.to_owned());
        Ok(())
    }

    /// A file or folder that could not be made; what the archive is to blame for is told apart.
    fn unmade(
        &self,
        name: &str,
        action: &'static str,
        path: &Path,
        error: io::Error,
    ) -> FetchError {
        match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
                self.unsafe_entry(name, "would overwrite another entry")
            }
            ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
                self.unsafe_entry(name, "has a name that cannot be one of a file here")
            }
            _ => FetchError::io(action, path, error),
        }
    }

    fn tell(&mut self) -> Result<()> {
        let told = (self.progress)(FetchProgress::Unpacking {
            file: self.archive.file,
            files: self.files,
            bytes: self.bytes,
        });
        if told.is_break() {
            return Err(FetchError::Stopped);
        }
        Ok(())
    }

    pub(crate) fn unreadable(&self, error: &io::Error) -> FetchError {
        self.damaged(match error.kind() {
            ErrorKind::UnexpectedEof => "it ends before its end: it is cut off".into(),
            _ => error.to_string(),
        })
    }

    pub(crate) fn damaged(&self, reason: String) -> FetchError {
        FetchError::Damaged {
            archive: self.path.to_owned(),
            reason,
        }
    }

    pub(crate) fn too_large(&self, bytes: u64) -> FetchError {
        self.unlikely(format!(
            "it holds {bytes} bytes or more, unpacked, and an archive of {} holds {} at most",
            sized(self.archive.bytes),
            self.bounds.bytes
        ))
    }

    /// As `too_large`, where it is not known how large.
    pub(crate) fn endless(&self) -> FetchError {
        self.too_large(self.bounds.bytes.saturating_add(1))
    }

    pub(crate) fn too_many(&self, entries: u64) -> FetchError {
        self.unlikely(format!(
            "it holds {entries} entries or more, and an archive of {} holds {} at most",
            sized(self.archive.bytes),
            self.bounds.entries
        ))
    }

    pub(crate) fn long_header(&self) -> FetchError {
        self.unlikely(format!(
            "the name or the header of its entry {} takes more than {TAR_HEADER_BYTES} bytes",
            self.entries + 1
        ))
    }

    pub(crate) fn long_directory(&self) -> FetchError {
        self.unlikely(format!(
            "its directory takes more than {} bytes, enough for the {} entries that an archive of \
             {} holds at most",
            self.bounds.zip_directory(),
            self.bounds.entries,
            sized(self.archive.bytes)
        ))
    }

    fn unlikely(&self, reason: String) -> FetchError {
        FetchError::TooLarge {
            from: self.path.display().to_string(),
            reason,
        }
    }

    pub(crate) fn is_link(&self, name: &str) -> FetchError {
        self.unsafe_entry(name, "is a link; a corpus is made of files and folders")
    }

    pub(crate) fn is_special(&self, name: &str) -> FetchError {
        self.unsafe_entry(
            name,
            "is neither a file nor a folder; a corpus is made of those",
        )
    }

    fn unsafe_entry(&self, name: &str, reason: &str) -> FetchError {
        FetchError::Unsafe {
            archive: self.path.to_owned(),
            entry: name.to_owned(),
            reason: reason.to_owned(),
        }
    }
}
