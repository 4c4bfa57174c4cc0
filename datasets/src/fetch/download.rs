//! One file from a server: taken up again where it was cut off.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ureq::http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_RANGE, LAST_MODIFIED,
    RANGE,
};
use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::error::free_bytes;
use super::{
    FetchError, FetchOptions, OnProgress, Progress, PublicArchive, PublicCorpus, Result, remove,
};

const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that wait to be written.
const CHUNKS_AHEAD: usize = 8;
/// How long `progress` goes uncalled at most.
const TICK: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// What has to arrive for an attempt to count as one that got somewhere.
const ADVANCE_BYTES: u64 = 1 << 20;

/// What has arrived of a file, and beside it a note on which version of the file it is of.
pub(super) struct Part {
    path: PathBuf,
    note: PathBuf,
}

/// The version of a file, as the server names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Version {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    total: Option<u64>,
}

impl Version {
    fn new(url: &str, headers: &HeaderMap, total: Option<u64>) -> Self {
        let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        Self {
            url: url.to_owned(),
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
            total,
        }
    }

    /// Whether the two are said to be of different content.
    fn differs(&self, other: &Self) -> bool {
        fn told_apart<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            one.is_some() && other.is_some() && one != other
        }
        told_apart(&self.etag, &other.etag) || told_apart(&self.total, &other.total)
    }

    /// What `If-Range` may name (RFC 9110, section 13.1.5): a strong entity tag, else a date.
    fn validator(&self) -> Option<&str> {
        self.etag
            .as_deref()
            .filter(|etag| !etag.starts_with("W/"))
            .or(self.last_modified.as_deref())
    }
}

impl Part {
    fn of(path: &Path) -> Self {
        let beside = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self {
            path: beside(".part"),
            note: beside(".part.json"),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes it.
    pub(super) fn discard(&self) -> Result<()> {
        remove(&self.path)?;
        remove(&self.note)
    }

    /// Makes it the file it is a part of, now that it is the whole.
    pub(super) fn rename_to(&self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path)
            .map_err(|error| FetchError::io("move the download to", path, error))?;
        remove(&self.note)
    }

    /// How many bytes are here, and of which version. A note that cannot be read is none.
    fn state(&self) -> (u64, Option<Version>) {
        let have = fs::metadata(&self.path).map_or(0, |found| found.len());
        let version = fs::read(&self.note)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        (have, version)
    }

    /// Opens it to be written from `start` on.
    fn open(&self, start: u64, version: &Version) -> Result<File> {
        let failed = |error| FetchError::io("write", &self.path, error);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.path)
            .map_err(failed)?;
        // Shortened before the note says that it is of another version.
        file.set_len(start).map_err(failed)?;
        file.seek(std::io::SeekFrom::Start(start)).map_err(failed)?;
        let note = serde_json::to_vec(version)
            .map_err(|error| FetchError::io("write", &self.note, error.into()))?;
        fs::write(&self.note, note).map_err(|error| FetchError::io("write", &self.note, error))?;
        Ok(file)
    }
}

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
pub(super) fn download(
    corpus: &PublicCorpus,
    archive: &PublicArchive,
    url: &str,
    path: &Path,
    options: &FetchOptions,
    progress: &mut OnProgress<'_>,
) -> Result<Part> {
    let mut download = Download {
        corpus,
        archive,
        url,
        part: Part::of(path),
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
                    part: download.part.path,
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
    part: Part,
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
    fn ask(&self, have: u64, validator: Option<&str>) -> Result<Receiver<Event>> {
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
            .map_err(|error| FetchError::io("start a thread for", &self.part.path, error))?;
        Ok(receiver)
    }

    /// Waits for the status and the headers.
    fn answer(
        &mut self,
        events: &Receiver<Event>,
        have: u64,
        total: Option<u64>,
    ) -> std::result::Result<(StatusCode, HeaderMap), Failure> {
        match self.next(events, have, total)? {
            Event::Answer(status, headers) => {
                self.answered = true;
                Ok((status, headers))
            }
            Event::Failed(error) => Err(self.failure(&error)),
            Event::Chunk(_) | Event::End => Err(Failure::Cut("the server sent no status".into())),
        }
    }

    /// Writes what arrives behind `start`.
    fn receive(
        &mut self,
        events: &Receiver<Event>,
        file: &mut File,
        start: u64,
        total: Option<u64>,
    ) -> std::result::Result<(), Failure> {
        let mut have = start;
        loop {
            match self.next(events, have, total)? {
                Event::Chunk(chunk) => {
                    file.write_all(&chunk)
                        .map_err(|error| self.unwritten(error, have, total))?;
                    have += chunk.len() as u64;
                }
                Event::End => break,
                Event::Failed(error) => return Err(self.failure(&error)),
                Event::Answer(..) => {}
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
    fn next(&mut self, events: &Receiver<Event>, bytes: u64, total: Option<u64>) -> Result<Event> {
        loop {
            let told = (self.progress)(Progress::Downloading {
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
                Err(RecvTimeoutError::Disconnected) => return Ok(Event::End),
            }
        }
    }

    /// A pause before the next attempt.
    fn wait(&mut self, pause: Duration, retry: u32, retries: u32, reason: &str) -> Result<()> {
        let until = Instant::now() + pause;
        loop {
            let remaining = until.saturating_duration_since(Instant::now());
            let told = (self.progress)(Progress::Waiting {
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
        let folder = self.part.path.parent().unwrap_or(Path::new("."));
        // What is here beyond `start` is about to be given back.
        let given_back = self.part.state().0.saturating_sub(start);
        let (Some(total), Some(free)) = (total, free_bytes(folder)) else {
            return Ok(());
        };
        let needed = total.saturating_sub(start);
        if needed > free.saturating_add(given_back) {
            return Err(FetchError::DiskFull {
                path: self.part.path.clone(),
                needed: Some(needed),
                available: Some(free),
            });
        }
        Ok(())
    }

    /// A write that failed; of a full disk it is said how much is missing.
    fn unwritten(&self, error: std::io::Error, have: u64, total: Option<u64>) -> FetchError {
        match FetchError::io("write", &self.part.path, error) {
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

/// What the talking thread says.
enum Event {
    Answer(StatusCode, HeaderMap),
    Chunk(Vec<u8>),
    End,
    Failed(ureq::Error),
}

/// Sends the request and passes on what comes back, for as long as someone listens.
fn talk(request: ureq::RequestBuilder<ureq::typestate::WithoutBody>, sender: &SyncSender<Event>) {
    let answer = match request.call() {
        Ok(answer) => answer,
        Err(error) => {
            let _ = sender.send(Event::Failed(error));
            return;
        }
    };
    let (head, body) = answer.into_parts();
    if sender
        .send(Event::Answer(head.status, head.headers))
        .is_err()
    {
        return;
    }
    if !head.status.is_success() {
        return;
    }
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let event = match reader.read(&mut chunk) {
            Ok(0) => Event::End,
            Ok(read) => {
                chunk.truncate(read);
                Event::Chunk(chunk)
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => Event::Failed(ureq::Error::from(error)),
        };
        let last = !matches!(event, Event::Chunk(_));
        if sender.send(event).is_err() || last {
            return;
        }
    }
}

fn agent(archive: &PublicArchive, url: &str, options: &FetchOptions) -> ureq::Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let mut config = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        // Where no checksum is published, only the connection vouches for the file.
        .https_only(archive.checksum.is_none() && url.starts_with("https://"))
        .user_agent(concat!("sori/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(options.idle_timeout))
        .timeout_per_read(Some(options.idle_timeout))
        .max_idle_connections(0);
    // A proxy cannot reach what runs on this machine.
    if is_loopback(url) {
        config = config.proxy(None);
    }
    config.build().into()
}

fn is_loopback(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
        rest.strip_prefix(host)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}

/// First byte and length of `bytes 5-9/10`; of `bytes */10` the length alone.
fn content_range(headers: &HeaderMap) -> (Option<u64>, Option<u64>) {
    let parsed = || {
        let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let first = range
            .split_once('-')
            .and_then(|(first, _)| first.parse().ok());
        Some((first, total.parse().ok()))
    };
    parsed().unwrap_or((None, None))
}

/// `404 Not Found`.
fn named(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// What TLS objects to, if it does.
fn insecure(error: &ureq::Error) -> Option<String> {
    match error {
        ureq::Error::Tls(reason) => Some((*reason).to_owned()),
        ureq::Error::Rustls(reason) => Some(reason.to_string()),
        ureq::Error::Io(error) => {
            let reason = error.get_ref()?.downcast_ref::<rustls::Error>()?;
            Some(reason.to_string())
        }
        _ => None,
    }
}

/// An error of the connection, in words.
fn reason(error: &ureq::Error) -> String {
    if let Some(reason) = insecure(error) {
        return format!(
            "no secure connection ({reason}); are the certificates of this system installed and \
             its clock right?"
        );
    }
    match error {
        ureq::Error::HostNotFound => {
            "the name of the server is not known here; is there a network connection?".into()
        }
        ureq::Error::Timeout(_) => "the server did not answer in time".into(),
        ureq::Error::RequireHttpsOnly(_) => {
            "the server redirects to an address without https, and no checksum is published by \
             which to tell the file"
                .into()
        }
        ureq::Error::Io(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "no server accepts connections there".into(),
            std::io::ErrorKind::UnexpectedEof => "the connection was closed before the end".into(),
            _ => error.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    #[test]
    fn content_ranges_are_read_as_rfc_9110_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, text.parse().unwrap());
            content_range(&headers)
        };
        assert_eq!(read("bytes 42-1233/1234"), (Some(42), Some(1234)));
        assert_eq!(read("bytes 42-1233/*"), (Some(42), None));
        assert_eq!(read("bytes */1234"), (None, Some(1234)));
        assert_eq!(read("lines 1-2/3"), (None, None));
        assert_eq!(content_range(&HeaderMap::new()), (None, None));
    }

    #[test]
    fn a_weak_entity_tag_is_no_validator() {
        let mut version = Version {
            etag: Some("\"a\"".into()),
            last_modified: Some("Tue, 15 Nov 1994 12:45:26 GMT".into()),
            ..Version::default()
        };
        assert_eq!(version.validator(), Some("\"a\""));
        version.etag = Some("W/\"a\"".into());
        assert_eq!(version.validator(), version.last_modified.as_deref());
        version.last_modified = None;
        assert_eq!(version.validator(), None);
    }

    #[test]
    fn only_this_machine_is_reached_without_a_proxy() {
        for url in [
            "http://127.0.0.1:80/a",
            "http://localhost/",
            "http://[::1]:1",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["https://localhost.example/", "http://127.0.0.100/", "x"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
