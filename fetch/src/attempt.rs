//! One attempt to download a file.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use ureq::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, IF_RANGE, RANGE};
use ureq::http::{HeaderMap, StatusCode};

use crate::bounds::Bounds;
use crate::catalogue::{PublicArchive, PublicCorpus};
use crate::connection::{
    ConnectionEvent, agent, content_range, insecure, named, range_text, reason, talk,
};
use crate::error::{FetchError, Result, free_bytes, sized};
use crate::options::FetchOptions;
use crate::partial::{PartialFile, Version};
use crate::progress::{FetchProgress, OnProgress};

/// Chunks that wait to be written.
const CHUNKS_AHEAD: usize = 8;
/// How long `progress` goes uncalled at most.
const TICK: Duration = Duration::from_millis(100);

/// Why an attempt ended before the file did.
pub(crate) enum Failure {
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

/// The download of one file.
pub(crate) struct Download<'a, 'p> {
    corpus: &'a PublicCorpus,
    archive: &'a PublicArchive,
    url: &'a str,
    pub(crate) part: PartialFile,
    agent: ureq::Agent,
    /// Whether the server was ever reached.
    pub(crate) answered: bool,
    /// How often what had arrived was given up.
    pub(crate) restarts: u32,
    pub(crate) progress: &'a mut OnProgress<'p>,
}

impl<'a, 'p> Download<'a, 'p> {
    pub(crate) fn new(
        corpus: &'a PublicCorpus,
        archive: &'a PublicArchive,
        url: &'a str,
        path: &Path,
        options: &FetchOptions,
        progress: &'a mut OnProgress<'p>,
    ) -> Self {
        Self {
            corpus,
            archive,
            url,
            part: PartialFile::of(path),
            agent: agent(archive, url, options),
            answered: false,
            restarts: 0,
            progress,
        }
    }

    /// One request, from where the part ends.
    pub(crate) fn attempt(&mut self) -> std::result::Result<(), Failure> {
        let (mut have, version) = self.part.state()?;
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
                if first != Some(have) {
                    return Err(self.restart(format!(
                        "the server was asked for the bytes from {have} on and sent others \
                         (Content-Range: {})",
                        range_text(&headers)
                    ))?);
                }
                if version.as_ref().is_some_and(|then| then.differs(&now)) {
                    return Err(self.restart(
                        "the server was asked for the rest of the file and sent that of another"
                            .into(),
                    )?);
                }
                have
            }
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                if content_range(&headers).1 == Some(have) {
                    return Ok(());
                }
                return Err(self.restart(format!(
                    "the server has no bytes from {have} on (Content-Range: {})",
                    range_text(&headers)
                ))?);
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
        self.check_size(total.unwrap_or(0))?;
        self.check_room(start, total)?;
        if start < self.part.state()?.0 {
            self.restarts += 1;
        }
        let mut file = self
            .part
            .open(start, &Version::new(self.url, &headers, total))?;
        self.receive(&events, &mut file, start, total)
    }

    /// Gives up what has arrived.
    fn restart(&mut self, reason: String) -> Result<Failure> {
        self.part.discard()?;
        self.restarts += 1;
        Ok(Failure::Cut(reason))
    }

    /// Refuses a file that is far larger than the published one.
    fn check_size(&self, bytes: u64) -> Result<()> {
        let most = Bounds::of(self.archive).download;
        if bytes <= most {
            return Ok(());
        }
        self.part.discard()?;
        Err(FetchError::TooLarge {
            from: self.url.to_owned(),
            reason: format!(
                "the server sends {bytes} bytes or more, and the published file has {} ({most} \
                 bytes at most are taken); what arrived was deleted",
                sized(self.archive.bytes)
            ),
        })
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
                    let arrived = have.saturating_add(chunk.len() as u64);
                    self.check_size(arrived)?;
                    if let Some(total) = total.filter(|total| arrived > *total) {
                        return Err(self.restart(format!(
                            "the server sent more than the {total} bytes it had announced"
                        ))?);
                    }
                    file.write_all(&chunk)
                        .map_err(|error| self.unwritten(error, have, total))?;
                    have += chunk.len() as u64;
                }
                ConnectionEvent::End => break,
                ConnectionEvent::Failed(error) => return Err(self.failure(&error)),
                ConnectionEvent::Answer(..) => {}
            }
        }
        if let Some(total) = total.filter(|total| *total != have) {
            return Err(Failure::Cut(format!(
                "the connection was closed after {have} of {total} bytes"
            )));
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

    /// Says before the download, rather than at its end, that there is no room for it.
    fn check_room(&self, start: u64, total: Option<u64>) -> Result<()> {
        let folder = self.part.path().parent().unwrap_or(Path::new("."));
        // What is here beyond `start` is about to be given back.
        let given_back = self.part.state()?.0.saturating_sub(start);
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
