//! Every kind of audio file, whole and damaged.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::f64::consts::TAU;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;
use sori_datasets::audio::{ResampleStream, decode, load, resample, sample_rate_hz};
use sori_datasets::{Error, Waveform};
use tempfile::TempDir;

fn wav(channels: u16, bits: u16, format: SampleFormat, samples: &[f64]) -> Vec<u8> {
    let spec = WavSpec {
        channels,
        sample_rate: 8000,
        bits_per_sample: bits,
        sample_format: format,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
    for &sample in samples {
        match format {
            SampleFormat::Float => writer.write_sample(sample as f32).unwrap(),
            SampleFormat::Int => {
                let scale = (1_i64 << (bits - 1)) as f64;
                let value = (sample * scale).round().clamp(-scale, scale - 1.0);
                writer.write_sample(value as i32).unwrap();
            }
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

fn sine(count: usize) -> Vec<f64> {
    (0..count)
        .map(|n| 0.7 * (TAU * 0.05 * n as f64).sin())
        .collect()
}

fn written(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn decoded(bytes: &[u8]) -> Result<Waveform, Error> {
    let folder = TempDir::new().unwrap();
    decode(&written(&folder, "sound", bytes))
}

fn compressed(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/features");
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn every_wav_encoding_gives_the_same_sound() {
    let sound = sine(500);
    for (bits, format) in [
        (8, SampleFormat::Int),
        (16, SampleFormat::Int),
        (24, SampleFormat::Int),
        (32, SampleFormat::Int),
        (32, SampleFormat::Float),
    ] {
        let waveform = decoded(&wav(1, bits, format, &sound)).unwrap();
        assert_eq!(waveform.samples.len(), 500);
        assert_eq!(waveform.sample_rate_hz, 8000);
        let step = if format == SampleFormat::Int {
            0.5_f64.powi(i32::from(bits))
        } else {
            0.0
        };
        for (&found, wanted) in waveform.samples.iter().zip(&sound) {
            assert!(
                (f64::from(found) - wanted).abs() <= step + 1e-7,
                "{bits} {format:?}"
            );
        }
    }
}

#[test]
fn channels_are_averaged() {
    for channels in [2_u16, 3, 5, 8] {
        let frames: Vec<f64> = sine(100)
            .iter()
            .flat_map(|&sample| {
                (0..channels).map(move |channel| sample * f64::from(channel) / f64::from(channels))
            })
            .collect();
        let waveform = decoded(&wav(channels, 32, SampleFormat::Float, &frames)).unwrap();
        let mean = f64::from(channels - 1) / 2.0 / f64::from(channels);
        assert_eq!(waveform.samples.len(), 100);
        for (&found, wanted) in waveform.samples.iter().zip(sine(100)) {
            assert!((f64::from(found) - mean * wanted).abs() < 1e-6);
        }
    }
}

#[test]
fn formats_are_told_by_contents() {
    let folder = TempDir::new().unwrap();
    for (name, file) in [
        ("a.mp3", "tone.flac"),
        ("b.wav", "tone.ogg"),
        ("c.flac", "tone.mp3"),
    ] {
        let path = written(&folder, name, &compressed(file));
        assert_eq!(
            decode(&path).unwrap().samples.len(),
            4000,
            "{file} as {name}"
        );
        assert_eq!(sample_rate_hz(&path).unwrap(), 16_000);
    }
}

#[test]
fn what_is_no_audio_says_what_would_be() {
    let folder = TempDir::new().unwrap();
    let missing = decode(&folder.path().join("missing.wav"))
        .unwrap_err()
        .to_string();
    assert!(missing.contains("missing.wav"), "{missing}");
    assert!(decode(folder.path()).is_err());

    let empty = decoded(b"").unwrap_err();
    assert!(matches!(empty, Error::EmptyFile { .. }));
    assert!(empty.to_string().contains("0 bytes"));

    for bytes in [
        &b"hello, world"[..],
        b"\x89PNG\r\n\x1a\n0000",
        b"\0",
        b"{\"audio\": 1}",
        b"MThd....",
    ] {
        let error = decoded(bytes).unwrap_err();
        assert!(matches!(error, Error::NotAudio { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("wav, flac, ogg vorbis, mp3 and m4a"),
            "{error}"
        );
    }
}

#[test]
fn a_wav_without_samples_is_an_error() {
    let error = decoded(&wav(1, 16, SampleFormat::Int, &[])).unwrap_err();
    assert!(matches!(error, Error::NoSamples { .. }), "{error}");
}

#[test]
fn samples_that_are_no_numbers_are_found() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut sound = sine(50);
        sound[33] = value;
        let error = decoded(&wav(1, 32, SampleFormat::Float, &sound)).unwrap_err();
        assert!(
            matches!(error, Error::NotFiniteSample { index: 33, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_wav_out_of_a_pipe_is_to_be_written_again() {
    let folder = TempDir::new().unwrap();
    let mut bytes = wav(1, 16, SampleFormat::Int, &sine(10));
    for length in [
        0,
        0x7fff_f000,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX - 36,
        u32::MAX,
    ] {
        // Of the file, and of the samples in it.
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes[40..44].copy_from_slice(&length.to_le_bytes());
        let path = written(&folder, "piped.wav", &bytes);
        for error in [
            decode(&path).unwrap_err(),
            sample_rate_hz(&path).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(matches!(error, Error::Decode { .. }), "{length}: {text}");
            for part in ["piped.wav", "has no length", "sox --ignore-length"] {
                assert!(text.contains(part), "{length}: {text}");
            }
        }
    }

    // No samples and a chunk of something else behind them.
    let mut empty = wav(1, 16, SampleFormat::Int, &[]);
    empty.extend(b"LIST\x04\0\0\0INFO");
    let length = empty.len() as u32 - 8;
    empty[4..8].copy_from_slice(&length.to_le_bytes());
    let error = decoded(&empty).unwrap_err();
    assert!(matches!(error, Error::NoSamples { .. }), "{error}");
}

#[test]
fn encodings_that_are_not_read_say_which_are() {
    for (tag, name) in [
        (0x31, "GSM 6.10"),
        (0x55, "mp3 within wav"),
        (0x1234, "0x1234"),
    ] {
        // By the format tag of an otherwise whole file.
        let mut bytes = wav(1, 16, SampleFormat::Int, &sine(10));
        bytes[20..22].copy_from_slice(&u16::to_le_bytes(tag));
        let error = decoded(&bytes).unwrap_err().to_string();
        assert!(
            error.contains("8, 16, 24 or 32 bits") && error.contains(name),
            "{error}"
        );
    }
}

#[test]
fn a_sample_rate_nobody_records_at_is_refused() {
    let mut bytes = wav(1, 8, SampleFormat::Int, &sine(10));
    for rate in [0_u32, 1, 999, 1_000_001] {
        // Samples and, at one byte each, bytes per second.
        bytes[24..28].copy_from_slice(&rate.to_le_bytes());
        bytes[28..32].copy_from_slice(&rate.to_le_bytes());
        let error = decoded(&bytes).unwrap_err().to_string();
        assert!(error.contains("1000 to 1000000"), "{error}");
    }
}

#[test]
fn a_cut_wav_is_truncated_at_every_length() {
    let bytes = wav(2, 16, SampleFormat::Int, &sine(64));
    for length in 1..bytes.len() {
        let error = decoded(&bytes[..length]).unwrap_err();
        if length >= 4 {
            assert!(
                matches!(error, Error::Truncated { .. }),
                "{length}: {error}"
            );
        }
    }
    let half = decoded(&bytes[..bytes.len() - 30]).unwrap_err().to_string();
    assert!(
        half.contains("promises 32 samples and 24 are there"),
        "{half}"
    );
}

#[test]
fn a_cut_compressed_file_is_an_error_at_every_length() {
    for (name, step) in [
        ("tone.flac", 29),
        ("tone_stereo.flac", 211),
        ("tone.ogg", 31),
        ("tone.mp3", 11),
    ] {
        let bytes = compressed(name);
        assert!(decoded(&bytes).is_ok());
        for length in (1..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            let result = decoded(&bytes[..length]);
            assert!(
                result.is_err(),
                "{name} cut to {length} of {} bytes",
                bytes.len()
            );
        }
    }
}

#[test]
fn a_flipped_bit_in_flac_is_noticed() {
    let bytes = compressed("tone.flac");
    let whole = decoded(&bytes).unwrap();
    // Behind the metadata, where only sound lies.
    for at in (bytes.len() / 2..bytes.len()).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        if let Ok(waveform) = decoded(&damaged) {
            assert_eq!(waveform, whole, "byte {at}");
        }
    }
}

/// The pages of an ogg file: `tone.ogg` with its sound on four of them instead of one.
fn ogg_pages() -> Vec<Vec<u8>> {
    let bytes = compressed("tone.ogg");
    let begins: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes[at..].starts_with(b"OggS"))
        .collect();
    let [0, setup, sound] = begins[..] else {
        panic!("two pages of headers and one of sound were expected: {begins:?}");
    };
    let mut pages = vec![bytes[..setup].to_vec(), bytes[setup..sound].to_vec()];
    let (header, rest) = bytes[sound..].split_at(27);
    let (mut lengths, mut packets) = rest.split_at(usize::from(header[26]));
    // How many packets, and how many samples have been heard at their end.
    for (count, position) in [(3, 896_u64), (3, 2432), (2, 3456), (2, 4000)] {
        let (these, others) = lengths.split_at(count);
        let (sound, behind) =
            packets.split_at(these.iter().map(|&length| usize::from(length)).sum());
        (lengths, packets) = (others, behind);
        let mut page = header.to_vec();
        page[5] = if others.is_empty() { 0b100 } else { 0 };
        page[6..14].copy_from_slice(&position.to_le_bytes());
        page[18..22].copy_from_slice(&(pages.len() as u32).to_le_bytes());
        page[26] = count as u8;
        page.extend(these);
        page.extend(sound);
        seal(&mut page);
        pages.push(page);
    }
    pages
}

/// Gives an ogg page its checksum, bit by bit.
fn seal(page: &mut [u8]) {
    page[22..26].fill(0);
    let crc = page.iter().fold(0_u32, |crc, &byte| {
        (0..8).fold(crc ^ (u32::from(byte) << 24), |crc, _| {
            (crc << 1) ^ ((crc >> 31) * 0x04c1_1db7)
        })
    });
    page[22..26].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_flipped_bit_in_ogg_is_an_error() {
    let bytes = ogg_pages().concat();
    assert_eq!(
        decoded(&bytes).unwrap(),
        decoded(&compressed("tone.ogg")).unwrap()
    );
    for at in (0..bytes.len()).step_by(5) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let text = decoded(&damaged).unwrap_err().to_string();
        assert!(at < 4 || text.contains("page"), "byte {at}: {text}");
    }
}

#[test]
fn every_page_of_ogg_is_needed_in_its_place() {
    let pages = ogg_pages();
    let whole = decoded(&pages.concat()).unwrap();
    for number in 0..pages.len() {
        assert!(
            decoded(&pages[..number].concat()).is_err(),
            "cut at {number}"
        );

        let mut gone = pages.clone();
        gone.remove(number);
        assert!(decoded(&gone.concat()).is_err(), "without {number}");

        let mut twice = pages.clone();
        twice.insert(number, pages[number].clone());
        // The first page begins the stream anew, and holds no sound.
        let sound = decoded(&twice.concat()).ok();
        assert!(sound.is_none_or(|sound| sound == whole), "{number} twice");

        for (at, value) in [(4, 1), (5, 8)] {
            let mut other = pages.clone();
            other[number][at] = value;
            seal(&mut other[number]);
            let text = decoded(&other.concat()).unwrap_err().to_string();
            assert!(text.contains("version 0"), "{number}: {text}");
        }
    }
    let text = decoded(&[&pages[..3], &pages[4..]].concat().concat())
        .unwrap_err()
        .to_string();
    assert!(text.contains("page 4, at byte"), "{text}");
}

#[test]
fn vorbis_of_more_than_two_channels_is_refused() {
    let mut pages = ogg_pages();
    pages[0][28 + 11] = 3;
    seal(&mut pages[0]);
    let text = decoded(&pages.concat()).unwrap_err().to_string();
    assert!(text.contains("3 channels"), "{text}");
}

#[test]
fn behind_the_last_page_of_ogg_only_another_is_looked_at() {
    let bytes = ogg_pages().concat();
    let tagged = [&bytes, &b"TAG"[..], &[0; 125]].concat();
    assert_eq!(decoded(&tagged).unwrap(), decoded(&bytes).unwrap());

    let mut chained = [&bytes[..], &bytes].concat();
    let text = decoded(&chained).unwrap_err().to_string();
    assert!(text.contains("chains several streams"), "{text}");
    chained[bytes.len()] ^= 1;
    let text = decoded(&chained).unwrap_err().to_string();
    assert!(text.contains("page 7, at byte"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is in a file, decoding it ends, without a panic, and gives finite samples.
    #[test]
    fn damage_never_panics(
        which in 0_usize..6,
        flips in prop::collection::vec((0.0_f64..1.0, any::<u8>()), 1..12),
        early in any::<bool>(),
        keep in 0.2_f64..1.0,
    ) {
        let mut bytes = match which {
            0 => wav(2, 16, SampleFormat::Int, &sine(400)),
            1 => wav(1, 32, SampleFormat::Float, &sine(400)),
            2 => compressed("tone.flac"),
            3 => compressed("tone.ogg"),
            4 => compressed("tone.mp3"),
            _ => compressed("tone_stereo.flac"),
        };
        bytes.truncate((bytes.len() as f64 * keep) as usize);
        // Headers are where damage misleads most.
        let reach = if early { bytes.len().min(120) } else { bytes.len() };
        for (at, value) in flips {
            bytes[(reach as f64 * at) as usize] = value;
        }
        if let Ok(waveform) = decoded(&bytes) {
            prop_assert!(!waveform.samples.is_empty());
            prop_assert!(waveform.samples.iter().all(|sample| sample.is_finite()));
            prop_assert!(waveform.sample_rate_hz > 0);
        }
    }

    #[test]
    fn noise_is_no_audio(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(waveform) = decoded(&bytes) {
            prop_assert!(!waveform.samples.is_empty());
        }
    }

    #[test]
    fn a_stream_is_resampled_as_the_whole_is_bit_by_bit(
        from in prop_oneof![Just(8000_u32), Just(44_100), Just(48_000), 1000_u32..1100],
        to in prop_oneof![Just(8000_u32), Just(16_000), 1000_u32..1100],
        samples in prop::collection::vec(-1.0_f32..1.0, 0..9000),
        cuts in prop::collection::vec(1_usize..3000, 1..20),
    ) {
        let mut stream = ResampleStream::new(from, to).unwrap();
        let (mut rest, mut cuts) = (samples.as_slice(), cuts.iter().cycle());
        let mut found = Vec::new();
        while !rest.is_empty() {
            let cut = cuts.next().map_or(1, |&cut| cut.min(rest.len()));
            found.extend(stream.push(&rest[..cut]).unwrap());
            rest = &rest[cut..];
            let heard = (samples.len() - rest.len()) as f64 * f64::from(to) / f64::from(from);
            prop_assert!(found.len() as f64 > heard - stream.latency_samples() as f64 - 1.0);
        }
        found.extend(stream.finish().unwrap());
        let whole = resample(&Waveform { samples, sample_rate_hz: from }, to).unwrap();
        prop_assert_eq!(found, whole.samples);
    }

    #[test]
    fn a_resampled_length_is_rounded(
        length in 0_usize..3000,
        from in prop::sample::select(vec![8000_u32, 11_025, 16_000, 22_050, 44_100, 48_000]),
        to in prop::sample::select(vec![8000_u32, 16_000, 22_050, 44_100, 48_000]),
    ) {
        let waveform = Waveform { samples: vec![0.25; length], sample_rate_hz: from };
        let resampled = resample(&waveform, to).unwrap();
        let exact = length as f64 * f64::from(to) / f64::from(from);
        prop_assert_eq!(resampled.samples.len(), exact.round() as usize);
        prop_assert_eq!(resampled.sample_rate_hz, to);
    }
}

/// A tone under a bell at `center_s`, which says in time and frequency where it is.
fn chime(rate_hz: u32, hz: f64, center_s: f64, length: usize) -> Vec<f32> {
    (0..length)
        .map(|n| {
            let t = n as f64 / f64::from(rate_hz) - center_s;
            ((TAU * hz * t).sin() * (-(t / 0.02).powi(2)).exp()) as f32
        })
        .collect()
}

#[test]
fn resampling_neither_shifts_nor_colours() {
    for (from, to) in [
        (8000, 16_000),
        (16_000, 8000),
        (44_100, 16_000),
        (22_050, 16_000),
        (48_000, 44_100),
        (11_025, 8000),
        (44_101, 16_000),
        (32_000, 11_025),
    ] {
        let nyquist = f64::from(from.min(to)) / 2.0;
        for part in [0.05, 0.3, 0.6, 0.9] {
            for seconds in [0.2, 1.7] {
                let length = |rate: u32| (seconds * f64::from(rate)) as usize;
                let sound = Waveform {
                    samples: chime(from, part * nyquist, 0.1, length(from)),
                    sample_rate_hz: from,
                };
                let resampled = resample(&sound, to).unwrap();
                let wanted = chime(to, part * nyquist, 0.1, resampled.samples.len());
                let worst = resampled
                    .samples
                    .iter()
                    .zip(&wanted)
                    .fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
                assert!(
                    worst < 2e-3,
                    "{from} -> {to} Hz at {part} of the band: {worst}"
                );
            }
        }
    }
}

#[test]
fn what_the_new_rate_cannot_carry_is_removed() {
    let sound = Waveform {
        samples: chime(16_000, 5000.0, 0.1, 3200),
        sample_rate_hz: 16_000,
    };
    let resampled = resample(&sound, 8000).unwrap();
    assert!(resampled.samples.iter().all(|sample| sample.abs() < 1e-4));
}

#[test]
fn loading_resamples_and_equal_rates_are_untouched() {
    let folder = TempDir::new().unwrap();
    let path = written(&folder, "a.wav", &wav(1, 16, SampleFormat::Int, &sine(801)));
    assert_eq!(load(&path, 8000).unwrap(), decode(&path).unwrap());
    assert_eq!(load(&path, 16_000).unwrap().samples.len(), 1602);
    let error = load(&path, 0).unwrap_err().to_string();
    assert!(error.contains("a.wav") && error.contains("0 Hz"), "{error}");
}
