//! The parts of an opened corpus.

use std::collections::BTreeMap;

use super::chosen::chosen_by_name;
use super::open::Corpus;
use crate::item::{Item, Target};
use crate::part::Part;

impl Corpus {
    /// The recordings of one part, in order.
    #[must_use]
    pub fn part(&self, part: Part) -> Vec<&Item> {
        self.items.iter().filter(|item| item.part == part).collect()
    }

    /// Sets aside a `fraction` of each class's training recordings as the validation part, unless the
    /// corpus has one. It takes at least one of a class that has two. Recordings without a class
    /// count as one class, and those with tags go by the first. Recordings of a class that belong
    /// together ([`Item::group`]) move together. The choice depends on their ids or groups and on
    /// `seed` alone. The test part is never touched.
    pub fn set_aside_valid(&mut self, fraction: f64, seed: u64) {
        if self.items.iter().any(|item| item.part == Part::Valid) {
            return;
        }
        let mut classes = BTreeMap::<Option<usize>, Vec<usize>>::new();
        for (index, item) in self.items.iter().enumerate() {
            if item.part == Part::Train {
                let class = match &item.target {
                    Target::Class(class) => Some(*class),
                    Target::Tags(tags) => tags.first().copied(),
                    Target::Text(_) | Target::Value(_) => None,
                };
                classes.entry(class).or_default().push(index);
            }
        }
        for members in classes.into_values() {
            let names: Vec<&str> = members
                .iter()
                .map(|&index| {
                    let item = &self.items[index];
                    item.group.as_deref().unwrap_or(&item.id)
                })
                .collect();
            for chosen in chosen_by_name(&names, fraction, seed) {
                self.items[members[chosen]].part = Part::Valid;
            }
        }
    }
}
