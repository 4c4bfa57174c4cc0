//! Downloading one file, resumed where it was cut off.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::attempt::{Download, Failure};
use crate::catalogue::{PublicArchive, PublicCorpus};
use crate::error::{FetchError, Result};
use crate::options::FetchOptions;
use crate::partial::PartialFile;
use crate::progress::{FetchProgress, OnProgress};
use crate::shown::shown;

/// How long `progress` goes uncalled at most.
const TICK: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What has to arrive for an attempt to count as one that got somewhere.
const ADVANCE_BYTES: u64 = 1 << 20;

/// Downloads `url` to the `.part` of `path`, attempt after attempt, until it is whole.
pub(crate) fn download(
    corpus: &PublicCorpus,
    archive: &PublicArchive,
    url: &str,
    path: &Path,
    options: &FetchOptions,
    progress: &mut OnProgress<'_>,
) -> Result<PartialFile> {
    let mut download = Download::new(corpus, archive, url, path, options, progress);
    let mut failures = 0;
    loop {
        let before = download.part.state()?.0;
        let reason = match download.attempt() {
            Ok(()) => return Ok(download.part),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Cut(reason)) => reason,
        };
        let (have, version) = download.part.state()?;
        if have >= before.saturating_add(ADVANCE_BYTES) {
            failures = 0;
        }
        // What arrives again after it was given up gets nowhere, however much it is.
        let restarts = download.restarts;
        let reason = match restarts {
            0 => reason,
            1 => format!("{reason} (what had arrived was of no use once)"),
            _ => format!("{reason} (what had arrived was of no use {restarts} times)"),
        };
        if failures == options.retries || restarts > options.retries {
            return Err(if download.answered || have > 0 {
                FetchError::CutOff {
                    url: url.to_owned(),
                    have,
                    total: version.and_then(|version| version.total),
                    attempts: (failures + 1).max(restarts),
                    reason,
                    part: download.part.path().to_owned(),
                }
            } else {
                FetchError::Unreachable {
                    url: url.to_owned(),
                    reason,
                }
            });
        }
        let doubled = options.first_pause.saturating_mul(1 << failures.min(16));
        failures += 1;
        wait(
            archive.file,
            doubled.min(LONGEST_PAUSE),
            (failures, options.retries),
            &shown(reason),
            download.progress,
        )?;
    }
}

/// A pause before the next attempt.
fn wait(
    file: &str,
    pause: Duration,
    (retry, retries): (u32, u32),
    reason: &str,
    progress: &mut OnProgress<'_>,
) -> Result<()> {
    let until = Instant::now() + pause;
    loop {
        let remaining = until.saturating_duration_since(Instant::now());
        let told = progress(FetchProgress::Waiting {
            file,
            retry,
            retries,
            remaining,
            reason,
        });
        if told.is_break() {
            return Err(FetchError::Stopped);
        }
        if remaining.is_zero() {
            return Ok(());
        }
        std::thread::sleep(remaining.min(TICK));
    }
}
