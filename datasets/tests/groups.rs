//! What belongs together stays in one part: groups by names, in manifests, where parts are chosen and
//! in folds.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod on_disk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sori_datasets::{Corpus, Item, Part, Spec, Whole};
use tempfile::TempDir;

use on_disk::{complaint, ids, open, put, put_text, skip_bad, spec};

const SPEAKERS: [&str; 6] = ["ann", "bob", "cy", "dee", "eve", "fay"];

/// Each speaker says each word three times: `yes/3_ann_0.wav`.
fn spoken(folder: &Path) {
    for (number, word) in ["no", "stop", "yes"].iter().enumerate() {
        for speaker in SPEAKERS {
            for take in 0..3 {
                put(folder, &format!("{word}/{number}_{speaker}_{take}.wav"));
            }
        }
    }
}

const BY_SPEAKER: &str = r"group=_([a-z]+)_\d";

/// The groups of a part.
fn groups(corpus: &Corpus, part: Part) -> BTreeSet<String> {
    let items = corpus.part(part).into_iter();
    items.filter_map(|item| item.group.clone()).collect()
}

fn sizes(corpus: &Corpus) -> [usize; 3] {
    [Part::Train, Part::Valid, Part::Test].map(|part| corpus.part(part).len())
}

#[test]
fn a_speaker_of_a_folder_is_in_one_part() {
    let folder = TempDir::new().unwrap();
    spoken(folder.path());
    let mut corpus = open("folder", folder.path(), &format!("?{BY_SPEAKER}")).unwrap();
    assert_eq!(corpus.items[0].id, "no/0_ann_0.wav");
    assert_eq!(corpus.items[0].group.as_deref(), Some("ann"));
    assert_eq!(corpus.items[0].domain.as_deref(), Some("ann"));
    assert_eq!(sizes(&corpus), [45, 0, 9]);
    assert_eq!(corpus.set_aside_valid(0.1, 1), Some(Whole::Domains));
    assert_eq!(sizes(&corpus), [36, 9, 9]);
    let [train, valid, test] = [Part::Train, Part::Valid, Part::Test].map(|it| groups(&corpus, it));
    assert_eq!((train.len(), valid.len(), test.len()), (4, 1, 1));
    assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test));

    // Nothing stays together without groups.
    let mut corpus = open("folder", folder.path(), "").unwrap();
    assert_eq!(corpus.set_aside_valid(0.1, 1), Some(Whole::Recordings));
    assert!(corpus.items.iter().all(|item| item.group.is_none()));
    assert_eq!(corpus.set_aside_valid(0.1, 1), None);
}

#[test]
fn without_brackets_all_that_matches_is_the_group() {
    let folder = TempDir::new().unwrap();
    spoken(folder.path());
    let whole = open("folder", folder.path(), "?group=_[a-z]+_").unwrap();
    assert_eq!(whole.items[0].group.as_deref(), Some("_ann_"));
    // The first bracket counts, and a '?' or a '=' is one of the expression.
    let first = open("folder", folder.path(), "?group=_(?:=|x)?([a-z]+?)(_\\d)").unwrap();
    assert_eq!(first.items[0].group.as_deref(), Some("ann"));
    let half = open("folder", folder.path(), "?group=_([a-z%26]+)_&split=test").unwrap();
    assert_eq!(half.items.len(), 9);
}

#[test]
fn a_name_without_a_group_is_told_of_with_one_that_has_one() {
    let folder = TempDir::new().unwrap();
    spoken(folder.path());
    put(folder.path(), "no/noise.wav");
    put(folder.path(), "yes/7.wav");
    let spec = spec("folder", folder.path(), &format!("?{BY_SPEAKER}"));
    let error = complaint(Corpus::open(&spec));
    for words in ["no/noise.wav", "2 of 56", "no/0_ann_0.wav", "'ann'"] {
        assert!(error.contains(words), "{error}");
    }
    let corpus = Corpus::open_with(&spec, &skip_bad()).unwrap();
    assert_eq!((corpus.items.len(), corpus.rejected.len()), (54, 2));
    assert!(corpus.rejected[1].place.ends_with("7.wav"));

    let error = complaint(open("folder", folder.path(), "?group=speaker(.*)"));
    assert!(
        error.contains("none of the 56") && error.contains("no/0_ann_0.wav"),
        "{error}"
    );
    let error = complaint(open("folder", folder.path(), "?group=(a"));
    assert!(error.contains("unclosed group"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn recordings_of_one_speaker_are_set_aside_one_by_one() {
    let folder = TempDir::new().unwrap();
    spoken(folder.path());
    let two = TempDir::new().unwrap();
    for speaker in ["ann", "bob"] {
        for word in ["no", "yes"] {
            for take in 0..10 {
                put(two.path(), &format!("{word}/0_{speaker}_{take}.wav"));
            }
        }
    }
    let mut corpus = open("folder", two.path(), &format!("?{BY_SPEAKER}")).unwrap();
    assert_eq!(sizes(&corpus), [20, 0, 20]);
    assert!(corpus.only_group(Part::Train).is_some());
    assert_eq!(corpus.set_aside_valid(0.1, 0), Some(Whole::Recordings));
    assert_eq!(sizes(&corpus), [18, 2, 20]);

    let one = TempDir::new().unwrap();
    for take in 0..10 {
        put(one.path(), &format!("no/0_ann_{take}.wav"));
        put(one.path(), &format!("yes/0_ann_{take}.wav"));
    }
    let corpus = open("folder", one.path(), &format!("?{BY_SPEAKER}")).unwrap();
    assert_eq!(sizes(&corpus), [18, 0, 2]);
    assert_eq!(corpus.only_group(Part::Test), Some("ann"));
}

#[test]
fn validation_is_by_speaker_where_the_test_part_is_of_other_speakers() {
    let folder = TempDir::new().unwrap();
    for speaker in ["theo", "jackson", "lucas", "nicolas"] {
        for index in 0..20 {
            put(folder.path(), &format!("7_{speaker}_{index}.wav"));
            put(folder.path(), &format!("3_{speaker}_{index}.wav"));
        }
    }
    // The published test part is of the same speakers.
    let mut official = open("fsdd", folder.path(), "").unwrap();
    assert_eq!(official.set_aside_valid(0.1, 0), Some(Whole::Recordings));
    assert_eq!(sizes(&official), [108, 12, 40]);

    let whole = |query: &str, part: Part| -> Vec<Item> {
        let corpus = open("fsdd", folder.path(), query).unwrap();
        let items = corpus.items.into_iter();
        items.map(|item| Item { part, ..item }).collect()
    };
    let tested_on = |query: &str| {
        let mut corpus = open("fsdd", folder.path(), "?speaker=!theo").unwrap();
        corpus.items.retain(|item| item.part == Part::Train);
        corpus.items.extend(whole(query, Part::Test));
        let kept = corpus.set_aside_valid(0.1, 0);
        let valid = corpus.part(Part::Valid).into_iter();
        let speakers: BTreeSet<String> = valid.filter_map(|item| item.domain.clone()).collect();
        (kept, sizes(&corpus), speakers.len())
    };
    let (kept, sizes, speakers) = tested_on("?speaker=theo");
    assert_eq!(
        (kept, sizes, speakers),
        (Some(Whole::Domains), [60, 30, 40], 1)
    );
    let (kept, ..) = tested_on("?speaker=lucas&split=test");
    assert_eq!(kept, Some(Whole::Recordings));
    // Nothing is tested on: there is nothing to resemble.
    let mut corpus = open("fsdd", folder.path(), "?split=train").unwrap();
    assert_eq!(corpus.set_aside_valid(0.1, 0), Some(Whole::Recordings));
}

/// Setting aside a whole domain would leave one domain, or no recording of a class.
#[test]
fn validation_is_not_by_speaker_where_too_little_would_be_left() {
    let folder = TempDir::new().unwrap();
    for index in 0..20 {
        for name in [
            "7_theo",
            "3_theo",
            "7_jackson",
            "3_jackson",
            "7_lucas",
            "3_lucas",
        ] {
            put(folder.path(), &format!("{name}_{index}.wav"));
        }
    }
    let tested_on_lucas = |keep: fn(&Item) -> bool| {
        let mut corpus = open("fsdd", folder.path(), "?speaker=!lucas").unwrap();
        corpus
            .items
            .retain(|item| item.part == Part::Train && keep(item));
        let lucas = open("fsdd", folder.path(), "?speaker=lucas").unwrap().items;
        let test = |item: Item| Item {
            part: Part::Test,
            ..item
        };
        corpus.items.extend(lucas.into_iter().map(test));
        (corpus.set_aside_valid(0.1, 0), sizes(&corpus))
    };
    let two_speakers = tested_on_lucas(|_| true);
    assert_eq!(two_speakers, (Some(Whole::Recordings), [54, 6, 40]));
    let a_class_each =
        tested_on_lucas(|item| item.id.starts_with("7_theo") || item.id.starts_with("3_jackson"));
    assert_eq!(a_class_each, (Some(Whole::Recordings), [26, 4, 40]));
}

#[test]
fn a_manifest_names_groups() {
    let folder = TempDir::new().unwrap();
    let mut lines = String::new();
    for speaker in 1..=5 {
        for word in ["no", "yes"] {
            put(folder.path(), &format!("{word}{speaker}.wav"));
            lines += &format!(
                "{{\"audio\": \"{word}{speaker}.wav\", \"label\": \"{word}\", \"group\": {speaker}}}\n"
            );
        }
    }
    put_text(folder.path(), "list.jsonl", &lines);
    let list = folder.path().join("list.jsonl");
    // No line has a part, so that one group is set aside for the test.
    let corpus = open("manifest", &list, "").unwrap();
    assert!(corpus.test_is_set_aside);
    assert_eq!(sizes(&corpus), [8, 0, 2]);
    assert!(groups(&corpus, Part::Train).is_disjoint(&groups(&corpus, Part::Test)));
    assert_eq!(
        sizes(&open("manifest", &list, "?test_fraction=0.4").unwrap()),
        [6, 0, 4]
    );
    let error = complaint(open("manifest", &list, "?folds=1&test_fraction=0.2"));
    assert!(error.contains("give one of them"), "{error}");

    let mut corpus = open("manifest", &list, "?test_fraction=0").unwrap();
    assert_eq!(corpus.items[2].group.as_deref(), Some("2"));
    assert_eq!(corpus.items[2].domain, None);
    assert_eq!(corpus.set_aside_valid(0.2, 0), Some(Whole::Groups));
    assert_eq!(sizes(&corpus), [8, 2, 0]);
    assert!(groups(&corpus, Part::Train).is_disjoint(&groups(&corpus, Part::Valid)));

    put_text(
        folder.path(),
        "list.csv",
        "audio,label,group\nno1.wav,no,ann\nyes1.wav,yes,\n",
    );
    let corpus = open("manifest", &folder.path().join("list.csv"), "").unwrap();
    let found: Vec<_> = corpus.items.iter().map(|it| it.group.as_deref()).collect();
    assert_eq!(found, [Some("ann"), None]);
}

#[test]
fn parts_of_one_file_have_one_group() {
    let folder = TempDir::new().unwrap();
    put(folder.path(), "a.wav");
    put(folder.path(), "b.wav");
    let list = folder.path().join("list.jsonl");
    let line = |audio: &str, offset: f64, group: &str| {
        format!(
            "{{\"audio\": \"{audio}\", \"text\": \"x\", \"offset\": {offset}, \"duration\": 0.04{group}}}\n"
        )
    };
    let lines = [
        line("a.wav", 0.0, r#", "group": "ann""#),
        line("b.wav", 0.0, ""),
        line("b.wav", 0.05, ""),
    ]
    .concat();
    put_text(folder.path(), "list.jsonl", &lines);
    let corpus = open("manifest", &list, "").unwrap();
    let found: Vec<_> = corpus.items.iter().map(|it| it.group.as_deref()).collect();
    assert_eq!(found, [Some("ann"), Some("b.wav"), Some("b.wav")]);

    for (group, words) in [("", "no group"), (r#", "group": "bob""#, "'bob'")] {
        let more = line("a.wav", 0.05, group);
        put_text(folder.path(), "list.jsonl", &format!("{lines}{more}"));
        let error = complaint(open("manifest", &list, ""));
        for words in [words, "list.jsonl:4", "line 1", "'ann'"] {
            assert!(error.contains(words), "{error}");
        }
        let spec = spec("manifest", &list, "");
        let corpus = Corpus::open_with(&spec, &skip_bad()).unwrap();
        assert_eq!((corpus.items.len(), corpus.rejected.len()), (3, 1));
    }
}

/// The test part of each fold.
fn test_parts(corpus: &str, place: &Path, query: &str, count: usize) -> Vec<BTreeSet<String>> {
    let folds = (1..=count).map(|fold| {
        let corpus = open(corpus, place, &format!("?folds={fold}{query}")).unwrap();
        let test = ids(&corpus, Part::Test).into_iter();
        test.map(str::to_owned).collect()
    });
    folds.collect()
}

#[test]
fn each_recording_of_a_folder_is_in_one_fold() {
    let folder = TempDir::new().unwrap();
    spoken(folder.path());
    let check = |folds: &[BTreeSet<String>], sizes: [usize; 2]| {
        let all: BTreeSet<&String> = folds.iter().flatten().collect();
        let sum: usize = folds.iter().map(BTreeSet::len).sum();
        assert_eq!((all.len(), sum), (54, 54));
        assert!(
            folds.iter().all(|fold| sizes.contains(&fold.len())),
            "{folds:?}"
        );
    };
    check(&test_parts("folder", folder.path(), "", 5), [10, 11]);
    check(&test_parts("folder", folder.path(), "&of=4", 4), [13, 14]);
    let by_speaker = test_parts("folder", folder.path(), &format!("&of=3&{BY_SPEAKER}"), 3);
    check(&by_speaker, [18, 18]);
    let speaker = |id: &String| id.split('_').nth(1).unwrap().to_owned();
    for fold in &by_speaker {
        assert_eq!(fold.iter().map(speaker).collect::<BTreeSet<_>>().len(), 2);
    }
    let two = open("folder", folder.path(), "?folds=1,3").unwrap();
    assert_eq!(two.part(Part::Test).len(), 22);
}

#[test]
fn folds_that_cannot_be_are_refused() {
    let folder = TempDir::new().unwrap();
    spoken(folder.path());
    for (query, words) in [
        ("?folds=6", "from 1 to 5"),
        ("?folds=4&of=3", "from 1 to 3"),
        ("?of=3", "goes with folds"),
        ("?folds=1&of=1", "between 2 and 1000"),
        ("?folds=1&test_fraction=0.2", "give one of them"),
        ("?folds=1&of=55", "54 recordings"),
        ("?folds=1&of=7&group=_([a-z]+)_", "6 groups"),
    ] {
        let error = complaint(open("folder", folder.path(), query));
        assert!(error.contains(words), "{query}: {error}");
    }
    let parts = TempDir::new().unwrap();
    for number in 0..5 {
        put(parts.path(), &format!("train/a/{number}.wav"));
        put(parts.path(), &format!("train/b/{number}.wav"));
    }
    assert_eq!(
        sizes(&open("folder", parts.path(), "?folds=2").unwrap()),
        [8, 0, 2]
    );
    put(parts.path(), "test/a/1.wav");
    let error = complaint(open("folder", parts.path(), "?folds=2"));
    assert!(error.contains("test part of its own"), "{error}");
}

#[test]
fn a_manifest_is_divided_into_folds() {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("list.csv");
    let mut lines = vec!["audio,label,split".to_owned()];
    for number in 0..12 {
        put(folder.path(), &format!("{number}.wav"));
        let split = if number < 2 { "valid" } else { "" };
        lines.push(format!("{number}.wav,{},{split}", number % 2));
    }
    put_text(folder.path(), "list.csv", &lines.join("\n"));
    assert_eq!(
        sizes(&open("manifest", &list, "?folds=3").unwrap()),
        [8, 2, 2]
    );
    let before = test_parts("manifest", &list, "&of=3", 3);
    lines[1..].reverse();
    put_text(folder.path(), "list.csv", &lines.join("\n"));
    assert_eq!(test_parts("manifest", &list, "&of=3", 3), before);

    lines.push("12.wav,0,test".to_owned());
    put(folder.path(), "12.wav");
    put_text(folder.path(), "list.csv", &lines.join("\n"));
    let error = complaint(open("manifest", &list, "?folds=1"));
    assert!(error.contains("list.csv:14"), "{error}");
}

#[test]
fn a_speaker_of_speech_commands_is_set_aside_whole() {
    let folder = TempDir::new().unwrap();
    put_text(folder.path(), "validation_list.txt", "");
    put_text(folder.path(), "testing_list.txt", "");
    for word in ["yes", "no"] {
        for speaker in 0..10 {
            for take in 0..2 {
                put(
                    folder.path(),
                    &format!("{word}/{speaker:08x}_nohash_{take}.wav"),
                );
            }
        }
    }
    let mut corpus = open("speech-commands", folder.path(), "").unwrap();
    assert_eq!(corpus.set_aside_valid(0.1, 0), Some(Whole::Groups));
    assert_eq!(sizes(&corpus), [36, 4, 0]);
    assert!(groups(&corpus, Part::Train).is_disjoint(&groups(&corpus, Part::Valid)));
}

/// What is proposed for a folder with these files: the expression, the number of values and some.
fn proposed(names: &[String]) -> Option<(String, usize, Vec<String>)> {
    let folder = TempDir::new().unwrap();
    for name in names {
        put(folder.path(), name);
    }
    let corpus = open("folder", folder.path(), "").unwrap();
    let found = corpus.proposed_group()?;
    // What is proposed is what is found.
    let spec = found.spec(&corpus.spec);
    assert_eq!(spec.to_string().parse::<Spec>().unwrap(), spec);
    let grouped = Corpus::open(&spec).unwrap();
    let values: BTreeSet<_> = grouped
        .items
        .iter()
        .filter_map(|it| it.group.clone())
        .collect();
    assert_eq!(values.len(), found.groups);
    assert!(grouped.proposed_group().is_none());
    assert!(found.examples.iter().all(|value| values.contains(value)));
    Some((found.regex, found.groups, found.examples))
}

/// Names of classes 0 to 3 and of these numbers of speakers and takes.
fn names(
    speakers: &[&str],
    takes: usize,
    name: impl Fn(usize, &str, usize) -> String,
) -> Vec<String> {
    let mut names = Vec::new();
    for class in 0..4 {
        for speaker in speakers {
            for take in 0..takes {
                names.push(format!("class_{class}/{}", name(class, speaker, take)));
            }
        }
    }
    names
}

#[test]
fn speakers_in_names_are_found() {
    let check = |names: Vec<String>, regex: &str| {
        let (found, groups, examples) = proposed(&names).unwrap();
        assert_eq!((found.as_str(), groups), (regex, 3));
        assert_eq!(examples.len(), 3);
    };
    let people = ["george", "jackson", "theo"];
    check(
        names(&people, 4, |class, who, take| {
            format!("{class}_{who}_{take}.wav")
        }),
        "/[^/_]*_([^/._]+)[^/]*$",
    );
    check(
        names(&people, 4, |class, who, take| {
            format!("{who}_{class}_{take}.wav")
        }),
        "/([^/._]+)[^/]*$",
    );
    check(
        names(&["spk01", "spk02", "spk03"], 4, |class, who, take| {
            format!(
                "{who}-{}-{take:03}.wav",
                ["up", "down", "left", "right"][class]
            )
        }),
        "/([^/.-]+)[^/]*$",
    );
    check(
        names(&["0a7c", "b13e", "ff02"], 4, |_, who, take| {
            format!("{who}_nohash_{take}.wav")
        }),
        "/([^/._]+)[^/]*$",
    );
    // From the back, where the front is of several lengths.
    check(
        names(&people, 4, |class, who, take| {
            let word = ["up", "go_on", "left.turn", "so it is"][class];
            format!("{word}-{who}-{take}.wav")
        }),
        "([^/_. -]+)[_. -][^/_. -]*\\.[^/.]*$",
    );
    // Numbers that are no index.
    check(
        names(&["19", "1034", "387"], 4, |_, who, take| {
            format!("{who}-{take:04}.wav")
        }),
        "/([^/.-]+)[^/]*$",
    );
    // One recording of each speaker and class.
    check(
        names(&people, 1, |_, who, _| format!("{who}.wav")),
        "/([^/.]+)[^/]*$",
    );
}

#[test]
fn nothing_is_proposed_where_names_show_nothing() {
    let people = ["george", "jackson", "theo"];
    let words = ["dog", "cat", "cow", "hen"];
    for names in [
        names(&["x"], 12, |_, _, take| format!("{take:03}.wav")),
        names(&["x"], 12, |class, _, take| {
            format!("{}{take}.wav", words[class])
        }),
        names(&["x"], 12, |class, _, take| {
            format!("{}_{take}.wav", words[class])
        }),
        // Fold, original, take and class of ESC-50.
        names(&["A", "B", "C"], 5, |class, take, fold| {
            format!("{}-{}-{take}-{class}.wav", fold + 1, 100 * class + fold)
        }),
        // Two places that are as good.
        names(&people, 9, |_, who, take| {
            format!("{who}_{}_{take}.wav", ["hall", "car", "field"][take % 3])
        }),
        // Numbers of speakers that could be takes.
        names(&["1", "2", "3", "4"], 5, |_, who, take| {
            format!("{who}_{take}.wav")
        }),
        // A speaker who is not in all names.
        [
            names(&people, 4, |class, who, take| {
                format!("{class}_{who}_{take}.wav")
            }),
            vec!["class_0/noise.wav".to_owned()],
        ]
        .concat(),
    ] {
        assert_eq!(proposed(&names), None, "{}", names[0]);
    }
    // A folder with parts of its own keeps them.
    let parts = names(&people, 4, |class, who, take| {
        format!("{class}_{who}_{take}.wav")
    });
    let parts: Vec<String> = ["train", "valid"]
        .iter()
        .flat_map(|part| parts.iter().map(move |name| format!("{part}/{name}")))
        .collect();
    assert_eq!(proposed(&parts), None);
}

#[test]
fn published_names_show_speakers_or_nothing() {
    let Some(root) = std::env::var_os("SORI_DATA") else {
        return;
    };
    let root = Path::new(&root);
    if let Ok(esc) = open("folder", &root.join("esc10"), "") {
        assert_eq!(esc.proposed_group(), None);
    }
    let recordings = root.join("fsdd/recordings");
    let Ok(entries) = std::fs::read_dir(recordings) else {
        return;
    };
    // A folder for each digit, of empty files but for one.
    let folder = TempDir::new().unwrap();
    let mut counts = BTreeMap::<String, usize>::new();
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some((digit, _)) = name.split_once('_') else {
            continue;
        };
        *counts.entry(digit.to_owned()).or_default() += 1;
        put(folder.path(), &format!("{digit}/{name}"));
    }
    assert_eq!(counts.len(), 10);
    let corpus = open("folder", folder.path(), "").unwrap();
    let found = corpus.proposed_group().unwrap();
    assert_eq!(found.groups, 6);
    assert_eq!(found.examples, ["george", "jackson", "lucas"]);
    assert_eq!(found.regex, "/[^/_]*_([^/._]+)[^/]*$");
}
