//! Corpora as published, where they lie in the folder `SORI_DATA`.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sori_datasets::text::{self, Alphabet, AlphabetKind, Normalization};
use sori_datasets::{Corpus, Part, Target, TargetKind};
use sori_datasets::{FeatureConfig, Pipeline, Spec, audio, scan};

/// The folder of a corpus, or nothing and a line that says which test is skipped.
fn folder(test: &str, corpus: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SORI_DATA").map(|root| Path::new(&root).join(corpus));
    let there = folder.filter(|folder| folder.is_dir());
    if there.is_none() {
        // Not by a macro, whose output the test runner keeps to itself.
        let line = format!("skipped: {test} (SORI_DATA names no folder with {corpus})\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    there
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|other| other == extension) {
            found.push(path);
        }
    }
    found.sort();
}

fn spec(text: String) -> Spec {
    text.parse().unwrap()
}

#[test]
fn fsdd_has_its_published_split() {
    let Some(dir) = folder("fsdd_has_its_published_split", "fsdd") else {
        return;
    };
    let corpus = Corpus::open(&spec(format!("fsdd:{}", dir.display()))).unwrap();
    assert_eq!(corpus.items.len(), 3000);
    assert_eq!(corpus.part(Part::Train).len(), 2700);
    assert_eq!(corpus.part(Part::Test).len(), 300);
    assert_eq!(corpus.labels.concat(), "0123456789");
    assert_eq!(corpus.native_rate_hz, 8000);

    let recordings = dir.join("recordings");
    let query = |query: &str| {
        Corpus::open(&spec(format!("fsdd:{}?{query}", recordings.display())))
            .map(|corpus| corpus.items.len())
    };
    assert_eq!(query("speaker=theo").unwrap(), 500);
    assert_eq!(query("speaker=!theo").unwrap(), 2500);
    assert_eq!(query("speaker=!theo&split=test").unwrap(), 250);
    let unknown = query("speaker=nobody").unwrap_err().to_string();
    assert!(
        unknown.contains("george") && unknown.contains("theo"),
        "{unknown}"
    );
}

#[test]
fn every_fsdd_recording_becomes_features() {
    let Some(dir) = folder("every_fsdd_recording_becomes_features", "fsdd") else {
        return;
    };
    let corpus = Corpus::open(&spec(format!("fsdd:{}", dir.display()))).unwrap();
    let config = FeatureConfig {
        sample_rate_hz: 8000,
        ..FeatureConfig::default()
    };
    let pipeline = Pipeline::new(config).unwrap();
    let (kept, seen) = scan(&corpus.items, &pipeline, 2, false, |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((kept.len(), seen.frames.len()), (3000, 3000));
}

#[test]
fn every_esc10_clip_decodes() {
    let Some(dir) = folder("every_esc10_clip_decodes", "esc10") else {
        return;
    };
    let mut clips = Vec::new();
    files(&dir, "ogg", &mut clips);
    assert_eq!(clips.len(), 400);
    for clip in clips {
        let waveform = audio::decode(&clip).unwrap();
        assert_eq!(waveform.sample_rate_hz, 44_100, "{}", clip.display());
        assert!(
            (3.5..7.5).contains(&waveform.duration_s()),
            "{}: {} s",
            clip.display(),
            waveform.duration_s()
        );
    }
}

#[test]
fn each_fold_of_esc10_is_a_fifth_of_every_class() {
    let Some(dir) = folder("each_fold_of_esc10_is_a_fifth_of_every_class", "esc10") else {
        return;
    };
    for fold in 1..=5 {
        let spec = spec(format!("esc:{}?folds={fold}", dir.display()));
        let mut corpus = Corpus::open(&spec).unwrap();
        assert_eq!((corpus.labels.len(), corpus.native_rate_hz), (10, 44_100));
        assert_eq!(corpus.labels[..2], ["Dog bark", "Rain"]);
        assert_eq!(
            (
                corpus.part(Part::Train).len(),
                corpus.part(Part::Test).len()
            ),
            (320, 80)
        );
        corpus.set_aside_valid(0.1, 0);
        let groups = |part| -> BTreeSet<String> {
            let items = corpus.part(part).into_iter();
            items.filter_map(|item| item.group.clone()).collect()
        };
        assert!(groups(Part::Train).is_disjoint(&groups(Part::Valid)));
        assert!(groups(Part::Train).is_disjoint(&groups(Part::Test)));
        assert!((30..=50).contains(&corpus.part(Part::Valid).len()));
    }
}

#[test]
fn esc10_is_mixed_within_its_folds() {
    let Some(dir) = folder("esc10_is_mixed_within_its_folds", "esc10") else {
        return;
    };
    let corpus = Corpus::open(&spec(format!("esc-mix:{}", dir.display()))).unwrap();
    let sizes = Part::VALUES.iter().map(|part| corpus.part(*part).len());
    assert_eq!(sizes.collect::<Vec<_>>(), [2000, 400, 400]);
    assert_eq!((corpus.task, corpus.labels.len()), (TargetKind::Tag, 10));
    let files = |part| -> BTreeSet<PathBuf> {
        let items = corpus.part(part).into_iter();
        items
            .flat_map(|item| item.source.files())
            .map(|(path, _)| path.to_owned())
            .collect()
    };
    let [train, valid, test] = [Part::Train, Part::Valid, Part::Test].map(files);
    assert_eq!((train.len() + valid.len(), test.len()), (320, 80));
    assert!(train.is_disjoint(&valid));
    for item in corpus.items.iter().step_by(400) {
        let waveform = item.waveform(16_000).unwrap();
        assert_eq!(waveform.samples.len(), 80_000);
        assert!(waveform.samples.iter().all(|x| x.abs() <= 0.951));
    }
}

#[test]
fn flac_recordings_decode_at_their_rate() {
    for corpus in ["speechocean762", "pansori"] {
        let Some(dir) = folder("flac_recordings_decode_at_their_rate", corpus) else {
            continue;
        };
        let mut recordings = Vec::new();
        files(&dir, "flac", &mut recordings);
        assert!(recordings.len() > 600, "{corpus}");
        for recording in recordings.iter().step_by(13) {
            let waveform = audio::load(recording, 16_000).unwrap();
            assert!(waveform.duration_s() > 0.3, "{}", recording.display());
            assert_eq!(audio::sample_rate_hz(recording).unwrap(), 16_000);
        }
    }
}

/// How many recordings each part has: train, valid, test.
fn sizes(corpus: &Corpus) -> [usize; 3] {
    [Part::Train, Part::Valid, Part::Test].map(|part| corpus.part(part).len())
}

fn transcripts(corpus: &Corpus) -> Vec<&str> {
    let items = corpus.items.iter();
    items
        .map(|item| match &item.target {
            Target::Text(text) => text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn alphabet(corpus: &Corpus, kind: AlphabetKind) -> Alphabet {
    let alphabet = Alphabet::build(kind, Normalization::default(), transcripts(corpus)).unwrap();
    for text in transcripts(corpus) {
        let indices = alphabet.encode(text).unwrap();
        assert_eq!(
            alphabet.decode(&indices),
            Normalization::default().apply(text)
        );
    }
    alphabet
}

#[test]
fn digits_are_joined_from_fsdd() {
    let Some(dir) = folder("digits_are_joined_from_fsdd", "fsdd") else {
        return;
    };
    let open =
        |query: &str| Corpus::open(&spec(format!("digits:{}{query}", dir.display()))).unwrap();
    let corpus = open("");
    assert_eq!(sizes(&corpus), [3000, 300, 300]);
    assert_eq!(
        alphabet(&corpus, AlphabetKind::Characters).num_symbols(),
        16
    );
    let used = |corpus: &Corpus, part| -> BTreeSet<PathBuf> {
        let items = corpus.part(part).into_iter();
        items
            .flat_map(|item| item.source.files())
            .map(|(path, _)| path.to_owned())
            .collect()
    };
    let [train, valid, test] =
        [Part::Train, Part::Valid, Part::Test].map(|part| used(&corpus, part));
    assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test));
    assert!(train.len() > 2400 && valid.len() > 200 && test.len() > 250);

    let others = open("?speaker=!yweweler");
    let held_out = open("?speaker=yweweler&split=test");
    assert_eq!(held_out.items.len(), 300);
    assert!(used(&held_out, Part::Test).is_disjoint(&used(&others, Part::Test)));
    for item in corpus.items.iter().step_by(100) {
        let waveform = item.waveform(8000).unwrap();
        assert!((0.6..10.0).contains(&waveform.duration_s()), "{}", item.id);
    }
}

#[test]
fn yesno_is_tested_on_its_second_half() {
    let Some(dir) = folder("yesno_is_tested_on_its_second_half", "yesno") else {
        return;
    };
    let corpus = Corpus::open(&spec(format!("yesno:{}", dir.display()))).unwrap();
    assert_eq!(sizes(&corpus), [30, 0, 30]);
    assert_eq!(corpus.native_rate_hz, 8000);
    assert!(
        transcripts(&corpus)
            .iter()
            .all(|text| text::words(text).len() == 8)
    );
    assert_eq!(transcripts(&corpus)[0], "no no no no yes yes yes yes");
    assert_eq!(
        alphabet(&corpus, AlphabetKind::Characters).symbols(),
        [' ', 'e', 'n', 'o', 's', 'y']
    );
}

#[test]
fn speechocean762_tests_on_speakers_of_its_own() {
    let Some(dir) = folder(
        "speechocean762_tests_on_speakers_of_its_own",
        "speechocean762",
    ) else {
        return;
    };
    let mut corpus = Corpus::open(&spec(format!("speechocean762:{}", dir.display()))).unwrap();
    assert_eq!(sizes(&corpus), [720, 0, 80]);
    // a to z, the space and the apostrophe.
    assert_eq!(
        alphabet(&corpus, AlphabetKind::Characters).num_symbols(),
        28
    );
    corpus.set_aside_valid(0.1, 0);
    assert_eq!(sizes(&corpus), [640, 80, 80]);
}

#[test]
fn pansori_is_korean_of_four_speakers() {
    let Some(dir) = folder("pansori_is_korean_of_four_speakers", "pansori") else {
        return;
    };
    let corpus = Corpus::open(&spec(format!("pansori:{}", dir.display()))).unwrap();
    let [train, valid, test] = sizes(&corpus);
    assert_eq!((train + valid + test, valid), (656, 0));
    assert!((140..=200).contains(&test), "{test}");
    let syllables = alphabet(&corpus, AlphabetKind::Characters);
    let letters = alphabet(&corpus, AlphabetKind::Jamo);
    assert!(syllables.num_symbols() > 500 && letters.num_symbols() < 90);
    let korean = |symbol: &&char| text::hangul::is_syllable(**symbol);
    assert_eq!(letters.symbols().iter().filter(korean).count(), 0);
}
