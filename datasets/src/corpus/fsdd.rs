//! The Free Spoken Digit Dataset (Jackson et al., <https://github.com/Jakobovski/free-spoken-digit-dataset>):
//! files `{digit}_{speaker}_{index}.wav`. Recordings 0 to 4 of every speaker and digit are the
//! test part, as published.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::draft::{Answer, Draft, Found};
use super::gate::Gate;
use super::spec::Spec;
use crate::files::{entries, is_file_or_lost};
use crate::item::{Source, TargetKind};
use crate::part::Part;
use crate::{Error, Result};

/// Recordings with a lower index are the test part.
pub(super) const TEST_INDICES: u32 = 5;

/// One recording.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DigitRecording {
    pub(super) digit: u8,
    pub(super) speaker: String,
    pub(super) index: u32,
    pub(super) id: String,
    pub(super) path: PathBuf,
}

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let (recordings, ignored_files) = recordings(spec, gate)?;
    let drafts = recordings
        .into_iter()
        .map(|recording| Draft {
            id: recording.id,
            place: recording.path.display().to_string(),
            source: Source::File(recording.path),
            answer: Answer::Class(recording.digit.to_string()),
            part: if recording.index < TEST_INDICES {
                Part::Test
            } else {
                Part::Train
            },
            group: None,
            domain: Some(recording.speaker),
        })
        .collect();
    Ok(Found {
        task: TargetKind::Classify,
        labels: Some((0..10).map(|digit| digit.to_string()).collect()),
        drafts,
        ignored_files,
    })
}

/// The recordings of the speakers asked for, sorted, and how many files were passed over.
pub(super) fn recordings(spec: &Spec, gate: &mut Gate) -> Result<(Vec<DigitRecording>, usize)> {
    let given = Path::new(&spec.location);
    let nested = given.join("recordings");
    let folder = if nested.is_dir() {
        nested
    } else {
        given.to_owned()
    };

    let mut recordings = Vec::new();
    let mut speakers = BTreeSet::new();
    let mut ignored_files = 0;
    for name in entries(&folder)? {
        let path = folder.join(&name);
        let stem = name.strip_suffix(".wav");
        let Some(stem) = stem.filter(|_| is_file_or_lost(&path)) else {
            ignored_files += gate.pass_over(&name);
            continue;
        };
        match parsed(stem) {
            Some((digit, speaker, index)) => {
                speakers.insert(speaker.to_owned());
                recordings.push(DigitRecording {
                    digit,
                    speaker: speaker.to_owned(),
                    index,
                    id: stem.to_owned(),
                    path,
                });
            }
            None => {
                let error = Error::Layout {
                    path: path.clone(),
                    reason: "recordings are named DIGIT_SPEAKER_INDEX.wav, such as 7_theo_12.wav"
                        .into(),
                };
                gate.reject(path.display().to_string(), error)?;
            }
        }
    }
    if recordings.is_empty() {
        return Err(Error::Layout {
            path: folder,
            reason: "it holds no recordings named DIGIT_SPEAKER_INDEX.wav, such as 7_theo_12.wav; \
                     give the folder 'recordings' of the dataset, or the one it lies in"
                .into(),
        });
    }
    if let Some(asked) = spec.query.get("speaker") {
        let (name, keep) = match asked.strip_prefix('!') {
            Some(name) => (name, false),
            None => (asked.as_str(), true),
        };
        if !speakers.contains(name) {
            let speakers: Vec<&str> = speakers.iter().map(String::as_str).collect();
            return Err(Error::Query {
                corpus: spec.corpus.clone(),
                key: "speaker".into(),
                value: asked.clone(),
                expected: format!(
                    "the speakers there are {}; a '!' in front takes all but that one",
                    speakers.join(", ")
                ),
            });
        }
        recordings.retain(|recording| (recording.speaker == name) == keep);
    }
    recordings.sort_unstable();
    Ok((recordings, ignored_files))
}

fn parsed(stem: &str) -> Option<(u8, &str, u32)> {
    let (digit, rest) = stem.split_once('_')?;
    let (speaker, index) = rest.rsplit_once('_')?;
    let digit = digit.parse().ok().filter(|digit| *digit < 10)?;
    let index = index.parse().ok()?;
    (!speaker.is_empty()).then_some((digit, speaker, index))
}
