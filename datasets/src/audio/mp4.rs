//! The boxes of m4a (mp4) files: whether they are there, and which samples are to be heard.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::format::{Format, damaged, truncated};
use super::opened::Opened;
use crate::{Error, Result};

/// The samples of a decoded track that are to be heard. Encoders begin with silence of their own and
/// fill up the last frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The samples before the first.
    pub(super) skip: u64,
    /// The end of the last, counted as `skip` is; none if the file does not tell.
    pub(super) end: Option<u64>,
    /// The samples that are there in all, at least.
    pub(super) promised: Option<u64>,
}

/// The movie box, which describes the tracks. Every box must be there as a whole.
pub(super) fn movie(path: &Path, file: &mut Opened) -> Result<Vec<u8>> {
    let failed = |error| Error::io("read", path, error);
    let (end, mut at) = (file.length(), 0);
    let mut movie = None;
    while at < end {
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let mut head = Vec::new();
        file.take(16).read_to_end(&mut head).map_err(failed)?;
        let short = || truncated(path, format!("it stops within a box, at byte {at}"));
        let (name, begin, size) = header(&head).ok_or_else(short)?;
        let size = if size == 0 { end - at } else { size };
        if size < begin || size > end - at {
            return Err(truncated(
                path,
                format!(
                    "its box '{}' at byte {at} promises {size} bytes and {} are there",
                    name.escape_ascii(),
                    end - at
                ),
            ));
        }
        if name == *b"moov" {
            let mut contents = Vec::new();
            file.seek(SeekFrom::Start(at + begin)).map_err(failed)?;
            file.take(size - begin)
                .read_to_end(&mut contents)
                .map_err(failed)?;
            movie = Some(contents);
        }
        at += size;
    }
    file.rewind().map_err(failed)?;
    movie.ok_or_else(|| truncated(path, "it has no box 'moov', which describes its sound"))
}

/// The name of the box that begins here, the length of its header, and that of all of it.
fn header(bytes: &[u8]) -> Option<([u8; 4], u64, u64)> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_first_chunk()?;
    match u32::from_be_bytes(*size) {
        1 => Some((*name, 16, u64::from_be_bytes(*rest.first_chunk()?))),
        size => Some((*name, 8, u64::from(size))),
    }
}

/// The contents of the first box of this name.
fn inner<'a>(boxes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    all(boxes).find(|(it, _)| it == name).map(|(_, box_)| box_)
}

/// The boxes in a box, each with its name.
fn all(mut boxes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (name, begin, size) = header(boxes)?;
        let size = match usize::try_from(size).ok()? {
            0 => boxes.len(),
            size => size,
        };
        let contents = boxes.get(usize::try_from(begin).ok()?..size)?;
        boxes = &boxes[size..];
        Some((name, contents))
    })
}

fn number(box_: &[u8], at: usize) -> Option<u64> {
    let bytes = box_.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes).into())
}

fn long(box_: &[u8], at: usize) -> Option<u64> {
    let bytes = box_.get(at..)?.first_chunk()?;
    Some(u64::from_be_bytes(*bytes))
}

/// Units per second of the times in a track or in the movie, of its header.
fn time_scale(header: &[u8]) -> Option<u64> {
    let at = if *header.first()? == 1 { 20 } else { 12 };
    number(header, at).filter(|&scale| scale > 0)
}

/// What is to be heard of the track with this number, in samples of this rate.
pub(super) fn heard(path: &Path, movie: &[u8], track_id: u32, rate_hz: u32) -> Result<Heard> {
    let tracks = all(movie).filter(|(name, _)| name == b"trak");
    let mut of_id = tracks.filter(|(_, track)| {
        let id = inner(track, b"tkhd").and_then(|header| {
            let at = if *header.first()? == 1 { 20 } else { 12 };
            number(header, at)
        });
        id == Some(track_id.into())
    });
    let Some((_, track)) = of_id.next() else {
        return Ok(Heard::default());
    };
    let media = inner(track, b"mdia").unwrap_or_default();
    let (Some(media_scale), Some(movie_scale)) = (
        inner(media, b"mdhd").and_then(time_scale),
        inner(movie, b"mvhd").and_then(time_scale),
    ) else {
        return Ok(Heard::default());
    };
    let samples = |time: u128, scale: u64| {
        let scale = u128::from(scale);
        let rounded = time
            .saturating_mul(rate_hz.into())
            .saturating_add(scale / 2)
            / scale;
        u64::try_from(rounded).unwrap_or(u64::MAX)
    };
    let times = inner(media, b"minf")
        .and_then(|box_| inner(inner(box_, b"stbl")?, b"stts"))
        .unwrap_or_default();
    let total: u128 = times
        .get(8..)
        .unwrap_or_default()
        .chunks_exact(8)
        .filter_map(|pair| Some(u128::from(number(pair, 0)?) * u128::from(number(pair, 4)?)))
        .sum();
    let promised = (total > 0).then(|| samples(total, media_scale));
    let list = inner(track, b"edts").and_then(|edits| inner(edits, b"elst"));
    let Some((duration, media_time)) = list.map(|list| edit(path, list)).transpose()?.flatten()
    else {
        let (skip, end) = by_itunes(movie).map_or((0, promised), |(skip, length)| {
            (skip, Some(skip.saturating_add(length)).or(promised))
        });
        return Ok(Heard {
            skip,
            end,
            promised,
        });
    };
    let skip = samples(media_time.into(), media_scale);
    // Damaged times may be beyond all numbers.
    let by_edit = skip.saturating_add(samples(duration.into(), movie_scale));
    // The edit's length is in the movie's units, which are often coarse: the media's, if it is the
    // same but for that.
    let unit = samples(1, movie_scale).max(1);
    let end = match promised {
        _ if duration == 0 => promised,
        Some(end) if by_edit.saturating_add(unit) >= end => Some(end),
        _ => Some(by_edit),
    };
    Ok(Heard {
        skip,
        end,
        promised,
    })
}

/// The one stretch of an edit list: its length in units of the movie and its beginning in units of
/// the media. None if it is all of the track.
fn edit(path: &Path, list: &[u8]) -> Result<Option<(u64, u64)>> {
    let is_long = list.first() == Some(&1);
    let size = if is_long { 20 } else { 12 };
    let entries = list.get(8..).unwrap_or_default().chunks_exact(size);
    let mut found = None;
    for entry in entries {
        let (duration, media_time, nowhere) = match is_long {
            true => (long(entry, 0), long(entry, 8), u64::MAX),
            false => (number(entry, 0), number(entry, 4), u64::from(u32::MAX)),
        };
        let (Some(duration), Some(media_time)) = (duration, media_time) else {
            continue;
        };
        // A pause before the sound.
        if media_time == nowhere {
            continue;
        }
        if found.is_some() || entry[size - 4..] != [0, 1, 0, 0] {
            return Err(damaged(
                path,
                Format::Mp4,
                "its edit list joins several parts or changes the speed, which is not supported; \
                 write it again, such as by `ffmpeg -i in.m4a out.wav`",
            ));
        }
        found = Some((duration, media_time));
    }
    Ok(found)
}

/// The delay and the length that iTunes writes into a comment: ` 00000000 DELAY PADDING LENGTH …`.
fn by_itunes(movie: &[u8]) -> Option<(u64, u64)> {
    let at = movie.windows(8).position(|eight| eight == b"iTunSMPB")?;
    let data = movie[at..].windows(4).position(|four| four == b"data")?;
    let text = movie.get(at + data + 12..)?;
    let text = &text[..text.len().min(128)];
    let mut numbers = text
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty())
        .map(|word| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    let (delay, length) = (numbers.nth(1)??, numbers.nth(1)??);
    (length > 0).then_some((delay, length))
}
