//! A server on this machine, a small corpus and its archives, for the tests of downloads.

#![allow(dead_code, reason = "each program of tests uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use sori_fetch::{ArchiveFormat, Checksum, FetchError, FetchOptions, PublicArchive, PublicCorpus};
use zip::write::SimpleFileOptions;

/// What the server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) if_range: Option<String>,
}

impl Request {
    /// The first byte that was asked for.
    pub(crate) fn start(&self) -> usize {
        let range = self.range.as_deref().unwrap_or("bytes=0-");
        range
            .strip_prefix("bytes=")
            .and_then(|range| range.strip_suffix('-'))
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// What the server answers.
pub(crate) struct Reply {
    pub(crate) status: &'static str,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// How much of the body is sent before the connection is closed.
    pub(crate) cut_after: Option<usize>,
    /// Says nothing of the length, and sends the body in chunks.
    pub(crate) chunked: bool,
    /// Holds the connection open without a word for this long, where it would be closed.
    pub(crate) silence: Duration,
}

impl Reply {
    pub(crate) fn new(status: &'static str, body: &[u8]) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_vec(),
            cut_after: None,
            chunked: false,
            silence: Duration::ZERO,
        }
    }

    /// The whole file, or what was asked for of it.
    pub(crate) fn of(file: &[u8], etag: &str, request: &Request) -> Self {
        let still_same = request
            .if_range
            .as_deref()
            .is_none_or(|known| known == etag);
        let mut reply = if request.range.is_some() && still_same {
            let start = request.start();
            if start >= file.len() {
                let mut reply = Self::new("416 Range Not Satisfiable", b"");
                reply
                    .headers
                    .push(format!("Content-Range: bytes */{}", file.len()));
                return reply;
            }
            let mut reply = Self::new("206 Partial Content", &file[start..]);
            let (last, total) = (file.len() - 1, file.len());
            reply
                .headers
                .push(format!("Content-Range: bytes {start}-{last}/{total}"));
            reply
        } else {
            Self::new("200 OK", file)
        };
        reply.headers.push(format!("ETag: {etag}"));
        reply
    }

    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    pub(crate) fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        write!(stream, "HTTP/1.1 {}\r\nConnection: close\r\n", self.status)?;
        for header in &self.headers {
            write!(stream, "{header}\r\n")?;
        }
        if self.chunked {
            write!(stream, "Transfer-Encoding: chunked\r\n\r\n")?;
        } else {
            write!(stream, "Content-Length: {}\r\n\r\n", self.body.len())?;
        }
        let sent = &self.body[..self.cut_after.unwrap_or(self.body.len())];
        if self.chunked {
            for chunk in sent.chunks(10_000) {
                write!(stream, "{:x}\r\n", chunk.len())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            if self.cut_after.is_none() {
                stream.write_all(b"0\r\n\r\n")?;
            }
        } else {
            stream.write_all(sent)?;
        }
        stream.flush()?;
        std::thread::sleep(self.silence);
        stream.shutdown(Shutdown::Both)
    }
}

/// A server on this machine that answers each request by what `answer` makes of it and of how many
/// came before it.
pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new(answer: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (requests.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&mut stream) else {
                    continue;
                };
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                // The other side may have gone away: that is its right.
                let _ = answer(&request, number).send(&mut stream);
            }
        });
        Self {
            address,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    /// One that serves this file, in ranges too.
    pub(crate) fn of(file: &[u8]) -> Self {
        let file = file.to_vec();
        Self::new(move |request, _| Reply::of(&file, "\"one\"", request))
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn options(&self) -> FetchOptions {
        FetchOptions {
            from: Some(format!("http://{}/mirror/", self.address)),
            first_pause: Duration::from_millis(1),
            idle_timeout: Duration::from_secs(20),
            ..FetchOptions::default()
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        let _ = self.thread.take().unwrap().join();
    }
}

pub(crate) fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut request = Request {
        path: first.split(' ').nth(1)?.to_owned(),
        range: None,
        if_range: None,
    };
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        let value = Some(value.trim().to_owned());
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = value,
            "if-range" => request.if_range = value,
            _ => {}
        }
    }
    Some(request)
}

/// Bytes that do not compress, the same each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    })
    .take(length)
    .collect()
}

/// The files of the corpus that the tests download.
pub(crate) fn contents() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("toy/labels.csv", b"one,two\n".to_vec()),
        ("toy/clips/one.wav", noise(200_000)),
        ("toy/clips/two.wav", noise(100)),
    ]
}

pub(crate) fn tar_gz(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Written as it is: the library would refuse the names that are to be refused here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A tar file of one entry of a kind that is neither file nor folder, and a file behind it.
pub(crate) fn tar_gz_with(kind: tar::EntryType, name: &str, link: &str, file: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    tar.append(&header, std::io::empty()).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.as_old_mut().name[..file.len()].copy_from_slice(file.as_bytes());
    header.set_cksum();
    tar.append(&header, &b"evil"[..]).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

pub(crate) fn zip_file(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn sha256(bytes: &[u8]) -> &'static str {
    let digits: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.leak()
}

/// The corpus `toy`, in one archive. Its own address leads nowhere.
pub(crate) fn toy(format: ArchiveFormat, checksum: Option<Checksum>) -> PublicCorpus {
    let file = match format {
        ArchiveFormat::TarGz => "toy-1.0.tar.gz",
        ArchiveFormat::Zip => "toy-1.0.zip",
        ArchiveFormat::File => "toy-1.0.bin",
    };
    PublicCorpus {
        name: "toy",
        title: "A corpus for tests",
        homepage: "https://example.org/toy",
        licence: "CC0",
        licence_url: "https://creativecommons.org/publicdomain/zero/1.0/",
        archives: vec![PublicArchive {
            url: "http://127.0.0.1:9/toy",
            file,
            bytes: 200_000,
            checksum,
            format,
            unpack_into: "",
        }]
        .leak(),
        folder: "toy",
        corpus: "folder",
    }
}

/// The same with the checksum of this archive.
pub(crate) fn toy_of(archive: &[u8]) -> PublicCorpus {
    toy(
        ArchiveFormat::TarGz,
        Some(Checksum::Sha256(sha256(archive))),
    )
}

pub(crate) fn fetch(
    corpus: &PublicCorpus,
    into: &Path,
    options: &FetchOptions,
) -> Result<PathBuf, FetchError> {
    sori_fetch::fetch_corpus(corpus, into, options, &mut |_| ControlFlow::Continue(()))
}

pub(crate) fn assert_whole(into: &Path) {
    for (name, bytes) in contents() {
        let found = fs::read(into.join("toy").join(name)).unwrap();
        assert!(found == bytes, "{name} is not what was packed");
    }
}

/// Everything in a folder and below, sorted, but for lock files.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path.clone());
            }
            found.push(path.strip_prefix(folder).unwrap().display().to_string());
        }
    }
    found.retain(|name| !name.ends_with(".lock"));
    found.sort();
    found
}
