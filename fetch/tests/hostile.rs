//! Folders, servers and archives that mean harm, and what a download makes of them.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod toy;

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sori_fetch::{ArchiveFormat, Checksum, FetchError, FetchOptions, PublicArchive, PublicCorpus};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

use toy::*;

const MINE: &[u8] = b"not to be touched";
const ARCHIVE: &str = "toy-1.0.tar.gz";

/// Puts an archive into a new folder by hand and fetches from there.
fn fetch_by_hand(format: ArchiveFormat, archive: &[u8]) -> (TempDir, Result<PathBuf, FetchError>) {
    let corpus = toy(format, None);
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(corpus.archives[0].file), archive).unwrap();
    let result = fetch(&corpus, folder.path(), &FetchOptions::default());
    (folder, result)
}

fn refusal(format: ArchiveFormat, archive: &[u8]) -> FetchError {
    let (folder, result) = fetch_by_hand(format, archive);
    let error = result.unwrap_err();
    assert!(!folder.path().join("toy").exists(), "{error}");
    assert!(!folder.path().join("toy.unpacking").exists(), "{error}");
    error
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

/// A header of a tar file.
fn header(kind: tar::EntryType, name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    header
}

#[cfg(unix)]
mod planted {
    use std::os::unix::fs::{FileTypeExt, symlink};

    use super::*;

    /// Every file that a download of the toy corpus writes beside it.
    const WRITTEN: [&str; 6] = [
        "toy.lock",
        "toy-1.0.tar.gz.part",
        "toy-1.0.tar.gz.part.json",
        "toy-1.0.tar.gz",
        "toy-1.0.tar.gz.json",
        "toy.unpacking",
    ];

    #[test]
    fn a_planted_link_is_named_and_neither_followed_nor_replaced() {
        let archive = tar_gz(&contents());
        let server = Server::of(&archive);
        for name in WRITTEN {
            for target in ["mine", "not-there"] {
                let folder = TempDir::new().unwrap();
                let into = folder.path().join("into");
                fs::create_dir(&into).unwrap();
                let target = folder.path().join(target);
                let mine = folder.path().join("mine");
                fs::write(&mine, MINE).unwrap();
                let link = into.join(name);
                symlink(&target, &link).unwrap();

                let error = fetch(&toy_of(&archive), &into, &server.options()).unwrap_err();
                let text = error.to_string();
                assert!(text.contains(name), "{name}: {text}");
                // An archive may be a link, and then its content is not the published one.
                if name != ARCHIVE || !target.exists() {
                    assert!(text.contains("symbolic link"), "{name}: {text}");
                }
                assert_eq!(fs::read(&mine).unwrap(), MINE, "{name}");
                assert!(!folder.path().join("not-there").exists(), "{name}");
                assert_eq!(fs::read_link(&link).unwrap(), target, "{name}");
            }
        }
    }

    #[test]
    fn a_planted_pipe_is_named_and_not_waited_for() {
        let archive = tar_gz(&contents());
        let server = Server::of(&archive);
        for name in WRITTEN {
            let folder = TempDir::new().unwrap();
            let pipe = folder.path().join(name);
            make_pipe(&pipe);
            let error = fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(name) && text.contains("a pipe or a device"),
                "{name}: {text}"
            );
            assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        }

        // The marker of a corpus, too.
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("toy")).unwrap();
        make_pipe(&folder.path().join("toy").join(sori_fetch::MARKER));
        let error = fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap_err();
        assert!(error.to_string().contains("a pipe or a device"), "{error}");
    }

    fn make_pipe(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    }

    #[test]
    fn a_part_with_another_name_is_not_written_to() {
        let archive = tar_gz(&contents());
        let file = archive.clone();
        let server = Server::new(move |request, number| {
            let reply = Reply::of(&file, "\"one\"", request);
            match number {
                0 => reply.cut_after(1000),
                _ => reply,
            }
        });
        let folder = TempDir::new().unwrap();
        let into = folder.path().join("into");
        let options = FetchOptions {
            retries: 0,
            ..server.options()
        };
        fetch(&toy_of(&archive), &into, &options).unwrap_err();
        let part = into.join("toy-1.0.tar.gz.part");
        let other = folder.path().join("other");
        fs::hard_link(&part, &other).unwrap();
        let error = fetch(&toy_of(&archive), &into, &options).unwrap_err();
        assert!(error.to_string().contains("hard link"), "{error}");
        assert_eq!(fs::read(&other).unwrap(), archive[..1000]);

        // Without its note it begins anew, and the other name keeps what it had.
        fs::remove_file(into.join("toy-1.0.tar.gz.part.json")).unwrap();
        fetch(&toy_of(&archive), &into, &options).unwrap();
        assert_whole(&into);
        assert_eq!(fs::read(&other).unwrap(), archive[..1000]);
    }

    #[test]
    fn a_lock_that_holds_something_keeps_it() {
        let archive = tar_gz(&contents());
        let server = Server::of(&archive);
        let folder = TempDir::new().unwrap();
        let lock = folder.path().join("toy.lock");
        fs::write(&lock, MINE).unwrap();
        fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
        assert_eq!(fs::read(&lock).unwrap(), MINE);
    }

    #[test]
    fn an_archive_set_aside_goes_over_nothing() {
        let folder = TempDir::new().unwrap();
        let mine = folder.path().join("mine");
        fs::write(&mine, MINE).unwrap();
        let first = format!("{ARCHIVE}.damaged");
        symlink(&mine, folder.path().join(&first)).unwrap();
        fs::write(folder.path().join(ARCHIVE), b"by hand").unwrap();
        let corpus = toy(ArchiveFormat::TarGz, None);
        let error = fetch(&corpus, folder.path(), &FetchOptions::default()).unwrap_err();
        let second = format!("{ARCHIVE}.damaged-2");
        assert!(error.to_string().contains(&second), "{error}");
        assert_eq!(
            names(folder.path()),
            ["mine".to_owned(), first, second.clone()]
        );
        assert_eq!(fs::read(&mine).unwrap(), MINE);
        assert_eq!(fs::read(folder.path().join(second)).unwrap(), b"by hand");
    }
}

#[test]
fn a_name_without_end_is_not_read_into_memory() {
    // Names and headers of 32 MiB, in a few kilobytes.
    let long = vec![b'a'; 32 << 20];
    for kind in [
        tar::EntryType::GNULongName,
        tar::EntryType::GNULongLink,
        tar::EntryType::XHeader,
    ] {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header(kind, "long", long.len() as u64), long.as_slice())
            .unwrap();
        tar.append(&header(tar::EntryType::Regular, "toy/a.wav", 1), &b"a"[..])
            .unwrap();
        let archive = gz(&tar.into_inner().unwrap());
        let error = refusal(ArchiveFormat::TarGz, &archive);
        let text = error.to_string();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{text}");
        assert!(
            text.contains("entry 1") && text.contains("65536 bytes"),
            "{text}"
        );
    }
}

#[test]
fn names_of_a_usual_length_are_unpacked_in_every_format() {
    let long = format!("toy/{}/{}.wav", "folder".repeat(20), "name".repeat(30));
    let mut gnu = tar::Builder::new(Vec::new());
    let mut of_file = tar::Header::new_gnu();
    of_file.set_size(1);
    of_file.set_mode(0o644);
    gnu.append_data(&mut of_file, &long, &b"a"[..]).unwrap();
    let mut pax = tar::Builder::new(Vec::new());
    pax.append_pax_extensions([("path", long.as_bytes())])
        .unwrap();
    pax.append(&header(tar::EntryType::Regular, "short", 1), &b"a"[..])
        .unwrap();
    for tar in [gnu, pax] {
        let archive = gz(&tar.into_inner().unwrap());
        let (folder, result) = fetch_by_hand(ArchiveFormat::TarGz, &archive);
        result.unwrap();
        assert_eq!(
            fs::read(folder.path().join("toy").join(&long)).unwrap(),
            b"a"
        );
    }
}

/// The toy corpus may hold 4 times 200,000 bytes and 16 MiB.
const MOST: usize = 800_000 + (16 << 20);

#[test]
fn an_archive_that_unpacks_to_far_more_is_refused_with_the_numbers() {
    let zeros = vec![0; MOST + 1];
    let one = [("toy/a.wav", zeros.clone())];
    let two = [
        ("toy/a.wav", zeros[..MOST / 2].to_vec()),
        ("toy/b.wav", zeros[..MOST / 2 + 2].to_vec()),
    ];
    for entries in [&one[..], &two[..]] {
        for (format, archive) in [
            (ArchiveFormat::TarGz, tar_gz(entries)),
            (ArchiveFormat::Zip, zip_file(entries)),
        ] {
            assert!(archive.len() < 200_000, "a bomb is small");
            let error = refusal(format, &archive);
            let text = error.to_string();
            assert!(matches!(error, FetchError::TooLarge { .. }), "{text}");
            assert!(text.contains(&MOST.to_string()), "{text}");
            assert!(text.contains("200000 bytes"), "{text}");
        }
    }
}

#[test]
fn a_zip_whose_sizes_lie_is_not_unpacked() {
    let mut archive = zip_file(&[("toy/a.wav", vec![0; 100_000])]);
    let size = 100_000_u32.to_le_bytes();
    let places: Vec<usize> = (0..archive.len() - 4)
        .filter(|at| archive[*at..].starts_with(&size))
        .collect();
    assert!(
        places.len() >= 2,
        "once in the header, once in the directory"
    );
    for at in places {
        archive[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    let error = refusal(ArchiveFormat::Zip, &archive);
    assert!(matches!(error, FetchError::Damaged { .. }), "{error}");
}

#[test]
fn a_sparse_file_of_holes_is_refused() {
    let mut sparse = header(tar::EntryType::GNUSparse, "toy/a.wav", 0);
    let gnu = sparse.as_gnu_mut().unwrap();
    gnu.set_real_size(1 << 40);
    // One chunk of no bytes, at the end of a hole of a terabyte.
    gnu.sparse[0].offset[..].copy_from_slice(b"\x80\0\0\0\0\0\x01\0\0\0\0\0");
    gnu.sparse[0].numbytes[..].copy_from_slice(b"00000000000\0");
    sparse.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&sparse, std::io::empty()).unwrap();
    let error = refusal(ArchiveFormat::TarGz, &gz(&tar.into_inner().unwrap()));
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
}

#[test]
fn entries_without_number_and_data_without_end_are_refused() {
    // 12,000 of them, where 10,024 may be.
    let mut tar = Vec::new();
    for _ in 0..12_000 {
        tar.extend_from_slice(header(tar::EntryType::Directory, "toy", 0).as_bytes());
    }
    let error = refusal(ArchiveFormat::TarGz, &gz(&tar));
    assert!(
        matches!(error, FetchError::TooLarge { .. }) && error.to_string().contains("10024"),
        "{error}"
    );

    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..12_000 {
        zip.add_directory(format!("toy/{number}"), SimpleFileOptions::default())
            .unwrap();
    }
    let error = refusal(ArchiveFormat::Zip, &zip.finish().unwrap().into_inner());
    assert!(
        matches!(error, FetchError::TooLarge { .. }) && error.to_string().contains("12000 entries"),
        "{error}"
    );

    // A directory of a zip file that is nothing but names.
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..60 {
        let name = format!("toy/{number}{}", "x".repeat(60_000));
        zip.add_directory(name, SimpleFileOptions::default())
            .unwrap();
    }
    let error = refusal(ArchiveFormat::Zip, &zip.finish().unwrap().into_inner());
    assert!(
        matches!(error, FetchError::TooLarge { .. }) && error.to_string().contains("its directory"),
        "{error}"
    );

    // Behind the last entry.
    let mut bytes = Vec::new();
    bytes.extend_from_slice(header(tar::EntryType::Directory, "toy", 0).as_bytes());
    bytes.resize(64 << 20, 0);
    let error = refusal(ArchiveFormat::TarGz, &gz(&bytes));
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
}

#[test]
fn names_that_meet_one_another_are_refused_and_the_archive_is_set_aside() {
    for entries in [
        [("toy/a", b"1".to_vec()), ("toy/a/b", b"2".to_vec())],
        [("toy/a/b", b"1".to_vec()), ("toy/a", b"2".to_vec())],
    ] {
        for (format, archive) in [
            (ArchiveFormat::TarGz, tar_gz(&entries)),
            (ArchiveFormat::Zip, zip_file(&entries)),
        ] {
            let (folder, result) = fetch_by_hand(format, &archive);
            let error = result.unwrap_err();
            assert!(matches!(error, FetchError::Unsafe { .. }), "{error}");
            let aside = format!("{}.damaged", toy(format, None).archives[0].file);
            assert_eq!(names(folder.path()), [aside], "{error}");
        }
    }
}

#[test]
fn a_zip_with_two_entries_of_one_name_is_refused() {
    let mut archive = zip_file(&[("toy/a", b"1".to_vec()), ("toy/b", b"2".to_vec())]);
    for at in 0..archive.len() - 5 {
        if archive[at..].starts_with(b"toy/b") {
            archive[at..at + 5].copy_from_slice(b"toy/a");
        }
    }
    let error = refusal(ArchiveFormat::Zip, &archive);
    assert!(error.to_string().contains("the same name"), "{error}");
}

#[test]
fn an_archive_cannot_bring_the_marker_of_a_whole_corpus() {
    let entries = [
        ("toy/a", b"1".to_vec()),
        (sori_fetch::MARKER, b"{}".to_vec()),
    ];
    let error = refusal(ArchiveFormat::TarGz, &tar_gz(&entries));
    assert!(error.to_string().contains(sori_fetch::MARKER), "{error}");
}

#[test]
fn what_steers_a_terminal_is_not_shown_raw() {
    let name = "toy/../\x1b[2J\u{202e}\u{9b}\r\n";
    let error = refusal(ArchiveFormat::TarGz, &tar_gz(&[(name, b"x".to_vec())]));
    let text = error.to_string();
    assert!(
        !text.contains(['\x1b', '\u{202e}', '\u{9b}', '\r', '\n']),
        "{text:?}"
    );
    assert!(
        text.contains("\\u{1b}[2J\\u{202e}\\u{9b}\\u{d}\\u{a}"),
        "{text:?}"
    );
    // The field has it as it came.
    assert!(matches!(error, FetchError::Unsafe { entry, .. } if entry == name));

    // A server's words, while it is tried again and in the end.
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let mut reply = Reply::of(&file, "\"one\"", request);
        if number == 0 {
            return reply.cut_after(1000);
        }
        reply.headers = vec!["Content-Range: bytes \u{9b}31m\u{202e}".into()];
        reply
    });
    let folder = TempDir::new().unwrap();
    let options = FetchOptions {
        retries: 1,
        ..server.options()
    };
    let mut reasons = String::new();
    let error = sori_fetch::fetch_corpus(
        &toy_of(&archive),
        folder.path(),
        &options,
        &mut |progress| {
            if let sori_fetch::FetchProgress::Waiting { reason, .. } = progress {
                reasons.push_str(reason);
            }
            std::ops::ControlFlow::Continue(())
        },
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        !format!("{text}{reasons}").contains(['\u{202e}', '\u{9b}']),
        "{text:?}"
    );
    assert!(text.contains("\\u{202e}"), "{text:?}");
}

#[test]
fn a_server_that_cuts_and_sends_other_ranges_is_given_up() {
    let archive = tar_gz(&[("toy/a.wav", noise(3 << 20))]);
    let file = archive.clone();
    // More than a mebibyte each time, which counts as getting somewhere.
    let server = Server::new(move |request, _| {
        if request.range.is_none() {
            return Reply::of(&file, "\"one\"", request).cut_after(1_500_000);
        }
        let mut other = request.clone();
        other.range = Some("bytes=7-".into());
        Reply::of(&file, "\"one\"", &other)
    });
    let folder = TempDir::new().unwrap();
    let options = FetchOptions {
        retries: 2,
        ..server.options()
    };
    let error = fetch(&toy_of(&archive), folder.path(), &options).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, FetchError::CutOff { .. }), "{text}");
    assert!(
        text.contains(
            "asked for the bytes from 1500000 on and sent others (Content-Range: bytes 7-"
        ),
        "{text}"
    );
    assert!(text.contains("of no use 3 times"), "{text}");
    assert!(server.requests().len() <= 6, "{}", server.requests().len());
}

#[test]
fn a_server_whose_file_is_another_each_time_is_given_up() {
    let archive = tar_gz(&[("toy/a.wav", noise(3 << 20))]);
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let mut request = request.clone();
        request.if_range = None;
        Reply::of(&file, &format!("\"{number}\""), &request).cut_after(1_500_000)
    });
    let folder = TempDir::new().unwrap();
    let error = fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap_err();
    assert!(error.to_string().contains("that of another"), "{error}");
    assert!(server.requests().len() <= 12, "{}", server.requests().len());
}

#[test]
fn a_server_that_sends_more_than_the_published_file_is_cut_short() {
    let folder = TempDir::new().unwrap();
    // Announced at once.
    let server = Server::new(|_, _| {
        let mut reply = Reply::new("206 Partial Content", b"");
        reply.status = "200 OK";
        reply.body = vec![0; 20 << 20];
        reply.cut_after(0)
    });
    let corpus = toy(ArchiveFormat::TarGz, None);
    let error = fetch(&corpus, folder.path(), &server.options()).unwrap_err();
    assert!(
        matches!(error, FetchError::TooLarge { .. }) && error.to_string().contains("20971520"),
        "{error}"
    );
    // Not said beforehand.
    let server = Server::new(|_, _| {
        let mut reply = Reply::new("200 OK", &vec![0; 20 << 20]);
        reply.chunked = true;
        reply
    });
    let error = fetch(&corpus, folder.path(), &server.options()).unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn more_than_was_announced_is_not_taken() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let server = Server::new(move |request, number| {
        let mut reply = Reply::of(&file, "\"one\"", request);
        match number {
            0 => reply = reply.cut_after(1000),
            1 => reply.body.extend_from_slice(b"and more"),
            _ => {}
        }
        reply
    });
    let folder = TempDir::new().unwrap();
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests()[2].range, None);
}

#[test]
fn a_note_that_no_server_can_have_sent_is_none() {
    let archive = tar_gz(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(format!("{ARCHIVE}.part")), b"xyz").unwrap();
    let note = format!(
        r#"{{"url":"http://{}/mirror/{ARCHIVE}","etag":"a\nb","last_modified":null,"total":9}}"#,
        server.address
    );
    fs::write(folder.path().join(format!("{ARCHIVE}.part.json")), note).unwrap();
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
}

#[test]
fn an_archive_put_there_by_hand_is_never_deleted() {
    let archive = tar_gz(&contents());
    for checksum in [None, Some(Checksum::Sha256(sha256(&archive)))] {
        let folder = TempDir::new().unwrap();
        let by_hand = folder.path().join(ARCHIVE);
        fs::write(&by_hand, &archive).unwrap();
        let corpus = toy(ArchiveFormat::TarGz, checksum);
        fetch(&corpus, folder.path(), &FetchOptions::default()).unwrap();
        assert_whole(folder.path());
        assert_eq!(fs::read(&by_hand).unwrap(), archive);
    }
}

#[test]
fn a_damaged_download_does_not_stand_in_the_way_of_the_next() {
    let archive = tar_gz(&contents());
    let file = archive.clone();
    let half = archive[..archive.len() / 2].to_vec();
    let other = tar_gz(&[("other/a.wav", noise(10))]);
    // Twice a damaged one, once one of another layout, then the right one.
    let server = Server::new(move |request, number| match number {
        0 | 1 => Reply::of(&half, "\"half\"", request),
        2 => Reply::of(&other, "\"other\"", request),
        _ => Reply::of(&file, "\"one\"", request),
    });
    let folder = TempDir::new().unwrap();
    let corpus = toy(ArchiveFormat::TarGz, None);
    let aside = format!("{ARCHIVE}.damaged");
    for fate in ["renamed to", "deleted", "deleted"] {
        let error = fetch(&corpus, folder.path(), &server.options()).unwrap_err();
        assert!(matches!(error, FetchError::Damaged { .. }), "{error}");
        assert!(
            error.to_string().contains(fate) && error.to_string().contains("downloads it anew"),
            "{error}"
        );
        assert_eq!(names(folder.path()), std::slice::from_ref(&aside));
    }
    fetch(&corpus, folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_download_that_changed_on_the_disk_is_set_aside() {
    let archive = tar_gz(&contents());
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    let options = FetchOptions {
        keep_archives: true,
        ..server.options()
    };
    fetch(&toy_of(&archive), folder.path(), &options).unwrap();
    fs::remove_dir_all(folder.path().join("toy")).unwrap();
    fs::write(folder.path().join(ARCHIVE), b"rot").unwrap();
    fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap();
    assert_whole(folder.path());
    let aside = folder.path().join(format!("{ARCHIVE}.damaged"));
    assert_eq!(fs::read(aside).unwrap(), b"rot");
}

#[test]
fn a_published_archive_that_cannot_be_unpacked_is_not_downloaded_again_and_again() {
    let archive = b"no archive at all".to_vec();
    let server = Server::of(&archive);
    let folder = TempDir::new().unwrap();
    for _ in 0..2 {
        let error = fetch(&toy_of(&archive), folder.path(), &server.options()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("has the published SHA-256 and is kept"),
            "{error}"
        );
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_size_that_is_far_off_leaves_room_for_a_small_corpus() {
    let corpus = PublicCorpus {
        archives: vec![PublicArchive {
            bytes: 1,
            ..toy(ArchiveFormat::Zip, None).archives[0]
        }]
        .leak(),
        folder: "",
        ..toy(ArchiveFormat::Zip, None)
    };
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join(corpus.archives[0].file),
        zip_file(&contents()),
    )
    .unwrap();
    fetch(&corpus, folder.path(), &FetchOptions::default()).unwrap();
    assert_whole(folder.path());
}
