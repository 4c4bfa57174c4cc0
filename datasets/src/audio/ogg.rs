//! The pages of ogg files.

use std::collections::BTreeMap;
use std::path::Path;

use symphonia::core::checksum::Crc32;
use symphonia::core::io::Monitor;

use super::format::{Format, damaged, truncated};
use crate::Result;

/// Refuses an ogg file with a page that is damaged or missing; the demuxer passes over it. (That
/// the last page is there, the demuxer sees.)
pub(super) fn check_pages(path: &Path, bytes: &[u8]) -> Result<()> {
    // Of each stream, by its serial number: the number of its next page and whether it has ended.
    let mut streams = BTreeMap::<u32, (u32, bool)>::new();
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        let ended = streams.values().all(|&(_, ended)| ended);
        // Behind the last page there may be something else, such as a tag.
        if ended && !rest.windows(4).any(|four| four == b"OggS") {
            break;
        }
        count += 1;
        let place = format!("page {count}, at byte {}", bytes.len() - rest.len());
        let Some((page, behind)) = page_bytes(rest).and_then(|size| rest.split_at_checked(size))
        else {
            return Err(truncated(path, format!("it stops within {place}")));
        };
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| page[at + byte]));
        // Of all but itself, in whose place are zeros.
        let mut checksum = Crc32::new(0);
        checksum.process_buf_bytes(&page[..22]);
        checksum.process_buf_bytes(&[0; 4]);
        checksum.process_buf_bytes(&page[26..]);
        let (version, flags) = (page[4], page[5]);
        let (first, last) = (flags & 0b10 != 0, flags & 0b100 != 0);
        let (serial, sequence) = (number(14), number(18));
        let expected = streams.get(&serial).map(|&(next, _)| next);
        let fault = if !page.starts_with(b"OggS") {
            Some("does not begin with \"OggS\"")
        } else if checksum.crc() != number(22) {
            Some("does not match its checksum")
        } else if version != 0 || flags > 0b111 {
            Some("is not of version 0, the only one there is")
        } else if !first && expected != Some(sequence) {
            Some("does not follow the one before it in its stream")
        } else {
            None
        };
        if let Some(fault) = fault {
            let reason = format!("{place}, {fault}: the file is damaged");
            return Err(damaged(path, Format::Ogg, reason));
        }
        streams.insert(serial, (sequence.wrapping_add(1), last));
        rest = behind;
    }
    Ok(())
}

/// The channels and the sample rate in the first packet of vorbis, which is that of the first page.
pub(super) fn vorbis_head(head: &[u8]) -> Option<(u8, u32)> {
    let packet = head.get(27 + usize::from(*head.get(26)?)..)?;
    let &[_, _, _, _, channels, a, b, c, d] = packet.strip_prefix(b"\x01vorbis")?.first_chunk()?;
    Some((channels, u32::from_le_bytes([a, b, c, d])))
}

/// Length of the ogg page that begins here: its header, the lengths of its segments, and these.
fn page_bytes(bytes: &[u8]) -> Option<usize> {
    let segments = usize::from(*bytes.get(26)?);
    let lengths = bytes.get(27..27 + segments)?;
    let contents: usize = lengths.iter().map(|&length| usize::from(length)).sum();
    Some(27 + segments + contents)
}
