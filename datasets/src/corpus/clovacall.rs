//! ClovaCall, Korean of calls to restaurants (Ha et al., "ClovaCall: Korean Goal-Oriented Dialog
//! Speech Corpus for Automatic Speech Recognition of Contact Centers", 2020,
//! <https://arxiv.org/abs/2004.09367>): lists `train_ClovaCall.json` and `test_ClovaCall.json` of
//! objects `{"wav": FILE, "text": …, "speaker_id": …}` beside the folders of wav files.
//!
//! The lists are the parts, as published. Recordings are there in two versions, `clean` (without
//! silence at the ends) and `raw`; `version=raw` takes the latter. If there is no folder of that
//! name, they are looked for in `wavs_train` and `wavs_test`. Speakers, where they are named, stay
//! together where a validation part is set aside.

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::draft::{Answer, Draft, Found};
use super::gate::Gate;
use super::list::{Entry, Listing, lines_in, passed_over};
use super::spec::Spec;
use crate::item::TargetKind;
use crate::part::Part;
use crate::{Error, Result, files};

const LISTS: [(&str, &str, Part); 2] = [
    ("train_ClovaCall.json", "wavs_train", Part::Train),
    ("test_ClovaCall.json", "wavs_test", Part::Test),
];

#[derive(Deserialize)]
struct Call {
    wav: String,
    text: String,
    speaker_id: Option<String>,
}

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let version = spec.query.get("version").map_or("clean", String::as_str);
    if !["clean", "raw"].contains(&version) {
        return Err(Error::Query {
            corpus: spec.corpus.clone(),
            key: "version".into(),
            value: version.into(),
            expected: "version is clean or raw".into(),
        });
    }
    let root = Path::new(&spec.location);
    let mut drafts = Vec::new();
    let mut folders = Vec::new();
    for (list, of_part, part) in LISTS {
        let list = root.join(list);
        if !list.is_file() {
            continue;
        }
        let Some(folder) = [version, of_part]
            .map(|name| root.join(name))
            .into_iter()
            .find(|folder| folder.is_dir())
        else {
            return Err(Error::Layout {
                path: root.to_owned(),
                reason: format!("it has neither a folder '{version}' nor '{of_part}' of wav files"),
            });
        };
        drafts.extend(listed(&list, &folder, part, gate)?);
        folders.push(folder);
    }
    if folders.is_empty() {
        return Err(Error::Layout {
            path: root.to_owned(),
            reason: format!("it has neither {} nor {}", LISTS[0].0, LISTS[1].0),
        });
    }
    folders.dedup();
    let mut ignored_files = 0;
    for folder in folders {
        ignored_files += passed_over(&folder, &drafts, gate)?;
    }
    Ok(Found {
        task: TargetKind::Transcribe,
        labels: None,
        drafts,
        ignored_files,
    })
}

fn listed(list: &Path, folder: &Path, part: Part, gate: &mut Gate) -> Result<Vec<Draft>> {
    let refuse = |reason: String| Error::Layout {
        path: list.to_owned(),
        reason,
    };
    let bytes = files::read(list)?;
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes))
        .map_err(|_| refuse("it is not text in UTF-8".into()))?;
    let calls: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        refuse(format!(
            "{error}; a list of objects {{\"wav\": …, \"text\": …}} was expected"
        ))
    })?;
    let mut listing = Listing::new(list);
    let (mut line, mut counted) = (1, 0);
    for call in calls {
        // An entry is a stretch of the text it was read from.
        let begin = call.get().as_ptr() as usize - text.as_ptr() as usize;
        line += lines_in(&text.as_bytes()[counted..begin]);
        counted = begin;
        let entry = serde_json::from_str::<Call>(call.get())
            .map_err(|error| {
                let error = error.to_string();
                let reason = error.split(" at line ").next().unwrap_or_default();
                format!("{reason}; an entry is such as {{\"wav\": \"a.wav\", \"text\": \"네\"}}")
            })
            .map(|call| Entry {
                file: folder.join(&call.wav),
                cut: None,
                id: call.wav,
                answer: Answer::Text(call.text),
                part,
                group: call.speaker_id,
                domain: None,
            });
        listing.add(gate, line, entry)?;
    }
    let mut drafts = listing.drafts;
    drafts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(drafts)
}
