//! Pansori TEDxKR, Korean talks (Choi and Lee, "Pansori: ASR Corpus Generation from Open Online Video
//! Contents", 2018, <https://arxiv.org/abs/1812.09798>): `SPEAKER/TALK/SPEAKER-TALK-FRAGMENT.flac`
//! beside `SPEAKER-TALK.trans.txt`, perhaps in a folder `data`.
//!
//! There is no published split. By a hash of their names, speakers with together about a tenth of
//! the recordings (at least one speaker) are the test part, and speakers stay together where a
//! validation part is set aside.

use std::path::Path;

use super::draft::Found;
use super::gate::Gate;
use super::spec::Spec;
use super::transcripts::{Transcribed, test_by_speaker};
use crate::files::entries;
use crate::item::TargetKind;
use crate::part::Part;
use crate::spelling::composed;
use crate::{Error, Result};

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let given = Path::new(&spec.location);
    let nested = given.join("data");
    let root = if nested.is_dir() { &nested } else { given };
    let mut found = Transcribed::new();
    for speaker in entries(root)? {
        let folder = root.join(&speaker);
        if !folder.is_dir() {
            found.ignored_files += gate.pass_over(&speaker);
            continue;
        }
        let first = found.drafts.len();
        found.add(&folder, Part::Train, gate)?;
        for draft in &mut found.drafts[first..] {
            draft.group = Some(composed(&speaker).into_owned());
        }
    }
    if found.drafts.is_empty() && gate.rejected.is_empty() {
        return Err(Error::Layout {
            path: root.to_owned(),
            reason:
                "it has no recordings SPEAKER/TALK/SPEAKER-TALK-FRAGMENT.flac; give the folder \
                     of the dataset"
                    .into(),
        });
    }
    test_by_speaker(&mut found.drafts);
    Ok(Found {
        task: TargetKind::Transcribe,
        labels: None,
        drafts: found.drafts,
        ignored_files: found.ignored_files,
    })
}
