//! FSDKaggle2019, sounds with one or more of 80 labels (Fonseca et al., "Audio tagging with noisy
//! labels and minimal supervision", 2019, <https://doi.org/10.5281/zenodo.3612637>).
//!
//! The curated training set is the training part, and with `noisy=true` the noisily labelled one
//! as well; the test set, its public and its private half, is the test part. The lists are in
//! `FSDKaggle2019.meta` (`train_curated_post_competition.csv` and so on, or the names they had on
//! Kaggle, `train_curated.csv`), the clips in `FSDKaggle2019.audio_train_curated`,
//! `FSDKaggle2019.audio_train_noisy` and `FSDKaggle2019.audio_test`.

use std::path::Path;

use super::draft::{Answer, Found};
use super::gate::Gate;
use super::list::{Entry, Listing, Table, labels_in, passed_over};
use super::query::flag;
use super::spec::Spec;
use crate::Result;
use crate::item::TargetKind;
use crate::part::Part;

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let mut sets = vec![("train_curated", Part::Train), ("test", Part::Test)];
    if flag(spec, "noisy")? {
        sets.push(("train_noisy", Part::Train));
    }
    let root = Path::new(&spec.location);
    let mut found = Found {
        task: TargetKind::Tag,
        labels: None,
        drafts: Vec::new(),
        ignored_files: 0,
    };
    for (set, part) in sets {
        let lists = root.join("FSDKaggle2019.meta");
        let kaggle = lists.join(format!("{set}.csv"));
        let list = if kaggle.is_file() {
            kaggle
        } else {
            lists.join(format!("{set}_post_competition.csv"))
        };
        let folder = root.join(format!("FSDKaggle2019.audio_{set}"));
        let table = Table::read(&list, b',', gate)?;
        let [name, labels] = table.columns(["fname", "labels"])?;
        let mut listing = Listing::new(&list);
        for row in &table.rows {
            let entry = labels_in(row.get(labels), &[',']).map(|labels| Entry {
                id: format!("{set}/{}", row.get(name)),
                file: folder.join(row.get(name)),
                cut: None,
                answer: Answer::Tags(labels),
                part,
                group: None,
                domain: None,
            });
            listing.add(gate, row.line, entry)?;
        }
        found.ignored_files += passed_over(&folder, &listing.drafts, gate)?;
        found.drafts.extend(listing.drafts);
    }
    found.drafts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}
