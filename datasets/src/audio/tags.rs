//! Tags that others put in front of the sound and behind it, in files of any format.

use std::io::{Read, Result, Seek, SeekFrom};

/// Length of the ID3v2 tag that begins here, if one does.
pub(super) fn id3v2_bytes(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', major, minor, flags, size @ ..] = head.first_chunk::<10>()? else {
        return None;
    };
    // Its size has seven bits in each byte.
    if *major == 0xff || *minor == 0xff || size.iter().any(|&byte| byte > 0x7f) {
        return None;
    }
    let size = size
        .iter()
        .fold(0, |size, &byte| (size << 7) | u64::from(byte));
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    Some(10 + size + footer)
}

/// The ID3v1 tag: its length, and the letters it begins with.
const ID3V1_BYTES: u64 = 128;
const ID3V1: &[u8] = b"TAG";
/// The header and the footer of an APE tag, each as long.
const APE_BYTES: u64 = 32;
const APE: &[u8] = b"APETAGEX";

/// The end of what lies between `start` and `end` without the ID3v1 and APE tags behind it.
pub(super) fn end_without_tags(
    source: &mut (impl Read + Seek),
    start: u64,
    mut end: u64,
) -> Result<u64> {
    loop {
        let mut behind = |bytes: u64| -> Result<Vec<u8>> {
            let mut found = vec![0; bytes as usize];
            if end - start < bytes {
                return Ok(Vec::new());
            }
            source.seek(SeekFrom::Start(end - bytes))?;
            source.read_exact(&mut found)?;
            Ok(found)
        };
        if behind(ID3V1_BYTES)?.starts_with(ID3V1) {
            end -= ID3V1_BYTES;
            continue;
        }
        let footer = behind(APE_BYTES)?;
        if !footer.starts_with(APE) {
            return Ok(end);
        }
        let bytes =
            u64::from(ape_size(&footer)) + if footer[23] & 0x80 == 0 { 0 } else { APE_BYTES };
        if bytes < APE_BYTES || bytes > end - start {
            return Ok(end);
        }
        end -= bytes;
    }
}

/// The size in the header or footer of an APE tag: of its items and its footer.
fn ape_size(header: &[u8]) -> u32 {
    u32::from_le_bytes([12, 13, 14, 15].map(|at| header[at]))
}

/// Length of the tag that begins here, of those that are also found between two joined files.
pub(super) fn tag_bytes(bytes: &[u8]) -> Option<usize> {
    if let Some(length) = id3v2_bytes(bytes) {
        return usize::try_from(length).ok();
    }
    if bytes.starts_with(ID3V1) && bytes.len() as u64 >= ID3V1_BYTES {
        return Some(ID3V1_BYTES as usize);
    }
    if bytes.starts_with(APE) && bytes.len() as u64 >= APE_BYTES {
        // A header is followed by the items and a footer; a footer ends the tag.
        let is_header = bytes[23] & 0x20 != 0;
        let items = if is_header {
            ape_size(bytes) as usize
        } else {
            0
        };
        return Some(APE_BYTES as usize + items);
    }
    if bytes.starts_with(b"LYRICSBEGIN") {
        let end = bytes
            .windows(9)
            .position(|nine| nine == b"LYRICS200" || nine == b"LYRICSEND")?;
        return Some(end + 9);
    }
    None
}
