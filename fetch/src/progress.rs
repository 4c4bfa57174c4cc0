//! The progress of a download.

use std::ops::ControlFlow;
use std::time::Duration;

/// The progress of a download. `file` is the archive's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchProgress<'a> {
    /// An archive is being downloaded. Also reported, with the same numbers, while the server is
    /// waited for.
    Downloading {
        /// The archive.
        file: &'a str,
        /// Bytes that are here, those of earlier attempts included.
        bytes: u64,
        /// Bytes there are, if the server said.
        total: Option<u64>,
    },
    /// The connection was cut off; it is tried again after a pause.
    Waiting {
        /// The archive.
        file: &'a str,
        /// Which of the attempts in a row is next, from 1.
        retry: u32,
        /// How many there are.
        retries: u32,
        /// How long the pause still is.
        remaining: Duration,
        /// What happened.
        reason: &'a str,
    },
    /// The checksums of an archive are being computed.
    Verifying {
        /// The archive.
        file: &'a str,
        /// Bytes that were read.
        bytes: u64,
        /// Bytes there are.
        total: u64,
    },
    /// An archive is being unpacked.
    Unpacking {
        /// The archive.
        file: &'a str,
        /// Files that were written.
        files: u64,
        /// Bytes that were written, all files together.
        bytes: u64,
    },
}

/// A callback that is told of the progress and answers whether to go on.
pub type OnProgress<'a> = dyn FnMut(FetchProgress<'_>) -> ControlFlow<()> + 'a;
