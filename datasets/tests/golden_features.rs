//! Features against librosa, resampling against soxr, decoding against libsndfile's encoders.
//! The numbers come from `tests/golden/features.py` of the
//! workspace; outside of it these tests are skipped by name.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::f64::consts::{PI, TAU};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sori_datasets::audio::{decode, resample, sample_rate_hz};
use sori_datasets::{FeatureConfig, FeatureExtractor, Waveform};

/// How far a feature may be from librosa's, relative to the larger of its size and a hundredth of
/// the largest of its kind in its case. We transform in 32 bits, the golden values are of 64: a rounding error
/// of 2^-24 grows with the logarithm of the transform's size to some 1e-6 of the frame's largest
/// amplitude, and weighs more where little power is left beside it.
const TOLERANCE: f32 = 1e-4;

/// A file of the workspace.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden/features")
        .join(name)
}

/// Whether the golden files are there; outside of the workspace the test is skipped by name.
fn in_workspace(test: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    if !root.is_dir() {
        // Not by a macro, whose output the test runner keeps to itself.
        let line = format!("skipped: {test} (its files are in tests/golden of Sori's workspace)\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return false;
    }
    true
}

fn array(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(golden(name)).unwrap();
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

fn cases<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct FeatureCase {
    config: FeatureConfig,
    frames: usize,
    bins: usize,
}

#[test]
fn features_equal_librosa() {
    if !in_workspace("features_equal_librosa") {
        return;
    }
    let signal = Waveform {
        samples: array("signal.npy"),
        sample_rate_hz: 16_000,
    };
    let expected = array("expected.npy");
    let mut expected = expected.as_slice();
    let cases: Vec<FeatureCase> = cases("cases.json");
    assert!(cases.len() >= 40);
    for case in cases {
        let config = case.config;
        let features = FeatureExtractor::new(&config)
            .unwrap()
            .extract(&signal)
            .unwrap();
        assert_eq!(
            (features.frames, features.bins),
            (case.frames, case.bins),
            "{config:?}"
        );
        assert_eq!(features.frames, config.num_frames(signal.samples.len()));
        assert_eq!(features.bins, config.num_bins());

        let (here, rest) = expected.split_at(case.frames * case.bins);
        expected = rest;
        // Static values and each order of derivatives have a size of their own.
        let block = |index: usize| index % case.bins / (case.bins / (1 + config.deltas));
        let mut largest = [0.0_f32; 3];
        for (index, value) in here.iter().enumerate() {
            largest[block(index)] = largest[block(index)].max(value.abs());
        }
        let mut worst = (0.0, 0);
        for (index, (&found, &wanted)) in features.values.iter().zip(here).enumerate() {
            let scale = wanted.abs().max(0.01 * largest[block(index)]);
            let error = (found - wanted).abs() / scale;
            if error > worst.0 {
                worst = (error, index);
            }
        }
        let (error, index) = worst;
        assert!(
            error <= TOLERANCE,
            "frame {}, bin {}: {} instead of {} (off by {error:e}) by {config:?}",
            index / case.bins,
            index % case.bins,
            features.values[index],
            here[index],
        );
    }
    assert!(expected.is_empty());
}

#[derive(Deserialize)]
struct ResampleCase {
    from_hz: u32,
    to_hz: u32,
    samples: usize,
}

/// 0.1 s of tones at fixed parts of the band below `band_hz / 2`, swelling and fading.
fn faded_tones(rate_hz: u32, band_hz: u32) -> Vec<f32> {
    (0..rate_hz / 10)
        .map(|n| {
            let t = f64::from(n) / f64::from(rate_hz);
            let tones: f64 = [0.01, 0.11, 0.37, 0.62, 0.85]
                .iter()
                .map(|part| (PI * part * f64::from(band_hz) * t).sin())
                .sum();
            (0.2 * tones * (PI * t / 0.1).sin().powi(2)) as f32
        })
        .collect()
}

#[test]
fn resampling_equals_soxr() {
    if !in_workspace("resampling_equals_soxr") {
        return;
    }
    let expected = array("resample.npy");
    let mut expected = expected.as_slice();
    for case in cases::<ResampleCase>("resample.json") {
        let from = Waveform {
            samples: faded_tones(case.from_hz, case.from_hz.min(case.to_hz)),
            sample_rate_hz: case.from_hz,
        };
        let to = resample(&from, case.to_hz).unwrap();
        let (here, rest) = expected.split_at(case.samples);
        expected = rest;
        assert_eq!(to.samples.len(), here.len());
        let power = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>();
        let wanted = power(&mut here.iter().copied());
        let error = power(&mut to.samples.iter().zip(here).map(|(a, b)| a - b));
        let error = (error / wanted).sqrt();
        // The filters' ripple; they differ more only at the band's edge, where there is nothing.
        assert!(
            error < 1e-3,
            "{} -> {} Hz: {error}",
            case.from_hz,
            case.to_hz
        );
    }
}

/// `0.5 sin(2π 440 t)`, a quarter of a second at 16 kHz.
fn tone() -> Vec<f32> {
    (0..4000)
        .map(|n| (0.5 * (TAU * 440.0 * f64::from(n) / 16_000.0).sin()) as f32)
        .collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter()
        .zip(b)
        .fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn flac_is_exact() {
    if !in_workspace("flac_is_exact") {
        return;
    }
    let tone = tone();
    let mono = decode(&golden("tone.flac")).unwrap();
    assert_eq!((mono.samples.len(), mono.sample_rate_hz), (4000, 16_000));
    assert!(largest_difference(&mono.samples, &tone) <= 1.0 / 32_768.0);

    // Two channels, one half as loud: their mean is three quarters.
    let stereo = decode(&golden("tone_stereo.flac")).unwrap();
    let mixed: Vec<f32> = tone.iter().map(|sample| 0.75 * sample).collect();
    assert_eq!(stereo.samples.len(), 4000);
    assert!(largest_difference(&stereo.samples, &mixed) <= 1e-6);
}

#[test]
fn ogg_and_mp3_keep_length_time_and_level() {
    if !in_workspace("ogg_and_mp3_keep_length_time_and_level") {
        return;
    }
    for name in ["tone.ogg", "tone.mp3"] {
        let decoded = decode(&golden(name)).unwrap();
        assert_eq!(
            (decoded.samples.len(), decoded.sample_rate_hz),
            (4000, 16_000),
            "{name}"
        );
        assert_eq!(sample_rate_hz(&golden(name)).unwrap(), 16_000);
        // libsndfile decodes these files to 0.0125 and 0.0200 off the tone.
        let difference = largest_difference(&decoded.samples[400..3600], &tone()[400..3600]);
        assert!(difference < 0.025, "{name}: {difference}");
    }
}
