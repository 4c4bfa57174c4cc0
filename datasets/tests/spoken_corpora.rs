//! Corpora to transcribe, laid out small as their authors do: splits, transcripts and what can be
//! wrong.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod on_disk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sori_datasets::{
    AudioMemory, Corpus, FeatureCache, FeatureConfig, Item, Joined, Part, Piece, Source, Target,
    TargetKind, audio,
};
use tempfile::TempDir;

use on_disk::{complaint, ids, open, put, put_sound, put_text, skip_bad, spec};

/// Ids and transcripts of a part.
fn said(corpus: &Corpus, part: Part) -> Vec<(&str, &str)> {
    corpus
        .part(part)
        .into_iter()
        .map(|item| {
            let Target::Text(text) = &item.target else {
                panic!("{item:?}")
            };
            (item.id.as_str(), text.as_str())
        })
        .collect()
}

fn open_skipping(corpus: &str, folder: &Path) -> Corpus {
    Corpus::open_with(&spec(corpus, folder, ""), &skip_bad()).unwrap()
}

/// FSDD of three speakers and four digits, indices 0 to 11; each recording is a constant of its own
/// value, so that it is known again.
fn digits(folder: &Path) -> BTreeMap<String, f32> {
    let mut values = BTreeMap::new();
    for speaker in ["ann", "ben", "cem"] {
        for digit in [0, 3, 7, 9] {
            for index in 0..12 {
                let value = 100 * (1 + values.len()) as i16;
                let name = format!("{digit}_{speaker}_{index}");
                put_sound(
                    folder,
                    &format!("recordings/{name}.wav"),
                    &vec![value; 800 + index],
                );
                values.insert(name, f32::from(value) / 32_768.0);
            }
        }
    }
    values
}

fn joined(item: &Item) -> &Joined {
    match &item.source {
        Source::Joined(joined) => joined,
        other => panic!("{other:?}"),
    }
}

/// `(digit, speaker, index)` of each piece.
fn pieces(item: &Item) -> Vec<(String, String, u32)> {
    let names = joined(item).pieces.iter().map(|piece| {
        let stem = piece.path.file_stem().unwrap().to_str().unwrap();
        let parts: Vec<&str> = stem.split('_').collect();
        (
            parts[0].to_owned(),
            parts[1].to_owned(),
            parts[2].parse().unwrap(),
        )
    });
    names.collect()
}

#[test]
fn connected_digits_never_share_a_recording_between_parts() {
    let folder = TempDir::new().unwrap();
    digits(folder.path());
    let corpus = open("digits", folder.path(), "?size=500").unwrap();
    let sizes = Part::VALUES.iter().map(|part| corpus.part(*part).len());
    assert_eq!(sizes.collect::<Vec<_>>(), [500, 50, 50]);
    assert_eq!(
        (corpus.task, corpus.native_rate_hz),
        (TargetKind::Transcribe, 8000)
    );
    let words = BTreeMap::from([("0", "zero"), ("3", "three"), ("7", "seven"), ("9", "nine")]);
    let mut used = BTreeSet::new();
    let mut counts = BTreeSet::new();
    for item in &corpus.items {
        let pieces = pieces(item);
        counts.insert(pieces.len());
        let speakers: BTreeSet<&String> = pieces.iter().map(|(_, speaker, _)| speaker).collect();
        assert_eq!(speakers.len(), 1, "{}", item.id);
        let expected: Vec<&str> = pieces
            .iter()
            .map(|(digit, ..)| words[digit.as_str()])
            .collect();
        assert_eq!(item.target, Target::Text(expected.join(" ")));
        for (_, _, index) in &pieces {
            let part = match index {
                0..=4 => Part::Test,
                5..=8 => Part::Valid,
                _ => Part::Train,
            };
            assert_eq!(part, item.part, "{}", item.id);
        }
        let joined = joined(item);
        assert!((30.0..50.0).contains(&joined.snr_db) && (50..300).contains(&joined.tail_ms));
        assert!(
            joined
                .pieces
                .iter()
                .all(|piece| (50..300).contains(&piece.pause_ms))
        );
        if item.part == Part::Train {
            used.extend(
                item.source
                    .files()
                    .into_iter()
                    .map(|(path, _)| path.to_owned()),
            );
        }
    }
    assert_eq!(counts, BTreeSet::from([3, 4, 5, 6, 7]));
    // All there are of the training part: 3 speakers, 4 digits, 3 indices.
    assert_eq!(used.len(), 36);

    // Others with another seed, the same whatever their number.
    let more = open("digits", folder.path(), "?size=600&split=train").unwrap();
    assert_eq!(
        more.items[..500],
        *corpus
            .part(Part::Train)
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
    );
    let other = open("digits", folder.path(), "?size=500&seed=1").unwrap();
    assert_ne!(other.items[0].source, corpus.items[0].source);
    let noises: BTreeSet<u64> = corpus
        .items
        .iter()
        .map(|item| joined(item).noise_seed)
        .collect();
    assert_eq!(noises.len(), 600);
}

#[test]
fn a_speaker_of_connected_digits_may_be_kept_for_the_test() {
    let folder = TempDir::new().unwrap();
    digits(folder.path());
    let speakers = |query: &str| -> (usize, BTreeSet<String>) {
        let corpus = open("digits", folder.path(), query).unwrap();
        let speakers = corpus
            .items
            .iter()
            .flat_map(pieces)
            .map(|(_, speaker, _)| speaker);
        (corpus.items.len(), speakers.collect())
    };
    let all_but = speakers("?speaker=!cem&size=40");
    assert_eq!(all_but, (48, BTreeSet::from(["ann".into(), "ben".into()])));
    let one = speakers("?speaker=cem&split=test&size=40");
    assert_eq!(one, (4, BTreeSet::from(["cem".into()])));
    assert_eq!(speakers("?speaker=cem&size=3").0, 5);
    // One who is kept says other digits than the others did.
    let strings = |query: &str| -> BTreeSet<String> {
        let corpus = open("digits", folder.path(), query).unwrap();
        let texts = said(&corpus, Part::Train).into_iter();
        texts
            .map(|(_, text)| text.to_owned())
            .filter(|text| text.split(' ').count() > 5)
            .collect()
    };
    let (others, kept) = (
        strings("?speaker=!cem&size=200"),
        strings("?speaker=cem&size=200"),
    );
    assert!(others.len() > 50 && others.intersection(&kept).count() < 5);

    let error = complaint(open("digits", folder.path(), "?speaker=dee"));
    assert!(error.contains("ann, ben, cem"), "{error}");
    for query in ["?size=0", "?size=x", "?seed=-1", "?speed=2"] {
        assert!(open("digits", folder.path(), query).is_err(), "{query}");
    }
    put(folder.path(), "recordings/eleven.wav");
    assert!(complaint(open("digits", folder.path(), "")).contains("7_theo_12.wav"));
    assert_eq!(open_skipping("digits", folder.path()).items.len(), 3600);
    // A part without recordings has no utterances.
    let few = TempDir::new().unwrap();
    put(few.path(), "3_ann_7.wav");
    let corpus = open("digits", few.path(), "?size=20").unwrap();
    assert_eq!((corpus.items.len(), corpus.part(Part::Valid).len()), (2, 2));
    assert_eq!(
        said(&corpus, Part::Valid)[0].1.replace("three", "").trim(),
        ""
    );
}

#[test]
fn joined_recordings_stand_where_their_pauses_put_them() {
    let folder = TempDir::new().unwrap();
    let values = digits(folder.path());
    let corpus = open("digits", folder.path(), "?size=20").unwrap();
    for item in &corpus.items {
        let joined = joined(item);
        let sound = item.waveform(8000).unwrap().samples;
        let mut clean = Vec::new();
        for piece in &joined.pieces {
            clean.resize(clean.len() + 8 * piece.pause_ms as usize, 0.0);
            let name = piece.path.file_stem().unwrap().to_str().unwrap();
            let length = 800 + name.rsplit('_').next().unwrap().parse::<usize>().unwrap();
            clean.resize(clean.len() + length, values[name]);
        }
        clean.resize(clean.len() + 8 * joined.tail_ms as usize, 0.0);
        assert_eq!(sound.len(), clean.len());
        let power = |samples: &mut dyn Iterator<Item = f32>| {
            samples.map(|x| f64::from(x).powi(2)).sum::<f64>() / sound.len() as f64
        };
        let noise = power(&mut sound.iter().zip(&clean).map(|(x, clean)| x - clean));
        let snr = 10.0 * (power(&mut clean.iter().copied()) / noise).log10();
        assert!(
            (snr - joined.snr_db).abs() < 0.1,
            "{snr} for {}",
            joined.snr_db
        );
        // No stretch is plain zeros, and it is the same again, and as long at another rate.
        assert!(sound.windows(3).all(|three| three != [0.0; 3]));
        assert_eq!(item.waveform(8000).unwrap().samples, sound);
        assert_eq!(
            item.waveform(16_000).unwrap().samples.len(),
            2 * sound.len()
        );
    }
    let empty = Joined {
        pieces: Vec::new(),
        tail_ms: 100,
        snr_db: 30.0,
        noise_seed: 0,
    };
    assert!(
        empty
            .waveform(&AudioMemory::default(), 8000)
            .unwrap_err()
            .to_string()
            .contains("at least one")
    );
}

#[test]
fn whatever_changes_a_joined_or_headerless_recording_misses_the_cache() {
    let folder = TempDir::new().unwrap();
    put_sound(folder.path(), "a.wav", &[1; 900]);
    put_sound(folder.path(), "b.wav", &[2; 900]);
    let cache = FeatureCache::new(folder.path().join("cache")).unwrap();
    let config = FeatureConfig::default();
    let entry = |source: &Source| {
        let item = Item {
            id: "x".into(),
            source: source.clone(),
            target: Target::Text(String::new()),
            part: Part::Train,
            group: None,
            domain: None,
        };
        cache.entry(&item, &config).unwrap()
    };
    let piece = |name: &str, pause_ms| Piece {
        path: folder.path().join(name),
        pause_ms,
    };
    let whole = Joined {
        pieces: vec![piece("a.wav", 50), piece("b.wav", 60)],
        tail_ms: 70,
        snr_db: 40.0,
        noise_seed: 1,
    };
    let others = [
        Joined {
            pieces: vec![piece("a.wav", 51), piece("b.wav", 60)],
            ..whole.clone()
        },
        Joined {
            pieces: vec![piece("b.wav", 50), piece("a.wav", 60)],
            ..whole.clone()
        },
        Joined {
            pieces: vec![piece("a.wav", 50)],
            ..whole.clone()
        },
        Joined {
            tail_ms: 71,
            ..whole.clone()
        },
        Joined {
            snr_db: 41.0,
            ..whole.clone()
        },
        Joined {
            noise_seed: 2,
            ..whole.clone()
        },
    ];
    let mut entries = BTreeSet::from([entry(&Source::Joined(whole.clone()))]);
    for other in others {
        assert!(
            entries.insert(entry(&Source::Joined(other.clone()))),
            "{other:?}"
        );
    }
    std::fs::copy(folder.path().join("a.wav"), folder.path().join("c.wav")).unwrap();
    let moved = Joined {
        pieces: vec![piece("c.wav", 50), piece("b.wav", 60)],
        ..whole
    };
    assert!(!entries.insert(entry(&Source::Joined(moved))));
    // The same bytes are another sound without a header.
    let path = folder.path().join("a.wav");
    assert!(entries.insert(entry(&Source::Raw(path.clone()))));
    assert!(entries.insert(entry(&Source::File(path))));
}

#[test]
fn yesno_says_what_its_names_do() {
    let folder = TempDir::new().unwrap();
    for name in ["1_0_1", "0_0_1", "1_1_1", "0_1_1"] {
        put(folder.path(), &format!("waves_yesno/{name}.wav"));
    }
    put_text(folder.path(), "waves_yesno/README", "x");
    let corpus = open("yesno", folder.path(), "").unwrap();
    assert_eq!(
        said(&corpus, Part::Train),
        [("0_0_1", "no no yes"), ("0_1_1", "no yes yes")]
    );
    assert_eq!(
        said(&corpus, Part::Test),
        [("1_0_1", "yes no yes"), ("1_1_1", "yes yes yes")]
    );
    assert_eq!(
        (corpus.task, corpus.ignored_files),
        (TargetKind::Transcribe, 1)
    );
    assert!(corpus.labels.is_empty());

    let within = folder.path().join("waves_yesno");
    for name in ["0_2_1.wav", "yes.wav", "0__1.wav"] {
        put(&within, name);
        let error = complaint(open("yesno", &within, ""));
        assert!(error.contains("0_1_1_0_0_1_0_1.wav"), "{error}");
        let corpus = open_skipping("yesno", &within);
        assert_eq!((corpus.items.len(), corpus.rejected.len()), (4, 1));
        std::fs::remove_file(within.join(name)).unwrap();
    }
    // Two recordings of one name.
    std::fs::copy(within.join("1_1_1.wav"), within.join("1_1_1.flac")).unwrap();
    let error = complaint(open("yesno", &within, ""));
    assert!(
        error.contains("1_1_1.wav") && error.contains("1_1_1.flac"),
        "{error}"
    );
    assert_eq!(open_skipping("yesno", &within).items.len(), 4);
    let empty = TempDir::new().unwrap();
    assert!(complaint(open("yesno", empty.path(), "")).contains("waves_yesno"));
}

/// Two speakers in the training set, one in each other; ids as published, wav for flac.
fn librispeech(folder: &Path) {
    for (set, speaker, chapter) in [
        ("train-clean-100", 19, 198),
        ("train-clean-100", 26, 495),
        ("dev-clean", 84, 121_123),
        ("test-clean", 61, 70_968),
        ("test-other", 367, 130_732),
    ] {
        let mut list = String::new();
        for utterance in 0..3 {
            let id = format!("{speaker}-{chapter}-{utterance:04}");
            put(folder, &format!("{set}/{speaker}/{chapter}/{id}.wav"));
            list += &format!("{id} IT'S {speaker} AND {utterance}\n");
        }
        put_text(
            folder,
            &format!("{set}/{speaker}/{chapter}/{speaker}-{chapter}.trans.txt"),
            &list,
        );
    }
    put_text(folder, "SPEAKERS.TXT", "x");
}

#[test]
fn librispeech_has_its_sets_for_parts() {
    let folder = TempDir::new().unwrap();
    librispeech(&folder.path().join("LibriSpeech"));
    let mut corpus = open("librispeech", folder.path(), "").unwrap();
    let sizes = Part::VALUES.iter().map(|part| corpus.part(*part).len());
    assert_eq!(sizes.collect::<Vec<_>>(), [6, 3, 6]);
    assert_eq!(
        said(&corpus, Part::Train)[0],
        ("19-198-0000", "IT'S 19 AND 0")
    );
    assert_eq!((corpus.ignored_files, corpus.native_rate_hz), (1, 8000));
    corpus.set_aside_valid(0.5, 0);
    assert_eq!(corpus.part(Part::Valid).len(), 3);

    let root = folder.path().join("LibriSpeech");
    let mut some = open("librispeech", &root, "?sets=test-other,train-clean-100").unwrap();
    assert_eq!(
        ids(&some, Part::Test),
        ["367-130732-0000", "367-130732-0001", "367-130732-0002"]
    );
    assert_eq!((some.items.len(), some.part(Part::Valid).len()), (9, 0));
    // A speaker as a whole.
    some.set_aside_valid(0.2, 0);
    let speakers = |part| -> BTreeSet<&str> {
        let ids = ids(&some, part).into_iter();
        ids.map(|id| id.split('-').next().unwrap()).collect()
    };
    assert_eq!(some.part(Part::Valid).len(), 3);
    assert!(speakers(Part::Valid).is_disjoint(&speakers(Part::Train)));

    let error = complaint(open("librispeech", &root, "?sets=dev-other"));
    assert!(
        error.contains("'dev-other'") && error.contains("train-clean-100"),
        "{error}"
    );
    let error = complaint(open("librispeech", &root.join("dev-clean"), ""));
    assert!(error.contains("train-clean-100"), "{error}");
}

#[test]
fn recordings_and_transcripts_that_miss_each_other_are_named() {
    let chapter = "train-clean-100/19/198";
    let list = format!("{chapter}/19-198.trans.txt");
    for (line, file, words) in [
        (
            "19-198-0007 NOBODY",
            "",
            "19-198.trans.txt:4: there is no recording '19-198-0007'",
        ),
        ("", "19-198-0008.wav", "has no line for '19-198-0008'"),
        ("", "19-198-0001.flac", "there twice"),
        (
            "19-198-0001 AGAIN",
            "",
            "trans.txt:4: '19-198-0001' is in line 2 already",
        ),
        (
            "",
            "../x/19-198-0009.wav",
            "no list *.trans.txt lies beside it",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        librispeech(folder.path());
        let text = std::fs::read_to_string(folder.path().join(&list)).unwrap();
        put_text(folder.path(), &list, &format!("{text}{line}\n"));
        if !file.is_empty() {
            put(folder.path(), &format!("{chapter}/{file}"));
        }
        let error = complaint(open("librispeech", folder.path(), ""));
        assert!(error.contains(words), "{error}");
        let corpus = open_skipping("librispeech", folder.path());
        assert_eq!(
            (corpus.items.len(), corpus.rejected.len()),
            (15, 1),
            "{words}"
        );
    }
    // An empty transcript is silence; text that is none in UTF-8 is refused.
    let folder = TempDir::new().unwrap();
    librispeech(folder.path());
    put_text(
        folder.path(),
        &list,
        "19-198-0000\n19-198-0001 \r\n19-198-0002\tA  B\n",
    );
    let corpus = open("librispeech", folder.path(), "").unwrap();
    let said = said(&corpus, Part::Train);
    assert_eq!([said[0].1, said[1].1, said[2].1], ["", "", "A  B"]);
    std::fs::write(folder.path().join(&list), b"19-198-0000 \xbe\xc8\n").unwrap();
    assert!(
        complaint(open("librispeech", folder.path(), "")).contains("trans.txt:1: it is not text")
    );
    // The same utterance in two sets.
    let folder = TempDir::new().unwrap();
    librispeech(folder.path());
    put(folder.path(), "test-other/19/198/19-198-0000.wav");
    put_text(
        folder.path(),
        "test-other/19/198/19-198.trans.txt",
        "19-198-0000 A\n",
    );
    let error = complaint(open("librispeech", folder.path(), ""));
    assert!(
        error.contains("train-clean-100") && error.contains("test-other"),
        "{error}"
    );
}

/// Talks of ten speakers, two fragments each.
fn pansori(folder: &Path) {
    for speaker in 'a'..='j' {
        let talk = format!("{speaker}/talk/{speaker}-talk");
        put(folder, &format!("{talk}-0001.wav"));
        put(folder, &format!("{talk}-0002.wav"));
        put_text(
            folder,
            &format!("{talk}.trans.txt"),
            &format!("{speaker}-talk-0001 안녕 {speaker}\n{speaker}-talk-0002 소리\n"),
        );
    }
    put_text(folder, "README.md", "x");
}

#[test]
fn no_speaker_of_a_talk_is_in_two_parts() {
    let folder = TempDir::new().unwrap();
    pansori(folder.path());
    let speakers = |corpus: &Corpus, part| -> BTreeSet<String> {
        let items = corpus.part(part).into_iter();
        items.map(|item| item.group.clone().unwrap()).collect()
    };
    let mut corpus = open("pansori", folder.path(), "").unwrap();
    assert_eq!((corpus.items.len(), corpus.ignored_files), (20, 1));
    assert_eq!(
        (
            corpus.part(Part::Test).len(),
            corpus.part(Part::Train).len()
        ),
        (2, 18)
    );
    corpus.set_aside_valid(0.1, 3);
    assert_eq!(corpus.part(Part::Valid).len(), 2);
    let [train, valid, test] =
        [Part::Train, Part::Valid, Part::Test].map(|part| speakers(&corpus, part));
    assert_eq!((train.len(), valid.len(), test.len()), (8, 1, 1));
    assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test));
    let first = corpus
        .items
        .iter()
        .find(|item| item.id == "a-talk-0001")
        .unwrap();
    assert_eq!(first.target, Target::Text("안녕 a".into()));

    // The same, wherever it lies.
    let nested = TempDir::new().unwrap();
    pansori(&nested.path().join("data"));
    let again = open("pansori", nested.path(), "").unwrap();
    assert_eq!(speakers(&again, Part::Test), test);
    let empty = TempDir::new().unwrap();
    assert!(complaint(open("pansori", empty.path(), "")).contains("FRAGMENT.flac"));
    put(empty.path(), "a/talk/a-talk-0001.wav");
    assert!(complaint(open("pansori", empty.path(), "")).contains("no list"));
}

/// Kaldi's lists, two speakers in each part.
fn speechocean(folder: &Path) {
    for (part, speakers) in [("train", ["0001", "0006"]), ("test", ["0003", "0024"])] {
        let (mut sounds, mut texts) = (String::new(), String::new());
        for speaker in speakers {
            for utterance in ["0012", "0035"] {
                let path = format!("WAVE/SPEAKER{speaker}/{speaker}{utterance}.WAV");
                put(folder, &path);
                sounds += &format!("{speaker}{utterance}\t{path}\n");
                texts += &format!("{speaker}{utterance}\tWE CALL IT {speaker}\n");
            }
        }
        put_text(folder, &format!("{part}/wav.scp"), &sounds);
        put_text(folder, &format!("{part}/text"), &texts);
    }
}

#[test]
fn speechocean762_has_its_published_parts() {
    let folder = TempDir::new().unwrap();
    speechocean(folder.path());
    put(folder.path(), "WAVE/SPEAKER0001/extra.wav");
    let corpus = open("speechocean762", folder.path(), "").unwrap();
    assert_eq!(
        ids(&corpus, Part::Train),
        ["00010012", "00010035", "00060012", "00060035"]
    );
    assert_eq!(
        said(&corpus, Part::Test)[3],
        ("00240035", "WE CALL IT 0024")
    );
    assert_eq!(corpus.items[0].group.as_deref(), Some("SPEAKER0001"));
    assert_eq!(
        (corpus.task, corpus.ignored_files),
        (TargetKind::Transcribe, 1)
    );

    for (list, line, words) in [
        (
            "train/wav.scp",
            "00990001 WAVE/x.WAV",
            "/text has no line for '00990001'",
        ),
        (
            "train/text",
            "00990001 HELLO",
            "wav.scp has no line for '00990001'",
        ),
        ("train/wav.scp", "00990001", "no path follows"),
        (
            "test/text",
            "00030012 AGAIN",
            "text:5: '00030012' is in line 1 already",
        ),
        (
            "test/wav.scp",
            "00030012 WAVE/x.WAV",
            "wav.scp:5: '00030012' is in line 1 already",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        speechocean(folder.path());
        let text = std::fs::read_to_string(folder.path().join(list)).unwrap();
        put_text(folder.path(), list, &format!("{text}{line}\n"));
        let error = complaint(open("speechocean762", folder.path(), ""));
        assert!(error.contains(words), "{error}");
        let corpus = open_skipping("speechocean762", folder.path());
        assert_eq!(
            (corpus.items.len(), corpus.rejected.len()),
            (8, 1),
            "{words}"
        );
    }
    std::fs::remove_file(folder.path().join("WAVE/SPEAKER0006/00060035.WAV")).unwrap();
    let error = complaint(open("speechocean762", folder.path(), ""));
    assert!(
        error.contains("train/wav.scp:4: there is no audio file"),
        "{error}"
    );
}

#[test]
fn speechocean762_in_one_list_is_split_by_speaker() {
    let folder = TempDir::new().unwrap();
    let mut list = "path\tspeaker\ttext\n".to_owned();
    for speaker in 0..12 {
        for utterance in 0..5 {
            let path = format!("{speaker:04}/{utterance}.wav");
            put(folder.path(), &path);
            list += &format!("{path}\t{speaker:04}\tIT'S {utterance}\n");
        }
    }
    put_text(folder.path(), "transcripts.tsv", &list);
    let corpus = open("speechocean762", folder.path(), "").unwrap();
    // Six recordings are a tenth: one speaker and the rest of a second.
    assert_eq!(
        (
            corpus.part(Part::Train).len(),
            corpus.part(Part::Test).len()
        ),
        (50, 10)
    );
    let groups = |part| -> BTreeSet<_> {
        let items = corpus.part(part).into_iter();
        items.map(|item| item.group.clone()).collect()
    };
    assert!(groups(Part::Train).is_disjoint(&groups(Part::Test)));
    assert_eq!(corpus.items[0].target, Target::Text("IT'S 0".into()));

    for (line, words) in [
        ("0001/9.wav\t0001\tHI", "there is no audio file"),
        ("0001/1.wav\t0001\tHI", "line 8 already"),
        ("\t0001\tHI", "path is empty"),
        ("0001/1.wav\t\tHI", "speaker is empty"),
        ("0001/1.wav\t0001", "2 values"),
    ] {
        put_text(folder.path(), "transcripts.tsv", &format!("{list}{line}\n"));
        let error = complaint(open("speechocean762", folder.path(), ""));
        assert!(
            error.contains("transcripts.tsv:62") && error.contains(words),
            "{error}"
        );
        let corpus = open_skipping("speechocean762", folder.path());
        assert_eq!((corpus.items.len(), corpus.rejected.len()), (60, 1));
    }
    put_text(folder.path(), "transcripts.tsv", "path\ttext\n");
    assert!(complaint(open("speechocean762", folder.path(), "")).contains("no column 'speaker'"));
    let empty = TempDir::new().unwrap();
    assert!(complaint(open("speechocean762", empty.path(), "")).contains("transcripts.tsv"));
}

fn put_bytes(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// As it is unpacked: a transcript beside each recording, some in the Korean code page.
fn ksponspeech(folder: &Path) {
    let samples: Vec<u8> = [0_i16, 16_384, -32_768, 1]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let texts: [(&str, &[u8]); 3] = [
        (
            "KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001",
            "b/ 아/ (70%)/(칠십 퍼센트) 소리+ n/".as_bytes(),
        ),
        // '소리' in code page 949.
        (
            "KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000002",
            b"\xbc\xd2\xb8\xae. l/\r\n",
        ),
        (
            "KsponSpeech_eval/eval_clean/KsponSpeech_E00001",
            "네".as_bytes(),
        ),
    ];
    for (name, text) in texts {
        // The last has half a sample too much.
        let half: &[u8] = if name.ends_with("E00001") {
            b"\x7f"
        } else {
            b""
        };
        put_bytes(folder, &format!("{name}.pcm"), &[&samples, half].concat());
        put_bytes(folder, &format!("{name}.txt"), text);
    }
}

#[test]
fn ksponspeech_has_transcripts_beside_its_samples() {
    let folder = TempDir::new().unwrap();
    ksponspeech(folder.path());
    put_text(folder.path(), "license.txt", "x");
    let corpus = open("ksponspeech", folder.path(), "").unwrap();
    assert_eq!(
        said(&corpus, Part::Train),
        [
            ("KsponSpeech_000001", "아 70% 소리"),
            ("KsponSpeech_000002", "소리.")
        ]
    );
    assert_eq!(said(&corpus, Part::Test), [("KsponSpeech_E00001", "네")]);
    assert_eq!((corpus.native_rate_hz, corpus.ignored_files), (16_000, 1));
    let said_so = open("ksponspeech", folder.path(), "?notation=pronunciation").unwrap();
    assert_eq!(said(&said_so, Part::Train)[0].1, "아 칠십 퍼센트 소리");
    for item in &corpus.items {
        let waveform = item.waveform(16_000).unwrap();
        assert_eq!(waveform.samples, [0.0, 0.5, -1.0, 1.0 / 32_768.0]);
        assert_eq!(item.waveform(8000).unwrap().samples.len(), 2);
        assert!(item.place().ends_with(".pcm"), "{}", item.place());
    }
    // Nothing else is taken for bare samples.
    assert!(
        audio::decode(
            &folder
                .path()
                .join("KsponSpeech_eval/eval_clean/KsponSpeech_E00001.pcm")
        )
        .is_err()
    );

    for (file, bytes, words) in [
        (
            "x/KsponSpeech_000009.pcm",
            b"\0\0".as_slice(),
            "KsponSpeech_000009.txt does not lie beside it",
        ),
        (
            "KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000003.txt",
            b"a",
            "KsponSpeech_000003.pcm does not lie",
        ),
        (
            "KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.PCM",
            b"\0\0",
            "does not lie beside it",
        ),
    ] {
        put_bytes(folder.path(), file, bytes);
        let error = complaint(open("ksponspeech", folder.path(), ""));
        assert!(error.contains(words), "{error}");
        let corpus = open_skipping("ksponspeech", folder.path());
        assert_eq!(
            (corpus.items.len(), corpus.rejected.len()),
            (3, 1),
            "{words}"
        );
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    put_bytes(
        folder.path(),
        "KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000002.txt",
        b"\xbc\xff",
    );
    assert!(complaint(open("ksponspeech", folder.path(), "")).contains("code page 949"));
    for query in ["?notation=phonetic", "?sets=train"] {
        let error = complaint(open("ksponspeech", folder.path(), query));
        assert!(
            error.contains("spelling or pronunciation") || error.contains("sets there are: none"),
            "{error}"
        );
    }
    let empty = TempDir::new().unwrap();
    assert!(complaint(open("ksponspeech", empty.path(), "")).contains("train.trn"));
    put_bytes(empty.path(), "KsponSpeech_000001.pcm", b"\x7f");
    put_bytes(empty.path(), "KsponSpeech_000001.txt", b"");
    let corpus = open("ksponspeech", empty.path(), "").unwrap();
    assert_eq!(said(&corpus, Part::Train)[0].1, "");
    let error = corpus.items[0].waveform(16_000).unwrap_err().to_string();
    assert!(
        error.contains("KsponSpeech_000001.pcm holds no samples"),
        "{error}"
    );
}

#[test]
fn ksponspeech_is_split_by_its_lists() {
    let folder = TempDir::new().unwrap();
    ksponspeech(&folder.path().join("KsponSpeech_train"));
    ksponspeech(folder.path());
    std::fs::remove_dir_all(folder.path().join("KsponSpeech_01")).unwrap();
    let first = "KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.pcm :: 그 (1)/(일)번*\n";
    put_text(folder.path(), "scripts/train.trn", first);
    put_text(
        folder.path(),
        "scripts/dev.trn",
        "KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000002.pcm :: u/\n\n",
    );
    put_text(
        folder.path(),
        "scripts/eval_clean.trn",
        "KsponSpeech_eval/eval_clean/KsponSpeech_E00001.pcm :: 어/ 네\n",
    );
    let corpus = open("ksponspeech", folder.path(), "").unwrap();
    assert_eq!(
        said(&corpus, Part::Train),
        [("KsponSpeech_000001", "그 1번")]
    );
    assert_eq!(said(&corpus, Part::Valid), [("KsponSpeech_000002", "")]);
    assert_eq!(said(&corpus, Part::Test), [("KsponSpeech_E00001", "어 네")]);
    assert!(
        corpus
            .items
            .iter()
            .all(|item| matches!(item.source, Source::Raw(_)))
    );
    let some = open(
        "ksponspeech",
        folder.path(),
        "?sets=eval_clean,train&notation=pronunciation",
    );
    let some = some.unwrap();
    assert_eq!(
        (some.items.len(), said(&some, Part::Train)[0].1),
        (2, "그 일번")
    );
    let error = complaint(open("ksponspeech", folder.path(), "?sets=eval_other"));
    assert!(error.contains("dev, eval_clean, train"), "{error}");

    for (line, words) in [
        ("KsponSpeech_01/x.pcm :: 네", "there is no audio file"),
        ("KsponSpeech_01 네", "PATH :: TRANSCRIPT"),
        (first, "is in line 1 already"),
    ] {
        put_text(
            folder.path(),
            "scripts/train.trn",
            &format!("{first}{line}\n"),
        );
        let error = complaint(open("ksponspeech", folder.path(), ""));
        assert!(
            error.contains("train.trn:2") && error.contains(words),
            "{error}"
        );
        assert_eq!(open_skipping("ksponspeech", folder.path()).items.len(), 3);
    }
}

/// Two recordings to train and one to test, in this folder.
fn clovacall(folder: &Path, version: &str) {
    for name in ["a.wav", "b.wav", "t.wav", "extra.wav"] {
        put(folder, &format!("{version}/{name}"));
    }
    let call = |wav: &str, text: &str, speaker: &str| {
        format!(
            "  {{\n    \"wav\": \"{wav}\",\n    \"text\": \"{text}\",\n    \"speaker_id\": \"{speaker}\"\n  }}"
        )
    };
    let train = [
        call("b.wav", "예약할게요.", "03"),
        call("a.wav", "네?", "07"),
    ]
    .join(",\n");
    put_text(folder, "train_ClovaCall.json", &format!("[\n{train}\n]\n"));
    put_text(
        folder,
        "test_ClovaCall.json",
        "[{\"wav\": \"t.wav\", \"text\": \"\"}]",
    );
}

#[test]
fn clovacall_has_two_lists() {
    let folder = TempDir::new().unwrap();
    clovacall(folder.path(), "clean");
    let corpus = open("clovacall", folder.path(), "").unwrap();
    assert_eq!(
        said(&corpus, Part::Train),
        [("a.wav", "네?"), ("b.wav", "예약할게요.")]
    );
    assert_eq!(said(&corpus, Part::Test), [("t.wav", "")]);
    assert_eq!(corpus.items[1].group.as_deref(), Some("03"));
    assert_eq!(
        (corpus.task, corpus.ignored_files),
        (TargetKind::Transcribe, 1)
    );
    assert!(complaint(open("clovacall", folder.path(), "?version=loud")).contains("clean or raw"));
    let error = complaint(open("clovacall", folder.path(), "?version=raw"));
    assert!(
        error.contains("'raw'") && error.contains("'wavs_train'"),
        "{error}"
    );

    let separate = TempDir::new().unwrap();
    clovacall(separate.path(), "wavs_train");
    put(separate.path(), "wavs_test/t.wav");
    let corpus = open("clovacall", separate.path(), "?version=raw").unwrap();
    assert_eq!((corpus.items.len(), corpus.ignored_files), (3, 2));
    assert!(corpus.part(Part::Test)[0].place().contains("wavs_test"));

    let list = std::fs::read_to_string(folder.path().join("train_ClovaCall.json")).unwrap();
    for (from, to, line, words) in [
        ("\"a.wav\"", "\"c.wav\"", 7, "there is no audio file"),
        ("\"a.wav\"", "\"b.wav\"", 7, "'b.wav' is in line 2 already"),
        ("\"네?\"", "5", 7, "an entry is such as"),
        ("\"text\": \"네?\",\n", "", 7, "missing field `text`"),
        (
            "  {\n    \"wav\": \"b.wav\"",
            "3, {\n    \"wav\": \"b.wav\"",
            2,
            "an entry is such as",
        ),
    ] {
        assert!(list.contains(from));
        put_text(
            folder.path(),
            "train_ClovaCall.json",
            &list.replace(from, to),
        );
        let error = complaint(open("clovacall", folder.path(), ""));
        let place = format!("train_ClovaCall.json:{line}: ");
        assert!(
            error.contains(&place) && error.contains(words),
            "{to}: {error}"
        );
        let corpus = open_skipping("clovacall", folder.path());
        assert_eq!(corpus.rejected.len(), 1, "{to}");
    }
    for text in ["", "{}", "[{\"wav\": ", "\u{feff}[]extra"] {
        put_text(folder.path(), "train_ClovaCall.json", text);
        let error = complaint(open("clovacall", folder.path(), ""));
        assert!(error.contains("a list of objects"), "{error}");
    }
    let empty = TempDir::new().unwrap();
    assert!(complaint(open("clovacall", empty.path(), "")).contains("train_ClovaCall.json"));
}
