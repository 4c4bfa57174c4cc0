//! Archives to folders. Files and folders are written and nothing else: no links, no devices, and
//! nothing outside the folder.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::EntryType;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::catalogue::{ArchiveFormat, PublicArchive};
use crate::error::{FetchError, Result, free_bytes};
use crate::progress::{FetchProgress, OnProgress};

const CHUNK_BYTES: usize = 128 << 10;
/// The bits of a Unix file mode that say what kind of file it is, and two of the kinds.
const MODE_KIND: u32 = 0o170_000;
const MODE_REGULAR: u32 = 0o100_000;
const MODE_FOLDER: u32 = 0o040_000;

/// Unpacks the archive at `path` into the folder `target`.
pub(crate) fn unpack(
    archive: &PublicArchive,
    path: &Path,
    target: &Path,
    progress: &mut OnProgress<'_>,
) -> Result<()> {
    let file = File::open(path).map_err(|error| FetchError::io("read", path, error))?;
    fs::create_dir_all(target).map_err(|error| FetchError::io("make the folder", target, error))?;
    let mut unpacker = Unpacker {
        archive,
        path,
        target,
        progress,
        folders: HashSet::new(),
        chunk: vec![0; CHUNK_BYTES],
        files: 0,
        bytes: 0,
    };
    match archive.format {
        ArchiveFormat::TarGz => unpacker.tar_gz(file),
        ArchiveFormat::Zip => unpacker.zip(file),
    }
}

struct Unpacker<'a, 'p> {
    archive: &'a PublicArchive,
    path: &'a Path,
    target: &'a Path,
    progress: &'a mut OnProgress<'p>,
    /// Folders that were made already.
    folders: HashSet<PathBuf>,
    chunk: Vec<u8>,
    files: u64,
    bytes: u64,
}

impl Unpacker<'_, '_> {
    fn tar_gz(&mut self, file: File) -> Result<()> {
        let mut tar = tar::Archive::new(MultiGzDecoder::new(BufReader::new(file)));
        let entries = tar.entries().map_err(|error| self.unreadable(&error))?;
        for entry in entries {
            let mut entry = entry.map_err(|error| self.unreadable(&error))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            match entry.header().entry_type() {
                EntryType::Directory => self.folder(&name)?,
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    self.file(&name, &mut entry)?;
                }
                // Says something of the archive, such as the commit it was made from.
                EntryType::XGlobalHeader => {}
                EntryType::Symlink | EntryType::Link => return Err(self.is_link(&name)),
                _ => return Err(self.is_special(&name)),
            }
        }
        // The checksum of the whole stands at the very end, behind the last entry.
        let mut rest = tar.into_inner();
        loop {
            match rest.read(&mut self.chunk) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
        self.not_empty()
    }

    fn zip(&mut self, file: File) -> Result<()> {
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| self.not_zip(error))?;
        if let (Some(bytes), Some(free)) = (zip.decompressed_size(), free_bytes(self.target)) {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            if bytes > free {
                return Err(FetchError::DiskFull {
                    path: self.target.to_owned(),
                    needed: Some(bytes),
                    available: Some(free),
                });
            }
        }
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).map_err(|error| self.not_zip(error))?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let kind = entry.unix_mode().map_or(0, |mode| mode & MODE_KIND);
            if entry.is_symlink() {
                return Err(self.is_link(&name));
            }
            match kind {
                0 | MODE_REGULAR | MODE_FOLDER => {}
                _ => return Err(self.is_special(&name)),
            }
            if entry.is_dir() {
                self.folder(&name)?;
            } else {
                self.file(&name, &mut entry)?;
            }
        }
        self.not_empty()
    }

    /// An archive with nothing in it is a tar file that was cut off at its beginning.
    fn not_empty(&self) -> Result<()> {
        if self.files == 0 {
            return Err(self.damaged("it holds no files".into()));
        }
        Ok(())
    }

    fn folder(&mut self, name: &str) -> Result<()> {
        let folder = self.inside(name)?;
        self.make(&folder)
    }

    fn file(&mut self, name: &str, contents: &mut impl Read) -> Result<()> {
        let path = self.inside(name)?;
        let Some(folder) = path.parent().filter(|_| path != self.target) else {
            return Err(self.unsafe_entry(name, "has no name of its own"));
        };
        self.make(folder)?;
        // Never over something that is there, nor through a link.
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(self.unsafe_entry(name, "would overwrite another entry"));
            }
            Err(error) => return Err(FetchError::io("write", &path, error)),
        };
        loop {
            self.tell()?;
            let read = match contents.read(&mut self.chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(&error)),
            };
            file.write_all(&self.chunk[..read])
                .map_err(|error| FetchError::io("write", &path, error))?;
            self.bytes += read as u64;
        }
        self.files += 1;
        Ok(())
    }

    /// Where an entry goes.
    fn inside(&self, name: &str) -> Result<PathBuf> {
        let mut path = self.target.to_owned();
        for component in Path::new(name).components() {
            match component {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(self.unsafe_entry(name, "leads out of the corpus's folder"));
                }
            }
        }
        if name.contains(['\\', '\0']) {
            return Err(self.unsafe_entry(name, "has a name that is another on other systems"));
        }
        Ok(path)
    }

    fn make(&mut self, folder: &Path) -> Result<()> {
        if self.folders.contains(folder) {
            return Ok(());
        }
        fs::create_dir_all(folder)
            .map_err(|error| FetchError::io("make the folder", folder, error))?;
        self.folders.insert(folder.to_owned());
        Ok(())
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

    fn unreadable(&self, error: &io::Error) -> FetchError {
        self.damaged(match error.kind() {
            io::ErrorKind::UnexpectedEof => "it ends before its end: it is cut off".into(),
            _ => error.to_string(),
        })
    }

    fn not_zip(&self, error: ZipError) -> FetchError {
        match error {
            ZipError::Io(error) => self.unreadable(&error),
            other => self.damaged(other.to_string()),
        }
    }

    fn damaged(&self, reason: String) -> FetchError {
        FetchError::Damaged {
            archive: self.path.to_owned(),
            reason,
        }
    }

    fn is_link(&self, name: &str) -> FetchError {
        self.unsafe_entry(name, "is a link; a corpus is made of files and folders")
    }

    fn is_special(&self, name: &str) -> FetchError {
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
