//! UrbanSound8K (Salamon, Jacoby and Bello, "A Dataset and Taxonomy for Urban Sound Research",
//! 2014, <https://urbansounddataset.weebly.com/urbansound8k.html>): `metadata/UrbanSound8K.csv`
//! beside `audio/fold1` to `audio/fold10`. It is published in ten folds, and slices of the same
//! recording are in one fold. Unless `folds=` names others, fold 10 is the test part and the rest
//! is trained on.

use std::path::Path;

use super::draft::{Answer, Found};
use super::folds::{part_of, test_folds};
use super::gate::Gate;
use super::list::{Entry, Listing, NumberedLabels, Table, passed_over};
use super::spec::Spec;
use crate::Result;
use crate::item::TargetKind;

const FOLDS: u32 = 10;
const USUAL_TEST_FOLD: u32 = 10;

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let test_folds = test_folds(spec, FOLDS, USUAL_TEST_FOLD)?;
    let root = Path::new(&spec.location);
    let list = root.join("metadata").join("UrbanSound8K.csv");
    let table = Table::read(&list, b',', gate)?;
    let [filename, recording, fold, class_id, class] =
        table.columns(["slice_file_name", "fsID", "fold", "classID", "class"])?;
    let mut labels = NumberedLabels::default();
    let mut listing = Listing::new(&list);
    for row in &table.rows {
        let mut entry = || {
            let fold = row.number(fold, "fold")?;
            if !(1..=FOLDS).contains(&fold) {
                return Err(format!("fold is {fold}; there are folds 1 to {FOLDS}"));
            }
            labels.insert(row.number(class_id, "classID")?, row.get(class))?;
            let name = row.get(filename);
            Ok(Entry {
                id: name.to_owned(),
                file: root.join("audio").join(format!("fold{fold}")).join(name),
                cut: None,
                answer: Answer::Class(row.get(class).to_owned()),
                part: part_of(fold, &test_folds),
                group: Some(row.get(recording).to_owned()),
                domain: None,
            })
        };
        listing.add(gate, row.line, entry())?;
    }
    let mut ignored_files = 0;
    for fold in 1..=FOLDS {
        let folder = root.join("audio").join(format!("fold{fold}"));
        if folder.is_dir() {
            ignored_files += passed_over(&folder, &listing.drafts, gate)?;
        }
    }
    let mut drafts = listing.drafts;
    drafts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Found {
        task: TargetKind::Classify,
        labels: Some(labels.in_order()),
        drafts,
        ignored_files,
    })
}
