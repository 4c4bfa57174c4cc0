//! The connection to a server.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use ureq::http::header::CONTENT_RANGE;
use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::catalogue::PublicArchive;
use crate::options::FetchOptions;

const CHUNK_BYTES: usize = 64 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What the talking thread says.
pub(crate) enum ConnectionEvent {
    Answer(StatusCode, HeaderMap),
    Chunk(Vec<u8>),
    End,
    Failed(ureq::Error),
}

/// Sends the request and passes on what comes back, for as long as someone listens.
pub(crate) fn talk(
    request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
    sender: &SyncSender<ConnectionEvent>,
) {
    let answer = match request.call() {
        Ok(answer) => answer,
        Err(error) => {
            let _ = sender.send(ConnectionEvent::Failed(error));
            return;
        }
    };
    let (head, body) = answer.into_parts();
    if sender
        .send(ConnectionEvent::Answer(head.status, head.headers))
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
            Ok(0) => ConnectionEvent::End,
            Ok(read) => {
                chunk.truncate(read);
                ConnectionEvent::Chunk(chunk)
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => ConnectionEvent::Failed(ureq::Error::from(error)),
        };
        let last = !matches!(event, ConnectionEvent::Chunk(_));
        if sender.send(event).is_err() || last {
            return;
        }
    }
}

pub(crate) fn agent(archive: &PublicArchive, url: &str, options: &FetchOptions) -> ureq::Agent {
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
pub(crate) fn content_range(headers: &HeaderMap) -> (Option<u64>, Option<u64>) {
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

/// What the server says of the range that it sends, in its words.
pub(crate) fn range_text(headers: &HeaderMap) -> String {
    headers.get(CONTENT_RANGE).map_or_else(
        || "not said".to_owned(),
        |value| String::from_utf8_lossy(value.as_bytes()).into_owned(),
    )
}

/// `404 Not Found`.
pub(crate) fn named(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// What TLS objects to, if it does.
pub(crate) fn insecure(error: &ureq::Error) -> Option<String> {
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
pub(crate) fn reason(error: &ureq::Error) -> String {
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
