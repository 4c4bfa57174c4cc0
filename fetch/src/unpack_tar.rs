//! The entries of a tar file that gzip has compressed.

use std::fs::File;
use std::io::BufReader;

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::bounds::TAR_HEADER_BYTES;
use crate::error::Result;
use crate::unpacker::Unpacker;

pub(crate) fn tar_gz(unpacker: &mut Unpacker<'_, '_>, file: File) -> Result<()> {
    let meter = unpacker.meter.clone();
    // Of all that the compressed data are unpacked to, headers and padding included.
    let mut left = unpacker
        .bounds
        .bytes
        .saturating_add(unpacker.bounds.entries << 10);
    let mut tar = tar::Archive::new(meter.on(MultiGzDecoder::new(BufReader::new(file))));
    let mut entries = tar.entries().map_err(|error| unpacker.unreadable(&error))?;
    loop {
        // A library that reads a name reads all of it.
        let header = left.min(TAR_HEADER_BYTES);
        meter.allow(header);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|error| match meter.is_spent() {
            true if header == TAR_HEADER_BYTES => unpacker.long_header(),
            true => unpacker.endless(),
            false => unpacker.unreadable(&error),
        })?;
        left -= header - meter.left();
        meter.allow(left);
        unpacker.count()?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            EntryType::Directory => unpacker.folder(&name)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let size = entry.size();
                unpacker.file(&name, size, &mut entry)?;
            }
            // Says something of the archive, such as the commit it was made from.
            EntryType::XGlobalHeader => {}
            EntryType::Symlink | EntryType::Link => return Err(unpacker.is_link(&name)),
            _ => return Err(unpacker.is_special(&name)),
        }
        // So that nothing of it stands in front of the next one.
        unpacker.drain(&mut entry)?;
        left = meter.left();
    }
    // The checksum of the whole stands at the very end, behind the last entry.
    meter.allow(left);
    unpacker.drain(&mut tar.into_inner())?;
    unpacker.not_empty()
}
