//! The entries of a zip file.

use std::fs::File;
use std::io::BufReader;

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;

use crate::error::{FetchError, Result, free_bytes};
use crate::unpacker::Unpacker;

/// The bits of a Unix file mode that say what kind of file it is, and two of the kinds.
const MODE_KIND: u32 = 0o170_000;
const MODE_REGULAR: u32 = 0o100_000;
const MODE_FOLDER: u32 = 0o040_000;

pub(crate) fn zip(unpacker: &mut Unpacker<'_, '_>, file: File) -> Result<()> {
    let meter = unpacker.meter.clone();
    meter.allow(unpacker.bounds.zip_directory());
    // The library would look for an archive behind something else from one end to the other.
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let mut zip = ZipArchive::with_config(config, meter.on(BufReader::new(file))).map_err(
        |error| match meter.is_spent() {
            true => unpacker.long_directory(),
            false => not_zip(unpacker, error),
        },
    )?;
    meter.allow(u64::MAX);
    if zip.len() as u64 > unpacker.bounds.entries {
        return Err(unpacker.too_many(zip.len() as u64));
    }
    if zip.has_duplicate_names() {
        return Err(unpacker.damaged("two of its entries have the same name".into()));
    }
    if let Some(bytes) = zip.decompressed_size() {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if bytes > unpacker.bounds.bytes {
            return Err(unpacker.too_large(bytes));
        }
        if let Some(free) = free_bytes(unpacker.target).filter(|free| bytes > *free) {
            return Err(FetchError::DiskFull {
                path: unpacker.target.to_owned(),
                needed: Some(bytes),
                available: Some(free),
            });
        }
    }
    for index in 0..zip.len() {
        let mut entry = zip
            .by_index(index)
            .map_err(|error| not_zip(unpacker, error))?;
        unpacker.count()?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let kind = entry.unix_mode().map_or(0, |mode| mode & MODE_KIND);
        if entry.is_symlink() {
            return Err(unpacker.is_link(&name));
        }
        match kind {
            0 | MODE_REGULAR | MODE_FOLDER => {}
            _ => return Err(unpacker.is_special(&name)),
        }
        if entry.is_dir() {
            unpacker.folder(&name)?;
        } else {
            let size = entry.size();
            unpacker.file(&name, size, &mut entry)?;
        }
    }
    unpacker.not_empty()
}

fn not_zip(unpacker: &Unpacker<'_, '_>, error: ZipError) -> FetchError {
    match error {
        ZipError::Io(error) => unpacker.unreadable(&error),
        other => unpacker.damaged(other.to_string()),
    }
}
