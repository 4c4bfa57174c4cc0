//! Downloads from a server on this machine: whole, cut off, changed, forged and too large.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod toy;

use std::fs;
use std::io::{Cursor, Write};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use sori_fetch::{
    ArchiveFormat, Checksum, FetchError, FetchOptions, FetchProgress, PublicArchive, PublicCorpus,
};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

use toy::*;

const PART: &str = "toy-1.0.tar.gz.part";

#[test]
fn a_corpus_is_downloaded_checked_and_unpacked() {
    let archive = tar_gz(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    let into = folder.path().join("new/data");
    let mut last = 0;
    let mut kinds = [false; 3];
    let found = sori_fetch::fetch_corpus(
        &toy_of(&archive),
        &into,
        &server.options(),
        &mut |progress| {
            match progress {
                FetchProgress::Downloading { file, bytes, .. } => {
                    assert_eq!(file, "toy-1.0.tar.gz");
                    assert!(bytes >= last);
                    last = bytes;
                    kinds[0] = true;
                }
                FetchProgress::Verifying { bytes, total, .. } => {
                    assert!(bytes <= total);
                    kinds[1] = true;
                }
                FetchProgress::Unpacking { .. } => kinds[2] = true,
                FetchProgress::Waiting { reason, .. } => panic!("nothing was cut off: {reason}"),
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();

    assert_eq!(found, into.join("toy/toy"));
    assert_eq!(last, archive.len() as u64);
    assert_eq!(kinds, [true; 3]);
    assert_whole(&into);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].path, "/mirror/toy-1.0.tar.gz");
    // Nothing but the corpus and its lock stays, and it says what it was made of.
    let mut left: Vec<_> = fs::read_dir(&into)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["toy", "toy.lock"]);
    let marker = fs::read_to_string(into.join("toy").join(sori_fetch::MARKER)).unwrap();
    assert!(marker.contains(sha256(&archive)), "{marker}");
}

#[test]
fn a_zip_without_a_published_checksum_is_unpacked_and_its_checksum_recorded() {
    let archive = zip_file(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    let options = FetchOptions {
        from: Some(format!("http://{}/elsewhere/toy.zip", server.address)),
        keep_archives: true,
        ..server.options()
    };
    fetch(&toy(ArchiveFormat::Zip, None), folder.path(), &options).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests()[0].path, "/elsewhere/toy.zip");
    let marker = fs::read_to_string(folder.path().join("toy").join(sori_fetch::MARKER)).unwrap();
    assert!(marker.contains(sha256(&archive)), "{marker}");
    assert_eq!(
        fs::read(folder.path().join("toy-1.0.zip")).unwrap(),
        archive
    );
}

#[test]
fn a_file_that_is_no_archive_stays_as_it_is_and_a_forged_one_is_refused() {
    let contents = b"weights".repeat(1000);
    let server = Server::of(&contents);
    let folder = TempDir::new().unwrap();
    let file = |checksum| PublicCorpus {
        folder: "",
        archives: vec![PublicArchive {
            unpack_into: "checkpoints",
            ..toy(ArchiveFormat::File, Some(Checksum::Sha256(checksum))).archives[0]
        }]
        .leak(),
        ..toy(ArchiveFormat::File, None)
    };
    let forged = fetch(&file(sha256(b"others")), folder.path(), &server.options());
    assert!(
        matches!(forged, Err(FetchError::Checksum { .. })),
        "{forged:?}"
    );
    let found = fetch(&file(sha256(&contents)), folder.path(), &server.options()).unwrap();
    assert_eq!(
        fs::read(found.join("checkpoints/toy-1.0.bin")).unwrap(),
        contents
    );
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let reply = Reply::of(&file, "\"one\"", request);
        match number {
            0 => reply.cut_after(120_000),
            1 => reply.cut_after(7_000),
            _ => reply,
        }
    });
    let folder = TempDir::new().unwrap();
    let mut retries = Vec::new();
    sori_fetch::fetch_corpus(
        &toy_of(&archive),
        folder.path(),
        &server.options(),
        &mut |progress| {
            if let FetchProgress::Waiting { retry, reason, .. } = progress {
                assert!(reason.contains("closed"), "{reason}");
                retries.push(retry);
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_whole(folder.path());
    retries.dedup();
    assert_eq!(retries, [1, 2]);
    let requests = server.requests();
    assert_eq!(requests[0].range, None);
    assert_eq!(requests[1].range.as_deref(), Some("bytes=120000-"));
    assert_eq!(requests[1].if_range.as_deref(), Some("\"one\""));
    assert_eq!(requests[2].range.as_deref(), Some("bytes=127000-"));
    assert_eq!(requests.len(), 3);
}

#[test]
fn the_next_run_goes_on_where_the_last_one_gave_up() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let reply = Reply::of(&file, "\"one\"", request);
        if number < 3 {
            reply.cut_after(1000)
        } else {
            reply
        }
    });
    let folder = TempDir::new().unwrap();
    let options = FetchOptions {
        retries: 2,
        ..server.options()
    };
    let error = fetch(&toy_of(&archive), folder.path(), &options).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(
            error,
            FetchError::CutOff {
                have: 3000,
                attempts: 3,
                ..
            }
        ),
        "{text}"
    );
    assert!(
        text.contains(&format!("after 3000 of {} bytes", archive.len())),
        "{text}"
    );
    assert!(text.contains(PART), "{text}");
    assert!(fs::read(folder.path().join(PART)).unwrap() == archive[..3000]);

    fetch(&toy_of(&archive), folder.path(), &options).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests()[3].range.as_deref(), Some("bytes=3000-"));
}

#[test]
fn a_part_that_is_whole_already_is_not_asked_for_again() {
    let archive = tar_gz(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    // Stopped between the last byte and the check.
    let stopped = sori_fetch::fetch_corpus(
        &toy_of(&archive),
        folder.path(),
        &server.options(),
        &mut |progress| match progress {
            FetchProgress::Verifying { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    );
    assert!(matches!(stopped, Err(FetchError::Stopped)));
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_without_ranges_is_asked_for_the_whole_again() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |_, number| {
        let mut reply = Reply::new("200 OK", &file);
        reply.headers.push("ETag: \"one\"".into());
        if number == 0 {
            reply.cut_after(50_000)
        } else {
            reply
        }
    });
    let folder = TempDir::new().unwrap();
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=50000-"));
}

#[test]
fn a_file_that_changed_in_between_is_downloaded_anew() {
    let old = tar_gz(&[("toy/old.wav", noise(90_000))]);
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| match number {
        0 => Reply::of(&old, "\"old\"", request).cut_after(60_000),
        _ => Reply::of(&file, "\"new\"", request),
    });
    let folder = TempDir::new().unwrap();
    fetch(
        &toy(ArchiveFormat::TarGz, None),
        folder.path(),
        &server.options(),
    )
    .unwrap();
    assert_whole(folder.path());
    let requests = server.requests();
    assert_eq!(requests[1].if_range.as_deref(), Some("\"old\""));
    assert_eq!(requests.len(), 2);
}

#[test]
fn the_rest_of_another_file_is_never_joined_to_the_part() {
    let archive = tar_gz(&contents());
    // Of the same length.
    let mut old = archive.clone();
    old[1000..2000].fill(0);
    let file = archive.clone();
    // This server sends ranges whatever `If-Range` says.
    let server = Server::new(move |request, number| match number {
        0 => Reply::of(&old, "\"old\"", request).cut_after(60_000),
        _ => {
            let mut request = request.clone();
            request.if_range = None;
            Reply::of(&file, "\"new\"", &request)
        }
    });
    let folder = TempDir::new().unwrap();
    fetch(
        &toy(ArchiveFormat::TarGz, None),
        folder.path(),
        &server.options(),
    )
    .unwrap();
    assert_whole(folder.path());
    let requests = server.requests();
    assert_eq!(requests[1].range.as_deref(), Some("bytes=60000-"));
    assert_eq!(requests[2].range, None);
}

#[test]
fn a_range_that_was_not_asked_for_is_not_appended() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let mut request = request.clone();
        match number {
            0 => return Reply::of(&file, "\"one\"", &request).cut_after(60_000),
            1 => request.range = Some("bytes=50000-".into()),
            _ => {}
        }
        Reply::of(&file, "\"one\"", &request)
    });
    let folder = TempDir::new().unwrap();
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests()[2].range, None);
}

#[test]
fn without_validator_and_checksum_a_part_is_not_trusted() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |_, number| {
        let reply = Reply::new("200 OK", &file);
        if number == 0 {
            reply.cut_after(50_000)
        } else {
            reply
        }
    });
    let folder = TempDir::new().unwrap();
    fetch(
        &toy(ArchiveFormat::TarGz, None),
        folder.path(),
        &server.options(),
    )
    .unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests()[1].range, None);
}

#[test]
fn a_wrong_checksum_leaves_nothing_behind() {
    let archive = tar_gz(&contents());
    let mut forged = archive.clone();
    forged[100] ^= 1;
    let server = Server::of(&forged);
    let folder = TempDir::new().unwrap();
    let error = fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, FetchError::Checksum { .. }), "{text}");
    for part in [sha256(&archive), sha256(&forged), "SHA-256", "deleted"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn an_archive_put_there_by_hand_is_used_if_its_checksum_is_right() {
    let archive = tar_gz(&contents());
    let folder = TempDir::new().unwrap();
    let by_hand = folder.path().join("toy-1.0.tar.gz");
    fs::write(&by_hand, b"something else").unwrap();
    let options = FetchOptions::default();
    let error = fetch(&toy_of(&archive), folder.path(), &options).unwrap_err();
    assert!(error.to_string().contains("is in the way"), "{error}");
    assert_eq!(fs::read(&by_hand).unwrap(), b"something else");

    fs::write(&by_hand, &archive).unwrap();
    fetch(&toy_of(&archive), folder.path(), &options).unwrap();
    assert_whole(folder.path());
}

#[test]
fn a_whole_corpus_is_not_downloaded_again() {
    let archive = tar_gz(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    let options = server.options();
    let first = fetch(&toy_of(&archive), folder.path(), &options).unwrap();
    drop(server);
    let second = fetch(&toy_of(&archive), folder.path(), &options).unwrap();
    assert_eq!(first, second);

    // Another release is something else.
    let error = fetch(&toy_of(b"release 2"), folder.path(), &options).unwrap_err();
    assert!(error.to_string().contains("another release"), "{error}");
    assert_whole(folder.path());
}

#[test]
fn a_folder_of_someone_else_is_left_alone() {
    let archive = tar_gz(&contents());
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("toy")).unwrap();
    fs::write(folder.path().join("toy/mine.wav"), b"mine").unwrap();
    let options = FetchOptions::default();
    let error = fetch(&toy_of(&archive), folder.path(), &options).unwrap_err();
    assert!(matches!(error, FetchError::InTheWay { .. }), "{error}");
    assert_eq!(names(folder.path()), ["toy", "toy/mine.wav"]);
}

#[test]
fn what_was_left_half_unpacked_is_unpacked_anew() {
    let archive = tar_gz(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    let left = folder.path().join("toy.unpacking/toy/toy");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("labels.csv"), b"hal").unwrap();
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
    assert!(!folder.path().join("toy.unpacking").exists());
}

#[test]
fn breaking_off_keeps_what_arrived_and_nothing_half_unpacked() {
    let archive = tar_gz(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    let stop_when = |stop: fn(&FetchProgress<'_>) -> bool| {
        let error = sori_fetch::fetch_corpus(
            &toy_of(&archive),
            folder.path(),
            &server.options(),
            &mut |progress| {
                if stop(&progress) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )
        .unwrap_err();
        assert!(matches!(error, FetchError::Stopped), "{error}");
    };
    stop_when(
        |progress| matches!(progress, FetchProgress::Downloading { bytes, .. } if *bytes > 0),
    );
    assert!(fs::metadata(folder.path().join(PART)).unwrap().len() > 0);
    stop_when(
        |progress| matches!(progress, FetchProgress::Unpacking { bytes, .. } if *bytes > 1000),
    );
    assert_eq!(
        names(folder.path()),
        ["toy-1.0.tar.gz", "toy-1.0.tar.gz.json"]
    );
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
}

#[test]
fn a_silent_server_does_not_keep_one_from_stopping() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, _| {
        let mut reply = Reply::of(&file, "\"one\"", request).cut_after(1000);
        reply.silence = Duration::from_secs(2);
        reply
    });
    let folder = TempDir::new().unwrap();
    let begin = Instant::now();
    let stopped = sori_fetch::fetch_corpus(
        &toy_of(&archive),
        folder.path(),
        &server.options(),
        &mut |progress| match progress {
            FetchProgress::Downloading { bytes: 1000, .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    );
    assert!(matches!(stopped, Err(FetchError::Stopped)));
    assert!(begin.elapsed() < Duration::from_millis(1500));
}

#[test]
fn a_server_that_falls_silent_counts_as_cut_off() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let mut reply = Reply::of(&file, "\"one\"", request);
        if number == 0 {
            reply = reply.cut_after(1000);
            reply.silence = Duration::from_millis(800);
        }
        reply
    });
    let folder = TempDir::new().unwrap();
    let options = FetchOptions {
        idle_timeout: Duration::from_millis(300),
        // The server of this test takes one connection at a time.
        first_pause: Duration::from_millis(600),
        ..server.options()
    };
    fetch(&toy_of(&archive), folder.path(), &options).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=1000-"));
}

#[test]
fn a_server_that_is_overloaded_is_asked_again() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| match number {
        0 => Reply::new("503 Service Unavailable", b"later"),
        1 => Reply::new("429 Too Many Requests", b"slower"),
        _ => Reply::of(&file, "\"one\"", request),
    });
    let folder = TempDir::new().unwrap();
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn redirects_are_followed() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, _| {
        if request.path == "/stored/toy" {
            return Reply::of(&file, "\"one\"", request);
        }
        let mut reply = Reply::new("302 Found", b"");
        reply.headers.push("Location: /stored/toy".into());
        reply
    });
    let folder = TempDir::new().unwrap();
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
}

#[test]
fn a_missing_file_is_said_at_once_and_says_where_to_look() {
    let server = Server::new(|_, _| Reply::new("404 Not Found", b"<html>no</html>"));
    let folder = TempDir::new().unwrap();
    let error = fetch(&toy_of(b"x"), folder.path(), &server.options()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("answered 404 Not Found"), "{text}");
    assert!(text.contains("/mirror/toy-1.0.tar.gz"), "{text}");
    assert!(text.contains("https://example.org/toy"), "{text}");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let folder = TempDir::new().unwrap();
    let options = FetchOptions {
        from: Some(format!("http://{address}")),
        ..FetchOptions::default()
    };
    let begin = Instant::now();
    let error = fetch(&toy_of(b"x"), folder.path(), &options).unwrap_err();
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "it was not tried again"
    );
    let text = error.to_string();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{text}");
    assert!(
        text.starts_with(&format!("cannot reach http://{address}/toy-1.0.tar.gz: ")),
        "{text}"
    );
    assert!(text.contains("no server accepts connections"), "{text}");
}

#[test]
fn a_connection_that_is_not_secure_is_not_taken_for_one() {
    // Answers in clear, whatever it is asked.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let _ = Reply::new("200 OK", b"not encrypted").send(&mut stream);
    });
    let folder = TempDir::new().unwrap();
    let options = FetchOptions {
        from: Some(format!("https://{address}")),
        ..FetchOptions::default()
    };
    let error = fetch(&toy_of(b"x"), folder.path(), &options).unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains("no secure connection"),
        "{error}"
    );
    server.join().unwrap();
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn an_address_that_is_none_is_refused() {
    let folder = TempDir::new().unwrap();
    for from in ["ftp://example.org/", "data/mirror", "http://"] {
        let options = FetchOptions {
            from: Some(from.into()),
            retries: 0,
            ..FetchOptions::default()
        };
        let error = fetch(&toy_of(b"x"), folder.path(), &options).unwrap_err();
        assert!(
            matches!(error, FetchError::Address { .. }),
            "{from}: {error}"
        );
    }
}

#[test]
fn names_that_are_not_known_are_answered_by_those_that_are() {
    let folder = TempDir::new().unwrap();
    let options = FetchOptions::default();
    let go_on = &mut |_: FetchProgress<'_>| ControlFlow::Continue(());
    let text = sori_fetch::fetch("fsd", folder.path(), &options, go_on)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("'fsd'") && text.contains("fsdd, esc50"),
        "{text}"
    );
    let text = sori_fetch::fetch("fsd50k", folder.path(), &options, go_on)
        .unwrap_err()
        .to_string();
    assert!(text.contains("several parts"), "{text}");
}

#[test]
fn a_second_download_to_the_same_folder_waits_its_turn() {
    let archive = tar_gz(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    let mut met = false;
    sori_fetch::fetch_corpus(
        &toy_of(&archive),
        folder.path(),
        &server.options(),
        &mut |_| {
            if !met {
                met = true;
                let error = fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap_err();
                assert!(matches!(error, FetchError::Busy { .. }), "{error}");
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert!(met);
    assert_whole(folder.path());
}

#[test]
fn a_truncated_archive_is_found_out_without_a_checksum() {
    for (format, archive) in [
        (ArchiveFormat::TarGz, tar_gz(&contents())),
        (ArchiveFormat::Zip, zip_file(&contents())),
    ] {
        // The last of these cuts off no more than the checksum at the end.
        for keep in [0, 10, 50_000, archive.len() - 4] {
            let server = Server::of(&archive[..keep]);
            let folder = TempDir::new().unwrap();
            let error = fetch(&toy(format, None), folder.path(), &server.options()).unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(error, FetchError::Damaged { .. }),
                "{keep}: {text}"
            );
            let file = toy(format, None).archives[0].file;
            assert_eq!(names(folder.path()), [format!("{file}.damaged")], "{keep}");
            assert!(text.contains("renamed"), "{text}");
        }
    }
}

#[test]
fn a_flipped_bit_is_found_out_without_a_checksum() {
    for (format, mut archive) in [
        (ArchiveFormat::TarGz, tar_gz(&contents())),
        (ArchiveFormat::Zip, zip_file(&contents())),
    ] {
        archive[100_000] ^= 4;
        let server = Server::of(&archive);
        let folder = TempDir::new().unwrap();
        let error = fetch(&toy(format, None), folder.path(), &server.options()).unwrap_err();
        assert!(matches!(error, FetchError::Damaged { .. }), "{error}");
        assert!(!folder.path().join("toy").exists());
    }
}

#[test]
fn an_archive_of_another_layout_is_refused() {
    let archive = tar_gz(&[("other/one.wav", noise(10))]);
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    let error = fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap_err();
    assert!(
        error.to_string().contains("the folder 'toy' was expected"),
        "{error}"
    );
    assert!(!folder.path().join("toy").exists());
}

/// Serves an archive and expects that it is refused, with nothing written but the archive itself.
fn assert_refused(format: ArchiveFormat, archive: &[u8], entry: &str, reason: &str) {
    let server = Server::of(archive);
    let folder = TempDir::new().unwrap();
    let into = folder.path().join("a/b");
    let error = fetch(&toy(format, None), &into, &server.options()).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, FetchError::Unsafe { .. }),
        "{entry}: {text}"
    );
    assert!(text.contains(&format!("'{entry}' {reason}")), "{text}");
    let file = toy(format, None).archives[0].file;
    assert_eq!(
        names(folder.path()),
        [
            "a".to_owned(),
            "a/b".to_owned(),
            format!("a/b/{file}.damaged")
        ],
        "{entry}"
    );
    for outside in ["/tmp/sori-evil", "/sori-evil"] {
        assert!(!Path::new(outside).exists(), "{entry}");
    }
}

#[test]
fn entries_that_lead_out_of_the_folder_are_refused() {
    let evil = b"evil".to_vec();
    let (out, another) = ("leads out", "has a name that is another");
    for (name, reason) in [
        ("../evil", out),
        ("toy/../../evil", out),
        ("toy/../../../../evil", out),
        ("/tmp/sori-evil", out),
        ("toy/..", out),
        ("..\\evil", another),
        ("C:\\evil", another),
    ] {
        let entries = [("toy/good.wav", noise(10)), (name, evil.clone())];
        assert_refused(ArchiveFormat::TarGz, &tar_gz(&entries), name, reason);
        assert_refused(ArchiveFormat::Zip, &zip_with_raw_name(name), name, reason);
    }
}

/// A zip file whose one entry has this name, as it is: the library that writes it would mend it.
fn zip_with_raw_name(name: &str) -> Vec<u8> {
    let stand_in = "x".repeat(name.len());
    let mut zip = zip_file(&[(&stand_in, b"evil".to_vec())]);
    let mut at = 0;
    let mut replaced = 0;
    while at + name.len() <= zip.len() {
        if zip[at..].starts_with(stand_in.as_bytes()) {
            zip[at..at + name.len()].copy_from_slice(name.as_bytes());
            replaced += 1;
        }
        at += 1;
    }
    assert_eq!(
        replaced, 2,
        "once in the local header, once in the directory"
    );
    zip
}

#[test]
fn links_and_devices_are_refused() {
    use tar::EntryType;

    let (a_link, neither) = ("is a link", "is neither a file nor a folder");
    for (kind, link, reason) in [
        (EntryType::Symlink, "/tmp", a_link),
        (EntryType::Symlink, "../..", a_link),
        (EntryType::Link, "/etc/passwd", a_link),
        (EntryType::Link, "../../evil", a_link),
        (EntryType::Char, "", neither),
        (EntryType::Block, "", neither),
        (EntryType::Fifo, "", neither),
    ] {
        // The link first, then a file through it.
        let archive = tar_gz_with(kind, "toy/way", link, "toy/way/sori-evil");
        assert_refused(ArchiveFormat::TarGz, &archive, "toy/way", reason);
    }

    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("toy/way", "/tmp", SimpleFileOptions::default())
        .unwrap();
    zip.start_file("toy/way/sori-evil", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(b"evil").unwrap();
    let archive = zip.finish().unwrap().into_inner();
    assert_refused(ArchiveFormat::Zip, &archive, "toy/way", a_link);
}

#[test]
fn an_entry_never_overwrites_another() {
    let entries = [("toy/a.wav", noise(10)), ("toy/./a.wav", noise(20))];
    assert_refused(
        ArchiveFormat::TarGz,
        &tar_gz(&entries),
        "toy/./a.wav",
        "would overwrite",
    );
}

#[test]
fn several_archives_make_one_corpus() {
    let clips = tar_gz(&[("clips/one.wav", noise(1000))]);
    let labels = zip_file(&[("labels.csv", b"one\n".to_vec())]);
    let published = [clips.clone(), labels.clone()];
    let corpus = PublicCorpus {
        archives: vec![
            PublicArchive {
                url: "http://127.0.0.1:9/clips",
                file: "clips.tar.gz",
                bytes: 1,
                checksum: Some(Checksum::Sha256(sha256(&clips))),
                format: ArchiveFormat::TarGz,
                unpack_into: "",
            },
            PublicArchive {
                url: "http://127.0.0.1:9/labels",
                file: "labels.zip",
                bytes: 1,
                checksum: None,
                format: ArchiveFormat::Zip,
                unpack_into: "meta",
            },
        ]
        .leak(),
        folder: "",
        ..toy(ArchiveFormat::Zip, None)
    };
    let server = Server::new(move |request, number| {
        // The second is not there when it is first asked for.
        match (request.path.as_str(), number) {
            ("/mirror/clips.tar.gz", _) => Reply::of(&published[0], "\"a\"", request),
            ("/mirror/labels.zip", 2..) => Reply::of(&published[1], "\"b\"", request),
            _ => Reply::new("404 Not Found", b""),
        }
    });
    let folder = TempDir::new().unwrap();
    fetch(&corpus, folder.path(), &server.options()).unwrap_err();
    assert_eq!(names(folder.path()), ["clips.tar.gz", "clips.tar.gz.json"]);
    let found = fetch(&corpus, folder.path(), &server.options()).unwrap();
    assert_eq!(found, folder.path().join("toy"));
    assert_eq!(
        names(&found),
        [
            sori_fetch::MARKER,
            "clips",
            "clips/one.wav",
            "meta",
            "meta/labels.csv"
        ]
    );
    // The first was downloaded once.
    assert_eq!(server.requests().len(), 3);
}

/// A small file system of its own, where the tests may make one.
#[cfg(target_os = "linux")]
struct SmallDisk(TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn new(size: &str) -> Option<Self> {
        let disk = Self(TempDir::new().unwrap());
        disk.mount(&format!("size={size}")).then_some(disk)
    }

    fn mount(&self, options: &str) -> bool {
        std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(self.0.path())
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg(self.0.path())
            .stderr(std::process::Stdio::null())
            .status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_says_what_is_missing_and_keeps_what_arrived() {
    let archive = tar_gz(&contents());
    let Some(disk) = SmallDisk::new("64k") else {
        let line = "skipped: a_full_disk_says_what_is_missing_and_keeps_what_arrived (no file \
                    system can be mounted here)\n";
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    };
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let mut reply = Reply::of(&file, "\"one\"", request);
        // The first time the length is not said beforehand.
        reply.chunked = number == 0;
        reply
    });
    let into = disk.0.path();
    let error = fetch(&toy_of(&archive), into, &server.options()).unwrap_err();
    assert!(
        matches!(error, FetchError::DiskFull { needed: None, .. }),
        "{error}"
    );
    let kept = fs::metadata(into.join(PART)).unwrap().len();
    assert!(kept > 10_000, "{kept}");

    // The second time it is said, and asked for before it is too late.
    let error = fetch(&toy_of(&archive), into, &server.options()).unwrap_err();
    let rest = archive.len() as u64 - kept;
    match &error {
        FetchError::DiskFull {
            needed: Some(needed),
            ..
        } => assert_eq!(*needed, rest),
        other => panic!("{other}"),
    }
    assert!(
        error.to_string().contains(&format!("{rest} bytes more")),
        "{error}"
    );

    // There is room for the archive, not for what is in it.
    assert!(disk.mount("remount,size=300k"));
    let error = fetch(&toy_of(&archive), into, &server.options()).unwrap_err();
    assert!(matches!(error, FetchError::DiskFull { .. }), "{error}");
    assert_eq!(names(into), ["toy-1.0.tar.gz", "toy-1.0.tar.gz.json"]);

    assert!(disk.mount("remount,size=4m"));
    fetch(&toy_of(&archive), into, &server.options()).unwrap();
    assert_whole(into);
    let requests = server.requests();
    assert_eq!(requests[2].range, Some(format!("bytes={kept}-")));
    assert_eq!(requests.len(), 3);
}

#[test]
fn a_length_that_is_not_said_beforehand_is_no_hindrance() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let mut reply = Reply::of(&file, "\"one\"", request);
        reply.chunked = true;
        if number == 0 {
            reply.cut_after(30_000)
        } else {
            reply
        }
    });
    let folder = TempDir::new().unwrap();
    fetch(
        &toy(ArchiveFormat::TarGz, None),
        folder.path(),
        &server.options(),
    )
    .unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=30000-"));
}
