//! Opening corpora: layouts, splits, labels and everything that can be wrong with them.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod on_disk;

use std::collections::BTreeSet;

use proptest::prelude::*;
use sori_datasets::corpus::{CORPORA, KnownCorpus};
use sori_datasets::{Corpus, OpenOptions, Part, Spec, Target, TargetKind};
use tempfile::TempDir;

use on_disk::{complaint, ids, open, put, skip_bad, spec};

#[test]
fn a_spec_that_names_no_corpus_lists_those_there_are() {
    for text in [
        "",
        "recordings",
        "fsd:recordings",
        "fsdd:",
        "folder:a?test_fraction",
        "fsdd:a?split=test&split=train",
    ] {
        let error = text.parse::<Spec>().unwrap_err().to_string();
        for written in CORPORA.iter().flat_map(KnownCorpus::written) {
            assert!(error.contains(&written), "{text}: {error}");
        }
    }
}

proptest! {
    #[test]
    fn a_spec_is_read_as_it_was_written(
        corpus in prop::sample::select(vec!["fsdd", "folder", "manifest", "synth"]),
        location in "[^\\pC]{1,20}",
        query in prop::collection::btree_map("[^\\pC]{1,8}", "[^\\pC]{0,8}", 0..4),
    ) {
        let spec = Spec { corpus: corpus.into(), location, query };
        prop_assert_eq!(spec.to_string().parse::<Spec>().unwrap(), spec);
    }

    #[test]
    fn no_text_makes_a_spec_panic(text in "\\PC{0,40}", rest in "\\PC{0,40}") {
        let _ = text.parse::<Spec>();
        let _ = format!("folder:{text}?{rest}").parse::<Spec>();
    }

    #[test]
    fn no_manifest_line_panics(line in "\\PC{0,80}") {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("list.jsonl");
        std::fs::write(&path, line).unwrap();
        prop_assert!(open("manifest", &path, "").is_err());
    }
}

#[test]
fn an_unknown_query_names_the_known_ones() {
    let folder = TempDir::new().unwrap();
    put(folder.path(), "dog/1.wav");
    let error = complaint(open("folder", folder.path(), "?speaker=theo"));
    assert!(
        error.contains("speaker=theo") && error.contains("test_fraction"),
        "{error}"
    );
    let error = complaint(open("folder", folder.path(), "?split=dev"));
    assert!(error.contains("train, valid, test"), "{error}");
    let error = complaint(open("folder", folder.path(), "?test_fraction=2"));
    assert!(error.contains("between 0 and 0.9"), "{error}");
}

#[test]
fn fsdd_recordings_0_to_4_are_the_test_part() {
    let folder = TempDir::new().unwrap();
    for index in [0, 4, 5, 10] {
        put(folder.path(), &format!("recordings/7_theo_{index}.wav"));
        put(folder.path(), &format!("recordings/0_jo_anne_{index}.wav"));
    }
    std::fs::write(folder.path().join("recordings/notes.txt"), "x").unwrap();
    let corpus = open("fsdd", folder.path(), "").unwrap();
    assert_eq!(
        ids(&corpus, Part::Test),
        ["0_jo_anne_0", "0_jo_anne_4", "7_theo_0", "7_theo_4"]
    );
    assert_eq!(
        ids(&corpus, Part::Train),
        ["0_jo_anne_5", "0_jo_anne_10", "7_theo_5", "7_theo_10"]
    );
    assert_eq!(corpus.items[4].target, Target::Class(7));
    assert_eq!(corpus.items[4].domain.as_deref(), Some("theo"));
    assert_eq!(corpus.items[0].domain.as_deref(), Some("jo_anne"));
    assert_eq!(
        (
            corpus.labels.len(),
            corpus.ignored_files,
            corpus.native_rate_hz
        ),
        (10, 1, 8000)
    );

    let theo = open(
        "fsdd",
        &folder.path().join("recordings"),
        "?speaker=theo&split=test",
    )
    .unwrap();
    assert_eq!(ids(&theo, Part::Test), ["7_theo_0", "7_theo_4"]);
    let others = open("fsdd", folder.path(), "?speaker=!theo").unwrap();
    assert!(others.items.iter().all(|item| item.id.contains("jo_anne")));
    let error = complaint(open("fsdd", folder.path(), "?speaker=lucas"));
    assert!(error.contains("jo_anne, theo"), "{error}");

    put(folder.path(), "recordings/seven_theo_1.wav");
    let error = complaint(open("fsdd", folder.path(), ""));
    assert!(
        error.contains("seven_theo_1.wav") && error.contains("7_theo_12.wav"),
        "{error}"
    );
    let corpus = Corpus::open_with(&spec("fsdd", folder.path(), ""), &skip_bad()).unwrap();
    assert_eq!((corpus.items.len(), corpus.rejected.len()), (8, 1));
}

#[test]
fn a_folder_without_recordings_says_what_was_expected() {
    let folder = TempDir::new().unwrap();
    assert!(complaint(open("fsdd", folder.path(), "")).contains("DIGIT_SPEAKER_INDEX.wav"));
    assert!(complaint(open("folder", folder.path(), "")).contains("one per class"));
    let missing = folder.path().join("nowhere");
    for corpus in ["fsdd", "folder", "manifest"] {
        assert!(complaint(open(corpus, &missing, "")).contains("nowhere"));
    }
}

#[test]
fn each_sub_folder_is_a_class() {
    let folder = TempDir::new().unwrap();
    for n in 0..20 {
        put(folder.path(), &format!("dog/{n}.wav"));
        put(folder.path(), &format!("cat/{n}.WAV"));
    }
    put(folder.path(), ".hidden/1.wav");
    put(folder.path(), "dog/.2.wav");
    std::fs::write(folder.path().join("dog/notes.txt"), "x").unwrap();
    std::fs::write(folder.path().join("README"), "x").unwrap();
    let corpus = open("folder", folder.path(), "").unwrap();
    assert_eq!(corpus.labels, ["cat", "dog"]);
    assert_eq!((corpus.items.len(), corpus.ignored_files), (40, 2));
    assert_eq!(corpus.items[0].id, "cat/0.WAV");
    // A tenth of each class is the test part.
    let test = ids(&corpus, Part::Test);
    assert_eq!(test.iter().filter(|id| id.starts_with("dog")).count(), 2);
    assert_eq!(test.len(), 4);
    let half = open("folder", folder.path(), "?test_fraction=0.5").unwrap();
    assert_eq!(half.part(Part::Test).len(), 20);
    assert!(test.iter().all(|id| ids(&half, Part::Test).contains(id)));
    assert!(
        open("folder", folder.path(), "?test_fraction=0")
            .unwrap()
            .part(Part::Test)
            .is_empty()
    );

    // Where the folder lies changes nothing.
    let elsewhere = TempDir::new().unwrap();
    for item in &corpus.items {
        put(elsewhere.path(), &item.id);
    }
    assert_eq!(
        ids(&open("folder", elsewhere.path(), "").unwrap(), Part::Test),
        test
    );

    std::fs::create_dir(folder.path().join("bird")).unwrap();
    let error = complaint(open("folder", folder.path(), ""));
    assert!(error.contains("bird") && error.contains("*.wav"), "{error}");
}

#[test]
fn folders_named_as_parts_are_the_split() {
    let folder = TempDir::new().unwrap();
    for name in [
        "train/dog/1.wav",
        "train/cat/1.wav",
        "valid/dog/1.wav",
        "test/cat/1.wav",
    ] {
        put(folder.path(), name);
    }
    let mut corpus = open("folder", folder.path(), "").unwrap();
    assert_eq!(
        ids(&corpus, Part::Train),
        ["train/cat/1.wav", "train/dog/1.wav"]
    );
    assert_eq!(ids(&corpus, Part::Valid), ["valid/dog/1.wav"]);
    assert_eq!(ids(&corpus, Part::Test), ["test/cat/1.wav"]);
    // There is a validation part: none is set aside.
    corpus.set_aside_valid(0.5, 0);
    assert_eq!(corpus.part(Part::Train).len(), 2);
    // Labels are those of all parts, whichever is taken.
    let test = open("folder", folder.path(), "?split=test").unwrap();
    assert_eq!((test.labels.len(), test.items.len()), (2, 1));
    assert_eq!(test.items[0].target, Target::Class(0));

    put(folder.path(), "noise/1.wav");
    let error = complaint(open("folder", folder.path(), ""));
    assert!(
        error.contains("noise") && error.contains("'train'"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed() {
    let folder = TempDir::new().unwrap();
    put(folder.path(), "real/1.wav");
    put(folder.path(), "sounds/dog/1.wav");
    let sounds = folder.path().join("sounds");
    std::os::unix::fs::symlink(folder.path().join("real"), sounds.join("cat")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("real/1.wav"), sounds.join("dog/2.wav")).unwrap();
    assert_eq!(open("folder", &sounds, "").unwrap().items.len(), 3);
}

#[test]
fn labels_given_are_the_ones_counted_by() {
    let folder = TempDir::new().unwrap();
    put(folder.path(), "dog/1.wav");
    put(folder.path(), "cat/1.wav");
    let spec = spec("folder", folder.path(), "");
    let labels = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let corpus = Corpus::open_with_labels(&spec, &labels(&["dog", "bird", "cat"])).unwrap();
    assert_eq!(corpus.labels.len(), 3);
    assert_eq!(corpus.items[0].target, Target::Class(2));

    let error = complaint(Corpus::open_with_labels(&spec, &labels(&["dog", "bird"])));
    for part in ["cat", "1.wav", "dog, bird"] {
        assert!(error.contains(part), "{error}");
    }
    let options = OpenOptions {
        labels: Some(labels(&["dog"])),
        ..skip_bad()
    };
    let corpus = Corpus::open_with(&spec, &options).unwrap();
    assert_eq!((corpus.items.len(), corpus.rejected.len()), (1, 1));
}

fn manifest(folder: &TempDir, lines: &str) -> std::path::PathBuf {
    for name in ["a.wav", "b.wav", "sub/c.wav"] {
        put(folder.path(), name);
    }
    let path = folder.path().join("list.jsonl");
    std::fs::write(&path, lines).unwrap();
    path
}

#[test]
fn a_manifest_may_label_tag_or_transcribe() {
    let folder = TempDir::new().unwrap();
    let path = manifest(
        &folder,
        "\u{feff}{\"audio\": \"b.wav\", \"label\": \"dog\", \"split\": \"test\"}\r\n\n\
         {\"audio\": \"sub/c.wav\", \"label\": 3, \"speaker\": \"x\"}\n",
    );
    let corpus = open("manifest", &path, "").unwrap();
    assert_eq!(
        (corpus.task, corpus.labels.concat().as_str()),
        (TargetKind::Classify, "3dog")
    );
    assert_eq!(ids(&corpus, Part::Test), ["b.wav"]);
    assert_eq!(ids(&corpus, Part::Train), ["sub/c.wav"]);
    assert_eq!(corpus.items[1].waveform(8000).unwrap().samples.len(), 800);

    let path = manifest(
        &folder,
        r#"{"audio": "a.wav", "tags": ["rock", "loud", "rock"]}
{"audio": "b.wav", "tags": []}"#,
    );
    let corpus = open("manifest", &path, "").unwrap();
    assert_eq!(corpus.task, TargetKind::Tag);
    assert_eq!(corpus.labels, ["loud", "rock"]);
    assert_eq!(corpus.items[0].target, Target::Tags(vec![0, 1]));
    assert_eq!(corpus.items[1].target, Target::Tags(vec![]));

    let path = manifest(
        &folder,
        r#"{"audio_filepath": "a.wav", "text": "안녕", "duration": 0.1, "offset": 0.0}"#,
    );
    let corpus = open("manifest", &path, "").unwrap();
    assert_eq!(corpus.task, TargetKind::Transcribe);
    assert!(corpus.labels.is_empty());
    assert_eq!(corpus.items[0].target, Target::Text("안녕".into()));

    let path = manifest(
        &folder,
        r#"{"audio": "a.wav", "value": 3, "domain": "theo"}
{"audio": "b.wav", "value": -0.5, "domain": 7}
{"audio": "sub/c.wav", "value": 1e3, "domain": ""}"#,
    );
    let corpus = open("manifest", &path, "").unwrap();
    assert_eq!(corpus.task, TargetKind::Regress);
    assert_eq!(corpus.labels, ["value"]);
    let found = corpus.items.iter();
    let found: Vec<_> = found
        .map(|item| (item.target.clone(), item.domain.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            (Target::Value(3.0), Some("theo")),
            (Target::Value(-0.5), Some("7")),
            (Target::Value(1000.0), None)
        ]
    );
}

#[test]
fn values_of_another_quantity_are_refused() {
    let open = |spec: &str, known: &str| {
        Corpus::open_with_labels(&spec.parse().unwrap(), &[known.to_owned()])
    };
    let speed = "synth:morse?size=4&answer=speed";
    assert!(open(speed, "words per minute").is_ok());
    assert!(open(speed, "value").is_ok());
    let error = open(speed, "hertz").unwrap_err().to_string();
    assert!(error.contains("'words per minute'"), "{error}");
}

#[test]
fn a_bad_manifest_line_is_named() {
    let good = r#"{"audio": "a.wav", "label": "dog"}"#;
    for (line, words) in [
        ("{", "EOF"),
        ("[1, 2]", "JSON object"),
        ("\"a.wav\"", "JSON object"),
        (r#"{"label": "dog"}"#, "no \"audio\""),
        (r#"{"audio": "", "label": "dog"}"#, "no \"audio\""),
        (r#"{"audio": "b.wav"}"#, "none of \"label\""),
        (r#"{"audio": "b.wav", "lable": "dog"}"#, "none of \"label\""),
        (r#"{"audio": "b.wav", "label": ""}"#, "empty"),
        (
            r#"{"audio": "b.wav", "label": "dog", "text": "dog"}"#,
            "more than one",
        ),
        (
            r#"{"audio": "b.wav", "text": "dog"}"#,
            "line 1 is to classify",
        ),
        (r#"{"audio": "a.wav", "label": "cat"}"#, "line 1 already"),
        (r#"{"audio": "missing.wav", "label": "dog"}"#, "missing.wav"),
        (
            r#"{"audio": "b.wav", "label": "dog", "split": "dev"}"#,
            "train, valid or test",
        ),
        (
            r#"{"audio": "b.wav", "label": "dog", "offset": 1.5}"#,
            "beyond its end",
        ),
        (r#"{"audio": "b.wav", "label": 1.5}"#, "JSON object"),
        (r#"{"audio": "b.wav", "value": "much"}"#, "JSON object"),
        (
            r#"{"audio": "b.wav", "value": 1.5}"#,
            "line 1 is to classify",
        ),
        (
            r#"{"audio": "b.wav", "label": "dog", "value": 1.5}"#,
            "more than one",
        ),
        ("\u{0}", "expected value"),
    ] {
        let folder = TempDir::new().unwrap();
        let path = manifest(&folder, &format!("{good}\n\n{line}\n"));
        let error = complaint(open("manifest", &path, ""));
        assert!(
            error.contains("list.jsonl:3") && error.contains(words),
            "{line}: {error}"
        );

        let corpus = Corpus::open_with(&spec("manifest", &path, ""), &skip_bad()).unwrap();
        assert_eq!(
            (corpus.items.len(), corpus.rejected.len()),
            (1, 1),
            "{line}"
        );
        assert!(corpus.rejected[0].place.ends_with("list.jsonl:3"));
        assert!(corpus.rejected[0].reason.contains(words));
    }
}

#[test]
fn a_manifest_of_nothing_is_an_error() {
    let folder = TempDir::new().unwrap();
    assert!(complaint(open("manifest", &manifest(&folder, " \n\n"), "")).contains("no lines"));
    let bad = manifest(&folder, "{}\n{}\n");
    let result = Corpus::open_with(&spec("manifest", &bad, ""), &skip_bad());
    assert!(complaint(result).contains("no line can be used"));
    std::fs::write(&bad, b"\xff\xfe{\"a\"").unwrap();
    assert!(complaint(open("manifest", &bad, "")).contains("list.jsonl:1"));
}

#[test]
fn an_unreadable_first_recording_is_an_error_unless_skipped() {
    let folder = TempDir::new().unwrap();
    put(folder.path(), "dog/2.wav");
    std::fs::write(folder.path().join("dog/1.wav"), "no sound").unwrap();
    assert!(complaint(open("folder", folder.path(), "")).contains("1.wav"));
    let corpus = Corpus::open_with(&spec("folder", folder.path(), ""), &skip_bad()).unwrap();
    assert_eq!((corpus.items.len(), corpus.native_rate_hz), (2, 8000));
}

#[test]
fn set_aside_validation_is_stratified_and_repeatable() {
    let part = |seed: u64, fraction: f64| {
        let mut corpus = Corpus::open(&"synth:dtmf?size=160&split=train".parse().unwrap()).unwrap();
        corpus.set_aside_valid(fraction, seed);
        corpus
    };
    let corpus = part(1, 0.1);
    let mut counts = [0; 16];
    for item in corpus.part(Part::Valid) {
        let Target::Class(class) = item.target else {
            panic!("{item:?}")
        };
        counts[class] += 1;
    }
    assert_eq!(counts, [1; 16]);
    assert_eq!(corpus.part(Part::Train).len(), 144);
    assert_eq!(ids(&part(1, 0.1), Part::Valid), ids(&corpus, Part::Valid));
    assert_ne!(ids(&part(2, 0.1), Part::Valid), ids(&corpus, Part::Valid));
    assert_eq!(part(1, 1e-9).part(Part::Valid).len(), 16);
    assert_eq!(part(1, 1.0).part(Part::Train).len(), 16);
    assert!(part(1, 0.0).part(Part::Valid).is_empty());
}

#[test]
fn setting_aside_never_touches_the_test_part() {
    let folder = TempDir::new().unwrap();
    for n in 0..10 {
        put(folder.path(), &format!("dog/{n}.wav"));
        put(folder.path(), &format!("cat/{n}.wav"));
    }
    put(folder.path(), "rare/1.wav");
    let mut corpus = open("folder", folder.path(), "?test_fraction=0.3").unwrap();
    let before: BTreeSet<String> = ids(&corpus, Part::Test)
        .iter()
        .map(ToString::to_string)
        .collect();
    corpus.set_aside_valid(0.2, 7);
    let after: BTreeSet<String> = ids(&corpus, Part::Test)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(before, after);
    assert_eq!(corpus.part(Part::Valid).len(), 2);
    assert!(ids(&corpus, Part::Train).contains(&"rare/1.wav"));
}

#[test]
fn a_sign_is_no_hexadecimal_digit() {
    let spec: Spec = "folder:a?x=%+5%26%2".parse().unwrap();
    assert_eq!(spec.query["x"], "%+5&%2");
    assert_eq!(spec.to_string().parse::<Spec>().unwrap(), spec);
}
