//! Bounds on what is downloaded and unpacked, so that no server and no archive fills the disk or
//! the memory.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use crate::catalogue::PublicArchive;

/// On top of what follows from the size of the archive.
const SLACK_BYTES: u64 = 16 << 20;
/// What an archive may be larger than the catalogue says, where that is approximate.
const DOWNLOAD_TIMES: u64 = 2;
/// What files may be larger than their archive. Recorded sound shrinks to half at best.
const UNPACKED_TIMES: u64 = 4;
/// One entry for so many bytes of the archive, and some on top.
const BYTES_PER_ENTRY: u64 = 8 << 10;
const SLACK_ENTRIES: u64 = 10_000;
/// What may stand in front of an entry of a tar file: names, headers, lists of holes.
pub(crate) const TAR_HEADER_BYTES: u64 = 64 << 10;
/// What the directory of a zip file may take for each entry.
const ZIP_BYTES_PER_ENTRY: u64 = 128;
/// What is read to find the directory of a zip file, behind which a comment of 64 KiB may stand.
const ZIP_SEARCH_BYTES: u64 = 256 << 10;

/// The bounds of an archive, from the size that the catalogue gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of the archive itself.
    pub(crate) download: u64,
    /// Of all files in it together.
    pub(crate) bytes: u64,
    /// Number of entries in it, which are files, folders and notes on the archive.
    pub(crate) entries: u64,
}

impl Bounds {
    pub(crate) fn of(archive: &PublicArchive) -> Self {
        let times = |factor| archive.bytes.saturating_mul(factor);
        Self {
            download: times(DOWNLOAD_TIMES).saturating_add(SLACK_BYTES),
            bytes: times(UNPACKED_TIMES).saturating_add(SLACK_BYTES),
            entries: archive.bytes / BYTES_PER_ENTRY + SLACK_ENTRIES,
        }
    }

    /// Of what is read of a zip file before its first entry.
    pub(crate) fn zip_directory(&self) -> u64 {
        self.entries
            .saturating_mul(ZIP_BYTES_PER_ENTRY)
            .saturating_add(ZIP_SEARCH_BYTES)
    }
}

/// Counts what is read, and stops it at an allowance. The libraries that read archives take what
/// an archive says of the length of a name; through this, they get no more than is allowed.
#[derive(Clone, Default)]
pub(crate) struct Meter(Rc<Counts>);

#[derive(Default)]
struct Counts {
    allowance: Cell<u64>,
    spent: Cell<bool>,
}

impl Meter {
    /// From here on, so much may be read.
    pub(crate) fn allow(&self, bytes: u64) {
        self.0.allowance.set(bytes);
    }

    /// What may still be read.
    pub(crate) fn left(&self) -> u64 {
        self.0.allowance.get()
    }

    /// Whether more was asked for than is allowed.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.spent.get()
    }

    pub(crate) fn on<R>(&self, inner: R) -> Metered<R> {
        Metered {
            inner,
            meter: self.clone(),
        }
    }
}

/// A reader of which a [`Meter`] counts what is read.
pub(crate) struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let counts = &self.meter.0;
        let allowance = counts.allowance.get();
        let most = usize::try_from(allowance)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            // At the very end of the file nothing more is asked for.
            if self.inner.read(&mut [0])? == 0 {
                return Ok(0);
            }
            counts.spent.set(true);
            return Err(io::Error::other("more is to be read than is allowed"));
        }
        let read = self.inner.read(&mut buffer[..most])?;
        counts.allowance.set(allowance - read as u64);
        Ok(read)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;
    use crate::catalogue::CATALOGUE;

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let meter = Meter::default();
        let mut reader = meter.on(&b"0123456789"[..]);
        let mut buffer = [0; 8];
        meter.allow(4);
        assert_eq!(reader.read(&mut buffer).unwrap(), 4);
        meter.allow(6);
        assert_eq!(reader.read(&mut buffer).unwrap(), 6);
        assert_eq!(meter.left(), 0);
        assert_eq!(reader.read(&mut buffer).unwrap(), 0);
        assert!(!meter.is_spent());

        let mut reader = meter.on(&b"01"[..]);
        meter.allow(1);
        assert_eq!(reader.read(&mut buffer).unwrap(), 1);
        assert!(reader.read(&mut buffer).is_err());
        assert!(meter.is_spent());
    }

    /// Entries of the corpora whose titles say how many recordings there are.
    #[test]
    fn the_corpora_fit_their_bounds() {
        for (name, recordings) in [
            ("fsdd", 3000),
            ("speech-commands-v1", 64_727),
            ("speech-commands-v2", 105_829),
            ("urbansound8k", 8732),
            ("librispeech-train-other-500", 148_688),
        ] {
            let corpus = CATALOGUE.iter().find(|found| found.name == name).unwrap();
            let bounds = Bounds::of(&corpus.archives[0]);
            assert!(bounds.entries > 2 * recordings, "{name}: {bounds:?}");
        }
    }
}
