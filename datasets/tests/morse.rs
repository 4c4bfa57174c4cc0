//! The synthesised Morse code: that it is what it says, by the standard's timing.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;

use sori_datasets::synth::morse::MorseClip;
use sori_datasets::{Corpus, Part, Source, Target, TargetKind};

fn open(query: &str) -> Corpus {
    Corpus::open(&format!("synth:morse{query}").parse().unwrap()).unwrap()
}

#[test]
fn sizes_and_transcripts_are_as_asked() {
    let corpus = open("");
    let sizes = [Part::Train, Part::Valid, Part::Test].map(|part| corpus.part(part).len());
    assert_eq!(sizes, [1600, 320, 320]);
    assert_eq!(
        (corpus.task, corpus.native_rate_hz),
        (TargetKind::Transcribe, 8000)
    );
    assert!(corpus.labels.is_empty());
    let mut texts = BTreeSet::new();
    for item in &corpus.items {
        let (Target::Text(text), Source::Morse(clip)) = (&item.target, &item.source) else {
            panic!("{item:?}")
        };
        assert_eq!(*text, clip.text());
        let words: Vec<&str> = text.split(' ').collect();
        assert!((1..=4).contains(&words.len()), "{text}");
        let of_the_code = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(
            words
                .iter()
                .all(|word| !word.is_empty() && word.chars().all(of_the_code))
        );
        texts.insert(text);
    }
    assert!(texts.len() > 1000, "{} different messages", texts.len());
    for query in [
        "?size=0",
        "?seed=-1",
        "?snr=loud",
        "?snr=200",
        "?speaker=theo",
    ] {
        let spec = format!("synth:morse{query}").parse().unwrap();
        assert!(Corpus::open(&spec).is_err(), "{query}");
    }
    // What only Morse code takes.
    assert!(Corpus::open(&"synth:dtmf?snr=10".parse().unwrap()).is_err());
}

#[test]
fn a_clip_depends_on_seed_part_and_place_alone() {
    let clip = |corpus: &Corpus, part, index: usize| {
        let item = corpus.part(part)[index];
        (item.target.clone(), item.waveform(8000).unwrap().samples)
    };
    let (small, large) = (open("?size=32"), open("?size=400"));
    assert_eq!(clip(&small, Part::Train, 17), clip(&large, Part::Train, 17));
    assert_eq!(clip(&small, Part::Test, 0), clip(&large, Part::Test, 0));
    assert_ne!(clip(&small, Part::Test, 3), clip(&small, Part::Train, 3));
    assert_ne!(
        clip(&small, Part::Train, 3),
        clip(&open("?seed=1"), Part::Train, 3)
    );
    // The noise's level alone differs.
    let quiet = open("?size=32&snr=40");
    assert_eq!(
        clip(&quiet, Part::Train, 5).0,
        clip(&small, Part::Train, 5).0
    );
    assert_eq!(
        clip(&quiet, Part::Train, 5).1.len(),
        clip(&small, Part::Train, 5).1.len()
    );
    assert_ne!(clip(&quiet, Part::Train, 5), clip(&small, Part::Train, 5));
}

#[test]
fn clips_last_at_most_nine_seconds_within_full_scale() {
    let mut seconds = 0.0;
    for index in 0..400 {
        let waveform = MorseClip::new(5, Part::Train, index, None).waveform();
        let peak = waveform
            .samples
            .iter()
            .fold(0.0_f32, |peak, x| peak.max(x.abs()));
        assert!((0.09..=0.96).contains(&peak), "{peak}");
        assert!(
            (0.2..=9.0).contains(&waveform.duration_s()),
            "{} s",
            waveform.duration_s()
        );
        seconds += waveform.duration_s();
    }
    assert!(
        (2.0..7.0).contains(&(seconds / 400.0)),
        "{} s on average",
        seconds / 400.0
    );
}

/// The signs of M.1677-1 from `a` to `z` and `0` to `9`.
const SIGNS: &str = ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - \
                     ..- ...- .-- -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... \
                     ---.. ----.";

fn character(signs: &str) -> char {
    let place = SIGNS.split_whitespace().position(|other| other == signs);
    place.map_or('?', |place| {
        "abcdefghijklmnopqrstuvwxyz0123456789".as_bytes()[place].into()
    })
}

/// Key-downs and the spaces between, in seconds, by the loudest sample of every 4 ms.
fn keyed(samples: &[f32]) -> Vec<(bool, f64)> {
    let frames: Vec<f32> = samples
        .chunks(32)
        .map(|frame| frame.iter().fold(0.0_f32, |peak, x| peak.max(x.abs())))
        .collect();
    let loudest = frames.iter().copied().fold(0.0, f32::max);
    let mut runs = Vec::<(bool, f64)>::new();
    for frame in frames {
        // Below what fading leaves, above the noise.
        let down = frame > 0.1 * loudest;
        match runs.last_mut() {
            Some((state, seconds)) if *state == down => *seconds += 0.004,
            _ => runs.push((down, 0.004)),
        }
    }
    // Silence at both ends is no space.
    runs[1..runs.len() - 1].to_vec()
}

#[test]
fn whoever_knows_the_standard_reads_a_clean_clip() {
    let mut errors = Vec::new();
    for index in 0..300 {
        let clip = MorseClip::new(1, Part::Valid, index, Some(100.0));
        let runs = keyed(&clip.waveform().samples);
        // A dot is what explains all lengths best, as 1, 3 or 7 of it.
        let misfit = |dot: f64| -> f64 {
            runs.iter()
                .map(|&(down, seconds)| {
                    let lengths: &[f64] = if down { &[1.0, 3.0] } else { &[1.0, 3.0, 7.0] };
                    let errors = lengths.iter().map(|n| (seconds / (n * dot)).ln().powi(2));
                    errors.fold(f64::MAX, f64::min)
                })
                .sum()
        };
        let dot = (40..=85)
            .map(|ms| f64::from(ms) / 1000.0)
            .min_by(|&a, &b| misfit(a).total_cmp(&misfit(b)))
            .unwrap();
        let mut text = String::new();
        let mut signs = String::new();
        for &(down, seconds) in &runs {
            match (down, seconds / dot) {
                (true, dots) => signs.push(if dots < 2.0 { '.' } else { '-' }),
                (false, dots) if dots < 2.0 => {}
                (false, dots) => {
                    text.push(character(&signs));
                    signs.clear();
                    if dots > 4.6 {
                        text.push(' ');
                    }
                }
            }
        }
        text.push(character(&signs));
        assert_eq!(text, clip.text(), "clip {index}, a dot is {dot} s");
        // 15 to 30 words of fifty dots a minute.
        assert!((0.038..=0.084).contains(&dot), "{dot} s");
        errors.push((60.0 / (50.0 * dot) / clip.words_per_minute() - 1.0).abs());
    }
    // A hand may be a fifth off in a message of a single sign.
    let worst = errors.iter().copied().fold(0.0, f64::max);
    assert!(worst < 0.25, "{worst}");
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!(mean < 0.04, "{mean}");
}

#[test]
fn the_tone_has_the_pitch_that_is_said() {
    for index in 0..20 {
        let clip = MorseClip::new(2, Part::Train, index, Some(60.0));
        let samples = clip.waveform().samples;
        let power = |hertz: f64| {
            let turn = std::f64::consts::TAU * hertz / 8000.0;
            let (mut re, mut im) = (0.0, 0.0);
            for (n, &sample) in samples.iter().enumerate() {
                re += f64::from(sample) * (turn * n as f64).cos();
                im += f64::from(sample) * (turn * n as f64).sin();
            }
            re * re + im * im
        };
        let loudest = (380..=920).map(f64::from).map(power).fold(0.0, f64::max);
        let said = power(clip.pitch_hz());
        assert!(said > 0.99 * loudest, "clip {index}: {said}, {loudest}");
    }
}

#[test]
fn speed_or_pitch_may_be_asked_for_in_place_of_the_text() {
    let texts = open("?size=32");
    for (query, quantity) in [
        ("?size=32&answer=speed", "words per minute"),
        ("?size=32&answer=pitch", "hertz"),
    ] {
        let corpus = open(query);
        assert_eq!(corpus.task, TargetKind::Regress);
        assert_eq!(corpus.labels, [quantity]);
        for (item, text) in corpus.items.iter().zip(&texts.items) {
            let (Target::Value(value), Source::Morse(clip)) = (&item.target, &item.source) else {
                panic!("{item:?}")
            };
            let expected = match quantity {
                "hertz" => clip.pitch_hz(),
                _ => clip.words_per_minute(),
            };
            assert_eq!(*value, expected);
            assert_eq!((&item.id, &item.source), (&text.id, &text.source));
        }
    }
    let spec = "synth:morse?answer=colour".parse().unwrap();
    let error = Corpus::open(&spec).unwrap_err().to_string();
    assert!(error.contains("text, speed, pitch"), "{error}");
}
