//! The synthesised telephone keys: what they are, and that they are neither trivial nor random.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::f64::consts::TAU;

use sori_datasets::features::Normalize;
use sori_datasets::synth::dtmf::{DtmfClip, KEYS};
use sori_datasets::{Corpus, FeatureConfig, Item, Part, Pipeline, Target};

fn open(query: &str) -> Corpus {
    Corpus::open(&format!("synth:dtmf{query}").parse().unwrap()).unwrap()
}

#[test]
fn sizes_and_labels_are_as_asked() {
    let corpus = open("");
    let sizes = [Part::Train, Part::Valid, Part::Test].map(|part| corpus.part(part).len());
    assert_eq!(sizes, [1600, 320, 320]);
    assert_eq!((corpus.labels.len(), corpus.native_rate_hz), (16, 8000));
    let ids: BTreeSet<&str> = corpus.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids.len(), 2240);
    for query in ["?size=0", "?size=x", "?seed=-1", "?speaker=theo"] {
        let spec = format!("synth:dtmf{query}").parse().unwrap();
        assert!(Corpus::open(&spec).is_err(), "{query}");
    }
    assert!(Corpus::open(&"synth:fax".parse().unwrap()).is_err());
}

#[test]
fn a_clip_depends_on_seed_part_and_place_alone() {
    let clip = |corpus: &Corpus, part, index: usize| {
        corpus.part(part)[index].waveform(8000).unwrap().samples
    };
    let (small, large) = (open("?size=32"), open("?size=400"));
    assert_eq!(clip(&small, Part::Train, 17), clip(&large, Part::Train, 17));
    assert_eq!(clip(&small, Part::Test, 3), clip(&large, Part::Test, 3));
    assert_ne!(clip(&small, Part::Test, 3), clip(&small, Part::Train, 3));
    assert_ne!(
        clip(&small, Part::Train, 3),
        clip(&open("?seed=1"), Part::Train, 3)
    );
}

#[test]
fn clips_are_a_second_within_full_scale() {
    for index in 0..200 {
        let waveform = DtmfClip::new(5, Part::Train, index).waveform();
        assert_eq!(
            (waveform.samples.len(), waveform.sample_rate_hz),
            (8000, 8000)
        );
        let peak = waveform
            .samples
            .iter()
            .fold(0.0_f32, |peak, x| peak.max(x.abs()));
        assert!((0.04..=0.96).contains(&peak), "{peak}");
    }
}

/// Power near a frequency in a stretch of sound, by Goertzel's sum at three frequencies.
fn power_near(samples: &[f32], hz: f64) -> f64 {
    [0.99, 1.0, 1.01]
        .iter()
        .map(|factor| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, &sample) in samples.iter().enumerate() {
                let phase = TAU * hz * factor * n as f64 / 8000.0;
                re += f64::from(sample) * phase.cos();
                im += f64::from(sample) * phase.sin();
            }
            re * re + im * im
        })
        .fold(0.0, f64::max)
}

/// Whoever looks at all 50 ms stretches for the loudest pair of Q.23 frequencies finds the key.
#[test]
fn a_listener_who_knows_the_standard_finds_most_keys() {
    let rows = [697.0, 770.0, 852.0, 941.0];
    let columns = [1209.0, 1336.0, 1477.0, 1633.0];
    let pad = ["123A", "456B", "789C", "*0#D"];
    let clips = 200;
    let found = (0..clips)
        .filter(|&index| {
            let clip = DtmfClip::new(0, Part::Test, index);
            let samples = clip.waveform().samples;
            let mut best = (0.0, ' ');
            for start in (0..=samples.len() - 400).step_by(200) {
                let stretch = &samples[start..start + 400];
                for (row, keys) in rows.iter().zip(pad) {
                    let low = power_near(stretch, *row);
                    for (column, key) in columns.iter().zip(keys.chars()) {
                        // The weaker of the two decides: a single tone is no key.
                        let both = low.min(power_near(stretch, *column));
                        if both > best.0 {
                            best = (both, key);
                        }
                    }
                }
            }
            best.1 == clip.key()
        })
        .count();
    assert!(found * 100 >= clips as usize * 85, "{found} of {clips}");
}

fn examples(items: &[&Item], pipeline: &Pipeline) -> Vec<(Vec<f32>, usize)> {
    let mut loader = pipeline.loader().unwrap();
    items
        .iter()
        .map(|item| {
            let example = loader.load(item).unwrap();
            let Target::Class(class) = example.target else {
                panic!("a key is a class")
            };
            (example.features.values, class)
        })
        .collect()
}

/// Softmax regression on the whole log-mel spectrogram, by gradient descent with momentum.
#[test]
fn a_linear_model_is_not_enough() {
    let pipeline = Pipeline::new(FeatureConfig {
        sample_rate_hz: 8000,
        normalize: Normalize::Utterance,
        ..FeatureConfig::default()
    })
    .unwrap();
    let corpus = open("");
    let train = examples(&corpus.part(Part::Train), &pipeline);
    let test = examples(&corpus.part(Part::Test), &pipeline);
    let inputs = train[0].0.len();
    assert_eq!(inputs, 40 * 101);

    let classes = KEYS.len();
    let mut weights = vec![0.0_f32; classes * inputs];
    let scores = |weights: &[f32], x: &[f32]| -> Vec<f32> {
        weights
            .chunks_exact(inputs)
            .map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum())
            .collect()
    };
    let accuracy = |weights: &[f32], examples: &[(Vec<f32>, usize)]| {
        let right = examples
            .iter()
            .filter(|(x, class)| {
                let scores = scores(weights, x);
                (0..classes).max_by(|&a, &b| scores[a].total_cmp(&scores[b])) == Some(*class)
            })
            .count();
        right as f64 / examples.len() as f64
    };
    let mut best = 0.0_f64;
    for epoch in 0..12 {
        let rate = 3e-4 / (1.0 + epoch as f32);
        for (x, class) in &train {
            let scores = scores(&weights, x);
            let top = scores.iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = scores.iter().map(|score| (score - top).exp()).sum();
            for (k, row) in weights.chunks_exact_mut(inputs).enumerate() {
                let wanted = if k == *class { 1.0 } else { 0.0 };
                let step = rate * (wanted - (scores[k] - top).exp() / sum);
                for (w, x) in row.iter_mut().zip(x) {
                    *w += step * x;
                }
            }
        }
        best = best.max(accuracy(&weights, &test));
    }
    let seen = accuracy(&weights, &train);
    assert!(seen > 0.8, "it should at least learn what it sees: {seen}");
    assert!(best < 0.5, "linear accuracy {best}");
    assert!(best > 1.5 / 16.0, "chance would be 0.0625: {best}");
}
