//! The recordings of a run, each assigned to a part.

use std::collections::BTreeSet;
use std::sync::Arc;

use sori_datasets::{AudioMemory, BinStats, Item, Part, Rejected};

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
    /// The longest recording of any part in seconds.
    pub longest_of_any_s: f64,
    /// Whether the validation part was set aside from the training part.
    pub(crate) valid_is_set_aside: bool,
    /// Recordings that are kept in memory.
    pub(crate) memory: Arc<AudioMemory>,
    /// Hashes of the recordings' files when the run began; empty where unknown or synthesised.
    pub(crate) contents: Vec<String>,
}

impl Data {
    /// The recordings for the final result and the name of their part: the test part if there is one,
    /// otherwise the validation part.
    pub fn held_out(&self) -> (Vec<&Item>, &'static str) {
        let part = self.held_out_part();
        (self.part(part), part.name())
    }

    /// The part of [`held_out`](Self::held_out).
    pub(crate) fn held_out_part(&self) -> Part {
        let has_test = self.items.iter().any(|item| item.part == Part::Test);
        if has_test { Part::Test } else { Part::Valid }
    }

    /// The frames of the recordings of one part, if known.
    pub fn frames_of(&self, part: Part) -> Vec<usize> {
        self.of_part(part, &self.frames)
    }

    /// Those of `values`, one for each recording, that belong to recordings of one part.
    fn of_part<V: Clone>(&self, part: Part, values: &[V]) -> Vec<V> {
        let both = self.items.iter().zip(values);
        both.filter(|(item, _)| item.part == part)
            .map(|(_, value)| value.clone())
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
                contents: self.of_part(part, &self.contents),
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
