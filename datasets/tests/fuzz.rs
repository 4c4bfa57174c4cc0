//! Damaged sound, tables, folders, specs and cache entries are read or refused, and never panic.
//!
//! `SORI_FUZZ_CASES` sets the number of cases of each test.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod on_disk;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hound::{SampleFormat, WavSpec, WavWriter};
use on_disk::put;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseError;
use sori_datasets::audio::{SoundReader, decode, sample_rate_hz};
use sori_datasets::corpus::CORPORA;
use sori_datasets::{
    Corpus, FeatureCache, FeatureConfig, Features, OpenOptions, SoundFeatures, Spec,
};
use tempfile::TempDir;

/// Cases of a random test: so many, or as many as `SORI_FUZZ_CASES` says.
fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("SORI_FUZZ_CASES").ok();
    ProptestConfig {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(usual),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Random damage of a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Drop(Index, u8),
    Double(Index, u8),
    Insert(Index, Vec<u8>),
    /// A digit becomes many.
    Grow(Index),
    /// A number of a header becomes another.
    Field(Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), 1_u8..).prop_map(|(at, count)| Damage::Drop(at, count)),
        (any::<Index>(), 1_u8..).prop_map(|(at, count)| Damage::Double(at, count)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        any::<Index>().prop_map(Damage::Grow),
        (any::<Index>(), field()).prop_map(|(at, bytes)| Damage::Field(at, bytes)),
    ]
}

/// Damage after which everything is still in its place, so that much of it is still read.
fn in_place() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<Index>(), field()).prop_map(|(at, bytes)| Damage::Field(at, bytes)),
    ]
}

/// A number that a header should not hold, of one to eight bytes in either order.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        select(vec![
            0_u64,
            1,
            2,
            3,
            0x7f,
            0xff,
            0x7fff,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_fffe,
            0xffff_ffff,
            u64::MAX >> 1,
            u64::MAX,
        ]),
        any::<u64>(),
    ];
    (value, select(vec![1_usize, 2, 3, 4, 8]), any::<bool>()).prop_map(|(value, size, little)| {
        let mut bytes = value.to_le_bytes()[..size].to_vec();
        if !little {
            bytes.reverse();
        }
        bytes
    })
}

/// Three quarters of all damage are done within `reach`.
fn damaged(mut bytes: Vec<u8>, damage: &Damage, reach: &Range<usize>) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    let length = bytes.len();
    let place = |at: &Index| match at.index(4) {
        0 => at.index(length),
        _ => {
            let start = reach.start.min(length - 1);
            start + at.index(reach.end.clamp(start + 1, length) - start)
        }
    };
    let range = |at: &Index, count: u8| {
        let start = place(at);
        start..(start + usize::from(count)).min(length)
    };
    match damage {
        Damage::Flip(at, bits) => bytes[place(at)] ^= bits,
        Damage::Cut(at) => bytes.truncate(at.index(length)),
        Damage::Drop(at, count) => drop(bytes.drain(range(at, *count))),
        Damage::Double(at, count) => {
            let again = bytes[range(at, *count)].to_vec();
            let start = place(at);
            bytes.splice(start..start, again);
        }
        Damage::Insert(at, new) => {
            let start = place(at);
            bytes.splice(start..start, new.iter().copied());
        }
        Damage::Grow(at) => {
            let digits: Vec<usize> = (0..length).filter(|&i| bytes[i].is_ascii_digit()).collect();
            if !digits.is_empty() {
                let start = digits[at.index(digits.len())];
                bytes.splice(start..start, *b"99999999999");
            }
        }
        Damage::Field(at, new) => {
            let start = place(at);
            let end = (start + new.len()).min(length);
            bytes[start..end].copy_from_slice(&new[..end - start]);
        }
    }
    bytes
}

const EVERYWHERE: Range<usize> = 0..usize::MAX;

fn all_damaged(bytes: &[u8], damages: &[Damage], reach: &Range<usize>) -> Vec<u8> {
    damages.iter().fold(bytes.to_vec(), |bytes, damage| {
        damaged(bytes, damage, reach)
    })
}

/// The text of an error, which may be printed.
fn shown(error: &impl Display) -> Result<String, TestCaseError> {
    let text = error.to_string();
    prop_assert!(!text.chars().any(char::is_control), "{text:?}");
    Ok(text)
}

/// A whole file of sound.
struct Seed {
    name: &'static str,
    bytes: Vec<u8>,
    /// The most samples that each byte of such a file can stand for:
    ///
    /// - wav: 1, of one byte; of ADPCM 2, of half a byte each
    /// - flac: a constant block of 65,535 samples takes 11 bytes
    /// - ogg vorbis: a packet of one byte and its length gives half of the longest block, 4096
    /// - mp3: 576 in 24 bytes, at 8 kbit/s and 24 kHz
    /// - m4a: 1024 in a packet, which has one byte at least
    samples_per_byte: usize,
    /// Where most damage is done: where its headers are.
    reach: Range<usize>,
}

const COUNT: i32 = 300;

fn hound_wav(channels: u16, bits: u16, format: SampleFormat) -> Vec<u8> {
    let spec = WavSpec {
        channels,
        sample_rate: 8000,
        bits_per_sample: bits,
        sample_format: format,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
    for n in 0..COUNT * i32::from(channels) {
        match format {
            SampleFormat::Float => writer.write_sample((n as f32 * 0.1).sin()).unwrap(),
            SampleFormat::Int => writer.write_sample(n % 120 - 60).unwrap(),
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

/// A wav with a chunk of odd length in front of its samples, or of the form for long files.
fn plain_wav(tag: u16, bits: u16, is_long: bool) -> Vec<u8> {
    let block = bits / 8;
    let samples = vec![0; COUNT as usize * usize::from(block)];
    let mut body = b"WAVE".to_vec();
    let mut chunk = |name: &[u8; 4], size: u32, contents: &[u8]| {
        body.extend(name);
        body.extend(size.to_le_bytes());
        body.extend(contents);
        body.resize(body.len().next_multiple_of(2), 0);
    };
    if is_long {
        let mut sizes = [0; 28];
        sizes[8..16].copy_from_slice(&(samples.len() as u64).to_le_bytes());
        chunk(b"ds64", 28, &sizes);
    }
    let mut format = Vec::new();
    for word in [tag, 1, 8000, 0] {
        format.extend(word.to_le_bytes());
    }
    format.extend((8000 * u32::from(block)).to_le_bytes());
    format.extend(block.to_le_bytes());
    format.extend(bits.to_le_bytes());
    chunk(b"fmt ", 16, &format);
    chunk(b"note", 3, b"odd");
    let size = match is_long {
        true => u32::MAX,
        false => samples.len() as u32,
    };
    chunk(b"data", size, &samples);
    let mut bytes = if is_long { *b"RF64" } else { *b"RIFF" }.to_vec();
    bytes.extend(if is_long { u32::MAX } else { body.len() as u32 }.to_le_bytes());
    bytes.extend(body);
    bytes
}

/// The place of some bytes that are there.
fn place(bytes: &[u8], what: &[u8]) -> usize {
    bytes
        .windows(what.len())
        .position(|some| some == what)
        .unwrap()
}

/// The sound of an m4a with its length in a comment, instead of an edit list.
fn itunes(mut bytes: Vec<u8>) -> Vec<u8> {
    let edits = place(&bytes, b"edts");
    bytes[edits..edits + 4].copy_from_slice(b"free");
    let text = b"iTunSMPBdata\0\0\0\0\0\0\0\0 00000000 00000400 00000200 0000000000001388 ";
    let size = text.len() as u32 + 8;
    bytes.extend(size.to_be_bytes());
    bytes.extend(b"free");
    bytes.extend(text);
    let movie = place(&bytes, b"moov") - 4;
    let all = (bytes.len() - movie) as u32;
    bytes[movie..movie + 4].copy_from_slice(&all.to_be_bytes());
    bytes
}

static SEEDS: LazyLock<Vec<Seed>> = LazyLock::new(|| {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |name: &str| match name.starts_with("tone") {
        true => fs::read(package.join("../tests/golden/features").join(name)).unwrap(),
        false => fs::read(package.join("tests/files").join(name)).unwrap(),
    };
    let (int, float) = (SampleFormat::Int, SampleFormat::Float);
    let id3 = |bytes: Vec<u8>| [b"ID3\x04\0\0\0\0\0\x05\0\0\0\0\0".to_vec(), bytes].concat();
    let id3v1 = |bytes: Vec<u8>| [bytes, b"TAG".to_vec(), vec![0; 125]].concat();
    let ape = |bytes: Vec<u8>| {
        let footer = *b"APETAGEX\xd0\x07\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        [bytes, footer.to_vec()].concat()
    };
    let seeds: Vec<(&str, Vec<u8>, usize)> = vec![
        ("u8.wav", hound_wav(1, 8, int), 1),
        ("s16.wav", hound_wav(1, 16, int), 1),
        ("stereo16.wav", hound_wav(2, 16, int), 1),
        ("six24.wav", hound_wav(6, 24, int), 1),
        ("s32.wav", hound_wav(1, 32, int), 1),
        ("f32.wav", hound_wav(1, 32, float), 1),
        ("f64.wav", plain_wav(3, 64, false), 1),
        ("rf64.wav", plain_wav(1, 16, true), 1),
        ("id3.wav", id3(hound_wav(1, 16, int)), 1),
        ("alaw.wav", file("alaw.wav"), 1),
        ("mulaw.wav", file("mulaw.wav"), 1),
        ("ima.wav", file("ima.wav"), 2),
        ("ms.wav", file("ms.wav"), 2),
        ("tone.flac", id3v1(file("tone.flac")), 6000),
        ("stereo.flac", ape(file("tone_stereo.flac")), 6000),
        ("sealed.flac", file("tone.flac"), 6000),
        ("tone.ogg", file("tone.ogg"), 4096),
        ("sealed.ogg", file("tone.ogg"), 4096),
        ("tone.mp3", file("tone.mp3"), 24),
        ("click.mp3", id3v1(file("click.mp3")), 24),
        ("copied.mp3", id3(ape(file("copied.mp3"))), 24),
        ("click.m4a", file("click.m4a"), 1024),
        ("itunes.m4a", itunes(file("click.m4a")), 1024),
        ("late.m4a", file("late.m4a"), 1024),
        ("alac.m4a", file("alac.m4a"), 1024),
    ];
    let reach = |name: &str, bytes: &[u8]| match name {
        "late.m4a" => 32..802,
        name if name.ends_with("m4a") => place(bytes, b"moov")..bytes.len(),
        name if name.ends_with("ogg") => EVERYWHERE,
        "sealed.flac" => 42..256,
        _ => 0..128,
    };
    let seed = |(name, bytes, samples_per_byte): (&'static str, Vec<u8>, usize)| Seed {
        name,
        reach: reach(name, &bytes),
        bytes,
        samples_per_byte,
    };
    seeds.into_iter().map(seed).collect()
});

/// Gives every page of ogg that is there as a whole its checksum, so that damage comes to the
/// decoder.
fn seal(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(segments) = bytes.get(at + 26).copied() {
        let begin = at + 27;
        let Some(lengths) = bytes.get(begin..begin + usize::from(segments)) else {
            return;
        };
        let contents: usize = lengths.iter().map(|&length| usize::from(length)).sum();
        let end = begin + usize::from(segments) + contents;
        let Some(page) = bytes.get_mut(at..end) else {
            return;
        };
        page[22..26].fill(0);
        let crc = page.iter().fold(0_u32, |crc, &byte| {
            (0..8).fold(crc ^ (u32::from(byte) << 24), |crc, _| {
                (crc << 1) ^ ((crc >> 31) * 0x04c1_1db7)
            })
        });
        page[22..26].copy_from_slice(&crc.to_le_bytes());
        at = end;
    }
}

/// The place of the one frame in `tone.flac`, the length of its header, and the checksum of the sound.
const FRAME: usize = 86;
const FRAME_HEADER: usize = 7;
const SOUND_SUM: Range<usize> = 26..42;

/// As [`seal`] the frame of flac, and says that its sound has no checksum.
fn seal_flac(bytes: &mut [u8]) {
    if bytes.len() < FRAME + FRAME_HEADER + 3 {
        return;
    }
    let sum = |bytes: &[u8], bits: u32, polynomial: u32| {
        bytes.iter().fold(0_u32, |sum, &byte| {
            (0..8).fold(sum ^ (u32::from(byte) << (bits - 8)), |sum, _| {
                ((sum << 1) ^ ((sum >> (bits - 1) & 1) * polynomial)) & ((1 << bits) - 1)
            })
        })
    };
    bytes[SOUND_SUM].fill(0);
    let behind = FRAME + FRAME_HEADER;
    bytes[behind] = sum(&bytes[FRAME..behind], 8, 0x07) as u8;
    let end = bytes.len() - 2;
    let sum = sum(&bytes[FRAME..end], 16, 0x8005) as u16;
    bytes[end..].copy_from_slice(&sum.to_be_bytes());
}

/// What all ways into a file of sound agree on.
fn check_sound(path: &Path, most: usize) -> Result<(), TestCaseError> {
    let (whole, rate_hz) = (decode(path), sample_rate_hz(path));
    let mut blocks = Vec::new();
    let read = SoundReader::open(path).and_then(|mut reader| {
        loop {
            match reader.next_block() {
                Ok(Some(block)) => blocks.extend(block),
                Ok(None) => return Ok(reader.sample_rate_hz()),
                Err(error) => {
                    assert!(matches!(reader.next_block(), Ok(None)), "behind {error}");
                    return Err(error);
                }
            }
        }
    });
    prop_assert!(blocks.len() <= most, "{} of {most} samples", blocks.len());
    if let Err(error) = &rate_hz {
        let text = shown(error)?;
        prop_assert!(text.contains(&*path.to_string_lossy()), "{text}");
    }
    match (whole, read) {
        (Ok(whole), Ok(read_hz)) => {
            prop_assert!(!blocks.is_empty());
            prop_assert!(blocks.iter().all(|sample| sample.is_finite()));
            prop_assert!(whole.samples == blocks, "blocks and the whole differ");
            prop_assert_eq!(whole.sample_rate_hz, read_hz);
            match rate_hz {
                Ok(rate_hz) => prop_assert_eq!(rate_hz, read_hz),
                Err(error) => prop_assert!(false, "decoded, and its rate not: {error}"),
            }
        }
        (Err(whole), Err(read)) => {
            let text = shown(&whole)?;
            prop_assert_eq!(&text, &shown(&read)?);
            prop_assert!(text.contains(&*path.to_string_lossy()), "{text}");
        }
        (whole, read) => prop_assert!(false, "{:?}, by blocks {read:?}", whole.err()),
    }
    Ok(())
}

#[test]
fn every_seed_is_read_whole() {
    let folder = TempDir::new().unwrap();
    for seed in SEEDS.iter() {
        let path = folder.path().join(seed.name);
        fs::write(&path, &seed.bytes).unwrap();
        check_sound(&path, seed.bytes.len() * seed.samples_per_byte).unwrap();
        assert_eq!(
            decode(&path).is_ok(),
            seed.name != "alac.m4a",
            "{}",
            seed.name
        );
    }
}

static SOUND: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn damaged_sound_is_the_same_sound_by_every_way_or_an_error(
        which in any::<Index>(),
        damages in prop_oneof![
            prop::collection::vec(damage(), 1..5),
            prop::collection::vec(in_place(), 1..5),
        ],
    ) {
        let seed = which.get(&SEEDS);
        let mut bytes = all_damaged(&seed.bytes, &damages, &seed.reach);
        match seed.name {
            "sealed.ogg" => seal(&mut bytes),
            "sealed.flac" => seal_flac(&mut bytes),
            _ => {}
        }
        let path = SOUND.path().join(seed.name);
        fs::write(&path, &bytes).unwrap();
        check_sound(&path, bytes.len() * seed.samples_per_byte)
            .map_err(|error| TestCaseError::fail(format!("{}: {error}", seed.name)))?;
    }
}

/// Recordings, and what names them.
static LISTED: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    for number in 0..6 {
        put(folder.path(), &format!("u{number}.wav"));
        put(folder.path(), &format!("ocean/u{number}.wav"));
    }
    folder
});

const JSON: &str = r#"{"audio": "u0.wav", "label": "dog", "split": "train"}
{"audio_filepath": "u1.wav", "label": 7, "duration": 0.05}

{"audio": "u2.wav", "label": "고양이", "split": "test", "domain": "x"}
{"audio": "u3.wav", "label": "a \"b\"", "offset": 0.01, "duration": 0.05}
{"audio": "gone.wav", "label": "dog"}
{"audio": "u4.wav", "label": "dog", "split": "valid"}
"#;
const CSV: &str = "audio,text,split,domain\r\nu0.wav,one,train,\r\nu1.wav,\"two, \"\"or\"\" three\",test,x\r\n\r\n\
                   u2.wav,\"on two\r\nlines\",,\r\nu3.wav,고양이,valid,y\r\ngone.wav,none,,\r\nu4.wav, four ,,\r\n";

const TSV: &str = "path\tspeaker\ttext\nu0.wav\ta\tone\nu1.wav\ta\t\"two\" is said\nu2.wav\tb\t\"on two\nlines\"\n\n\
                   u3.wav\tb\t고양이\nu4.wav\tc\tfour\ngone.wav\tc\tnone\nu5.wav\td\tfive\n";

/// The lines in which the rows of a table begin, the header's first; none if its quotation marks do
/// not match.
fn rows_of(table: &[u8], delimiter: u8) -> Option<Vec<usize>> {
    let table = table.strip_prefix(b"\xef\xbb\xbf").unwrap_or(table);
    let (mut rows, mut line, mut begun) = (Vec::new(), 1, false);
    let (mut quoted, mut at_begin) = (false, true);
    for (at, &byte) in table.iter().enumerate() {
        let ends = !quoted && (byte == b'\n' || byte == b'\r');
        if ends {
            (begun, at_begin) = (false, true);
        } else {
            if !begun {
                rows.push(line);
                begun = true;
            }
            if byte == b'"' && (quoted || at_begin) {
                // Of two marks the second opens again.
                quoted = !quoted;
                at_begin = !quoted;
            } else {
                at_begin = !quoted && byte == delimiter;
            }
        }
        let ends_line = byte == b'\n' || (byte == b'\r' && table.get(at + 1) != Some(&b'\n'));
        line += usize::from(ends_line);
    }
    (!quoted).then_some(rows)
}

/// Every row is a recording or is told of, by its line. Without rows the list must be refused.
fn check_rows(path: &Path, spec: &Spec, rows: Option<&[usize]>) -> Result<(), TestCaseError> {
    if let Err(error) = Corpus::open(spec) {
        let text = shown(&error)?;
        let folder = LISTED.path().to_string_lossy();
        prop_assert!(text.contains(&*folder), "{text}");
    }
    let skip_bad = OpenOptions {
        skip_bad: true,
        ..OpenOptions::default()
    };
    match Corpus::open_with(spec, &skip_bad) {
        Ok(corpus) => {
            prop_assert!(rows.is_some(), "a quotation mark is never closed");
            let rows = rows.unwrap_or_default();
            let lines: Vec<usize> = corpus
                .rejected
                .iter()
                .map(|rejected| {
                    let (list, line) = rejected.place.rsplit_once(':').unwrap();
                    assert_eq!(Path::new(list), path);
                    line.parse().unwrap()
                })
                .collect();
            prop_assert_eq!(
                corpus.items.len() + lines.len(),
                rows.len(),
                "rows {:?}, rejected {:?}",
                rows,
                corpus.rejected
            );
            let distinct: BTreeSet<usize> = lines.iter().copied().collect();
            prop_assert_eq!(distinct.len(), lines.len(), "{:?}", corpus.rejected);
            prop_assert!(
                lines.iter().all(|line| rows.contains(line)),
                "{rows:?}, {lines:?}"
            );
            let ids: BTreeSet<&str> = corpus.items.iter().map(|item| item.id.as_str()).collect();
            prop_assert_eq!(ids.len(), corpus.items.len());
        }
        Err(error) => {
            let text = shown(&error)?;
            let folder = LISTED.path().to_string_lossy();
            prop_assert!(text.contains(&*folder), "{text}");
        }
    }
    Ok(())
}

/// Damage of text: most of it stays text.
fn text_damage() -> impl Strategy<Value = Damage> {
    let piece = select(vec![
        "\"",
        "\"\"",
        "\n",
        "\r",
        "\r\n",
        ",",
        "\t",
        " ",
        "{",
        "}",
        "\u{feff}",
        "\0",
        "\u{1b}[2J",
        "u0.wav",
        "null",
        "1e999",
        "-0.0",
        "\\u0000",
        "\\ud800",
        "\n\n",
        "|",
        ";",
        "/",
        "../",
    ]);
    prop_oneof![
        2 => damage(),
        3 => (any::<Index>(), piece)
            .prop_map(|(at, piece)| Damage::Insert(at, piece.as_bytes().to_vec())),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn no_line_of_a_damaged_manifest_is_lost(
        damages in prop::collection::vec(text_damage(), 1..5),
    ) {
        let path = LISTED.path().join("list.jsonl");
        let bytes = all_damaged(JSON.as_bytes(), &damages, &EVERYWHERE);
        fs::write(&path, &bytes).unwrap();
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let lines = text.split(|&byte| byte == b'\n').zip(1..);
        let rows: Vec<usize> = lines
            .filter(|(line, _)| !line.trim_ascii().is_empty())
            .map(|(_, number)| number)
            .collect();
        check_rows(&path, &on_disk::spec("manifest", &path, ""), Some(&rows))?;
    }

    #[test]
    fn no_row_of_a_damaged_table_is_lost(
        damages in prop::collection::vec(text_damage(), 1..5),
    ) {
        let path = LISTED.path().join("list.csv");
        let bytes = all_damaged(CSV.as_bytes(), &damages, &EVERYWHERE);
        fs::write(&path, &bytes).unwrap();
        let rows = rows_of(&bytes, b',');
        let rows = rows.as_ref().map(|rows| rows.get(1..).unwrap_or_default());
        check_rows(&path, &on_disk::spec("manifest", &path, ""), rows)?;
    }

    #[test]
    fn no_row_of_a_damaged_table_of_tabs_is_lost(
        damages in prop::collection::vec(text_damage(), 1..5),
    ) {
        let folder = LISTED.path().join("ocean");
        let path = folder.join("transcripts.tsv");
        let bytes = all_damaged(TSV.as_bytes(), &damages, &EVERYWHERE);
        fs::write(&path, &bytes).unwrap();
        let rows = rows_of(&bytes, b'\t');
        let rows = rows.as_ref().map(|rows| rows.get(1..).unwrap_or_default());
        check_rows(&path, &on_disk::spec("speechocean762", &folder, ""), rows)?;
    }
}

/// A name that some system allows and some program mistakes.
fn name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(vec![
            "a", "train", "valid", "test", "Train", "é", "e\u{301}", "강", "\u{1100}\u{1161}\u{11bc}",
            "\u{1b}[31m", "\n", "\r", "\t", "\u{7f}", "\u{9b}", "\u{202e}", "\u{feff}", "\u{2028}",
            "--help", "-", "?", "a?split=test", "%2F", "%", "&", ":", "=", " ", "(2)", ".", "~",
            "*", "\\", "\"", "'", "$HOME", "`id`", "#", "con", "🎵", "\u{200d}", "İ", "ﬁ", "_",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => Just("x".repeat(240)),
    ];
    prop::collection::vec(piece, 1..4).prop_map(|pieces| {
        let mut name: String = pieces.concat().replace(['/', '\0'], "_");
        while name.len() > 240 {
            name.pop();
        }
        match name.as_str() {
            "." | ".." => "dots".into(),
            _ => name,
        }
    })
}

/// What lies in a folder.
#[derive(Clone, Debug)]
enum Thing {
    Sound,
    Empty,
    Folder,
    /// A link that leads nowhere.
    Dangling,
    /// A link to itself.
    Loop,
    /// A link to the folder around everything.
    Circle,
    /// A link to a recording.
    Link,
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        6 => Just(Thing::Sound),
        1 => Just(Thing::Empty),
        1 => Just(Thing::Folder),
        1 => Just(Thing::Dangling),
        1 => Just(Thing::Loop),
        1 => Just(Thing::Circle),
        1 => Just(Thing::Link),
    ]
}

fn class() -> impl Strategy<Value = (String, Vec<(String, &'static str, Thing)>)> {
    let extension = select(vec![".wav", ".wav", ".WAV", ".flac", ".opus", "", ".wav "]);
    let inside = prop::collection::vec((name(), extension, thing()), 1..5);
    (name(), inside)
}

/// Puts a thing down; nothing happens where the system does not take its name.
#[cfg(unix)]
fn lay(root: &Path, path: &Path, thing: &Thing) {
    use std::os::unix::fs::symlink;
    let sound = LISTED.path().join("u0.wav");
    let _ = match thing {
        Thing::Sound => fs::copy(sound, path).map(drop),
        Thing::Empty => fs::write(path, ""),
        Thing::Folder => fs::create_dir(path),
        Thing::Dangling => symlink("gone", path),
        Thing::Loop => symlink(path, path),
        Thing::Circle => symlink(root, path),
        Thing::Link => symlink(sound, path),
    };
}

#[cfg(unix)]
proptest! {
    #![proptest_config(cases(50))]

    #[test]
    fn a_folder_of_hostile_names_is_listed_or_refused(
        top in name(),
        classes in prop::collection::vec(class(), 1..4),
        loose in prop::collection::vec((name(), thing()), 0..2),
        below in prop_oneof![3 => Just(""), 1 => Just("train"), 1 => Just("test")],
    ) {
        let folder = TempDir::new().unwrap();
        let root = folder.path().join(top);
        for (class, files) in &classes {
            let inside = root.join(below).join(class);
            fs::create_dir_all(&inside).unwrap();
            for (name, extension, thing) in files {
                lay(&root, &inside.join(format!("{name}{extension}")), thing);
            }
        }
        for (name, thing) in &loose {
            lay(&root, &root.join(name), thing);
        }
        let spec = Spec {
            corpus: "folder".into(),
            location: root.to_str().unwrap().into(),
            query: BTreeMap::new(),
        };
        prop_assert_eq!(&spec.to_string().parse::<Spec>().unwrap(), &spec);
        if let Err(error) = Corpus::open(&spec) {
            shown(&error)?;
        }
        let skip_bad = OpenOptions { skip_bad: true, ..OpenOptions::default() };
        match Corpus::open_with(&spec, &skip_bad) {
            Ok(corpus) => {
                let ids: BTreeSet<&str> =
                    corpus.items.iter().map(|item| item.id.as_str()).collect();
                prop_assert_eq!(ids.len(), corpus.items.len());
                let labels: BTreeSet<&String> = corpus.labels.iter().collect();
                prop_assert_eq!(labels.len(), corpus.labels.len());
                // One level of classes, perhaps below the parts, is looked at.
                let most: usize = classes.iter().map(|(_, files)| files.len()).sum();
                prop_assert!(corpus.items.len() <= 4 * (most + loose.len()) * 4);
            }
            Err(error) => drop(shown(&error)?),
        }
    }
}

fn spec_text() -> impl Strategy<Value = String> {
    let names: Vec<String> = CORPORA
        .iter()
        .map(|corpus| corpus.name.to_owned())
        .collect();
    let piece = prop_oneof![
        3 => select(names),
        6 => select(vec![
            ":", "?", "&", "=", "%", "%26", "%3f", "%+5", "%zz", "%C3", "%00", "/", "a", "é", "..",
            "split", "test", "size", "", " ", "\n", "\u{1b}", "??", "\\", "🎵",
        ]).prop_map(str::to_owned),
        1 => ".{0,6}",
    ];
    prop_oneof![
        1 => ".{0,40}",
        2 => prop::collection::vec(piece.clone(), 0..10).prop_map(|pieces| pieces.concat()),
        4 => (select(vec!["folder", "manifest", "synth", "fsdd"]), prop::collection::vec(piece, 0..10))
            .prop_map(|(name, pieces)| format!("{name}:{}", pieces.concat())),
    ]
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a_spec_printed_is_the_spec_parsed(text in spec_text()) {
        match text.parse::<Spec>() {
            Ok(spec) => {
                let printed = spec.to_string();
                let again = printed.parse::<Spec>();
                prop_assert!(again.is_ok(), "{printed:?}: {again:?}");
                prop_assert_eq!(&again.unwrap(), &spec);
            }
            Err(error) => drop(shown(&error)?),
        }
    }

    #[test]
    fn any_spec_is_written_so_that_it_is_read_again(
        location in ".{1,12}",
        query in prop::collection::btree_map(".{0,6}", ".{0,6}", 0..4),
    ) {
        // That is read as the user's folder.
        prop_assume!(!location.starts_with('~'));
        let spec = Spec { corpus: "folder".into(), location, query };
        prop_assert_eq!(spec.to_string().parse::<Spec>().unwrap(), spec);
    }
}

static CACHE: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_damaged_entry_of_the_cache_is_made_anew(
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        static ITEMS: LazyLock<Corpus> =
            LazyLock::new(|| Corpus::open(&"synth:dtmf?size=16".parse().unwrap()).unwrap());
        let cache = FeatureCache::new(CACHE.path()).unwrap();
        let (item, config) = (&ITEMS.items[0], FeatureConfig::default());
        let features = Features { frames: 3, bins: 2, values: vec![1.0, -2.0, 3.5, 0.0, 1e-9, 7.0] };
        let wanted = SoundFeatures { features, samples: 500 };
        let made = || Ok(wanted.clone());
        prop_assert_eq!(&cache.fetch(item, &config, made).unwrap(), &wanted);
        let entry: PathBuf = cache.entry(item, &config).unwrap();
        let whole = fs::read(&entry).unwrap();
        let bytes = all_damaged(&whole, &damages, &(0..64));
        fs::write(&entry, &bytes).unwrap();
        let found = cache.fetch(item, &config, made).unwrap();
        prop_assert_eq!(&found, &wanted);
        prop_assert_eq!(cache.rebuilt(), u64::from(bytes != whole));
        prop_assert_eq!(fs::read(&entry).unwrap(), whole);
    }
}
