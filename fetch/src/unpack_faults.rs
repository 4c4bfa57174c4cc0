//! Archives with random faults, through the unpacker: it never panics, never writes outside of its
//! folder, and never more than it may. `SORI_FUZZ_CASES` says how many, of each format.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use zip::write::SimpleFileOptions;

use crate::bounds::Bounds;
use crate::catalogue::{ArchiveFormat, PublicArchive};
use crate::unpack::unpack;

/// Cases of each format, where the environment names no other number.
const CASES: u32 = 200;

/// A fault. Places are taken modulo the length.
#[derive(Clone, Debug)]
enum Fault {
    Flip {
        at: usize,
        bit: u8,
    },
    Cut {
        at: usize,
    },
    /// Some of it once more, elsewhere.
    Splice {
        from: usize,
        to: usize,
        length: usize,
    },
    /// A number behind a signature of a zip file.
    Number {
        signature: usize,
        behind: usize,
        value: u32,
    },
    /// A header of a tar file, in place of a block or before it.
    Header {
        at: usize,
        insert: bool,
        kind: u8,
        name: &'static str,
        size: u64,
    },
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let names = [
        "toy/a.wav",
        "toy/b/c.wav",
        "toy",
        "../evil",
        "/tmp/sori-evil",
        "toy/../../evil",
        "a\\b",
        "",
        ".",
    ];
    let sizes = [
        0,
        1,
        511,
        512,
        513,
        1 << 16,
        1 << 25,
        1 << 33,
        u64::MAX >> 1,
    ];
    let numbers = [
        0,
        1,
        2,
        8,
        46,
        99,
        0x7fff,
        0xffff,
        0x0403_4b50,
        1 << 24,
        u32::MAX,
    ];
    let kinds = *b"01234567LKxgSVN\0";
    prop_oneof![
        (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Fault::Flip { at, bit }),
        any::<usize>().prop_map(|at| Fault::Cut { at }),
        (any::<usize>(), any::<usize>(), 1..3000_usize)
            .prop_map(|(from, to, length)| { Fault::Splice { from, to, length } }),
        (any::<usize>(), 0..60_usize, select(numbers.to_vec())).prop_map(
            |(signature, behind, value)| Fault::Number {
                signature,
                behind,
                value
            }
        ),
        (
            any::<usize>(),
            any::<bool>(),
            select(kinds.to_vec()),
            select(names.to_vec()),
            select(sizes.to_vec())
        )
            .prop_map(|(at, insert, kind, name, size)| Fault::Header {
                at,
                insert,
                kind,
                name,
                size
            }),
    ]
}

fn damage(bytes: &mut Vec<u8>, fault: &Fault) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match *fault {
        Fault::Flip { at, bit } => bytes[at % length] ^= 1 << bit,
        Fault::Cut { at } => bytes.truncate(at % length),
        Fault::Splice {
            from,
            to,
            length: most,
        } => {
            let from = from % length;
            let piece = bytes[from..length.min(from + most)].to_vec();
            let to = to % length;
            bytes.splice(to..to, piece);
        }
        Fault::Number {
            signature,
            behind,
            value,
        } => {
            let places: Vec<usize> = (0..length)
                .filter(|at| bytes[*at..].starts_with(b"PK"))
                .collect();
            if let Some(place) = places.get(signature % places.len().max(1)) {
                for (byte, value) in bytes[place + 2..]
                    .iter_mut()
                    .skip(behind)
                    .zip(value.to_le_bytes())
                {
                    *byte = value;
                }
            }
        }
        Fault::Header {
            at,
            insert,
            kind,
            name,
            size,
        } => {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_size(size);
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..4].copy_from_slice(b"/tmp");
            header.set_cksum();
            let at = at % length / 512 * 512;
            let replaced = if insert { 0 } else { 512.min(length - at) };
            bytes.splice(at..at + replaced, *header.as_bytes());
        }
    }
}

fn tar_file() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let header = |size| {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        header
    };
    tar.append_dir("toy", ".").unwrap();
    for (name, length) in [
        ("toy/a.wav", 700),
        ("toy/b/c.wav", 512),
        ("toy/empty.txt", 0),
    ] {
        let contents = vec![7; length];
        tar.append_data(&mut header(length as u64), name, contents.as_slice())
            .unwrap();
    }
    // The name takes an entry of its own, and so does a header of another kind.
    let long = format!("toy/{}.wav", "long".repeat(40));
    tar.append_data(&mut header(3), long, &b"abc"[..]).unwrap();
    tar.append_pax_extensions([("path", &b"toy/pax.wav"[..]), ("size", b"3")])
        .unwrap();
    tar.append_data(&mut header(3), "toy/d.wav", &b"abc"[..])
        .unwrap();
    tar.into_inner().unwrap()
}

fn zip_file() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.add_directory("toy", stored).unwrap();
    for (name, options, length) in [
        ("toy/a.wav", SimpleFileOptions::default(), 5000),
        ("toy/b/c.wav", stored, 300),
        ("toy/large.wav", stored.large_file(true), 10),
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(&vec![7; length]).unwrap();
    }
    zip.set_comment("a comment").unwrap();
    zip.finish().unwrap().into_inner()
}

/// Unpacks to a folder within a new one, and looks at what is in the two.
fn unpacks_within_bounds(format: ArchiveFormat, bytes: &[u8]) -> bool {
    let archive = PublicArchive {
        url: "",
        file: "toy",
        bytes: 1,
        checksum: None,
        format,
        unpack_into: "",
    };
    // In memory, where there is such a folder: many small files.
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let path = folder.path().join("archive");
    fs::write(&path, bytes).unwrap();
    let target = folder.path().join("a/b");
    let result = unpack(&archive, &path, &target, &mut |_| ControlFlow::Continue(()));
    if let Err(error) = &result {
        let _ = error.to_string();
    }

    let found = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(found(folder.path()), ["a", "archive"]);
    assert_eq!(found(&folder.path().join("a")), ["b"]);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    let bounds = Bounds::of(&archive);
    let (mut written, mut entries) = (0, 0);
    let mut folders = vec![target];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let entry = fs::symlink_metadata(&path).unwrap();
            assert!(entry.is_file() || entry.is_dir(), "{}", path.display());
            entries += 1;
            if entry.is_dir() {
                folders.push(path);
            } else {
                written += entry.len();
            }
        }
    }
    assert!(written <= bounds.bytes && entries <= bounds.entries);
    result.is_ok()
}

fn runner() -> TestRunner {
    let cases = std::env::var("SORI_FUZZ_CASES")
        .ok()
        .map_or(CASES, |text| text.parse().unwrap());
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn faults_in_a_tar_file_do_no_harm() {
    let good = tar_file();
    let gz = |bytes: &[u8]| {
        let mut gz = GzEncoder::new(Vec::new(), Compression::none());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    };
    assert!(unpacks_within_bounds(ArchiveFormat::TarGz, &gz(&good)));
    let faults = (vec(any_fault(), 0..4), vec(any_fault(), 0..2));
    runner()
        .run(&faults, |(inside, outside)| {
            let mut bytes = good.clone();
            inside.iter().for_each(|fault| damage(&mut bytes, fault));
            let mut bytes = gz(&bytes);
            outside.iter().for_each(|fault| damage(&mut bytes, fault));
            unpacks_within_bounds(ArchiveFormat::TarGz, &bytes);
            Ok(())
        })
        .unwrap();
    assert!(!Path::new("/tmp/sori-evil").exists());
}

#[test]
fn faults_in_a_zip_file_do_no_harm() {
    let good = zip_file();
    assert!(unpacks_within_bounds(ArchiveFormat::Zip, &good));
    runner()
        .run(&vec(any_fault(), 1..4), |faults| {
            let mut bytes = good.clone();
            faults.iter().for_each(|fault| damage(&mut bytes, fault));
            unpacks_within_bounds(ArchiveFormat::Zip, &bytes);
            Ok(())
        })
        .unwrap();
}
