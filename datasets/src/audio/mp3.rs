//! The frames of mp3 files.
//!
//! The demuxer looks for the next frame wherever it is, and would pass over damage and over the
//! beginning of another stream. So every frame is found here first.

use std::ops::Range;
use std::path::Path;

use super::format::{Format, damaged, truncated};
use super::tags::tag_bytes;
use crate::{Error, Result};

/// The header of a frame, as far as its place and length follow from it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Frame {
    /// Version, sample rate and whether there is one channel: all frames of a stream have the same.
    kind: (u8, u8, bool),
    sample_rate_hz: u32,
    has_crc: bool,
    bytes: usize,
}

const KBPS_1: [usize; 15] = [
    0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
const KBPS_2: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

impl Frame {
    /// The frame that begins here, or the reason there is none.
    fn at(bytes: &[u8]) -> std::result::Result<Self, &'static str> {
        let Some(&[0xff, b, c, d]) = bytes.first_chunk::<4>() else {
            return Err("is not the beginning of a frame");
        };
        let (version, layer) = ((b >> 3) & 3, (b >> 1) & 3);
        let (rate, bits) = ((c >> 2) & 3, c >> 4);
        if b < 0xe0 || version == 1 || layer == 0 || rate == 3 || bits == 15 {
            return Err("is not the beginning of a frame");
        }
        if layer != 1 {
            return Err("is MPEG audio of layer I or II, which is not supported; layer III is");
        }
        if bits == 0 {
            return Err("is of a free bit rate, which is not supported; the usual rates are");
        }
        // Version 3 is MPEG-1, 2 is MPEG-2 of half the rate, 0 is MPEG-2.5 of a quarter.
        let divisor = [4, 1, 2, 1][usize::from(version)];
        let sample_rate_hz = [44_100, 48_000, 32_000][usize::from(rate)] / divisor;
        let (kbps, factor) = match version {
            3 => (KBPS_1[usize::from(bits)], 144),
            _ => (KBPS_2[usize::from(bits)], 72),
        };
        Ok(Self {
            kind: (version, rate, d >> 6 == 3),
            sample_rate_hz,
            has_crc: b & 1 == 0,
            bytes: factor * kbps * 1000 / sample_rate_hz as usize + usize::from((c >> 1) & 1),
        })
    }

    /// Whether the frame holds the tag that begins a stream, rather than sound.
    fn begins_a_stream(&self, frame: &[u8]) -> bool {
        let header = if self.has_crc { 6 } else { 4 };
        let tagged = |at: usize, names: &[&[u8]]| {
            let name = frame.get(at..at + 4).unwrap_or_default();
            names.contains(&name) && frame[header..at].iter().all(|&byte| byte == 0)
        };
        tagged(self.info_at(), &[b"Xing", b"Info"]) || tagged(36, &[b"VBRI"])
    }

    /// The place of such a tag, behind what would be the frame's side information.
    const fn info_at(&self) -> usize {
        match self.kind {
            (3, _, false) => 36,
            (3, _, true) | (_, _, false) => 21,
            (_, _, true) => 13,
        }
    }
}

/// The sample rate that the first frame in the beginning of a file names.
pub(super) fn rate_of(head: &[u8]) -> Option<u32> {
    let begin = head.iter().position(|&byte| byte != 0)?;
    Some(Frame::at(&head[begin..]).ok()?.sample_rate_hz)
}

/// The streams of a file, one after another, of whole frames without the tags between them.
///
/// # Errors
///
/// What is neither a frame nor a tag; a last frame that is cut; streams of different sample rates.
pub(super) fn streams(path: &Path, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
    let mut streams = found(path, &bytes)?;
    // Nearly always there is one, and is the file without what is around it.
    let mut parts = match &mut streams[..] {
        [frames] if frames.len() == 1 => {
            let frames = frames[0].clone();
            let mut bytes = bytes;
            bytes.truncate(frames.end);
            bytes.drain(..frames.start);
            vec![bytes]
        }
        streams => {
            let joined = |frames: &Vec<Range<usize>>| {
                let parts = frames.iter().map(|part| &bytes[part.clone()]);
                parts.collect::<Vec<_>>().concat()
            };
            streams.iter().map(joined).collect()
        }
    };
    for stream in &mut parts {
        clear_checksum(stream);
    }
    Ok(parts)
}

/// The places of the streams' frames.
fn found(path: &Path, bytes: &[u8]) -> Result<Vec<Vec<Range<usize>>>> {
    let mut streams = Vec::<Vec<Range<usize>>>::new();
    let mut last = None::<Frame>;
    let (mut at, mut count) = (0, 0);
    // Whether a tag or padding is between this place and the last frame.
    let mut apart = true;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if let Some(length) = tag_bytes(rest) {
            if length > rest.len() {
                return Err(truncated(path, "it stops within a tag"));
            }
            (at, apart) = (at + length, true);
            continue;
        }
        let padding = rest.iter().take_while(|&&byte| byte == 0).count();
        let behind = &rest[padding..];
        if padding > 0 {
            let is_end = behind.is_empty() || tag_bytes(behind).is_some();
            let is_begin = last.is_none()
                || Frame::at(behind).is_ok_and(|frame| frame.begins_a_stream(behind));
            if is_end || is_begin {
                (at, apart) = (at + padding, true);
                continue;
            }
        }
        let refuse = |fault: &str| refusal(path, at, count, fault);
        let frame = match Frame::at(rest) {
            Ok(frame) => frame,
            Err(_) if count > 0 && is_cut(rest) => {
                return Err(truncated(path, "its last frame is not complete"));
            }
            Err(fault) => return Err(refuse(fault)),
        };
        if frame.bytes > rest.len() {
            return Err(truncated(path, "its last frame is not complete"));
        }
        let begins = frame.begins_a_stream(&rest[..frame.bytes]);
        match last {
            Some(last) if last.kind == frame.kind && !begins => {}
            Some(_) if !begins && !apart => {
                return Err(refuse("is a frame of another kind than those before it"));
            }
            Some(last) if last.sample_rate_hz != frame.sample_rate_hz => {
                return Err(damaged(
                    path,
                    Format::Mp3,
                    format!(
                        "it chains a stream of {} Hz and, from byte {at}, one of {} Hz; split it \
                         into one file each",
                        last.sample_rate_hz, frame.sample_rate_hz
                    ),
                ));
            }
            _ => streams.push(Vec::new()),
        }
        let end = at + frame.bytes;
        if let Some(stream) = streams.last_mut() {
            match stream.last_mut() {
                Some(part) if part.end == at => part.end = end,
                _ => stream.push(at..end),
            }
        }
        (at, count, apart, last) = (end, count + 1, false, Some(frame));
    }
    if streams.is_empty() {
        return Err(damaged(path, Format::Mp3, "it holds no frame"));
    }
    Ok(streams)
}

fn refusal(path: &Path, at: usize, count: usize, fault: &str) -> Error {
    let reason = match count {
        0 => format!("byte {at} {fault}"),
        _ => format!("byte {at}, behind frame {count}, {fault}: the file is damaged"),
    };
    damaged(path, Format::Mp3, reason)
}

/// Whether this is too little for the header of a frame, and would be the beginning of one.
fn is_cut(rest: &[u8]) -> bool {
    rest.len() < 4 && rest[0] == 0xff && rest.get(1).is_none_or(|&byte| byte >= 0xe0)
}

/// Writes 0, which stands for none, over the checksum of LAME's tag in the first frame. Programs
/// that copy the frames change the tag and leave the sum (ffmpeg), and the demuxer would then not
/// believe the delay it names.
fn clear_checksum(stream: &mut [u8]) {
    let Ok(frame) = Frame::at(stream) else {
        return;
    };
    if !frame.begins_a_stream(stream) {
        return;
    }
    let flags_at = frame.info_at() + 4;
    let Some(&[_, _, _, flags]) = stream.get(flags_at..).and_then(<[u8]>::first_chunk) else {
        return;
    };
    // Frames, bytes, table of contents and quality, each if its flag is set.
    let fields = [4, 4, 100, 4].iter().enumerate();
    let before: usize = fields
        .filter(|(bit, _)| flags & (1 << bit) != 0)
        .map(|(_, bytes)| bytes)
        .sum();
    let lame_at = flags_at + 4 + before;
    let end = frame.bytes.min(stream.len());
    let is_known = |name: &[u8]| [&b"LAME"[..], b"Lavf", b"Lavc"].contains(&name);
    if stream.get(lame_at..lame_at + 4).is_some_and(is_known) && lame_at + 36 <= end {
        stream[lame_at + 34..lame_at + 36].fill(0);
    }
}
