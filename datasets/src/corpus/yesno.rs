//! YesNo (<https://www.openslr.org/1/>): one speaker who says yes (`ken`) or no (`lo`) in Hebrew,
//! eight times in each of 60 recordings. A file is named by what is said, 1 for yes and 0 for no,
//! such as `0_1_1_0_0_1_0_1.wav`; transcripts are the English words `yes` and `no`.
//!
//! There is no published split: of the recordings in the order of their names the second half, 30
//! of the 60, is the test part, and the first is trained on.

use std::path::Path;

use super::draft::{Answer, Draft, Found};
use super::gate::Gate;
use super::spec::Spec;
use crate::audio::is_recording;
use crate::files::entries;
use crate::item::{Source, TargetKind};
use crate::part::Part;
use crate::{Error, Result};

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let given = Path::new(&spec.location);
    let nested = given.join("waves_yesno");
    let folder = if nested.is_dir() { &nested } else { given };

    let mut drafts = Vec::new();
    let mut ignored_files = 0;
    let mut misnamed = 0;
    for name in entries(folder)? {
        let path = folder.join(&name);
        if !is_recording(&path) {
            ignored_files += gate.pass_over(&name);
            continue;
        }
        let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
        let Some(words) = spoken(stem) else {
            misnamed += 1;
            let error = Error::Layout {
                path: path.clone(),
                reason: "recordings are named by what is said, 1 for yes and 0 for no, such as \
                         0_1_1_0_0_1_0_1.wav"
                    .into(),
            };
            gate.reject(path.display().to_string(), error)?;
            continue;
        };
        drafts.push(Draft {
            id: stem.to_owned(),
            place: path.display().to_string(),
            source: Source::File(path),
            answer: Answer::Text(words.join(" ")),
            part: Part::Train,
            group: None,
            domain: None,
        });
    }
    if drafts.is_empty() && misnamed == 0 {
        return Err(Error::Layout {
            path: folder.to_owned(),
            reason: "it holds no recordings such as 0_1_1_0_0_1_0_1.wav; give the folder \
                     'waves_yesno' of the dataset, or the one it lies in"
                .into(),
        });
    }
    let half = drafts.len().div_ceil(2);
    for draft in &mut drafts[half..] {
        draft.part = Part::Test;
    }
    Ok(Found {
        task: TargetKind::Transcribe,
        labels: None,
        drafts,
        ignored_files,
    })
}

fn spoken(stem: &str) -> Option<Vec<&'static str>> {
    stem.split('_')
        .map(|word| match word {
            "0" => Some("no"),
            "1" => Some("yes"),
            _ => None,
        })
        .collect()
}
