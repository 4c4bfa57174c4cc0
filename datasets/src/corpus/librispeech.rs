//! LibriSpeech, read English (Panayotov et al., "Librispeech: An ASR Corpus Based on Public Domain
//! Audio Books", 2015, <https://www.openslr.org/12/>): folders `train-*`, `dev-*` and `test-*`, in
//! them `SPEAKER/CHAPTER/SPEAKER-CHAPTER-UTTERANCE.flac` beside `SPEAKER-CHAPTER.trans.txt`.
//!
//! The folders are the parts, as published. All there are are taken, or those that
//! `sets=train-clean-100,dev-clean,test-clean` names: results are given for `test-clean` and
//! `test-other` apart. Recordings of a speaker belong together where a validation part is set aside.

use std::path::Path;

use super::draft::Found;
use super::gate::Gate;
use super::query::chosen_sets;
use super::spec::Spec;
use super::transcripts::Transcribed;
use crate::files::entries;
use crate::item::TargetKind;
use crate::part::Part;
use crate::{Error, Result};

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let given = Path::new(&spec.location);
    let nested = given.join("LibriSpeech");
    let root = if nested.is_dir() { &nested } else { given };
    let mut sets = entries(root)?;
    let beside = sets.len();
    sets.retain(|name| part_of(name).is_some() && root.join(name).is_dir());
    if sets.is_empty() {
        return Err(Error::Layout {
            path: root.to_owned(),
            reason:
                "it has no folders train-*, dev-* or test-*, such as train-clean-100; give the \
                     folder 'LibriSpeech', or the one it lies in"
                    .into(),
        });
    }
    let mut found = Transcribed::new();
    found.ignored_files = beside - sets.len();
    for set in chosen_sets(spec, &sets)? {
        if let Some(part) = part_of(&set) {
            found.add(&root.join(set), part, gate)?;
        }
    }
    for draft in &mut found.drafts {
        draft.group = draft.id.split('-').next().map(str::to_owned);
    }
    Ok(Found {
        task: TargetKind::Transcribe,
        labels: None,
        drafts: found.drafts,
        ignored_files: found.ignored_files,
    })
}

fn part_of(set: &str) -> Option<Part> {
    let kinds = [
        ("train-", Part::Train),
        ("dev-", Part::Valid),
        ("test-", Part::Test),
    ];
    let kind = kinds.iter().find(|(kind, _)| set.starts_with(kind))?;
    Some(kind.1)
}
