//! ESC-50 and ESC-10, environmental sounds of five seconds (Piczak, "ESC: Dataset for Environmental
//! Sound Classification", 2015, <https://doi.org/10.1145/2733373.2806390>). They are published in
//! five folds, and clips of the same original recording are in one fold. Unless `folds=` names
//! others, fold 5 is the test part and the rest is trained on.
//!
//! Both layouts are read: `meta/esc50.csv` beside `audio/FOLD-CLIP-TAKE-TARGET.wav`
//! (<https://github.com/karolpiczak/ESC-50>), where `esc10=true` takes the ten classes of ESC-10
//! alone, and the earlier one of a folder per class, `001 - Dog bark/FOLD-CLIP-TAKE.ogg`.

use std::path::Path;

use super::draft::{Answer, Draft, Found};
use super::folds::{part_of, test_folds};
use super::gate::Gate;
use super::list::{Entry, Listing, NumberedLabels, Table, passed_over};
use super::query::flag;
use super::spec::Spec;
use crate::audio::is_recording;
use crate::files::entries;
use crate::item::{Source, TargetKind};
use crate::{Error, Result};

pub(super) const FOLDS: u32 = 5;
const USUAL_TEST_FOLD: u32 = 5;

/// Every clip with its fold; the clips' classes in their published order.
pub(super) struct Clips {
    pub(super) labels: Vec<String>,
    pub(super) clips: Vec<(u32, Draft)>,
    pub(super) ignored_files: usize,
}

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let found = clips(spec, gate)?;
    Ok(Found {
        task: TargetKind::Classify,
        labels: Some(found.labels),
        drafts: found.clips.into_iter().map(|(_, clip)| clip).collect(),
        ignored_files: found.ignored_files,
    })
}

/// The clips of either layout, in the order of their ids.
pub(super) fn clips(spec: &Spec, gate: &mut Gate) -> Result<Clips> {
    let root = Path::new(&spec.location);
    let mut found = if root.join("meta").join("esc50.csv").is_file() {
        listed(spec, root, gate)?
    } else {
        in_folders(spec, root, gate)?
    };
    found.clips.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    Ok(found)
}

/// The later layout.
fn listed(spec: &Spec, root: &Path, gate: &mut Gate) -> Result<Clips> {
    let test_folds = test_folds(spec, FOLDS, USUAL_TEST_FOLD)?;
    let esc10_alone = flag(spec, "esc10")?;
    let list = root.join("meta").join("esc50.csv");
    let folder = root.join("audio");
    let table = Table::read(&list, b',', gate)?;
    let [filename, fold, target, category, esc10] =
        table.columns(["filename", "fold", "target", "category", "esc10"])?;
    let mut labels = NumberedLabels::default();
    let mut folds = Vec::new();
    let mut listing = Listing::new(&list);
    let mut left_out = 0;
    for row in &table.rows {
        let is_esc10 = match row.get(esc10) {
            "True" | "true" => true,
            "False" | "false" => false,
            other => {
                let reason = format!("esc10 is '{other}'; it must be True or False");
                gate.reject_line(&list, row.line, reason)?;
                continue;
            }
        };
        if esc10_alone && !is_esc10 {
            left_out += 1;
            continue;
        }
        let mut entry = || {
            let name = row.get(filename);
            let (fold, target) = (row.number(fold, "fold")?, row.number(target, "target")?);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            let parts: Vec<&str> = stem.split('-').collect();
            let [named_fold, recording, _, named_target] = parts[..] else {
                return Err(format!(
                    "'{name}' is not named FOLD-CLIP-TAKE-TARGET.wav, such as 1-100032-A-0.wav"
                ));
            };
            if named_fold.parse() != Ok(fold) || named_target.parse() != Ok(target) {
                return Err(format!(
                    "'{name}' names another fold or target than its line, {fold} and {target}"
                ));
            }
            checked_fold(fold)?;
            labels.insert(target, row.get(category))?;
            Ok((
                fold,
                Entry {
                    id: stem.to_owned(),
                    file: folder.join(name),
                    cut: None,
                    answer: Answer::Class(row.get(category).to_owned()),
                    part: part_of(fold, &test_folds),
                    group: Some(recording.to_owned()),
                    domain: None,
                },
            ))
        };
        let entry = entry();
        let fold = entry.as_ref().map_or(0, |(fold, _)| *fold);
        if listing.add(gate, row.line, entry.map(|(_, entry)| entry))? {
            folds.push(fold);
        }
    }
    Ok(Clips {
        labels: labels.in_order(),
        ignored_files: passed_over(&folder, &listing.drafts, gate)?.saturating_sub(left_out),
        clips: folds.into_iter().zip(listing.drafts).collect(),
    })
}

/// The earlier layout.
fn in_folders(spec: &Spec, root: &Path, gate: &mut Gate) -> Result<Clips> {
    let test_folds = test_folds(spec, FOLDS, USUAL_TEST_FOLD)?;
    if spec.query.contains_key("esc10") {
        return Err(Error::Query {
            corpus: spec.corpus.clone(),
            key: "esc10".into(),
            value: spec.query["esc10"].clone(),
            expected: format!(
                "esc10 takes classes of ESC-50 by its list, and {} has no meta/esc50.csv",
                root.display()
            ),
        });
    }
    let mut found = Clips {
        labels: Vec::new(),
        clips: Vec::new(),
        ignored_files: 0,
    };
    // Sorted by name is sorted by number, as all have three digits.
    for class in entries(root)? {
        let folder = root.join(&class);
        let Some(label) = label_of(&class).filter(|_| folder.is_dir()) else {
            found.ignored_files += 1;
            continue;
        };
        found.labels.push(label.to_owned());
        for name in entries(&folder)? {
            let path = folder.join(&name);
            if !is_recording(&path) {
                found.ignored_files += gate.pass_over(&name);
                continue;
            }
            let place = path.display().to_string();
            let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
            let parts: Vec<&str> = stem.split('-').collect();
            let fold = parts.first().and_then(|fold| fold.parse().ok());
            let (Some(fold), [_, recording, _]) = (fold, &parts[..]) else {
                let reason = "clips are named FOLD-CLIP-TAKE.ogg, such as 1-100032-A.ogg".into();
                gate.reject(place, Error::Layout { path, reason })?;
                continue;
            };
            if let Err(reason) = checked_fold(fold) {
                gate.reject(place, Error::Layout { path, reason })?;
                continue;
            }
            found.clips.push((
                fold,
                Draft {
                    id: format!("{class}/{stem}"),
                    place,
                    source: Source::File(path),
                    answer: Answer::Class(label.to_owned()),
                    part: part_of(fold, &test_folds),
                    group: Some((*recording).to_owned()),
                    domain: None,
                },
            ));
        }
    }
    if found.labels.is_empty() {
        return Err(Error::Layout {
            path: root.to_owned(),
            reason: "it has neither meta/esc50.csv beside a folder 'audio' nor a folder per class \
                     such as '001 - Dog bark'; give the folder of the repository ESC-50 or ESC-10"
                .into(),
        });
    }
    Ok(found)
}

/// `Dog bark` of `001 - Dog bark`.
fn label_of(folder: &str) -> Option<&str> {
    let (number, label) = folder.split_once(" - ")?;
    let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !label.is_empty()).then_some(label)
}

fn checked_fold(fold: u32) -> std::result::Result<(), String> {
    if (1..=FOLDS).contains(&fold) {
        return Ok(());
    }
    Err(format!("its fold is {fold}; there are folds 1 to {FOLDS}"))
}
