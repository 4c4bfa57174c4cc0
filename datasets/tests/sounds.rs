//! Audio files as other programs write them: their headers, tags, codes and joints.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};

use sori_datasets::audio::{SoundReader, decode, has_audio_extension, sample_rate_hz};
use sori_datasets::{Error, Waveform};
use tempfile::TempDir;

const RATE_HZ: u32 = 16_000;

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    std::fs::read(folder.join(name)).unwrap()
}

fn written(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("sound");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The sound, of which the header alone tells the same rate.
fn decoded(bytes: &[u8]) -> Result<Waveform, Error> {
    let folder = TempDir::new().unwrap();
    let path = written(&folder, bytes);
    let waveform = decode(&path)?;
    assert_eq!(sample_rate_hz(&path).unwrap(), waveform.sample_rate_hz);
    Ok(waveform)
}

fn complaint(bytes: &[u8]) -> String {
    decoded(bytes).unwrap_err().to_string()
}

fn chunk(name: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let mut chunk = name.to_vec();
    chunk.extend((contents.len() as u32).to_le_bytes());
    chunk.extend(contents);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let contents = [b"WAVE".to_vec(), chunks.concat()].concat();
    chunk(b"RIFF", &contents)
}

fn format(tag: u16, channels: u16, byte_rate: u32, block: u16, bits: u16) -> Vec<u8> {
    let mut format = Vec::new();
    format.extend(tag.to_le_bytes());
    format.extend(channels.to_le_bytes());
    format.extend(RATE_HZ.to_le_bytes());
    format.extend(byte_rate.to_le_bytes());
    format.extend(block.to_le_bytes());
    format.extend(bits.to_le_bytes());
    format
}

/// An extensible format of integers (1) or floating point (3), some of whose bits are valid.
fn extensible(kind: u8, block: u16, bits: u16, valid: u16) -> Vec<u8> {
    let mut format = format(0xfffe, 1, RATE_HZ * u32::from(block), block, bits);
    format.extend([22, 0]);
    format.extend(valid.to_le_bytes());
    format.extend([4, 0, 0, 0, kind, 0]);
    format.extend(b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    format
}

const VALUES: [i16; 6] = [0, 1, -1, 12_345, i16::MAX, i16::MIN];

fn data(bytes: impl Fn(i16) -> Vec<u8>) -> Vec<u8> {
    let contents: Vec<u8> = VALUES.iter().flat_map(|&value| bytes(value)).collect();
    chunk(b"data", &contents)
}

fn of_values() -> Vec<f32> {
    let scaled = |value: &i16| f32::from(*value) / 32_768.0;
    VALUES.iter().map(scaled).collect()
}

/// The bytes a value is written in.
type Written = fn(i16) -> Vec<u8>;

#[test]
fn bits_that_are_not_valid_are_the_lower_ones() {
    let cases: [(Vec<u8>, Written); 5] = [
        // 24 of 32, and 8 or 12 of 16.
        (extensible(1, 4, 32, 24), |value| {
            (i32::from(value) << 16).to_le_bytes().into()
        }),
        (extensible(1, 2, 16, 8), |value| value.to_le_bytes().into()),
        (format(1, 1, 32_000, 2, 12), |value| {
            value.to_le_bytes().into()
        }),
        // ALSA's S24_LE: the lower three bytes, whatever is in the fourth.
        (format(1, 1, 64_000, 4, 24), |value| {
            let [a, b, c, _] = (i32::from(value) << 8).to_le_bytes();
            vec![a, b, c, 0x55]
        }),
        (extensible(3, 8, 64, 64), |value| {
            (f64::from(value) / 32_768.0).to_le_bytes().into()
        }),
    ];
    // A code of a byte for each sample, under such a header.
    for (kind, codes, values) in [
        (6, [0xd5, 0x55, 0x2a], [8.0, -8.0, -32_256.0]),
        (7, [0xff, 0x80, 0x00], [0.0, 32_124.0, -32_124.0]),
    ] {
        let coded = chunk(b"data", &codes);
        let wav = riff(&[chunk(b"fmt ", &extensible(kind, 1, 8, 8)), coded]);
        let scaled: [f32; 3] = values.map(|value| value / 32_768.0);
        assert_eq!(decoded(&wav).unwrap().samples, scaled);
    }
    for (number, (format, bytes)) in cases.into_iter().enumerate() {
        let wav = riff(&[chunk(b"fmt ", &format), data(bytes)]);
        assert_eq!(decoded(&wav).unwrap().samples, of_values(), "case {number}");
    }
}

#[test]
fn what_a_wav_says_besides_does_not_matter() {
    let plain = chunk(b"fmt ", &format(1, 1, 32_000, 2, 16));
    let samples = data(|value| value.to_le_bytes().into());
    let wrong_rate = chunk(b"fmt ", &format(1, 1, 7, 2, 16));
    let odd = chunk(b"iXML", b"abc");
    let long = chunk(b"junk", &[1; 9001]);
    let mut tag = b"ID3\x04\0\0\0\0\x4a\x3f".to_vec();
    tag.resize(10 + 0x4a * 128 + 0x3f, 7);
    let cases = [
        riff(&[plain.clone(), samples.clone()]),
        riff(&[plain.clone(), samples.clone(), chunk(b"LIST", b"INFO")]),
        riff(&[wrong_rate, samples.clone()]),
        riff(&[odd, plain.clone(), chunk(b"bext", b"x"), samples.clone()]),
        riff(&[long, plain.clone(), samples.clone()]),
        [tag, riff(&[plain.clone(), samples.clone()])].concat(),
    ];
    for (number, wav) in cases.iter().enumerate() {
        assert_eq!(decoded(wav).unwrap().samples, of_values(), "case {number}");
        // A second block of samples would be a truncated one.
        let cut = &riff(&[plain.clone(), samples.clone()])[..44];
        assert!(complaint(cut).contains("promises 6 samples and 0 are there"));
    }
    // Beyond 4 GiB, the length is in another chunk.
    let mut large = riff(&[
        chunk(
            b"ds64",
            &[&[0; 8][..], &12_u64.to_le_bytes(), &[0; 12]].concat(),
        ),
        plain,
        samples,
    ]);
    large[..4].copy_from_slice(b"RF64");
    let at = large.len() - 16;
    large[at..at + 4].fill(0xff);
    assert_eq!(decoded(&large).unwrap().samples, of_values());
}

/// The sample of the click, and the number of samples.
fn click(waveform: &Waveform) -> (usize, usize) {
    let loudest = waveform.samples.iter().map(|sample| sample.abs());
    let at = loudest.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    (at.unwrap().0, waveform.samples.len())
}

#[test]
fn codes_of_wav_are_read() {
    for (name, samples) in [
        ("alaw.wav", 8000..=8000),
        ("mulaw.wav", 8000..=8000),
        // Filled up to whole blocks.
        ("ima.wav", 8000..=8080),
        ("ms.wav", 8000..=8000),
    ] {
        let bytes = file(name);
        let waveform = decoded(&bytes).unwrap();
        let (at, length) = click(&waveform);
        // IMA's steps grow too slowly for a click.
        let heard = name == "ima.wav" || (4999..=5001).contains(&at);
        assert!(heard, "{name}: {at}");
        assert!(samples.contains(&length), "{name}: {length}");
        let power: f32 = waveform.samples[1000..4000].iter().map(|x| x * x).sum();
        let rms = (power / 3000.0).sqrt() * 32_768.0;
        assert!((rms - 212.1).abs() < 20.0, "{name}: {rms}");
        let cut = complaint(&bytes[..bytes.len() - 300]);
        assert!(cut.contains("truncated"), "{name}: {cut}");
    }
}

#[test]
fn the_delay_of_an_encoder_is_left_out() {
    for name in ["click.mp3", "copied.mp3", "click.m4a", "late.m4a"] {
        let waveform = decoded(&file(name)).unwrap();
        assert_eq!(click(&waveform), (5000, 8000), "{name}");
        assert_eq!(waveform.sample_rate_hz, RATE_HZ);
    }
    assert!(has_audio_extension(Path::new("memo.M4A")));
}

#[test]
fn streams_of_mp3_behind_each_other_are_all_read() {
    let whole = file("click.mp3");
    let one = decoded(&whole).unwrap().samples;
    let tag = [b"TAG".to_vec(), vec![b' '; 125]].concat();
    let three = [&whole[..], &tag, &whole, &file("copied.mp3"), &tag].concat();
    let all = decoded(&three).unwrap().samples;
    assert_eq!(all, [&one[..], &one, &one].concat());
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/features/tone.mp3");
    assert_eq!(sample_rate_hz(&other).unwrap(), RATE_HZ);
    // The second of MPEG-1 at twice the rate: another version in each header.
    let mut faster = whole.clone();
    let begin = faster
        .windows(2)
        .position(|two| two == [0xff, 0xf3])
        .unwrap();
    faster[begin + 2] ^= 0b1100;
    let text = complaint(&[&whole[..], &faster].concat());
    assert!(text.contains("byte"), "{text}");
}

#[test]
fn damage_to_the_header_of_any_mp3_frame_is_an_error() {
    let whole = file("click.mp3");
    let begin = whole
        .windows(2)
        .position(|two| two == [0xff, 0xf3])
        .unwrap();
    let mut frames = 0;
    let mut at = begin;
    while at + 4 <= whole.len() && whole[at] == 0xff {
        for (byte, flip) in [(0, 0x10), (1, 0x80), (1, 0x08), (2, 0x30), (2, 0x08)] {
            let mut damaged = whole.clone();
            damaged[at + byte] ^= flip;
            let text = complaint(&damaged);
            assert!(
                text.contains("byte") || text.contains("truncated") || text.contains("not audio"),
                "frame {frames}: {text}"
            );
        }
        // MPEG-2 of layer III: half the bytes of MPEG-1.
        let kbps = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
            [usize::from(whole[at + 2] >> 4)];
        at += 72 * kbps * 1000 / 16_000 + usize::from((whole[at + 2] >> 1) & 1);
        frames += 1;
    }
    assert!(frames > 10, "{frames}");
    let mut holed = whole.clone();
    let middle = begin + (at - begin) / 2;
    holed.insert(middle, 0);
    assert!(decoded(&holed).is_err());
}

#[test]
fn tags_around_flac_are_passed_over() {
    let flac = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/features/tone.flac");
    let flac = std::fs::read(flac).unwrap();
    let whole = decoded(&flac).unwrap();
    let id3v1 = [b"TAG".to_vec(), vec![b' '; 125]].concat();
    let mut ape = b"APETAGEX\xd0\x07\0\0\x2c\0\0\0\x01\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0".to_vec();
    let mut header = ape.clone();
    header[23] |= 0x20;
    ape.splice(..0, *b"\x03\0\0\0\0\0\0\0a\0hey");
    ape[..4].copy_from_slice(&2_u32.to_le_bytes());
    ape.truncate(12);
    ape.extend(&header);
    // Footer of 32 bytes and items of 12, behind a header of 32.
    let footer = ape.len() - 32;
    ape[footer + 23] &= !0x20;
    let ape = [&header[..], &ape].concat();
    let id3v2 = b"ID3\x03\0\0\0\0\0\x04abcd".to_vec();
    for (number, bytes) in [
        [&flac[..], &id3v1].concat(),
        [&flac[..], &ape].concat(),
        [&flac[..], &ape, &id3v1].concat(),
        [&id3v2[..], &flac].concat(),
        [&id3v2[..], &id3v2, &flac, &id3v1].concat(),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(decoded(bytes).unwrap(), whole, "case {number}");
    }
}

/// An m4a whose comment, rather than an edit list, tells its delay and its length.
fn with_itunes_length(length: u64) -> Vec<u8> {
    let mut bytes = file("click.m4a");
    let place = |bytes: &[u8], name: &[u8]| bytes.windows(4).position(|four| four == name).unwrap();
    let edits = place(&bytes, b"edts");
    bytes[edits..edits + 4].copy_from_slice(b"free");
    let zeros = "\0".repeat(8);
    let text = format!("iTunSMPBdata{zeros} 00000000 00000400 00000200 {length:016X} ");
    bytes.extend((text.len() as u32 + 8).to_be_bytes());
    bytes.extend(b"free");
    bytes.extend(text.into_bytes());
    let movie = place(&bytes, b"moov") - 4;
    let size = (bytes.len() - movie) as u32;
    bytes[movie..movie + 4].copy_from_slice(&size.to_be_bytes());
    bytes
}

#[test]
fn a_length_beyond_all_numbers_is_all_there_is() {
    let some = decoded(&with_itunes_length(5000)).unwrap();
    assert_eq!(some.samples.len(), 5000);
    let all = decoded(&with_itunes_length(u64::MAX)).unwrap();
    assert!(all.samples.len() > 5000 && all.samples.starts_with(&some.samples));
}

#[test]
fn mp4_that_is_not_plain_aac_is_refused_by_name() {
    let alac = complaint(&file("alac.m4a"));
    assert!(
        alac.contains("Apple Lossless") && alac.contains("AAC-LC"),
        "{alac}"
    );
    // The object type within the description of the decoder: 2 is LC, 5 is SBR.
    let mut bytes = file("click.m4a");
    let esds = bytes.windows(4).position(|four| four == b"esds").unwrap();
    let config = esds
        + bytes[esds..]
            .windows(2)
            .position(|two| two == [0x14, 0x08])
            .unwrap();
    bytes[config] = 0x2c;
    let text = complaint(&bytes);
    assert!(text.contains("HE-AAC"), "{text}");
    // Each packet for twice as many samples: SBR that is not announced.
    let mut bytes = file("click.m4a");
    let stts = bytes.windows(4).position(|four| four == b"stts").unwrap();
    bytes[stts + 16..stts + 20].copy_from_slice(&2048_u32.to_be_bytes());
    let text = complaint(&bytes);
    assert!(text.contains("HE-AAC"), "{text}");
}

#[test]
fn a_cut_m4a_is_an_error_at_every_length() {
    for name in ["click.m4a", "late.m4a"] {
        let bytes = file(name);
        for length in (1..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
            assert!(decoded(&bytes[..length]).is_err(), "{name}: {length}");
        }
    }
}

#[test]
fn block_by_block_is_the_whole() {
    let folder = TempDir::new().unwrap();
    for name in ["click.mp3", "click.m4a", "ima.wav", "alaw.wav"] {
        let path = written(&folder, &file(name));
        let whole = decode(&path).unwrap();
        let mut reader = SoundReader::open(&path).unwrap();
        assert_eq!(reader.sample_rate_hz(), whole.sample_rate_hz);
        let mut samples = Vec::new();
        while let Some(block) = reader.next_block().unwrap() {
            assert!(!block.is_empty() && block.len() <= 1 << 16, "{name}");
            samples.extend(block);
        }
        assert_eq!(samples, whole.samples, "{name}");
        assert!(reader.next_block().unwrap().is_none());
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_opened() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe.wav");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for (path, kind) in [
        (pipe.as_path(), "a named pipe"),
        (Path::new("/dev/zero"), "a device"),
        (folder.path(), "a folder"),
    ] {
        for error in [decode(path).unwrap_err(), sample_rate_hz(path).unwrap_err()] {
            let text = error.to_string();
            assert!(
                text.contains(kind) && text.contains("regular file"),
                "{text}"
            );
        }
    }
}
