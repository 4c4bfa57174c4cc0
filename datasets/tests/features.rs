//! What must hold of features of any sound.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::f64::consts::TAU;
use std::sync::Arc;

use proptest::prelude::*;
use sori_datasets::features::{
    BinAccumulator, BinStats, FeatureConfig, FeatureExtractor, FeatureKind, FeatureStream,
    Features, MelNorm, MelScale, Normalize, PadMode, WindowKind,
};
use sori_datasets::{Error, Waveform};

/// At 1000 Hz a millisecond is a sample, so that lengths can be written in samples.
fn in_samples(kind: FeatureKind, window: usize, hop: usize, fft_size: usize) -> FeatureConfig {
    FeatureConfig {
        kind,
        sample_rate_hz: 1000,
        window_ms: window as f64,
        hop_ms: hop as f64,
        fft_size,
        ..FeatureConfig::default()
    }
}

fn extract(config: &FeatureConfig, samples: Vec<f32>) -> Features {
    let waveform = Waveform {
        samples,
        sample_rate_hz: config.sample_rate_hz,
    };
    FeatureExtractor::new(config)
        .unwrap()
        .extract(&waveform)
        .unwrap()
}

fn window(kind: WindowKind, length: usize) -> impl Iterator<Item = f64> {
    let a = if kind == WindowKind::Hann { 0.5 } else { 0.54 };
    (0..length).map(move |n| a - (1.0 - a) * (TAU * n as f64 / length as f64).cos())
}

fn sound(length: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1.0_f32..1.0, length)
}

/// Every kind that needs no more than a part of a recording, in decibels without a limit.
fn streamable() -> impl Strategy<Value = FeatureConfig> {
    let kinds = prop_oneof![
        Just(FeatureKind::Waveform),
        Just(FeatureKind::Spectrogram),
        Just(FeatureKind::PowerSpectrogram),
        Just(FeatureKind::Log1pSpectrogram),
        Just(FeatureKind::Mel),
        Just(FeatureKind::LogMel),
        Just(FeatureKind::Log1pMel),
        Just(FeatureKind::MelDb),
        Just(FeatureKind::Mfcc),
    ];
    let sizes = (2_usize..40, 1_usize..50, 0_usize..12);
    (kinds, sizes, any::<bool>(), any::<bool>(), 0_usize..3).prop_map(
        |(kind, (window, hop, more), centered, mirrored, deltas)| FeatureConfig {
            centered,
            pad_mode: if mirrored {
                PadMode::Reflect
            } else {
                PadMode::Constant
            },
            deltas: if kind == FeatureKind::Waveform {
                0
            } else {
                deltas
            },
            top_db: 0.0,
            num_mels: 6,
            num_mfccs: 4,
            ..in_samples(kind, window, hop, window + more)
        },
    )
}

proptest! {
    #[test]
    fn a_stream_has_the_features_of_the_whole_bit_by_bit(
        config in streamable(),
        samples in sound(0..600),
        cuts in prop::collection::vec(0_usize..90, 1..40),
        normalized in any::<bool>(),
    ) {
        let bins = config.num_bins();
        let stats = BinStats { mean: vec![0.3; bins], std: vec![1.7; bins] };
        let mut stream = FeatureStream::new(&config).unwrap();
        if normalized {
            stream = stream.with_stats(Arc::new(stats.clone())).unwrap();
        }
        let latency = stream.latency_samples();
        let mut found = Vec::new();
        let (mut rest, mut cuts) = (samples.as_slice(), cuts.iter().cycle());
        let mut empty = 0;
        while !rest.is_empty() && empty < 50 {
            let cut = cuts.next().map_or(0, |&cut| cut.min(rest.len()));
            empty = if cut == 0 { empty + 1 } else { 0 };
            found.extend(stream.push(&rest[..cut]).unwrap().values);
            rest = &rest[cut..];
            // Every frame that is more than the latency old is there.
            let hop = if config.kind == FeatureKind::Waveform { 1 } else { config.hop_samples() };
            let heard = samples.len() - rest.len();
            if heard >= config.min_samples().max(latency) && config.deltas == 0 {
                prop_assert!(found.len() / bins > (heard - latency) / hop);
            }
        }
        found.extend(stream.push(rest).unwrap().values);
        let whole = Waveform { samples, sample_rate_hz: 1000 };
        match FeatureExtractor::new(&config).unwrap().extract(&whole) {
            Ok(mut expected) => {
                if normalized {
                    expected.normalize_by(&stats).unwrap();
                }
                found.extend(stream.finish().unwrap().values);
                let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&found), bits(&expected.values));
            }
            Err(expected) => {
                prop_assert_eq!(stream.finish().unwrap_err().to_string(), expected.to_string());
            }
        }
    }
}

#[test]
fn what_is_known_at_the_end_of_a_recording_alone_is_refused_for_a_stream() {
    let by_itself = FeatureConfig {
        normalize: Normalize::Utterance,
        ..FeatureConfig::default()
    };
    let limited = FeatureConfig {
        kind: FeatureKind::Mfcc,
        ..FeatureConfig::default()
    };
    for (config, parts) in [
        (by_itself, ["features.normalize = utterance", "corpus"]),
        (limited, ["features.top_db = 80", "0 (no limit)"]),
    ] {
        let error = FeatureStream::new(&config).err().unwrap().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let mut stream = FeatureStream::new(&FeatureConfig::default()).unwrap();
    stream.push(&[0.0; 10]).unwrap();
    let error = stream.push(&[0.0, f32::NAN]).unwrap_err().to_string();
    assert_eq!(error, "sample 11 is NaN; samples must be finite");
}

proptest! {
    #[test]
    fn power_is_conserved_as_parseval_says(
        samples in sound(2..300),
        hamming in any::<bool>(),
        padding in 0_usize..40,
    ) {
        let length = samples.len();
        let config = FeatureConfig {
            centered: false,
            window: if hamming { WindowKind::Hamming } else { WindowKind::Hann },
            ..in_samples(FeatureKind::PowerSpectrogram, length, 1, length + padding)
        };
        // The window lies in the middle of the frame.
        let mut framed = vec![0.0; length + padding];
        framed[padding / 2..padding / 2 + length].copy_from_slice(&samples);
        let features = extract(&config, framed);
        prop_assert_eq!(features.frames, 1);

        let fft = length + padding;
        let in_frequency: f64 = features
            .row(0)
            .iter()
            .enumerate()
            .map(|(bin, &power)| if bin == 0 || 2 * bin == fft { 1.0 } else { 2.0 } * f64::from(power))
            .sum();
        let in_time: f64 = samples
            .iter()
            .zip(window(config.window, length))
            .map(|(&sample, weight)| (f64::from(sample) * weight).powi(2))
            .sum();
        prop_assert!((in_frequency / fft as f64 - in_time).abs() <= 1e-5 * in_time.max(1e-3));
    }

    #[test]
    fn frames_are_as_many_as_the_configuration_says(
        length in 1_usize..400,
        window in 2_usize..60,
        hop in 1_usize..50,
        padding in 0_usize..20,
        centered in any::<bool>(),
        reflect in any::<bool>(),
        deltas in 0_usize..3,
    ) {
        let config = FeatureConfig {
            centered,
            pad_mode: if reflect { PadMode::Reflect } else { PadMode::Constant },
            deltas,
            num_mels: 5,
            ..in_samples(FeatureKind::LogMel, window, hop, window + padding)
        };
        let waveform = Waveform { samples: vec![0.5; length], sample_rate_hz: 1000 };
        let result = FeatureExtractor::new(&config).unwrap().extract(&waveform);
        if length < config.min_samples() {
            prop_assert_eq!(config.num_frames(length), 0);
            let too_short = matches!(result, Err(Error::TooShort { .. }));
            prop_assert!(too_short);
        } else {
            let features = result.unwrap();
            prop_assert_eq!(features.frames, config.num_frames(length));
            prop_assert_eq!(features.bins, config.num_bins());
            prop_assert_eq!(features.values.len(), features.frames * features.bins);
            if deltas == 0 {
                // Counted the long way: every start from which a whole frame fits.
                let padded = length + if centered { 2 * ((window + padding) / 2) } else { 0 };
                let starts = (0..).step_by(hop).take_while(|start| start + window + padding <= padded);
                prop_assert_eq!(features.frames, starts.count());
            }
        }
    }

    #[test]
    fn a_sine_lands_in_its_bin(fft in 16_usize..500, part in 0.1_f64..0.9, phase in 0.0..TAU) {
        let bin = ((fft as f64 / 2.0 * part).round() as usize).clamp(2, fft / 2 - 2);
        let samples = (0..3 * fft)
            .map(|n| (TAU * bin as f64 * n as f64 / fft as f64 + phase).sin() as f32)
            .collect();
        let config = FeatureConfig {
            centered: false,
            ..in_samples(FeatureKind::Spectrogram, fft, fft / 2, fft)
        };
        for row in extract(&config, samples).rows() {
            let loudest = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
            prop_assert_eq!(loudest, bin);
            // A Hann window of N samples sums to N/2, of which a sine's bin has half.
            prop_assert!((row[bin] - fft as f32 / 4.0).abs() < 1e-3 * fft as f32);
        }
    }

    #[test]
    fn a_configuration_survives_its_file(
        kind in prop::sample::select(FeatureKind::VALUES),
        htk in any::<bool>(),
        mels in 1_usize..100,
        hop_ms in 0.5_f64..20.0,
    ) {
        let config = FeatureConfig {
            kind,
            mel_scale: if htk { MelScale::Htk } else { MelScale::Slaney },
            mel_norm: if htk { MelNorm::None } else { MelNorm::Slaney },
            num_mels: mels,
            hop_ms,
            ..FeatureConfig::default()
        };
        let text = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(serde_json::from_str::<FeatureConfig>(&text).unwrap(), config);
        prop_assert_eq!(kind.to_string().parse::<FeatureKind>().unwrap(), kind);
    }

    #[test]
    fn statistics_do_not_depend_on_how_recordings_are_cut(
        values in prop::collection::vec(-100.0_f32..100.0, 6..120),
        cut in 0.0_f64..1.0,
    ) {
        let bins = 3;
        let frames = values.len() / bins;
        let of = |from: usize, to: usize| Features {
            frames: to - from,
            bins,
            values: values[from * bins..to * bins].to_vec(),
        };
        let middle = (frames as f64 * cut) as usize;
        let (mut whole, mut parts, mut rest) =
            (BinAccumulator::new(), BinAccumulator::new(), BinAccumulator::new());
        whole.push(&of(0, frames)).unwrap();
        parts.push(&of(0, middle)).unwrap();
        rest.push(&of(middle, frames)).unwrap();
        parts.merge(&rest).unwrap();
        let (whole, parts) = (whole.finish().unwrap(), parts.finish().unwrap());
        for (a, b) in whole.mean.iter().zip(&parts.mean).chain(whole.std.iter().zip(&parts.std)) {
            prop_assert!((a - b).abs() <= 1e-4);
        }
    }

    #[test]
    fn normalized_bins_have_mean_0_and_variance_1(samples in sound(200..400)) {
        let config = FeatureConfig {
            num_mels: 4,
            normalize: Normalize::Utterance,
            ..in_samples(FeatureKind::LogMel, 32, 10, 32)
        };
        let features = extract(&config, samples);
        for bin in 0..features.bins {
            let column: Vec<f64> = features.rows().map(|row| f64::from(row[bin])).collect();
            let mean = column.iter().sum::<f64>() / column.len() as f64;
            let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / column.len() as f64;
            prop_assert!(mean.abs() < 1e-4, "mean {}", mean);
            prop_assert!((variance - 1.0).abs() < 1e-3, "variance {}", variance);
        }
    }

    #[test]
    fn a_frame_sees_nothing_beyond_its_window(samples in sound(300), change in 0_usize..300) {
        let config = FeatureConfig {
            centered: false,
            ..in_samples(FeatureKind::PowerSpectrogram, 20, 10, 32)
        };
        let before = extract(&config, samples.clone());
        let mut changed = samples;
        changed[change] += 1.0;
        let after = extract(&config, changed);
        for frame in 0..before.frames {
            // 20 samples in the middle of the 32 that begin at 10 * frame.
            let reach = 10 * frame + 6..10 * frame + 26;
            if !reach.contains(&change) {
                for (a, b) in before.row(frame).iter().zip(after.row(frame)) {
                    prop_assert!((a - b).abs() < 1e-4);
                }
            }
        }
    }
}

#[test]
fn silence_is_the_floor_and_finite() {
    for &kind in FeatureKind::VALUES {
        let config = FeatureConfig {
            kind,
            deltas: if kind == FeatureKind::Waveform { 0 } else { 2 },
            normalize: Normalize::Utterance,
            ..FeatureConfig::default()
        };
        let features = extract(&config, vec![0.0; 16_000]);
        assert!(features.values.iter().all(|&value| value == 0.0), "{kind}");
    }
    let floor = extract(&FeatureConfig::default(), vec![0.0; 1600]);
    assert!(floor.values.iter().all(|&value| value == 1e-10_f32.ln()));
}

#[test]
fn a_waveform_is_its_own_feature() {
    let config = FeatureConfig {
        kind: FeatureKind::Waveform,
        ..FeatureConfig::default()
    };
    let samples = vec![0.5, -0.25, 0.125];
    let features = extract(&config, samples.clone());
    assert_eq!((features.frames, features.bins), (3, 1));
    assert_eq!(features.values, samples);
    assert_eq!(config.frame_period_s(), 1.0 / 16_000.0);
}

#[test]
fn decibels_reach_no_further_down_than_top_db() {
    let mut samples = vec![0.0; 16_000];
    samples[8000] = 1.0;
    let config = FeatureConfig {
        kind: FeatureKind::MelDb,
        top_db: 35.0,
        ..FeatureConfig::default()
    };
    let values = extract(&config, samples).values;
    let loudest = values.iter().copied().fold(f32::MIN, f32::max);
    let quietest = values.iter().copied().fold(f32::MAX, f32::min);
    assert_eq!(loudest - quietest, 35.0);
}

#[test]
fn the_derivative_of_a_ramp_is_its_slope() {
    // Frames of a sound that grows by the same factor from one to the next: a ramp in log-mel.
    let samples = (0..4000)
        .map(|n| (1e-2 * (f64::from(n) / 1000.0).exp() * (TAU * 0.2 * f64::from(n)).sin()) as f32)
        .collect();
    let config = FeatureConfig {
        centered: false,
        num_mels: 1,
        deltas: 2,
        ..in_samples(FeatureKind::LogMel, 100, 50, 100)
    };
    for row in extract(&config, samples).rows() {
        // The power grows by e^(2 * 50 / 1000) from frame to frame.
        assert!((row[1] - 0.1).abs() < 1e-3, "{row:?}");
        assert!(row[2].abs() < 1e-3, "{row:?}");
    }
}

#[test]
fn what_cannot_be_a_configuration_is_named() {
    let ok = FeatureConfig::default();
    let wrong = |change: &dyn Fn(&mut FeatureConfig)| {
        let mut config = ok.clone();
        change(&mut config);
        match config.check() {
            Err(Error::Config { field, .. }) => {
                assert!(FeatureExtractor::new(&config).is_err());
                field
            }
            other => panic!("{other:?} of {config:?}"),
        }
    };
    assert_eq!(wrong(&|c| c.sample_rate_hz = 0), "sample_rate_hz");
    for value in [f64::NAN, f64::INFINITY, -25.0, 0.0, 1e-9, 1e12] {
        assert_eq!(wrong(&|c| c.window_ms = value), "window_ms");
        assert_eq!(wrong(&|c| c.hop_ms = value), "hop_ms");
    }
    assert_eq!(wrong(&|c| c.fft_size = 399), "fft_size");
    assert_eq!(wrong(&|c| c.fft_size = usize::MAX), "fft_size");
    assert_eq!(wrong(&|c| c.num_mels = 0), "num_mels");
    assert_eq!(wrong(&|c| c.num_mels = usize::MAX), "num_mels");
    assert_eq!(wrong(&|c| c.max_hz = 8000.5), "max_hz");
    assert_eq!(wrong(&|c| c.max_hz = f64::NAN), "max_hz");
    assert_eq!(wrong(&|c| c.min_hz = 8000.0), "min_hz");
    assert_eq!(wrong(&|c| c.min_hz = -1.0), "min_hz");
    assert_eq!(wrong(&|c| c.log_floor = 0.0), "log_floor");
    assert_eq!(wrong(&|c| c.top_db = -1.0), "top_db");
    assert_eq!(wrong(&|c| c.deltas = 3), "deltas");
    assert_eq!(
        wrong(&|c| (c.kind, c.num_mfccs) = (FeatureKind::Mfcc, 41)),
        "num_mfccs"
    );
    assert_eq!(
        wrong(&|c| (c.kind, c.deltas) = (FeatureKind::Waveform, 1)),
        "deltas"
    );
    ok.check().unwrap();

    let unknown = serde_json::from_str::<FeatureConfig>(r#"{"num_mel": 40}"#);
    assert!(unknown.unwrap_err().to_string().contains("num_mels"));
    let kind = "logmel".parse::<FeatureKind>().unwrap_err().to_string();
    assert!(kind.contains("log-mel") && kind.contains("mfcc"), "{kind}");
}

#[test]
fn what_cannot_become_features_is_an_error() {
    let mut extractor = FeatureExtractor::new(&FeatureConfig::default()).unwrap();
    let mut extract = |samples: Vec<f32>, sample_rate_hz| {
        extractor.extract(&Waveform {
            samples,
            sample_rate_hz,
        })
    };
    assert!(matches!(
        extract(vec![0.0; 8000], 8000),
        Err(Error::SampleRate {
            found_hz: 8000,
            expected_hz: 16_000
        })
    ));
    assert!(matches!(
        extract(vec![], 16_000),
        Err(Error::TooShort {
            samples: 0,
            needed: 1
        })
    ));
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut samples = vec![0.1; 8000];
        samples[5000] = value;
        assert!(matches!(
            extract(samples, 16_000),
            Err(Error::NotFiniteInput { index: 5000, .. })
        ));
    }
    assert!(matches!(
        extract(vec![1e30; 8000], 16_000),
        Err(Error::NotFiniteFeature { .. })
    ));
    // And after all that the extractor still works.
    assert_eq!(extract(vec![0.1; 8000], 16_000).unwrap().frames, 51);
}

#[test]
fn an_extractor_remembers_nothing() {
    let mut extractor = FeatureExtractor::new(&FeatureConfig::default()).unwrap();
    let make = |length: usize, step: f32| Waveform {
        samples: (0..length).map(|n| (n as f32 * step).sin()).collect(),
        sample_rate_hz: 16_000,
    };
    let first = extractor.extract(&make(9001, 0.1)).unwrap();
    extractor.extract(&make(20_000, 0.3)).unwrap();
    extractor.extract(&make(300, 0.7)).unwrap();
    assert_eq!(extractor.extract(&make(9001, 0.1)).unwrap(), first);
}

#[test]
fn statistics_of_other_features_are_refused() {
    let mut features = extract(&FeatureConfig::default(), vec![0.1; 1600]);
    let stats = BinStats {
        mean: vec![0.0; 13],
        std: vec![1.0; 13],
    };
    let error = features.normalize_by(&stats).unwrap_err();
    assert!(matches!(
        error,
        Error::StatsBins {
            stats: 13,
            bins: 40
        }
    ));
}

#[test]
fn narrow_mel_filters_are_counted() {
    let crowded = FeatureConfig {
        sample_rate_hz: 8000,
        num_mels: 256,
        ..FeatureConfig::default()
    };
    assert!(crowded.num_empty_mels() > 0);
    assert_eq!(FeatureConfig::default().num_empty_mels(), 0);
}
