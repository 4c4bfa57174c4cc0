//! ESC-50 and its subset ESC-10, environmental sounds of five seconds
//! ([Piczak 2015](https://doi.org/10.1145/2733373.2806390)), in both layouts they are published in:
//! `audio/FOLD-CLIP-TAKE-TARGET.wav` beside `meta/esc50.csv`
//! (<https://github.com/karolpiczak/ESC-50>), and one folder for each class, `001 - Dog bark`, whose
//! files begin with their fold (<https://github.com/karolpiczak/ESC-10>).
//!
//! Five folds are published, which keep clips cut from the same recording together. Fold 5 is the
//! test part and the others are trained on, unless `folds=` names others to test on.
//!
//! `esc-mix:` makes scenes of the clips, for tagging: one to three clips of different classes and of
//! one fold, each at −5 to 5 dB and turned round by a random part of its length. Of the training
//! folds, one clip of each class and fold is left to the mixtures of the validation part alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::source::Voice;
use super::{
    Answer, Draft, Found, Gate, Part, Source, TaskKind, check_keys, entries, flag, number,
};
use crate::audio::has_audio_extension;
use crate::draw::Draw;
use crate::{Error, Result, Spec};

const FOLDS: std::ops::RangeInclusive<u32> = 1..=5;
const DEFAULT_TEST_FOLD: u32 = 5;

/// Mixtures of the training part, unless `size=` says otherwise; validation and test have a fifth.
const DEFAULT_SIZE: usize = 2000;
const MAX_VOICES: usize = 3;
const GAIN_DB: (f64, f64) = (-5.0, 5.0);

/// One recording.
struct Clip {
    id: String,
    fold: u32,
    label: String,
    path: PathBuf,
}

/// A line of `meta/esc50.csv`.
#[derive(Deserialize)]
struct Line {
    filename: String,
    fold: u32,
    category: String,
    esc10: String,
}

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    check_keys(spec, &["folds", "esc10"])?;
    let tested = test_folds(spec)?;
    let (clips, ignored_files) = clips(spec, gate)?;
    let drafts = clips
        .into_iter()
        .map(|clip| Draft {
            place: clip.path.display().to_string(),
            part: if tested.contains(&clip.fold) {
                Part::Test
            } else {
                Part::Train
            },
            id: clip.id,
            source: Source::File(clip.path),
            answer: Answer::Class(clip.label),
        })
        .collect();
    Ok(Found {
        task: TaskKind::Classify,
        labels: None,
        drafts,
        ignored_files,
    })
}

pub(super) fn find_mixtures(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    check_keys(spec, &["folds", "esc10", "size", "seed"])?;
    let tested = test_folds(spec)?;
    let size = number(spec, "size", DEFAULT_SIZE, 1, 1_000_000)?;
    let seed = number(spec, "seed", 0, 0, u64::MAX)?;
    let (clips, ignored_files) = clips(spec, gate)?;
    let labels: BTreeSet<String> = clips.iter().map(|clip| clip.label.clone()).collect();

    // The clips of each fold, class by class, in each part.
    let mut pools = BTreeMap::<Part, BTreeMap<u32, BTreeMap<&str, Vec<&Clip>>>>::new();
    let mut left_for_valid = BTreeSet::new();
    for clip in &clips {
        let part = if tested.contains(&clip.fold) {
            Part::Test
        } else if left_for_valid.insert((clip.fold, clip.label.as_str())) {
            Part::Valid
        } else {
            Part::Train
        };
        let fold = pools.entry(part).or_default().entry(clip.fold).or_default();
        fold.entry(&clip.label).or_default().push(clip);
    }

    let mut drafts = Vec::new();
    for (part, folds) in &pools {
        let count = if *part == Part::Train {
            size
        } else {
            size.div_ceil(5)
        };
        let folds: Vec<_> = folds.values().collect();
        for index in 0..count {
            let stream = (*part as u64) << 32 | index as u64;
            let mut draw = Draw::new(seed, stream);
            let classes = folds[index % folds.len()];
            let mut others: Vec<&&str> = classes.keys().collect();
            let voices = (1 + draw.below(MAX_VOICES)).min(others.len());
            let mut tags = Vec::with_capacity(voices);
            let mut mixture = Vec::with_capacity(voices);
            for _ in 0..voices {
                let label = others.remove(draw.below(others.len()));
                let clips = &classes[*label];
                mixture.push(Voice {
                    path: clips[draw.below(clips.len())].path.clone(),
                    gain_db: draw.between(GAIN_DB),
                    turn: draw.unit(),
                });
                tags.push((*label).to_string());
            }
            let id = format!("mixture-{seed}-{part}-{index:05}");
            drafts.push(Draft {
                place: id.clone(),
                id,
                source: Source::Mixture(mixture),
                answer: Answer::Tags(tags),
                part: *part,
            });
        }
    }
    Ok(Found {
        task: TaskKind::Tag,
        labels: Some(labels.into_iter().collect()),
        drafts,
        ignored_files,
    })
}

/// The folds to test on.
fn test_folds(spec: &Spec) -> Result<BTreeSet<u32>> {
    let Some(text) = spec.query.get("folds") else {
        return Ok(BTreeSet::from([DEFAULT_TEST_FOLD]));
    };
    text.split(',')
        .map(|fold| fold.trim().parse().ok().filter(|fold| FOLDS.contains(fold)))
        .collect::<Option<_>>()
        .ok_or_else(|| Error::Query {
            corpus: spec.corpus.clone(),
            key: "folds".into(),
            value: text.clone(),
            expected: "folds to test on, from 1 to 5, such as 5 or 1,2".into(),
        })
}

/// All clips in the order of their names, and how many files were passed over.
fn clips(spec: &Spec, gate: &mut Gate) -> Result<(Vec<Clip>, usize)> {
    let root = Path::new(&spec.location);
    let only_10 = flag(spec, "esc10")?;
    let (mut clips, ignored_files) = if root.join("meta/esc50.csv").is_file() {
        listed(root, only_10, gate)?
    } else {
        in_folders(root, gate)?
    };
    if clips.is_empty() {
        return Err(Error::Layout {
            path: root.to_owned(),
            reason:
                "it holds neither meta/esc50.csv with audio/ beside it, nor folders of classes \
                     such as '001 - Dog bark'; give the folder that holds them"
                    .into(),
        });
    }
    clips.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((clips, ignored_files))
}

/// Those of `meta/esc50.csv`.
fn listed(root: &Path, only_10: bool, gate: &mut Gate) -> Result<(Vec<Clip>, usize)> {
    let list = root.join("meta/esc50.csv");
    let file = std::fs::File::open(&list).map_err(|error| Error::io("read", &list, error))?;
    let mut reader = csv::Reader::from_reader(file);
    let broken = |error: &csv::Error| Error::ManifestLine {
        path: list.clone(),
        line: error.position().map_or(1, csv::Position::line) as usize,
        reason: format!("{error}; the columns filename, fold, category and esc10 are needed"),
    };
    let columns = reader.headers().map_err(|error| broken(&error))?.clone();
    let mut clips = Vec::new();
    for record in reader.records() {
        let read = record.and_then(|record| {
            let number = record.position().map_or(1, csv::Position::line);
            Ok((number as usize, record.deserialize::<Line>(Some(&columns))?))
        });
        let (number, line) = match read {
            Ok(read) => read,
            Err(error) => {
                gate.reject(list.display().to_string(), broken(&error))?;
                continue;
            }
        };
        if only_10 && !line.esc10.eq_ignore_ascii_case("true") {
            continue;
        }
        let path = root.join("audio").join(&line.filename);
        if !FOLDS.contains(&line.fold) || !path.is_file() {
            let error = Error::ManifestLine {
                path: list.clone(),
                line: number,
                reason: format!(
                    "{} of fold {}: the file must be there and the fold from 1 to 5",
                    path.display(),
                    line.fold
                ),
            };
            gate.reject(path.display().to_string(), error)?;
            continue;
        }
        clips.push(Clip {
            id: line.filename,
            fold: line.fold,
            label: line.category,
            path,
        });
    }
    Ok((clips, 0))
}

/// Those of folders named `NUMBER - CLASS`.
fn in_folders(root: &Path, gate: &mut Gate) -> Result<(Vec<Clip>, usize)> {
    let (mut clips, mut ignored_files) = (Vec::new(), 0);
    for folder in entries(root)? {
        let label = folder
            .split_once(" - ")
            .filter(|(number, _)| number.parse::<u32>().is_ok())
            .map(|(_, label)| label.to_string());
        let Some(label) = label.filter(|_| root.join(&folder).is_dir()) else {
            ignored_files += usize::from(root.join(&folder).is_file());
            continue;
        };
        for name in entries(&root.join(&folder))? {
            let path = root.join(&folder).join(&name);
            if !has_audio_extension(&path) {
                ignored_files += 1;
                continue;
            }
            let fold = name.split('-').next().and_then(|fold| fold.parse().ok());
            let Some(fold) = fold.filter(|fold| FOLDS.contains(fold)) else {
                let error = Error::Layout {
                    path: path.clone(),
                    reason: "the name of a recording begins with its fold, 1 to 5, such as \
                             1-30226-A.ogg"
                        .into(),
                };
                gate.reject(path.display().to_string(), error)?;
                continue;
            };
            clips.push(Clip {
                id: format!("{folder}/{name}"),
                fold,
                label: label.clone(),
                path,
            });
        }
    }
    Ok((clips, ignored_files))
}
