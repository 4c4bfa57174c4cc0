//! speechocean762, English read by Mandarin speakers, children and adults (Zhang et al.,
//! "speechocean762: An Open-Source Non-native English Speech Corpus for Pronunciation Assessment",
//! 2021, <https://www.openslr.org/101/>).
//!
//! As published it has the folders `train` and `test`, each with Kaldi's lists `wav.scp` (paths from
//! the corpus's folder) and `text`: these are the parts. Or there is one list `transcripts.tsv` with
//! the columns `path`, `speaker` and `text`; then, by a hash of their names, speakers with together
//! about a tenth of the recordings are the test part. Either way no speaker is in two parts, nor
//! where a validation part is set aside.

use std::collections::BTreeSet;
use std::path::Path;

use super::draft::{Answer, Draft, Found};
use super::gate::Gate;
use super::list::{Entry, Listing, Table, passed_over};
use super::spec::Spec;
use super::transcripts::{ById, test_by_speaker};
use crate::item::{Source, TargetKind};
use crate::part::Part;
use crate::{Error, Result};

const LIST: &str = "transcripts.tsv";

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let given = Path::new(&spec.location);
    let nested = given.join("speechocean762");
    let root = if nested.is_dir() { &nested } else { given };
    let parts = [("train", Part::Train), ("test", Part::Test)]
        .into_iter()
        .filter(|(folder, _)| root.join(folder).join("wav.scp").is_file());
    let parts: Vec<(&str, Part)> = parts.collect();
    let mut drafts = Vec::new();
    if !parts.is_empty() {
        for (folder, part) in parts {
            drafts.extend(by_kaldi_lists(root, folder, part, gate)?);
        }
    } else if root.join(LIST).is_file() {
        drafts = by_table(root, gate)?;
        test_by_speaker(&mut drafts);
    } else {
        return Err(Error::Layout {
            path: root.to_owned(),
            reason: format!("it has neither train/wav.scp nor {LIST}; give the corpus's folder"),
        });
    }
    let folders: BTreeSet<&Path> = drafts
        .iter()
        .filter_map(|draft| match &draft.source {
            Source::File(path) => path.parent(),
            _ => None,
        })
        .collect();
    let mut ignored_files = 0;
    for folder in folders {
        ignored_files += passed_over(folder, &drafts, gate)?;
    }
    Ok(Found {
        task: TargetKind::Transcribe,
        labels: None,
        drafts,
        ignored_files,
    })
}

/// The recordings of `folder/wav.scp`, in the order of their ids.
fn by_kaldi_lists(root: &Path, folder: &str, part: Part, gate: &mut Gate) -> Result<Vec<Draft>> {
    let folder = root.join(folder);
    let sounds = ById::read(&folder.join("wav.scp"), gate)?;
    let mut texts = ById::read(&folder.join("text"), gate)?;
    let list = sounds.path().to_owned();
    let mut listing = Listing::new(&list);
    for (id, line, path) in sounds.into_lines() {
        let entry = match texts.take(&id) {
            _ if path.is_empty() => Err(format!("no path follows '{id}'")),
            None => Err(format!("{} has no line for '{id}'", texts.path().display())),
            Some(text) => Ok(Entry {
                group: speaker_of(&path),
                domain: None,
                file: root.join(path),
                cut: None,
                answer: Answer::Text(text),
                part,
                id,
            }),
        };
        listing.add(gate, line, entry)?;
    }
    texts.reject_rest(gate, |id| {
        format!("{} has no line for '{id}'", list.display())
    })?;
    Ok(listing.drafts)
}

/// The folder a recording lies in, which is named by the speaker.
fn speaker_of(path: &str) -> Option<String> {
    let folder = path.rsplit_once('/')?.0;
    Some(folder.rsplit('/').next().unwrap_or(folder).to_owned())
}

fn by_table(root: &Path, gate: &mut Gate) -> Result<Vec<Draft>> {
    let list = root.join(LIST);
    let table = Table::read(&list, b'\t', gate)?;
    let [path, speaker, text] = table.columns(["path", "speaker", "text"])?;
    let mut listing = Listing::new(&list);
    for row in &table.rows {
        let name = row.get(path);
        let entry = match (name, row.get(speaker)) {
            ("", _) => Err("its path is empty".into()),
            (_, "") => Err("its speaker is empty".into()),
            (_, speaker) => Ok(Entry {
                id: name.to_owned(),
                file: root.join(name),
                cut: None,
                answer: Answer::Text(row.get(text).to_owned()),
                part: Part::Train,
                group: Some(speaker.to_owned()),
                domain: None,
            }),
        };
        listing.add(gate, row.line, entry)?;
    }
    let mut drafts = listing.drafts;
    drafts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(drafts)
}
