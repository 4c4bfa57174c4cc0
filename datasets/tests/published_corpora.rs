//! Published corpora, laid out small as their authors do: splits, labels, tags and what can be wrong.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod on_disk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sori_datasets::{
    Corpus, FeatureCache, FeatureConfig, Item, Part, Segment, Source, Target, TargetKind,
};
use tempfile::TempDir;

use on_disk::{complaint, ids, open, put, put_sound, put_text, skip_bad, spec};

/// The labels of each recording of a part, by id.
fn named(corpus: &Corpus, part: Part) -> Vec<(String, Vec<String>)> {
    let label = |index: &usize| corpus.labels[*index].clone();
    corpus
        .part(part)
        .into_iter()
        .map(|item| {
            let labels = match &item.target {
                Target::Class(class) => vec![label(class)],
                Target::Tags(tags) => tags.iter().map(label).collect(),
                Target::Text(text) => vec![text.clone()],
                Target::Value(value) => vec![value.to_string()],
            };
            (item.id.clone(), labels)
        })
        .collect()
}

/// A tone of its own for each file.
fn put_tone(folder: &Path, name: &str, hz: f64, samples: usize) {
    let tone = |n| 8000.0 * (std::f64::consts::TAU * hz * f64::from(n) / 8000.0).sin();
    let samples: Vec<i16> = (0..samples as u32).map(|n| tone(n) as i16).collect();
    put_sound(folder, name, &samples);
}

const ESC50_HEADER: &str = "filename,fold,target,category,esc10,src_file,take\n";

/// Two takes of a recording per fold and class; the classes dog and rain are of ESC-10.
fn esc50(folder: &Path) {
    let mut list = ESC50_HEADER.to_owned();
    let mut count = 0;
    // Not in the order of their numbers.
    for (target, category, esc10) in [
        (3, "cow", "False"),
        (10, "rain", "True"),
        (0, "dog", "True"),
    ] {
        for fold in 1..=5 {
            for (recording, take) in [(7, 'A'), (7, 'B'), (8, 'A')] {
                let recording = 1000 * fold + 10 * target + recording;
                let name = format!("{fold}-{recording}-{take}-{target}.wav");
                count += 1;
                put_tone(
                    &folder.join("audio"),
                    &name,
                    100.0 + 30.0 * f64::from(count),
                    4000,
                );
                list += &format!("{name},{fold},{target},{category},{esc10},{recording},{take}\n");
            }
        }
    }
    put_text(folder, "meta/esc50.csv", &list);
}

#[test]
fn esc_tests_on_the_folds_asked_for() {
    let folder = TempDir::new().unwrap();
    esc50(folder.path());
    put_text(folder.path(), "audio/notes.txt", "x");
    let corpus = open("esc", folder.path(), "").unwrap();
    assert_eq!(
        (corpus.task, corpus.items.len()),
        (TargetKind::Classify, 45)
    );
    assert_eq!(corpus.labels, ["dog", "cow", "rain"]);
    assert_eq!((corpus.ignored_files, corpus.native_rate_hz), (1, 8000));
    let folds = |corpus: &Corpus, part| -> String {
        let folds: BTreeSet<char> = ids(corpus, part)
            .iter()
            .map(|id| id.chars().next().unwrap())
            .collect();
        folds.into_iter().collect()
    };
    assert_eq!(folds(&corpus, Part::Test), "5");
    assert_eq!(folds(&corpus, Part::Train), "1234");
    assert_eq!(corpus.items[0].id, "1-1007-A-0");
    assert_eq!(corpus.items[0].target, Target::Class(0));

    let two = open("esc", folder.path(), "?folds=2,4").unwrap();
    assert_eq!(
        (folds(&two, Part::Test), folds(&two, Part::Train)),
        ("24".into(), "135".into())
    );
    for fold in 1..=5 {
        let one = open("esc", folder.path(), &format!("?folds={fold}")).unwrap();
        assert_eq!(folds(&one, Part::Test), fold.to_string());
        assert_eq!(
            (one.part(Part::Test).len(), one.part(Part::Train).len()),
            (9, 36)
        );
    }
    for query in ["?folds=6", "?folds=0", "?folds=", "?folds=1;2"] {
        let error = complaint(open("esc", folder.path(), query));
        assert!(error.contains("from 1 to 5"), "{query}: {error}");
    }

    let ten = open("esc", folder.path(), "?esc10=true").unwrap();
    assert_eq!((ten.items.len(), ten.ignored_files), (30, 1));
    assert_eq!(ten.labels, ["dog", "rain"]);
    assert!(complaint(open("esc", folder.path(), "?esc10=yes")).contains("true or false"));
}

#[test]
fn takes_of_a_recording_are_set_aside_together() {
    let folder = TempDir::new().unwrap();
    esc50(folder.path());
    for seed in 0..20 {
        let mut corpus = open("esc", folder.path(), "").unwrap();
        corpus.set_aside_valid(0.1, seed);
        let groups = |part| -> BTreeSet<String> {
            let items = corpus.part(part).into_iter();
            items.filter_map(|item| item.group.clone()).collect()
        };
        let (train, valid) = (groups(Part::Train), groups(Part::Valid));
        assert!(train.is_disjoint(&valid), "{train:?} {valid:?}");
        // A tenth of twelve clips is one: a recording of one take or of two.
        assert!((3..=6).contains(&corpus.part(Part::Valid).len()));
    }
}

#[test]
fn a_bad_line_of_esc50_is_named() {
    for (line, words) in [
        ("1-1-A-0.wav,1,0,dog", "4 values"),
        ("1-1-A-0.wav,1,zero,dog,True,1,A", "target is 'zero'"),
        ("1-1-A-0.wav,2,0,dog,True,1,A", "another fold"),
        ("1-1-A-0.wav,1,4,dog,True,1,A", "another fold or target"),
        ("6-1-A-0.wav,6,0,dog,True,1,A", "folds 1 to 5"),
        ("one.wav,1,0,dog,True,1,A", "1-100032-A-0.wav"),
        ("1-1-A-0.wav,1,0,wolf,True,1,A", "earlier line 'dog'"),
        ("1-1-A-0.wav,1,0,dog,maybe,1,A", "True or False"),
        ("1-1-A-0.wav,1,0,dog,True,1,A", "there is no audio file"),
        ("1-1007-A-0.wav,1,0,dog,True,7,A", "line 32 already"),
        ("1-\u{fffd}", "values"),
    ] {
        let folder = TempDir::new().unwrap();
        esc50(folder.path());
        let list = folder.path().join("meta/esc50.csv");
        let text = std::fs::read_to_string(&list).unwrap() + "\n" + line + "\n";
        std::fs::write(&list, text).unwrap();
        let error = complaint(open("esc", folder.path(), ""));
        assert!(
            error.contains("esc50.csv:48") && error.contains(words),
            "{line}: {error}"
        );
        let corpus = Corpus::open_with(&spec("esc", folder.path(), ""), &skip_bad()).unwrap();
        assert_eq!(
            (corpus.items.len(), corpus.rejected.len()),
            (45, 1),
            "{line}"
        );
    }
    let folder = TempDir::new().unwrap();
    put_text(folder.path(), "meta/esc50.csv", "filename,fold\n");
    std::fs::create_dir(folder.path().join("audio")).unwrap();
    let error = complaint(open("esc", folder.path(), ""));
    assert!(
        error.contains("no column 'target'") && error.contains("filename, fold"),
        "{error}"
    );
}

#[test]
fn the_earlier_layout_of_esc_has_a_folder_per_class() {
    let folder = TempDir::new().unwrap();
    for fold in 1..=5 {
        put(folder.path(), &format!("002 - Rain/{fold}-30-A.wav"));
        put(folder.path(), &format!("001 - Dog bark/{fold}-20-A.wav"));
    }
    put_text(folder.path(), "001 - Dog bark/notes.txt", "x");
    put_text(folder.path(), "README.md", "x");
    let corpus = open("esc", folder.path(), "?folds=1").unwrap();
    assert_eq!(corpus.labels, ["Dog bark", "Rain"]);
    assert_eq!(
        named(&corpus, Part::Test),
        [
            (
                "001 - Dog bark/1-20-A".to_owned(),
                vec!["Dog bark".to_owned()]
            ),
            ("002 - Rain/1-30-A".to_owned(), vec!["Rain".to_owned()]),
        ]
    );
    assert_eq!((corpus.items.len(), corpus.ignored_files), (10, 2));
    assert!(complaint(open("esc", folder.path(), "?esc10=true")).contains("esc50.csv"));

    put(folder.path(), "001 - Dog bark/6-20-A.wav");
    assert!(complaint(open("esc", folder.path(), "")).contains("folds 1 to 5"));
    put(folder.path(), "001 - Dog bark/bark.wav");
    let corpus = Corpus::open_with(&spec("esc", folder.path(), ""), &skip_bad()).unwrap();
    assert_eq!((corpus.items.len(), corpus.rejected.len()), (10, 2));
    let empty = TempDir::new().unwrap();
    assert!(complaint(open("esc", empty.path(), "")).contains("001 - Dog bark"));
}

/// File names by part.
fn mixed_files(corpus: &Corpus) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut files = BTreeMap::<_, BTreeSet<String>>::new();
    for item in &corpus.items {
        for (path, start_ms) in item.source.files() {
            assert_eq!(start_ms, 0);
            let name = path.file_name().unwrap().to_str().unwrap();
            files
                .entry(item.part.name())
                .or_default()
                .insert(name.into());
        }
    }
    files
}

#[test]
fn no_clip_is_mixed_in_two_parts() {
    let folder = TempDir::new().unwrap();
    esc50(folder.path());
    for (query, valid_folds, train_folds) in [
        ("?size=2000", "1234", "1234"),
        ("?size=2000&folds=1,3", "245", "245"),
        ("?size=2000&folds=1&valid_fold=2", "2", "345"),
    ] {
        let corpus = open("esc-mix", folder.path(), query).unwrap();
        let files = mixed_files(&corpus);
        let parts: Vec<&BTreeSet<String>> = files.values().collect();
        assert_eq!(parts.len(), 3);
        for (index, part) in parts.iter().enumerate() {
            for other in &parts[index + 1..] {
                assert!(part.is_disjoint(other), "{query}");
            }
        }
        let folds = |part: &str| -> String {
            let folds: BTreeSet<char> = files[part]
                .iter()
                .map(|name| name.chars().next().unwrap())
                .collect();
            folds.into_iter().collect()
        };
        assert_eq!(folds("valid"), valid_folds, "{query}");
        assert_eq!(folds("train"), train_folds, "{query}");
        // With so many mixtures every clip is in one.
        assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), 45);
        // What is set aside does not depend on how it is mixed.
        let other = open("esc-mix", folder.path(), &format!("{query}&seed=1")).unwrap();
        assert_eq!(mixed_files(&other), files);
    }
}

#[test]
fn a_mixture_is_of_different_classes_from_one_fold() {
    let folder = TempDir::new().unwrap();
    esc50(folder.path());
    let corpus = open("esc-mix", folder.path(), "?size=200").unwrap();
    let sizes = Part::VALUES.iter().map(|part| corpus.part(*part).len());
    assert_eq!(sizes.collect::<Vec<_>>(), [200, 40, 40]);
    assert_eq!(
        (corpus.task, corpus.native_rate_hz),
        (TargetKind::Tag, 8000)
    );
    let targets = ["0", "3", "10"];
    let mut voices_seen = [0; 4];
    for item in &corpus.items {
        let (Source::Mixture(mixture), Target::Tags(tags)) = (&item.source, &item.target) else {
            panic!("{item:?}")
        };
        let mut folds = BTreeSet::new();
        let mut classes = BTreeSet::new();
        for voice in &mixture.voices {
            let stem = voice.path.file_stem().unwrap().to_str().unwrap();
            let parts: Vec<&str> = stem.split('-').collect();
            folds.insert(parts[0].to_owned());
            classes.insert(
                targets
                    .iter()
                    .position(|target| *target == parts[3])
                    .unwrap(),
            );
            assert!(voice.gain_db.abs() <= 5.0 && (0.0..1.0).contains(&voice.roll));
        }
        assert_eq!(folds.len(), 1);
        assert_eq!(classes.len(), mixture.voices.len());
        assert_eq!(&classes.into_iter().collect::<Vec<_>>(), tags);
        voices_seen[mixture.voices.len()] += 1;
    }
    assert!(voices_seen[0] == 0 && voices_seen[1..].iter().all(|&count| count > 50));

    // The same again, whatever the number; another with another seed.
    let more = open("esc-mix", folder.path(), "?size=300").unwrap();
    assert_eq!(more.part(Part::Train)[..200], corpus.part(Part::Train)[..]);
    let other = open("esc-mix", folder.path(), "?size=200&seed=1").unwrap();
    assert_ne!(
        other.part(Part::Train)[0].source,
        corpus.part(Part::Train)[0].source
    );
}

#[test]
fn voices_are_rolled_and_at_the_levels_they_were_given() {
    let folder = TempDir::new().unwrap();
    esc50(folder.path());
    let corpus = open("esc-mix", folder.path(), "?size=30").unwrap();
    for item in corpus.part(Part::Train) {
        let Source::Mixture(mixture) = &item.source else {
            panic!("{item:?}")
        };
        let sound = item.waveform(8000).unwrap().samples;
        assert_eq!(sound.len(), 40_000);
        // The sum by its definition, from each clip as it is alone.
        let mut sum = vec![0.0_f64; sound.len()];
        for voice in &mixture.voices {
            let clip = sori_datasets::audio::decode(&voice.path).unwrap().samples;
            let power = clip.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / clip.len() as f64;
            let amplitude = 10.0_f64.powf(voice.gain_db / 20.0) / power.sqrt();
            let begin = (voice.roll * clip.len() as f64) as usize;
            for (n, sum) in sum.iter_mut().enumerate() {
                *sum += amplitude * f64::from(clip[(begin + n) % clip.len()]);
            }
        }
        let peak = sum.iter().fold(0.0_f64, |peak, x| peak.max(x.abs()));
        for (sample, sum) in sound.iter().zip(sum) {
            assert!((f64::from(*sample) - 0.95 * sum / peak).abs() < 1e-5);
        }
    }
}

#[test]
fn too_few_clips_to_validate_on_are_an_error() {
    let folder = TempDir::new().unwrap();
    for fold in 1..=5 {
        put(folder.path(), &format!("001 - Dog bark/{fold}-20-A.wav"));
    }
    assert!(complaint(open("esc-mix", folder.path(), "")).contains("two recordings"));
    assert!(complaint(open("esc-mix", folder.path(), "?valid_fold=5")).contains("valid_fold"));
    let corpus = open("esc-mix", folder.path(), "?valid_fold=1&size=10").unwrap();
    assert_eq!(corpus.items.len(), 14);
    assert!(complaint(open("esc-mix", folder.path(), "?valid_fold=6")).contains("between 1 and 5"));
}

fn speech_commands(folder: &Path) {
    for word in ["yes", "no", "bed", "tree"] {
        for speaker in 0..10 {
            put(folder, &format!("{word}/{speaker:08x}_nohash_0.wav"));
        }
    }
    put_tone(folder, "_background_noise_/hum.wav", 50.0, 8000 * 20 + 4000);
    put_text(folder, "_background_noise_/README.md", "x");
    put_text(folder, "LICENSE", "x");
    put_text(
        folder,
        "validation_list.txt",
        "yes/00000000_nohash_0.wav\nbed/00000001_nohash_0.wav\ntree/00000001_nohash_0.wav\n",
    );
    put_text(
        folder,
        "testing_list.txt",
        "yes/00000002_nohash_0.wav\r\nno/00000002_nohash_0.wav\r\n",
    );
}

#[test]
fn speech_commands_are_split_by_their_lists() {
    let folder = TempDir::new().unwrap();
    speech_commands(folder.path());
    let corpus = open("speech-commands", folder.path(), "").unwrap();
    assert_eq!(
        corpus.labels,
        ["_background_noise_", "bed", "no", "tree", "yes"]
    );
    assert_eq!(corpus.ignored_files, 2);
    let words = |corpus: &Corpus, part| -> Vec<String> {
        let ids = ids(corpus, part).into_iter();
        ids.filter(|id| !id.contains('#'))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        words(&corpus, Part::Test),
        ["no/00000002_nohash_0.wav", "yes/00000002_nohash_0.wav"]
    );
    assert_eq!(words(&corpus, Part::Valid).len(), 3);
    assert_eq!(words(&corpus, Part::Train).len(), 35);

    let two = open("speech-commands", folder.path(), "?words=yes,no").unwrap();
    assert_eq!(
        (two.labels.join(" ").as_str(), two.items.len()),
        ("yes no", 20)
    );
    let error = complaint(open("speech-commands", folder.path(), "?words=yes,nein"));
    assert!(
        error.contains("'nein'") && error.contains("bed, no, tree, yes"),
        "{error}"
    );
    assert!(complaint(open("speech-commands", folder.path(), "?subset=12")).contains("'up'"));
    assert!(complaint(open("speech-commands", folder.path(), "?subset=35")).contains("12"));
}

#[test]
fn background_noise_is_cut_into_seconds_that_share_nothing() {
    let folder = TempDir::new().unwrap();
    speech_commands(folder.path());
    let corpus = open(
        "speech-commands",
        folder.path(),
        "?words=_background_noise_,yes",
    )
    .unwrap();
    let seconds = |part| {
        let starts = corpus
            .part(part)
            .into_iter()
            .filter_map(|item| match &item.source {
                Source::Segment(segment) => Some(segment.start_ms / 1000),
                _ => None,
            });
        starts.collect::<Vec<_>>()
    };
    assert_eq!(seconds(Part::Train), (0..16).collect::<Vec<_>>());
    assert_eq!(seconds(Part::Valid), [16, 17]);
    assert_eq!(seconds(Part::Test), [18, 19]);
    let noise = corpus
        .items
        .iter()
        .find(|item| item.id.ends_with("hum.wav#0003"))
        .unwrap();
    let whole = sori_datasets::audio::decode(&folder.path().join("_background_noise_/hum.wav"));
    assert_eq!(
        noise.waveform(8000).unwrap().samples,
        whole.unwrap().samples[24_000..32_000]
    );
    assert_eq!(noise.waveform(16_000).unwrap().samples.len(), 16_000);
    let shared: BTreeSet<_> = corpus
        .items
        .iter()
        .flat_map(|item| item.source.files())
        .collect();
    assert_eq!(shared.len(), corpus.items.len());

    put_tone(folder.path(), "_background_noise_/hum.wav", 50.0, 8000);
    let error = noise.waveform(8000).unwrap_err().to_string();
    assert!(
        error.contains("truncated") && error.contains("hum.wav"),
        "{error}"
    );
}

#[test]
fn the_subset_of_twelve_takes_as_many_unknown_words_as_there_are_of_a_command() {
    let folder = TempDir::new().unwrap();
    speech_commands(folder.path());
    for word in ["up", "down", "left", "right", "on", "off", "stop", "go"] {
        for speaker in 0..10 {
            put(folder.path(), &format!("{word}/{speaker:08x}_nohash_0.wav"));
        }
    }
    let corpus = open("speech-commands", folder.path(), "?subset=12").unwrap();
    assert_eq!(corpus.labels[..4], ["_silence_", "_unknown_", "yes", "no"]);
    assert_eq!(corpus.labels.len(), 12);
    let count = |part, label: &str| {
        let named = named(&corpus, part).into_iter();
        named.filter(|(_, labels)| labels[0] == label).count()
    };
    // 97 recordings of commands in the training part.
    assert_eq!(count(Part::Train, "_unknown_"), 10);
    assert_eq!(
        (count(Part::Train, "yes"), count(Part::Train, "up")),
        (8, 10)
    );
    assert_eq!(
        (
            count(Part::Train, "_silence_"),
            count(Part::Test, "_silence_")
        ),
        (16, 2)
    );
}

#[test]
fn bad_lists_of_speech_commands_are_named() {
    for (list, words) in [
        ("yes/ffffffff_nohash_0.wav\n", "there is no audio file"),
        (
            "yes/00000002_nohash_0.wav\n",
            "line 1 of validation_list.txt already",
        ),
        ("\n\nyes.wav\n", "WORD/FILE.wav"),
    ] {
        let folder = TempDir::new().unwrap();
        speech_commands(folder.path());
        put_text(folder.path(), "validation_list.txt", list);
        let error = complaint(open("speech-commands", folder.path(), ""));
        assert!(
            error.contains("_list.txt:") && error.contains(words),
            "{list}: {error}"
        );
    }
    let folder = TempDir::new().unwrap();
    speech_commands(folder.path());
    std::fs::remove_file(folder.path().join("testing_list.txt")).unwrap();
    assert!(complaint(open("speech-commands", folder.path(), "")).contains("testing_list.txt"));
}

#[test]
fn urbansound8k_tests_on_its_tenth_fold() {
    let folder = TempDir::new().unwrap();
    let mut list = "slice_file_name,fsID,start,end,salience,fold,classID,class\n".to_owned();
    for fold in 1..=10 {
        for (class_id, class) in [(3, "dog_bark"), (1, "car_horn")] {
            let name = format!("{fold}00-{class_id}-0-0.wav");
            put(folder.path(), &format!("audio/fold{fold}/{name}"));
            list += &format!("{name},{fold}00,0.0,0.317551,1,{fold},{class_id},{class}\n");
        }
    }
    put_text(folder.path(), "metadata/UrbanSound8K.csv", &list);
    put_text(folder.path(), "audio/fold1/.DS_Store", "x");
    put_text(folder.path(), "audio/fold1/notes", "x");
    let corpus = open("urbansound8k", folder.path(), "").unwrap();
    assert_eq!(corpus.labels, ["car_horn", "dog_bark"]);
    assert_eq!(
        ids(&corpus, Part::Test),
        ["1000-1-0-0.wav", "1000-3-0-0.wav"]
    );
    assert_eq!(
        (corpus.part(Part::Train).len(), corpus.ignored_files),
        (18, 1)
    );
    assert_eq!(corpus.items[0].group.as_deref(), Some("100"));
    let corpus = open("urbansound8k", folder.path(), "?folds=1,2").unwrap();
    assert_eq!(corpus.part(Part::Test).len(), 4);

    let line = "x.wav,1,0,1,1,11,1,car_horn\n";
    put_text(folder.path(), "metadata/UrbanSound8K.csv", &(list + line));
    let error = complaint(open("urbansound8k", folder.path(), ""));
    assert!(
        error.contains("UrbanSound8K.csv:22") && error.contains("folds 1 to 10"),
        "{error}"
    );
}

#[test]
fn fsdkaggle2019_trains_on_its_curated_set_and_the_noisy_one_if_asked() {
    for suffix in ["", "_post_competition"] {
        let folder = TempDir::new().unwrap();
        for (set, header, rows) in [
            (
                "train_curated",
                "fname,labels",
                &["a.wav,Bark", "b.wav,\"Bark,Gong\""][..],
            ),
            ("train_noisy", "fname,labels", &["c.wav,Gong"]),
            (
                "test",
                "fname,labels,usage",
                &["e.wav,\"Gong,Run\",Private", "d.wav,Bark,Public"],
            ),
        ] {
            let list = format!("{header}\n{}\n", rows.join("\n"));
            put_text(
                folder.path(),
                &format!("FSDKaggle2019.meta/{set}{suffix}.csv"),
                &list,
            );
            for row in rows {
                put(
                    folder.path(),
                    &format!("FSDKaggle2019.audio_{set}/{}", &row[..5]),
                );
            }
        }
        let corpus = open("fsdkaggle2019", folder.path(), "").unwrap();
        assert_eq!(corpus.labels, ["Bark", "Gong", "Run"]);
        assert_eq!(
            ids(&corpus, Part::Train),
            ["train_curated/a.wav", "train_curated/b.wav"]
        );
        assert_eq!(ids(&corpus, Part::Test), ["test/d.wav", "test/e.wav"]);
        assert_eq!(corpus.part(Part::Train)[1].target, Target::Tags(vec![0, 1]));
        let noisy = open("fsdkaggle2019", folder.path(), "?noisy=true").unwrap();
        assert_eq!(ids(&noisy, Part::Train)[2], "train_noisy/c.wav");

        let bad = "fname,labels\na.wav,Bark\nb.wav,\"Bark,\"\n";
        let name = format!("FSDKaggle2019.meta/train_curated{suffix}.csv");
        put_text(folder.path(), &name, bad);
        let error = complaint(open("fsdkaggle2019", folder.path(), ""));
        assert!(
            error.contains(".csv:3") && error.contains("empty"),
            "{error}"
        );
    }
}

#[test]
fn fsd50k_has_three_parts() {
    let folder = TempDir::new().unwrap();
    for name in ["dev_audio/20.wav", "dev_audio/3.wav", "eval_audio/4.wav"] {
        put(folder.path(), &format!("FSD50K.{name}"));
    }
    let dev = "fname,labels,mids,split\n20,\"Bark,Dog\",\"/m/1,/m/2\",train\n3,Dog,/m/2,val\n";
    put_text(folder.path(), "FSD50K.ground_truth/dev.csv", dev);
    let eval = "fname,labels,mids\n4,\"Rain,Dog\",\"/m/3,/m/2\"\n";
    put_text(folder.path(), "FSD50K.ground_truth/eval.csv", eval);
    let corpus = open("fsd50k", folder.path(), "").unwrap();
    assert_eq!(corpus.labels, ["Bark", "Dog", "Rain"]);
    let parts = Part::VALUES.iter().map(|part| ids(&corpus, *part));
    assert_eq!(
        parts.collect::<Vec<_>>(),
        [["dev/20"], ["dev/3"], ["eval/4"]]
    );
    assert_eq!(corpus.part(Part::Test)[0].target, Target::Tags(vec![1, 2]));

    let bad = dev.replace(",val", ",valid");
    put_text(folder.path(), "FSD50K.ground_truth/dev.csv", &bad);
    let error = complaint(open("fsd50k", folder.path(), ""));
    assert!(
        error.contains("dev.csv:3") && error.contains("train or val"),
        "{error}"
    );
}

#[test]
fn magnatagatune_takes_its_most_frequent_tags() {
    let folder = TempDir::new().unwrap();
    let mut list =
        "\"clip_id\"\t\"slow\"\t\"rock\"\t\"no voice\"\t\"flute\"\t\"mp3_path\"\n".to_owned();
    for (id, tags, path) in [
        (2, "0\t1\t1\t0", "0/a.mp3"),
        (3, "0\t1\t0\t1", "b/b.mp3"),
        (5, "1\t1\t1\t0", "c/c.mp3"),
        (6, "0\t0\t1\t0", "d/d.mp3"),
        (7, "1\t0\t0\t0", "f/e.mp3"),
        (8, "0\t0\t0\t0", "9/f.mp3"),
    ] {
        list += &format!("\"{id}\"\t{tags}\t\"{path}\"\n");
        put(folder.path(), path);
    }
    put_text(folder.path(), "annotations_final.csv", &list);
    let corpus = open("magnatagatune", folder.path(), "").unwrap();
    // Equally frequent ones by name.
    assert_eq!(corpus.labels, ["no voice", "rock", "slow", "flute"]);
    assert_eq!(ids(&corpus, Part::Train), ["0/a.mp3", "b/b.mp3"]);
    assert_eq!(ids(&corpus, Part::Valid), ["c/c.mp3"]);
    assert_eq!(ids(&corpus, Part::Test), ["d/d.mp3", "f/e.mp3"]);
    assert_eq!(corpus.items[1].target, Target::Tags(vec![1, 3]));

    let two = open("magnatagatune", folder.path(), "?tags=2").unwrap();
    assert_eq!(
        (two.labels.join(" ").as_str(), two.items.len()),
        ("no voice rock", 4)
    );
    let error = complaint(open("magnatagatune", folder.path(), "?tags=5"));
    assert!(error.contains("between 1 and 4"), "{error}");
    for (line, words) in [
        ("9\t0\t0\t2\t0\tg.mp3\n", "'2'"),
        ("9\t0\t0\t1\t0\tg/g.mp3\n", "0 to f"),
        ("9\t0\t0\t1\t0\t1/g.mp3\n", "no audio file"),
    ] {
        put_text(
            folder.path(),
            "annotations_final.csv",
            &(list.clone() + line),
        );
        let error = complaint(open("magnatagatune", folder.path(), ""));
        assert!(
            error.contains("annotations_final.csv:8") && error.contains(words),
            "{error}"
        );
    }
}

fn item(source: Source) -> Item {
    Item {
        id: "a".into(),
        source,
        target: Target::Class(0),
        part: Part::Train,
        group: None,
        domain: None,
    }
}

#[test]
fn whatever_changes_a_segment_or_a_mixture_misses_the_cache() {
    let folder = TempDir::new().unwrap();
    esc50(folder.path());
    let cache = FeatureCache::new(folder.path().join("cache")).unwrap();
    let entry = |source: &Source| {
        let config = FeatureConfig::default();
        cache.entry(&item(source.clone()), &config).unwrap()
    };
    let segment = |name: &str, start_ms, length_ms| {
        let path = folder.path().join("audio").join(name);
        Source::Segment(Segment {
            path,
            start_ms,
            length_ms,
        })
    };
    let corpus = open("esc-mix", folder.path(), "?size=30").unwrap();
    let mixtures = corpus.part(Part::Train);
    let of_two = mixtures
        .iter()
        .find(|item| item.source.files().len() == 2)
        .unwrap();
    let Source::Mixture(mixture) = of_two.source.clone() else {
        panic!("{of_two:?}")
    };
    let changed = |change: fn(&mut sori_datasets::Mixture)| {
        let mut mixture = mixture.clone();
        change(&mut mixture);
        Source::Mixture(mixture)
    };
    let sources = [
        Source::File(folder.path().join("audio/1-1007-A-0.wav")),
        segment("1-1007-A-0.wav", 0, 100),
        segment("1-1007-A-0.wav", 10, 100),
        segment("1-1007-A-0.wav", 0, 110),
        segment("1-1007-B-0.wav", 0, 100),
        Source::Mixture(mixture.clone()),
        changed(|mixture| mixture.voices[0].gain_db += 1e-9),
        changed(|mixture| mixture.voices[1].roll /= 2.0),
        changed(|mixture| mixture.voices.truncate(1)),
        changed(|mixture| mixture.voices.swap(0, 1)),
        changed(|mixture| mixture.length_ms -= 1),
    ];
    let entries: BTreeSet<_> = sources.iter().map(&entry).collect();
    assert_eq!(entries.len(), sources.len());

    // What a file is called changes nothing, what is in it does.
    let path = mixture.voices[1].path.clone();
    let moved = path.with_file_name("moved.wav");
    let before = entry(&Source::Mixture(mixture.clone()));
    std::fs::rename(&path, &moved).unwrap();
    let mut elsewhere = mixture.clone();
    elsewhere.voices[1].path = moved.clone();
    assert_eq!(entry(&Source::Mixture(elsewhere.clone())), before);
    put_tone(moved.parent().unwrap(), "moved.wav", 77.0, 4000);
    assert_ne!(entry(&Source::Mixture(elsewhere)), before);
}

#[test]
fn a_table_may_label_tag_or_transcribe() {
    let folder = TempDir::new().unwrap();
    for name in ["a.wav", "b, or c.wav", "d.wav"] {
        put(folder.path(), name);
    }
    let path = folder.path().join("list.csv");
    let table = |text: &str| {
        std::fs::write(&path, text).unwrap();
        open("manifest", &path, "")
    };
    let corpus =
        table("speaker,label,audio,split\nx,dog,a.wav,test\ny, 3 ,\"b, or c.wav\",\n").unwrap();
    assert_eq!(
        (corpus.task, corpus.labels.concat().as_str()),
        (TargetKind::Classify, "3dog")
    );
    assert_eq!(ids(&corpus, Part::Test), ["a.wav"]);
    assert_eq!(ids(&corpus, Part::Train), ["b, or c.wav"]);

    let corpus = table("audio,tags\r\na.wav,rock|loud; rock\r\nd.wav,\r\n").unwrap();
    assert_eq!(
        (corpus.task, corpus.labels.join(" ").as_str()),
        (TargetKind::Tag, "loud rock")
    );
    assert_eq!(corpus.items[0].target, Target::Tags(vec![0, 1]));
    assert_eq!(corpus.items[1].target, Target::Tags(vec![]));

    let corpus = table("\u{feff}audio,text\na.wav,\"안녕, 소리\"\n").unwrap();
    assert_eq!(corpus.items[0].target, Target::Text("안녕, 소리".into()));

    let corpus = table("audio,value,domain\na.wav,-2.5,theo\nd.wav, 1e2 ,\n").unwrap();
    assert_eq!(corpus.labels, ["value"]);
    assert_eq!(corpus.items[0].target, Target::Value(-2.5));
    assert_eq!(corpus.items[1].target, Target::Value(100.0));
    assert_eq!(corpus.items[0].domain.as_deref(), Some("theo"));
    assert_eq!(corpus.items[1].domain, None);
    for value in ["much", "", "inf", "NaN"] {
        let error = complaint(table(&format!("audio,value\na.wav,{value}\n")));
        assert!(error.contains("number"), "{value}: {error}");
    }

    for (text, words) in [
        ("", "empty"),
        ("audio,label\n", "no lines"),
        ("path,label\na.wav,dog\n", "no column 'audio'"),
        (
            "audio,lable\na.wav,dog\n",
            "one of label, tags, text and value",
        ),
        (
            "audio,label,text\na.wav,dog,dog\n",
            "one of label, tags, text and value",
        ),
        ("audio,audio,text\na.wav,a.wav,dog\n", "same name"),
    ] {
        let error = complaint(table(text));
        assert!(
            error.contains("list.csv") && error.contains(words),
            "{text}: {error}"
        );
    }
    for (line, words) in [
        ("a.wav", "1 values"),
        (",dog,", "audio is empty"),
        ("a.wav,,", "label is empty"),
        ("a.wav,dog,dev", "train, valid or test"),
        ("missing.wav,dog,", "missing.wav"),
        ("d.wav,cat,", "line 2 already"),
    ] {
        let text = format!("audio,label,split\nd.wav,dog,train\n\n{line}\n");
        let error = complaint(table(&text));
        assert!(
            error.contains("list.csv:4") && error.contains(words),
            "{line}: {error}"
        );
        let corpus = Corpus::open_with(&spec("manifest", &path, ""), &skip_bad()).unwrap();
        assert_eq!(
            (corpus.items.len(), corpus.rejected.len()),
            (1, 1),
            "{line}"
        );
    }
    std::fs::write(&path, b"audio,label\n\xff.wav,dog\n").unwrap();
    assert!(complaint(open("manifest", &path, "")).contains("list.csv:2: it is not text"));
}
