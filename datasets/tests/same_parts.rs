//! Parts of corpora without groups, and of clips cut from one original: runs that were begun with
//! them must find them again.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod on_disk;

use std::path::Path;

use sori_datasets::{Corpus, Part};
use tempfile::TempDir;

use on_disk::{ids, open, put};

/// The names in a part, set apart by blanks.
fn part(corpus: &Corpus, part: Part) -> String {
    ids(corpus, part).join(" ")
}

/// The validation part that is set aside by these seeds.
fn valid(corpus: &Corpus, seeds: [u64; 2]) -> [String; 2] {
    seeds.map(|seed| {
        let mut corpus = corpus.clone();
        corpus.set_aside_valid(0.2, seed);
        part(&corpus, Part::Valid)
    })
}

#[test]
fn a_folder_without_groups_is_divided_as_before() {
    let folder = TempDir::new().unwrap();
    for n in 0..12 {
        put(folder.path(), &format!("dog/{n}.wav"));
        put(folder.path(), &format!("cat/theo_{n}.wav"));
    }
    put(folder.path(), "rare/1.wav");
    let corpus = open("folder", folder.path(), "?test_fraction=0.2").unwrap();
    assert_eq!(
        part(&corpus, Part::Test),
        "cat/theo_6.wav cat/theo_8.wav dog/2.wav dog/8.wav"
    );
    assert_eq!(
        valid(&corpus, [0, 7]),
        [
            "cat/theo_10.wav cat/theo_9.wav dog/1.wav dog/10.wav",
            "cat/theo_10.wav cat/theo_11.wav dog/1.wav dog/7.wav",
        ]
    );
}

#[test]
fn clips_of_one_original_are_divided_as_before() {
    let folder = TempDir::new().unwrap();
    for fold in 1..=5 {
        for (class, original) in [("001 - Dog", 100), ("002 - Rain", 200)] {
            for (recording, take) in [(7, 'A'), (7, 'B'), (8, 'A'), (9, 'A')] {
                let recording = original + 10 * fold + recording;
                put(
                    folder.path(),
                    &format!("{class}/{fold}-{recording}-{take}.wav"),
                );
            }
        }
    }
    let corpus = open("esc", folder.path(), "").unwrap();
    assert_eq!(
        valid(&corpus, [0, 7]),
        [
            "001 - Dog/1-117-A 001 - Dog/1-117-B 001 - Dog/2-128-A 002 - Rain/1-217-A \
             002 - Rain/1-217-B 002 - Rain/1-218-A",
            "001 - Dog/1-118-A 001 - Dog/1-119-A 001 - Dog/2-128-A 002 - Rain/1-219-A \
             002 - Rain/4-247-A 002 - Rain/4-247-B 002 - Rain/4-249-A",
        ]
    );
}

/// A hash of the names in the validation part of a corpus in `SORI_DATA`.
fn hash_of_valid(name: &str, query: &str) -> Option<String> {
    let root = std::env::var_os("SORI_DATA")?;
    let folder = Path::new(&root).join(name);
    let mut corpus = open(name.trim_end_matches("10"), &folder, query).ok()?;
    corpus.set_aside_valid(0.1, 0);
    let hash = blake3::hash(part(&corpus, Part::Valid).as_bytes());
    Some(hash.to_hex()[..16].to_owned())
}

#[test]
fn published_corpora_are_divided_as_before() {
    for (name, query, known) in [
        ("esc10", "", "d4d0302e79c8660d"),
        ("esc10", "?folds=1", "fc8a282a169e3b87"),
        ("fsdd", "", "671c64360cce6840"),
        ("pansori", "", "67b0dc229d1bb2cc"),
        ("speechocean762", "", "0a69ce9ade8bf5ce"),
        ("yesno", "", "7c0166f8644c069c"),
    ] {
        if let Some(found) = hash_of_valid(name, query) {
            assert_eq!(found, known, "{name}{query}");
        }
    }
}
