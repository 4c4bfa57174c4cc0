//! Archives and single files to folders.

use std::fs;
use std::path::Path;

use crate::catalogue::{ArchiveFormat, PublicArchive};
use crate::error::{FetchError, Result};
use crate::files::open_to_read;
use crate::progress::OnProgress;
use crate::unpack_tar::tar_gz;
use crate::unpack_zip::zip;
use crate::unpacker::Unpacker;

/// Unpacks the archive at `path` into the folder `target`.
pub(crate) fn unpack(
    archive: &PublicArchive,
    path: &Path,
    target: &Path,
    progress: &mut OnProgress<'_>,
) -> Result<()> {
    let file = open_to_read(path)?;
    fs::create_dir_all(target).map_err(|error| FetchError::io("make the folder", target, error))?;
    let mut unpacker = Unpacker::new(archive, path, target, progress);
    match archive.format {
        ArchiveFormat::TarGz => tar_gz(&mut unpacker, file),
        ArchiveFormat::Zip => zip(&mut unpacker, file),
        ArchiveFormat::File => {
            let copy = target.join(archive.file);
            let copied = fs::copy(path, &copy);
            copied.map_err(|error| FetchError::io("write", &copy, error))?;
            Ok(())
        }
    }
}
