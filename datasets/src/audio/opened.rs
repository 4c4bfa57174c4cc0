//! An audio file, opened as far as where its format begins.

use std::fs::File;
use std::io::{Read, Result as IoResult, Seek, SeekFrom};
use std::path::Path;

use symphonia::core::io::MediaSource;

use super::format::{Format, truncated};
use super::tags::{end_without_tags, id3v2_bytes};
use crate::{Error, Result, files};

/// Enough of a file to tell its format, and the rate of most.
const HEAD_BYTES: u64 = 4096;

/// An audio file without the tags in front. Its positions are counted from where its format begins.
pub(super) struct Opened {
    file: File,
    start: u64,
    end: u64,
    at: u64,
    pub(super) format: Format,
    /// The first bytes of the format.
    pub(super) head: Vec<u8>,
}

impl Opened {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (mut file, end) = files::open(path)?;
        let failed = |error| Error::io("read", path, error);
        let mut start = 0;
        let mut head = Vec::new();
        loop {
            head.clear();
            file.by_ref()
                .take(HEAD_BYTES)
                .read_to_end(&mut head)
                .map_err(failed)?;
            let Some(tag) = id3v2_bytes(&head) else {
                break;
            };
            start += tag;
            if start >= end {
                return Err(truncated(path, "it stops within the ID3 tag in front"));
            }
            file.seek(SeekFrom::Start(start)).map_err(failed)?;
        }
        let format = Format::of(path, &head, start > 0)?;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        Ok(Self {
            file,
            start,
            end,
            at: 0,
            format,
            head,
        })
    }

    /// Its length.
    pub(super) const fn length(&self) -> u64 {
        self.end - self.start
    }

    /// Leaves out the tags behind the sound.
    pub(super) fn without_tags_behind(mut self, path: &Path) -> Result<Self> {
        let failed = |error| Error::io("read", path, error);
        self.end = end_without_tags(&mut self.file, self.start, self.end).map_err(failed)?;
        self.rewind().map_err(failed)?;
        Ok(self)
    }

    /// All of it.
    pub(super) fn contents(mut self, path: &Path) -> Result<Vec<u8>> {
        let mut contents = Vec::with_capacity(usize::try_from(self.length()).unwrap_or(0));
        self.read_to_end(&mut contents)
            .map_err(|error| Error::io("read", path, error))?;
        Ok(contents)
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let left = self.length().saturating_sub(self.at);
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.file.read(&mut buffer[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length().checked_add_signed(by),
        };
        let at = at
            .filter(|at| at.checked_add(self.start).is_some())
            .ok_or(std::io::ErrorKind::InvalidInput)?;
        self.file.seek(SeekFrom::Start(self.start + at))?;
        self.at = at;
        Ok(at)
    }
}

impl MediaSource for Opened {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length())
    }
}
