//! The synthesised sound scenes: what they are, and that they are neither trivial nor random.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::f64::consts::TAU;

use sori_datasets::synth::scenes::{SAMPLE_RATE_HZ, SceneClip, SoundEvent, SoundKind};
use sori_datasets::{Corpus, FeatureConfig, Item, Part, Pipeline, Target, TargetKind};

fn open(query: &str) -> Corpus {
    Corpus::open(&format!("synth:scenes{query}").parse().unwrap()).unwrap()
}

fn tags(item: &Item) -> &[usize] {
    match &item.target {
        Target::Tags(tags) => tags,
        other => panic!("a scene has tags, not {other:?}"),
    }
}

#[test]
fn every_tag_occurs_in_each_part_of_any_size() {
    for (query, sizes) in [("", [1600, 320, 320]), ("?size=12&seed=9", [12, 12, 12])] {
        let corpus = open(query);
        assert_eq!(
            (corpus.task, corpus.native_rate_hz),
            (TargetKind::Tag, 16_000)
        );
        assert_eq!(corpus.labels.len(), 12);
        for (part, size) in Part::VALUES.iter().zip(sizes) {
            let items = corpus.part(*part);
            assert_eq!(items.len(), size);
            for tag in 0..12 {
                let with = items
                    .iter()
                    .filter(|item| tags(item).contains(&tag))
                    .count();
                assert!(with > 0 && with < size, "{part} {}", corpus.labels[tag]);
            }
            assert!(items.iter().all(|item| (1..=3).contains(&tags(item).len())));
        }
        let ids: BTreeSet<&str> = corpus.items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids.len(), corpus.items.len());
    }
    for query in ["?size=11", "?size=x", "?seed=-1", "?folds=5"] {
        let spec = format!("synth:scenes{query}").parse().unwrap();
        assert!(Corpus::open(&spec).is_err(), "{query}");
    }
}

#[test]
fn a_scene_depends_on_seed_part_and_place_alone() {
    let clip = |corpus: &Corpus, part, index: usize| {
        let item = corpus.part(part)[index].clone();
        (item.waveform(16_000).unwrap().samples, item.target)
    };
    let (small, large) = (open("?size=24"), open("?size=60"));
    assert_eq!(clip(&small, Part::Train, 17), clip(&large, Part::Train, 17));
    assert_eq!(clip(&small, Part::Test, 3), clip(&large, Part::Test, 3));
    assert_ne!(
        clip(&small, Part::Test, 3).0,
        clip(&small, Part::Train, 3).0
    );
    assert_ne!(
        clip(&small, Part::Train, 3).0,
        clip(&open("?size=24&seed=1"), Part::Train, 3).0
    );
}

#[test]
fn scenes_are_three_seconds_within_full_scale() {
    for index in 0..60 {
        let waveform = SceneClip::new(5, Part::Train, index).waveform();
        assert_eq!(
            (waveform.samples.len(), waveform.sample_rate_hz),
            (48_000, 16_000)
        );
        let peak = waveform
            .samples
            .iter()
            .fold(0.0_f32, |peak, x| peak.max(x.abs()));
        assert!((0.09..=0.96).contains(&peak), "{peak}");
    }
}

/// Power at a frequency in a stretch of sound, by Goertzel's sum.
fn power_at(samples: &[f32], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let phase = TAU * hz * n as f64 / 16_000.0;
        re += f64::from(sample) * phase.cos();
        im += f64::from(sample) * phase.sin();
    }
    (re * re + im * im) / samples.len().max(1) as f64
}

/// Clips that hold one event alone, of this kind: the clip's sound where the event is.
fn alone(kind: SoundKind, count: usize) -> Vec<(SoundEvent, Vec<f32>)> {
    (0..)
        .map(|index| SceneClip::new(1, Part::Valid, index))
        .filter_map(|clip| {
            let [event] = &clip.events()[..] else {
                return None;
            };
            let samples = clip.waveform().samples;
            let sound = samples[event.start..event.start + event.length].to_vec();
            (event.kind == kind).then(|| (event.clone(), sound))
        })
        .take(count)
        .collect()
}

/// The frequency of most power among those from 100 to 4000 Hz, in steps of 10, in the loudest tenth
/// of a second, which tells no more than that apart.
fn loudest_hz(samples: &[f32]) -> f64 {
    let power = |part: &&[f32]| part.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    let parts = samples.chunks(SAMPLE_RATE_HZ as usize / 10);
    let part = parts.max_by(|a, b| power(a).total_cmp(&power(b))).unwrap();
    (10..400)
        .map(|tens| 10.0 * f64::from(tens))
        .max_by(|a, b| power_at(part, *a).total_cmp(&power_at(part, *b)))
        .unwrap()
}

/// Levels of successive frames of 20 ms, in decibels.
fn levels_db(samples: &[f32]) -> Vec<f64> {
    samples
        .chunks_exact(320)
        .map(|frame| {
            let power: f64 = frame.iter().map(|x| f64::from(*x).powi(2)).sum();
            10.0 * power.log10()
        })
        .collect()
}

/// How far frames lie below the loudest, at this share of them.
fn depth_db(samples: &[f32], share: f64) -> f64 {
    let mut levels = levels_db(samples);
    levels.sort_by(f64::total_cmp);
    levels[levels.len() - 1] - levels[(levels.len() as f64 * share) as usize]
}

#[test]
fn telephone_tones_are_where_the_standard_puts_them() {
    for (kind, interrupted) in [(SoundKind::DialTone, false), (SoundKind::BusyTone, true)] {
        for (event, sound) in alone(kind, 5) {
            // Within the events' ends, a quarter of a busy tone's frames are silent and none of a
            // dial tone's.
            let inner = &sound[800..sound.len() - 800];
            let hz = loudest_hz(inner);
            assert!((330.0..=460.0).contains(&hz), "{event:?}: {hz} Hz");
            let depth = depth_db(inner, 0.25);
            assert_eq!(depth > 8.0, interrupted, "{event:?}: {depth} dB");
        }
    }
}

#[test]
fn kinds_sound_as_they_are_described() {
    for (event, sound) in alone(SoundKind::Hum, 4) {
        let mains = power_at(&sound, 50.0).max(power_at(&sound, 60.0));
        assert!(mains > 20.0 * power_at(&sound, 73.0), "{event:?}");
    }
    let high_over_low = |sound: &[f32]| {
        let band = |from: u32| {
            (0..200)
                .map(|n| power_at(sound, f64::from(from + 3 * n)))
                .sum::<f64>()
        };
        band(6000) / band(200)
    };
    for (event, sound) in alone(SoundKind::WhiteNoise, 4) {
        let ratio = high_over_low(&sound[..8000]);
        assert!((0.5..2.0).contains(&ratio), "{event:?}: {ratio}");
    }
    for (event, sound) in alone(SoundKind::PinkNoise, 4) {
        let ratio = high_over_low(&sound[..8000]);
        assert!(ratio < 0.25, "{event:?}: {ratio}");
    }
    for (event, sound) in alone(SoundKind::ClickTrain, 4) {
        assert!(depth_db(&sound, 0.25) > 8.0, "{event:?}");
    }
    // The pitch moves: successive 50 ms are loudest at frequencies far apart.
    for (kind, moves) in [
        (SoundKind::Siren, true),
        (SoundKind::Chirp, true),
        (SoundKind::Alarm, true),
        (SoundKind::DialTone, false),
    ] {
        for (event, sound) in alone(kind, 3) {
            let pitches: Vec<f64> = sound[800..].chunks_exact(800).map(loudest_hz).collect();
            let highest = pitches.iter().copied().fold(0.0, f64::max);
            let lowest = pitches.iter().copied().fold(f64::MAX, f64::min);
            let ratio = highest / lowest;
            assert_eq!(
                ratio > 1.1 && highest > 500.0,
                moves,
                "{event:?}: {lowest} to {highest}"
            );
        }
    }
}

/// Mean average precision over the tags: of each, the precision at every clip that has it, in the
/// order of scores.
fn mean_average_precision(scores: &[Vec<f32>], truth: &[Vec<usize>]) -> f64 {
    let tags = scores[0].len();
    let precision_of = |tag: usize| {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b][tag].total_cmp(&scores[a][tag]));
        let (mut hits, mut sum) = (0.0, 0.0);
        for (rank, &clip) in order.iter().enumerate() {
            if truth[clip].contains(&tag) {
                hits += 1.0;
                sum += hits / (rank + 1) as f64;
            }
        }
        sum / hits
    };
    (0..tags).map(precision_of).sum::<f64>() / tags as f64
}

/// Logistic regression by gradient descent on standardised inputs: mean average precision on
/// the second set.
fn logistic(train: &[(Vec<f32>, Vec<usize>)], test: &[(Vec<f32>, Vec<usize>)]) -> f64 {
    let inputs = train[0].0.len();
    let moments: Vec<(f32, f32)> = (0..inputs)
        .map(|k| {
            let mean = train.iter().map(|(x, _)| x[k]).sum::<f32>() / train.len() as f32;
            let var = train
                .iter()
                .map(|(x, _)| (x[k] - mean).powi(2))
                .sum::<f32>();
            (mean, (var / train.len() as f32).sqrt().max(1e-6))
        })
        .collect();
    let standardised = |x: &[f32]| -> Vec<f32> {
        let scaled = x
            .iter()
            .zip(&moments)
            .map(|(x, (mean, std))| (x - mean) / std);
        scaled.chain([1.0]).collect()
    };
    let mut weights = vec![vec![0.0_f32; inputs + 1]; SoundKind::VALUES.len()];
    let score = |row: &[f32], x: &[f32]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
    for epoch in 0..30 {
        let rate = 0.01 / (1.0 + 0.2 * epoch as f32);
        for (x, truth) in train {
            let x = standardised(x);
            for (tag, row) in weights.iter_mut().enumerate() {
                let wanted = f32::from(u8::from(truth.contains(&tag)));
                let step = rate * (wanted - 1.0 / (1.0 + (-score(row, &x)).exp()));
                row.iter_mut().zip(&x).for_each(|(w, x)| *w += step * x);
            }
        }
    }
    let scores: Vec<Vec<f32>> = test
        .iter()
        .map(|(x, _)| {
            let x = standardised(x);
            weights.iter().map(|row| score(row, &x)).collect()
        })
        .collect();
    let truth: Vec<Vec<usize>> = test.iter().map(|(_, truth)| truth.clone()).collect();
    mean_average_precision(&scores, &truth)
}

/// What the spectrum is on average does not tell the kinds apart; how it moves helps a lot, even in
/// the crudest of measures and with a linear model.
#[test]
fn the_mean_spectrum_is_not_enough() {
    let pipeline = Pipeline::new(FeatureConfig {
        sample_rate_hz: 16_000,
        ..FeatureConfig::default()
    })
    .unwrap();
    let mut loader = pipeline.loader().unwrap();
    let corpus = open("?size=960");
    // Of each bin its mean, then how much it changes from frame to frame at three distances.
    const LAGS: [usize; 3] = [1, 4, 16];
    let mut examples = |part| -> Vec<(Vec<f32>, Vec<usize>)> {
        let items = corpus.part(part);
        items
            .into_iter()
            .map(|item| {
                let features = loader.load(item).unwrap().features;
                let frames: Vec<&[f32]> = features.values.chunks_exact(features.bins).collect();
                let mut x = Vec::new();
                for bin in 0..features.bins {
                    let course: Vec<f32> = frames.iter().map(|frame| frame[bin]).collect();
                    let count = course.len() as f32;
                    x.push(course.iter().sum::<f32>() / count);
                    for lag in LAGS {
                        let steps = course[lag..].iter().zip(&course);
                        x.push(steps.map(|(b, a)| (b - a).abs()).sum::<f32>() / count);
                    }
                }
                (x, tags(item).to_vec())
            })
            .collect()
    };
    let (train, test) = (examples(Part::Train), examples(Part::Test));
    let means = |examples: &[(Vec<f32>, Vec<usize>)]| -> Vec<(Vec<f32>, Vec<usize>)> {
        let mean = |x: &[f32]| x.iter().step_by(1 + LAGS.len()).copied().collect();
        let examples = examples.iter();
        examples
            .map(|(x, truth)| (mean(x), truth.clone()))
            .collect()
    };
    let mean = logistic(&means(&train), &means(&test));
    let moving = logistic(&train, &test);
    assert!((0.4..0.75).contains(&mean), "by the mean spectrum: {mean}");
    assert!(
        moving > mean + 0.1,
        "{mean} by the mean, {moving} with movement"
    );
}
