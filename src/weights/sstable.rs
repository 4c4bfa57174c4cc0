//! The sorted table of LevelDB
//! ([format](https://github.com/google/leveldb/blob/main/doc/table_format.md)) that TensorFlow keeps the
//! names of a checkpoint in.

use std::io;

use super::protobuf::varint;

/// The last eight bytes of a table.
pub(super) const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
/// The bytes at the end that say where the index is.
const FOOTER: usize = 48;
/// The type of a block and its checksum, behind its contents.
const TRAILER: usize = 5;

/// The most bytes of all keys together, which a table can make of few by what they share.
const MAX_KEYS: usize = 64 << 20;

/// The keys and values of the table `bytes`, in order.
///
/// # Errors
/// When it is cut short or damaged, or packed.
pub(super) fn entries(bytes: &[u8]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let footer = bytes.len().checked_sub(FOOTER).ok_or_else(cut)?;
    let (_, mut footer) = bytes.split_at(footer);
    if footer[FOOTER - 8..] != MAGIC.to_le_bytes() {
        return Err(cut());
    }
    handle(&mut footer)?;
    let index = block(bytes, handle(&mut footer)?)?;
    let (mut found, mut blocks, mut keys) = (Vec::new(), 0, MAX_KEYS);
    for (_, place) in in_block(index, &mut keys)? {
        let contents = block(bytes, handle(&mut place.as_slice())?)?;
        // Blocks lie side by side, none twice.
        blocks += contents.len();
        if blocks > bytes.len() {
            return Err(cut());
        }
        found.extend(in_block(contents, &mut keys)?);
    }
    Ok(found)
}

/// The place of a block: its start and the length of its contents.
fn handle(input: &mut &[u8]) -> io::Result<(u64, u64)> {
    let (start, _) = varint(input)?;
    let (len, _) = varint(input)?;
    Ok((start, len))
}

/// The contents of a block.
fn block(bytes: &[u8], (start, len): (u64, u64)) -> io::Result<&[u8]> {
    let take = || {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        let whole = bytes.get(start..end.checked_add(TRAILER)?)?;
        Some(whole.split_at(end - start))
    };
    let (contents, trailer) = take().ok_or_else(cut)?;
    if trailer[0] != 0 {
        return Err(io::Error::other(
            "its index is packed by Snappy, as TensorFlow does not write it",
        ));
    }
    let expected = u32::from_le_bytes([trailer[1], trailer[2], trailer[3], trailer[4]]);
    let checked = &bytes[start as usize..][..contents.len() + 1];
    if masked_crc32c(checked) != expected {
        return Err(io::Error::other(
            "its index is damaged: a checksum is wrong",
        ));
    }
    Ok(contents)
}

/// The entries of a block, whose keys share their beginnings with the ones before. `left` bytes may be made
/// of keys.
fn in_block(contents: &[u8], left: &mut usize) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let count = contents.len().checked_sub(4).ok_or_else(cut)?;
    let (rest, restarts) = contents.split_at(count);
    let restarts = u32::from_le_bytes([restarts[0], restarts[1], restarts[2], restarts[3]]);
    let length = (restarts as usize)
        .checked_mul(4)
        .and_then(|size| rest.len().checked_sub(size));
    let mut rest = &rest[..length.ok_or_else(cut)?];
    let mut found = Vec::new();
    let mut key: Vec<u8> = Vec::new();
    while !rest.is_empty() {
        let mut size = || usize::try_from(varint(&mut rest)?.0).map_err(io::Error::other);
        let (shared, own, value) = (size()?, size()?, size()?);
        if shared > key.len() || own > rest.len() {
            return Err(cut());
        }
        key.truncate(shared);
        key.extend_from_slice(&rest[..own]);
        rest = &rest[own..];
        *left = left.checked_sub(key.len()).ok_or_else(cut)?;
        let bytes = rest.get(..value).ok_or_else(cut)?;
        found.push((key.clone(), bytes.to_vec()));
        rest = &rest[value..];
    }
    Ok(found)
}

fn cut() -> io::Error {
    io::Error::other("its index is cut short or damaged")
}

/// CRC-32C (Castagnoli), turned and shifted as LevelDB keeps it.
pub(super) fn masked_crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut crc = index as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc = (crc >> 8) ^ TABLE[((crc ^ u32::from(byte)) & 0xff) as usize];
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4: the CRC-32C of 32 zeros is 0x8a9136aa.
    #[test]
    fn the_checksum_is_castagnolis() {
        let expected = 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked_crc32c(&[0; 32]), expected);
    }
}
