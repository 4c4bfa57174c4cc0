//! The synthesised sound scenes: what is in them, and that a spectrum alone does not tell.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::f64::consts::TAU;

use sori_datasets::synth::scenes::{SAMPLE_RATE_HZ, SceneClip, SoundKind};
use sori_datasets::{Corpus, Part, Target, TaskKind};

fn open(query: &str) -> Corpus {
    Corpus::open(&format!("synth:scenes{query}").parse().unwrap()).unwrap()
}

#[test]
fn every_part_has_every_tag_and_no_scene_is_without() {
    let corpus = open("?size=120");
    assert_eq!(corpus.task, TaskKind::Tag);
    assert_eq!(corpus.labels.len(), SoundKind::VALUES.len());
    assert!(corpus.labels.len() >= 10);
    for part in [Part::Train, Part::Valid, Part::Test] {
        let mut seen = BTreeSet::new();
        for item in corpus.part(part) {
            let Target::Tags(tags) = &item.target else {
                panic!("{:?}", item.target);
            };
            assert!((1..=3).contains(&tags.len()), "{tags:?}");
            seen.extend(tags.iter().copied());
        }
        assert_eq!(seen.len(), corpus.labels.len(), "{part}");
    }
}

#[test]
fn a_scene_depends_on_seed_part_and_place_alone() {
    let sound = |corpus: &Corpus, part, index: usize| {
        corpus.part(part)[index]
            .waveform(SAMPLE_RATE_HZ)
            .unwrap()
            .samples
    };
    let (small, large) = (open("?size=24"), open("?size=60"));
    assert_eq!(
        sound(&small, Part::Train, 17),
        sound(&large, Part::Train, 17)
    );
    assert_ne!(sound(&small, Part::Train, 3), sound(&small, Part::Test, 3));
    assert_ne!(
        sound(&small, Part::Train, 3),
        sound(&open("?size=24&seed=1"), Part::Train, 3)
    );
}

#[test]
fn scenes_are_three_seconds_within_full_scale() {
    for index in 0..60 {
        let waveform = SceneClip::new(5, Part::Train, index).waveform();
        assert_eq!(waveform.samples.len(), 3 * SAMPLE_RATE_HZ as usize);
        let peak = waveform
            .samples
            .iter()
            .fold(0.0_f32, |peak, x| peak.max(x.abs()));
        assert!((0.09..=0.96).contains(&peak), "{peak}");
    }
}

/// The power of a band while an event lasts, as a share of all.
fn share(samples: &[f32], (low_hz, high_hz): (f64, f64)) -> f64 {
    let total: f64 =
        samples.iter().map(|x| f64::from(x * x)).sum::<f64>() * samples.len() as f64 / 2.0;
    let step = f64::from(SAMPLE_RATE_HZ) / samples.len() as f64;
    let (first, last) = ((low_hz / step) as usize, (high_hz / step).ceil() as usize);
    let power = |bin: usize| {
        let angle = TAU * bin as f64 / samples.len() as f64;
        let (re, im) = samples
            .iter()
            .enumerate()
            .fold((0.0, 0.0), |(re, im), (n, &x)| {
                let (sin, cos) = (angle * n as f64).sin_cos();
                (re + f64::from(x) * cos, im + f64::from(x) * sin)
            });
        re * re + im * im
    };
    (first..=last).map(power).sum::<f64>() / total
}

#[test]
fn a_telephone_tone_is_where_the_recommendation_puts_it() {
    let mut found = 0;
    for index in 0..200 {
        let clip = SceneClip::new(3, Part::Test, index);
        let events = clip.events();
        let [event] = events.as_slice() else { continue };
        if !matches!(event.kind, SoundKind::DialTone | SoundKind::BusyTone) {
            continue;
        }
        found += 1;
        // A quarter of a second is enough for the band and quick by brute force.
        let samples = clip.waveform().samples;
        let part = &samples[event.start..event.start + 4000];
        let inside = share(part, (335.0, 455.0));
        assert!(inside > 0.6, "scene {index}, {:?}: {inside}", event.kind);
    }
    assert!(found >= 4, "{found}");
}
