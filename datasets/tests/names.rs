//! Names, labels and tables from other systems: spellings, quotation marks, parts of files.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod on_disk;

use std::collections::BTreeMap;

use on_disk::{complaint, open, put, put_sound, put_text};
use sori_datasets::{Corpus, Error, Source, Target, printable};
use tempfile::TempDir;

const COMPOSED: &str = "강아지";
const DECOMPOSED: &str = "\u{1100}\u{1161}\u{11bc}\u{110b}\u{1161}\u{110c}\u{1175}";

#[test]
fn both_spellings_of_a_class_are_one() {
    let folder = TempDir::new().unwrap();
    for class in [COMPOSED, DECOMPOSED, "고양이"] {
        for name in ["a.wav", "b.wav", "c.wav"] {
            put(folder.path(), &format!("{class}/{name}"));
        }
    }
    let corpus = open("folder", folder.path(), "").unwrap();
    assert_eq!(corpus.labels, [COMPOSED, "고양이"]);
    assert_eq!(corpus.items.len(), 9);
    let of_first = |item: &&sori_datasets::Item| item.target == Target::Class(0);
    assert_eq!(corpus.items.iter().filter(of_first).count(), 6);
    // A model knows its labels in the other spelling.
    let spec = on_disk::spec("folder", folder.path(), "");
    let given = [DECOMPOSED.to_owned(), "고양이".to_owned()];
    assert_eq!(
        Corpus::open_with_labels(&spec, &given).unwrap().items.len(),
        9
    );
}

#[test]
fn a_split_does_not_depend_on_the_spelling() {
    let ids = [COMPOSED, DECOMPOSED].map(|spelling| {
        let folder = TempDir::new().unwrap();
        for class in [spelling, "x"] {
            for number in 0..30 {
                put(folder.path(), &format!("{class}/{spelling}{number}.wav"));
            }
        }
        let corpus = open("folder", folder.path(), "").unwrap();
        let items = corpus.items.iter();
        items
            .map(|item| (item.id.clone(), item.part, item.fingerprint()))
            .collect::<Vec<_>>()
    });
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn a_listed_file_is_found_in_either_spelling() {
    for (disk, list) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
        let folder = TempDir::new().unwrap();
        put(folder.path(), &format!("{disk}/{disk}.wav"));
        let line = format!("audio,text\n{list}/{list}.wav,{list}\n");
        put_text(folder.path(), "list.csv", &line);
        let corpus = open("manifest", &folder.path().join("list.csv"), "").unwrap();
        let item = &corpus.items[0];
        assert_eq!(item.id, format!("{COMPOSED}/{COMPOSED}.wav"));
        assert_eq!(item.target.text(), Some(COMPOSED));
        assert!(item.waveform(8000).is_ok());
    }
}

#[test]
fn quotation_marks_that_do_not_match_are_told_by_line() {
    for (table, line) in [
        (
            "audio,text\na.wav,one\nb.wav,\"I said stop\nc.wav,\"six\" seven\nd.wav,\"\n",
            3,
        ),
        ("audio,text\na.wav,one\nb.wav,\"two\nc.wav,three\n", 3),
        ("audio,text\r\na.wav,\"one\" two\r\n", 2),
        ("audio,text\na.wav,\"one\ntwo\"\nb.wav,\"two\"s\n", 4),
    ] {
        let folder = TempDir::new().unwrap();
        for name in ["a.wav", "b.wav", "c.wav", "d.wav"] {
            put(folder.path(), name);
        }
        put_text(folder.path(), "list.csv", table);
        let text = complaint(open("manifest", &folder.path().join("list.csv"), ""));
        assert!(text.contains(&format!("list.csv:{line}: ")), "{text}");
        assert!(text.contains("quotation mark"), "{text}");
    }
    let folder = TempDir::new().unwrap();
    put(folder.path(), "a.wav");
    let table = "audio,text\na.wav,\"one \"\"two\"\" , three\" \n";
    put_text(folder.path(), "list.csv", table);
    let corpus = open("manifest", &folder.path().join("list.csv"), "").unwrap();
    assert_eq!(corpus.items[0].target.text(), Some("one \"two\" , three"));
}

#[test]
fn a_line_with_offset_and_duration_is_that_part() {
    let folder = TempDir::new().unwrap();
    let sound: Vec<i16> = (0..8000).collect();
    put_sound(folder.path(), "a.wav", &sound);
    let line = |rest: &str| format!("{{\"audio_filepath\": \"a.wav\", \"text\": \"x\"{rest}}}\n");
    let opened = |lines: &str| {
        put_text(folder.path(), "list.jsonl", lines);
        open("manifest", &folder.path().join("list.jsonl"), "")
    };
    let lines = [
        line(", \"offset\": 0.0, \"duration\": 0.25"),
        line(", \"offset\": 0.25, \"duration\": 0.5"),
        line(", \"offset\": 0.75"),
        // As long as the file, but for rounding.
        line(", \"duration\": 1.004"),
    ];
    let corpus = opened(&lines.concat()).unwrap();
    let found: Vec<(String, Vec<f32>)> = corpus
        .items
        .iter()
        .map(|item| (item.id.clone(), item.waveform(8000).unwrap().samples))
        .collect();
    let part = |begin: usize, end: usize| -> Vec<f32> {
        let scaled = |&value: &i16| f32::from(value) / 32_768.0;
        sound[begin..end].iter().map(scaled).collect()
    };
    assert_eq!(
        found,
        [
            ("a.wav#0-250ms".to_owned(), part(0, 2000)),
            ("a.wav#250-750ms".to_owned(), part(2000, 6000)),
            ("a.wav#750-1000ms".to_owned(), part(6000, 8000)),
            ("a.wav".to_owned(), part(0, 8000)),
        ]
    );
    assert!(matches!(corpus.items[3].source, Source::File(_)));

    for (rest, reason) in [
        (", \"offset\": 0.8, \"duration\": 0.4", "beyond its end"),
        (", \"offset\": 1.0", "beyond its end"),
        (", \"duration\": 0", "above 0"),
        (", \"offset\": -1", "0 or more"),
        (", \"duration\": 0.25", "line 1 already"),
    ] {
        let text = complaint(opened(&(lines[0].clone() + &line(rest))));
        assert!(
            text.contains("list.jsonl:2: ") && text.contains(reason),
            "{text}"
        );
    }
}

#[test]
fn the_rate_is_that_of_most_recordings() {
    let folder = TempDir::new().unwrap();
    for (name, rate) in [
        ("a", 48_000),
        ("b", 8000),
        ("c", 8000),
        ("d", 16_000),
        ("e", 16_000),
    ] {
        put(folder.path(), &format!("x/{name}.wav"));
        let path = folder.path().join(format!("x/{name}.wav"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[24..28].copy_from_slice(&u32::to_le_bytes(rate));
        std::fs::write(&path, bytes).unwrap();
    }
    put_text(folder.path(), "x/f.opus", "");
    put_text(folder.path(), "x/g.OPUS", "");
    put_text(folder.path(), "x/h.wave", "");
    put_text(folder.path(), "x/notes.txt", "");
    let corpus = open("folder", folder.path(), "").unwrap();
    assert_eq!(corpus.native_rate_hz, 16_000);
    assert_eq!(
        corpus.rates_hz,
        BTreeMap::from([(8000, 2), (16_000, 2), (48_000, 1)])
    );
    assert_eq!(corpus.ignored_files, 4);
    let unread = [("opus".to_owned(), 2), ("wave".to_owned(), 1)];
    assert_eq!(corpus.unread_sounds, BTreeMap::from(unread));
}

#[cfg(unix)]
#[test]
fn pipes_are_passed_over_in_a_class_and_refused_in_a_list() {
    let folder = TempDir::new().unwrap();
    put(folder.path(), "x/a.wav");
    let pipe = folder.path().join("x/b.wav");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let corpus = open("folder", folder.path(), "").unwrap();
    assert_eq!((corpus.items.len(), corpus.ignored_files), (1, 1));
    put_text(folder.path(), "list.csv", "audio,text\nx/b.wav,one\n");
    let text = complaint(open("manifest", &folder.path().join("list.csv"), ""));
    assert!(
        text.contains("list.csv:2: ") && text.contains("is not a file"),
        "{text}"
    );
    let text = complaint(open("manifest", &pipe, ""));
    assert!(text.contains("named pipe"), "{text}");
}

#[test]
fn messages_show_what_is_hidden() {
    assert_eq!(printable("고양이 a.wav"), "고양이 a.wav");
    assert_eq!(
        printable("a\u{1b}[2J\u{202e}b\n\u{9b}\u{feff}"),
        "a\\u{1b}[2J\\u{202e}b\\u{a}\\u{9b}\\u{feff}"
    );
    let folder = TempDir::new().unwrap();
    put(folder.path(), "\u{1b}]0;x\u{7}/a.wav");
    put_text(folder.path(), "\u{1b}]0;y/a.txt", "");
    let text = complaint(open("folder", folder.path(), ""));
    assert!(
        text.contains("\\u{1b}]0;y") && !text.contains('\u{1b}'),
        "{text}"
    );
    let error = Error::UnknownLabel {
        place: "a\u{202e}".into(),
        label: "b\u{1b}".into(),
        known: "c\u{7}".into(),
    };
    assert_eq!(
        error.to_string(),
        "a\\u{202e}: unknown label 'b\\u{1b}'; known are c\\u{7}"
    );
}

/// What a table of these bytes gives with `skip_bad`.
fn table(bytes: &[u8]) -> Result<Corpus, Error> {
    let folder = TempDir::new().unwrap();
    for name in ["u0.wav", "u1.wav", "u2.wav"] {
        put(folder.path(), name);
    }
    let path = folder.path().join("list.csv");
    std::fs::write(&path, bytes).unwrap();
    Corpus::open_with(&on_disk::spec("manifest", &path, ""), &on_disk::skip_bad())
}

#[test]
fn a_row_is_never_taken_for_a_header_that_is_no_text() {
    let text = complaint(table(b"aud\xffio,text\naudio,text\nu0.wav,one\n"));
    assert!(text.contains("its header is not text in UTF-8"), "{text}");
}

#[test]
fn a_quotation_mark_behind_a_closed_value_and_a_blank_is_refused() {
    // The second mark opens nothing, so that the third one opens a value that swallows the rest.
    let text = complaint(table(
        b"audio,text\nu0.wav,\"a\" \"x\n\",u1.wav\nu2.wav,two\n",
    ));
    assert!(
        text.contains("list.csv:2: text follows a closing quotation mark"),
        "{text}"
    );
    // Blanks alone may follow.
    let corpus = table(b"audio,text\n\"u0.wav\"  ,\"one\" \n").unwrap();
    assert_eq!(corpus.items.len(), 1);
}

#[test]
fn rows_that_end_as_on_old_macs_have_lines_of_their_own() {
    let corpus = table(b"audio,text\ru0.wav,one\r\ngone.wav,two\rlost.wav,three\r").unwrap();
    assert_eq!(corpus.items.len(), 1);
    let lines = corpus.rejected.iter();
    let lines: Vec<&str> = lines
        .filter_map(|rejected| Some(rejected.place.rsplit_once(':')?.1))
        .collect();
    assert_eq!(lines, ["3", "4"]);
    let text = complaint(table(b"audio,text\ru0.wav,one\ru1.wav,\"two\r"));
    assert!(text.contains("list.csv:3: "), "{text}");
}
