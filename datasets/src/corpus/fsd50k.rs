//! FSD50K, sounds with one or more of 200 labels (Fonseca et al., "FSD50K: an Open Dataset of
//! Human-Labeled Sound Events", 2022, <https://doi.org/10.5281/zenodo.4060432>): lists in
//! `FSD50K.ground_truth`, clips in `FSD50K.dev_audio` and `FSD50K.eval_audio`. As published, the
//! column `split` of `dev.csv` divides the development set into the training part (`train`) and the
//! validation part (`val`), and the evaluation set is the test part.

use std::path::Path;

use super::draft::{Answer, Found};
use super::gate::Gate;
use super::list::{Entry, Listing, Table, labels_in, passed_over};
use super::spec::Spec;
use crate::Result;
use crate::item::TargetKind;
use crate::part::Part;

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let root = Path::new(&spec.location);
    let mut found = Found {
        task: TargetKind::Tag,
        labels: None,
        drafts: Vec::new(),
        ignored_files: 0,
    };
    for set in ["dev", "eval"] {
        let list = root.join("FSD50K.ground_truth").join(format!("{set}.csv"));
        let folder = root.join(format!("FSD50K.{set}_audio"));
        let table = Table::read(&list, b',', gate)?;
        let [name, labels] = table.columns(["fname", "labels"])?;
        let split = match set {
            "dev" => Some(table.columns(["split"])?[0]),
            _ => None,
        };
        let mut listing = Listing::new(&list);
        for row in &table.rows {
            let entry = || {
                let part = match split.map(|split| row.get(split)) {
                    None => Part::Test,
                    Some("train") => Part::Train,
                    Some("val") => Part::Valid,
                    Some(other) => {
                        return Err(format!("split is '{other}'; it must be train or val"));
                    }
                };
                Ok(Entry {
                    id: format!("{set}/{}", row.get(name)),
                    file: folder.join(format!("{}.wav", row.get(name))),
                    cut: None,
                    answer: Answer::Tags(labels_in(row.get(labels), &[','])?),
                    part,
                    group: None,
                    domain: None,
                })
            };
            listing.add(gate, row.line, entry())?;
        }
        found.ignored_files += passed_over(&folder, &listing.drafts, gate)?;
        found.drafts.extend(listing.drafts);
    }
    found.drafts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}
