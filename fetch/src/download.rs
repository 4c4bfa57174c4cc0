//! Downloading one file, resumed where it was cut off.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use ureq::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, IF_RANGE, RANGE};
use ureq::http::{HeaderMap, StatusCode};

use crate::catalogue::{PublicArchive, PublicCorpus};
use crate::connection::{ConnectionEvent, agent, content_range, insecure, named, reason, talk};
use crate::error::{FetchError, Result, free_bytes};
use crate::options::FetchOptions;
use crate::partial::{PartialFile, Version};
use crate::progress::{FetchProgress, OnProgress};

/// Chunks that wait to be written.
const CHUNKS_AHEAD: usize = 8;
/// How long `progress` goes uncalled at most.
const TICK: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What has to arrive for an attempt to count as one that got somewhere.
const ADVANCE_BYTES: u64 = 1 << 20;

/// Why an attempt ended before the file did.
enum Failure {
    /// Trying again does not help.
    Final(FetchError),
    /// It may help.
    Cut(String),
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

/// Downloads `url` to the `.part` of `path`, attempt after attempt, until it is whole.
pub(crate) fn download(
    corpus: &PublicCorpus,
    archive: &PublicArchive,
    url: &str,
    path: &Path,
    options: &FetchOptions,
    progress: &mut OnProgress<'_>,
) -> Result<PartialFile> {
    let mut download = Download {
        corpus,
        archive,
        url,
        part: PartialFile::of(path),
        agent: agent(archive, url, options),
        answered: false,
        progress,
    };
    let mut failures = 0;
    loop {
        let before = download.part.state().0;
        let reason = match download.attempt() {
            Ok(()) => return Ok(download.part),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Cut(reason)) => reason,
        };
        let (have, version) = download.part.state();
        if have >= before + ADVANCE_BYTES {
            failures = 0;
        }
        if failures == options.retries {
            return Err(if download.answered || have > 0 {
                FetchError::CutOff {
                    url: url.to_owned(),
                    have,
                    total: version.and_then(|version| version.total),
                    attempts: failures + 1,
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
        download.wait(
            doubled.min(LONGEST_PAUSE),
            failures,
            options.retries,
            &reason,
        )?;
    }
}

struct Download<'a, 'p> {
    corpus: &'a PublicCorpus,
    archive: &'a PublicArchive,
    url: &'a str,
    part: PartialFile,
    agent: ureq::Agent,
    /// Whether the server was ever reached.
    answered: bool,
    progress: &'a mut OnProgress<'p>,
}

impl Download<'_, '_> {
    /// One request, from where the part ends.
    fn attempt(&mut self) -> std::result::Result<(), Failure> {
        let (mut have, version) = self.part.state();
        let version = version.filter(|version| {
            // Without a validator the server cannot tell whether the file is still the same; with
            // a published checksum it will turn out.
            version.url == self.url
                && (version.validator().is_some() || self.archive.checksum.is_some())
        });
        if version.is_none() {
            have = 0;
        }
        let known_total = version.as_ref().and_then(|version| version.total);
        if have > 0 && known_total == Some(have) {
            return Ok(());
        }
        let validator = version.as_ref().and_then(Version::validator);
        let events = self.ask(have, validator)?;
        let (status, headers) = self.answer(&events, have, known_total)?;

        let start = match status {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if have > 0 => {
                let (first, total) = content_range(&headers);
                let now = Version::new(self.url, &headers, total);
                if first != Some(have) || version.as_ref().is_some_and(|then| then.differs(&now)) {
                    self.part.discard()?;
                    return Err(Failure::Cut(
                        "the server sent something else than the rest of the file".into(),
                    ));
                }
                have
            }
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                if content_range(&headers).1 == Some(have) {
                    return Ok(());
                }
                self.part.discard()?;
                return Err(Failure::Cut(
                    "the file on the server has become shorter".into(),
                ));
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failure::Cut(format!(
                    "the server answered {}",
                    named(status)
                )));
            }
            status if status.is_server_error() => {
                return Err(Failure::Cut(format!(
                    "the server answered {}",
                    named(status)
                )));
            }
            status => {
                return Err(Failure::Final(FetchError::Status {
                    url: self.url.to_owned(),
                    status: named(status),
                    homepage: self.corpus.homepage.to_owned(),
                }));
            }
        };
        let total = match status {
            StatusCode::OK => headers
                .get(CONTENT_LENGTH)
                .and_then(|value| value.to_str().ok()?.parse().ok()),
            _ => content_range(&headers).1.or(known_total),
        };
        self.check_room(start, total)?;
        let mut file = self
            .part
            .open(start, &Version::new(self.url, &headers, total))?;
        self.receive(&events, &mut file, start, total)
    }

    /// Sends a request for the bytes from `have` on. A thread of its own talks to the server, so
    /// that a server that says nothing does not keep this one from stopping.
    fn ask(&self, have: u64, validator: Option<&str>) -> Result<Receiver<ConnectionEvent>> {
        let mut request = self.agent.get(self.url).header(ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
            if let Some(validator) = validator {
                request = request.header(IF_RANGE, validator);
            }
        }
        let (sender, receiver) = sync_channel(CHUNKS_AHEAD);
        std::thread::Builder::new()
            .name("fetch".into())
            // It ends when the file does, and within the time-outs when nobody listens any more.
            .spawn(move || talk(request, &sender))
            .map_err(|error| FetchError::io("start a thread for", self.part.path(), error))?;
        Ok(receiver)
    }

    /// Waits for the status and the headers.
    fn answer(
        &mut self,
        events: &Receiver<ConnectionEvent>,
        have: u64,
        total: Option<u64>,
    ) -> std::result::Result<(StatusCode, HeaderMap), Failure> {
        match self.next(events, have, total)? {
            ConnectionEvent::Answer(status, headers) => {
                self.answered = true;
                Ok((status, headers))
            }
            ConnectionEvent::Failed(error) => Err(self.failure(&error)),
            ConnectionEvent::Chunk(_) | ConnectionEvent::End => {
                Err(Failure::Cut("the server sent no status".into()))
            }
        }
    }

    /// Writes what arrives behind `start`.
    fn receive(
        &mut self,
        events: &Receiver<ConnectionEvent>,
        file: &mut File,
        start: u64,
        total: Option<u64>,
    ) -> std::result::Result<(), Failure> {
        let mut have = start;
        loop {
            match self.next(events, have, total)? {
                ConnectionEvent::Chunk(chunk) => {
                    file.write_all(&chunk)
                        .map_err(|error| self.unwritten(error, have, total))?;
                    have += chunk.len() as u64;
                }
                ConnectionEvent::End => break,
                ConnectionEvent::Failed(error) => return Err(self.failure(&error)),
                ConnectionEvent::Answer(..) => {}
            }
        }
        if total.is_some_and(|total| total != have) {
            return Err(Failure::Cut(
                "the connection was closed before the end".into(),
            ));
        }
        // What is on the disk is checked next, and renamed to the name of a whole file after that.
        file.sync_all()
            .map_err(|error| self.unwritten(error, have, total))?;
        Ok(())
    }

    /// The next thing from the server; meanwhile the caller is told how far it is.
    fn next(
        &mut self,
        events: &Receiver<ConnectionEvent>,
        bytes: u64,
        total: Option<u64>,
    ) -> Result<ConnectionEvent> {
        loop {
            let told = (self.progress)(FetchProgress::Downloading {
                file: self.archive.file,
                bytes,
                total,
            });
            if told.is_break() {
                return Err(FetchError::Stopped);
            }
            match events.recv_timeout(TICK) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(ConnectionEvent::End),
            }
        }
    }

    /// A pause before the next attempt.
    fn wait(&mut self, pause: Duration, retry: u32, retries: u32, reason: &str) -> Result<()> {
        let until = Instant::now() + pause;
        loop {
            let remaining = until.saturating_duration_since(Instant::now());
            let told = (self.progress)(FetchProgress::Waiting {
                file: self.archive.file,
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

    /// Says before the download, rather than at its end, that there is no room for it.
    fn check_room(&self, start: u64, total: Option<u64>) -> Result<()> {
        let folder = self.part.path().parent().unwrap_or(Path::new("."));
        // What is here beyond `start` is about to be given back.
        let given_back = self.part.state().0.saturating_sub(start);
        let (Some(total), Some(free)) = (total, free_bytes(folder)) else {
            return Ok(());
        };
        let needed = total.saturating_sub(start);
        if needed > free.saturating_add(given_back) {
            return Err(FetchError::DiskFull {
                path: self.part.path().to_owned(),
                needed: Some(needed),
                available: Some(free),
            });
        }
        Ok(())
    }

    /// A write that failed; of a full disk it is said how much is missing.
    fn unwritten(&self, error: std::io::Error, have: u64, total: Option<u64>) -> FetchError {
        match FetchError::io("write", self.part.path(), error) {
            FetchError::DiskFull {
                path, available, ..
            } => FetchError::DiskFull {
                path,
                needed: total.map(|total| total.saturating_sub(have)),
                available,
            },
            other => other,
        }
    }

    /// What an error of the connection means.
    fn failure(&self, error: &ureq::Error) -> Failure {
        let reason = reason(error);
        let hopeless = match error {
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
                return Failure::Final(FetchError::Address {
                    url: self.url.to_owned(),
                    reason,
                });
            }
            ureq::Error::RequireHttpsOnly(_)
            | ureq::Error::TooManyRedirects
            | ureq::Error::InvalidProxyUrl => true,
            error if insecure(error).is_some() => true,
            // A name that is not known and a port that is closed stay so, unless it went well
            // before.
            ureq::Error::HostNotFound => !self.answered,
            ureq::Error::Io(error) => {
                !self.answered && error.kind() == std::io::ErrorKind::ConnectionRefused
            }
            _ => false,
        };
        if hopeless {
            Failure::Final(FetchError::Unreachable {
                url: self.url.to_owned(),
                reason,
            })
        } else {
            Failure::Cut(reason)
        }
    }
}
