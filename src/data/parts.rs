//! The recordings of a run, each assigned to a part.

use std::collections::BTreeSet;

use sori_datasets::{BinStats, Item, Part, Rejected};

use crate::run::splits::{SplitPart, Splits};
use crate::task::any::AnyTask;

/// The recordings of a run.
pub struct Data {
    /// The task.
    pub task: AnyTask,
    /// The recordings, each assigned to a part.
    pub items: Vec<Item>,
    /// Frames of each recording, if known.
    pub frames: Vec<usize>,
    /// Recordings left out, with the reasons.
    pub skipped: Vec<Rejected>,
    /// Mean and deviation over the training part, if they normalise the features.
    pub stats: Option<BinStats>,
    /// The longest training recording in seconds.
    pub longest_s: f64,
}

impl Data {
    /// The recordings for the final result and the name of their part: the test part if there is one,
    /// otherwise the validation part.
    pub fn held_out(&self) -> (Vec<&Item>, &'static str) {
        let test = self.part(Part::Test);
        if test.is_empty() {
            (self.part(Part::Valid), "valid")
        } else {
            (test, "test")
        }
    }

    /// The frames of the recordings of one part, if known.
    pub fn frames_of(&self, part: Part) -> Vec<usize> {
        let both = self.items.iter().zip(&self.frames);
        both.filter(|(item, _)| item.part == part)
            .map(|(_, &frames)| frames)
            .collect()
    }

    /// The recordings of one part.
    pub fn part(&self, part: Part) -> Vec<&Item> {
        self.items.iter().filter(|item| item.part == part).collect()
    }

    /// The domains of the training part, sorted.
    pub(crate) fn domains(&self) -> Vec<String> {
        domains(&self.part(Part::Train))
    }

    /// The contents of `splits.json`.
    pub(crate) fn splits(&self) -> Splits {
        let part = |part| {
            let items = self.part(part);
            SplitPart {
                ids: items.iter().map(|item| item.id.clone()).collect(),
                frames: self.frames_of(part),
                fingerprints: items.iter().map(|item| item.fingerprint()).collect(),
            }
        };
        Splits {
            train: part(Part::Train),
            valid: part(Part::Valid),
            test: part(Part::Test),
        }
    }
}

/// The domains of recordings, sorted.
pub(super) fn domains(items: &[&Item]) -> Vec<String> {
    let domains: BTreeSet<&String> = items
        .iter()
        .filter_map(|item| item.domain.as_ref())
        .collect();
    domains.into_iter().cloned().collect()
}
