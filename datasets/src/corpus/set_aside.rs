//! The parts of an opened corpus.

use std::collections::{BTreeMap, BTreeSet};

use super::open::Corpus;
use super::together::{Member, choose};
use crate::item::{Item, Target};
use crate::part::Part;

/// What stayed whole where recordings were set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Recordings.
    Recordings,
    /// Groups ([`Item::group`]); recordings without one are set aside by themselves.
    Groups,
    /// Domains ([`Item::domain`]).
    Domains,
}

impl Corpus {
    /// The recordings of one part, in order.
    #[must_use]
    pub fn part(&self, part: Part) -> Vec<&Item> {
        self.items.iter().filter(|item| item.part == part).collect()
    }

    /// The group that all recordings of a part are of, if they are two or more. Such recordings are
    /// set aside one by one.
    #[must_use]
    pub fn only_group(&self, part: Part) -> Option<&str> {
        let items = self.part(part);
        let first = items.first()?.group.as_deref()?;
        let is_only = items
            .iter()
            .all(|item| item.group.as_deref() == Some(first));
        (is_only && items.len() > 1).then_some(first)
    }

    /// Sets aside a `fraction` of the training recordings as the validation part, unless the corpus
    /// has one. The test part is never touched. Returns what stayed whole, none if nothing was set
    /// aside.
    ///
    /// Recordings that belong together ([`Item::group`]) move together. Where the test part is of
    /// domains that the training part does not have ([`Item::domain`], such as speakers), so is the
    /// validation part, if two domains and every label are left to train on. Recordings that are all of one group are set aside one by one.
    ///
    /// Where each group lies within one class, `fraction` is that of each class, and at least one
    /// recording of a class that has two. Recordings without a class count as one class, and those
    /// with tags go by the first. Where groups stretch over classes, whole groups with about that
    /// fraction of all recordings are set aside, at least one and never all; each class keeps
    /// training recordings where that is possible. The choice depends on names and on `seed` alone.
    pub fn set_aside_valid(&mut self, fraction: f64, seed: u64) -> Option<Whole> {
        if self.items.iter().any(|item| item.part == Part::Valid) {
            return None;
        }
        let training: Vec<&Item> = self.part(Part::Train);
        let by_domain = tests_on_other_domains(&self.items)
            && leaves_enough(
                &training,
                &choose(&members(&training, true), fraction, seed).indices,
            );
        let members = members(&training, by_domain);
        let is_grouped = members.iter().any(|member| member.group.is_some());
        let chosen = choose(&members, fraction, seed);
        let chosen_indices: BTreeSet<usize> = chosen.indices.into_iter().collect();
        let training = self
            .items
            .iter_mut()
            .filter(|item| item.part == Part::Train);
        for (index, item) in training.enumerate() {
            if chosen_indices.contains(&index) {
                item.part = Part::Valid;
            }
        }
        match (chosen.keeps_groups && is_grouped, by_domain) {
            _ if chosen_indices.is_empty() => None,
            (false, _) => Some(Whole::Recordings),
            (true, false) => Some(Whole::Groups),
            (true, true) => Some(Whole::Domains),
        }
    }
}

/// Whether each recording to train or test on has a domain, none of those tested on is trained on,
/// two are left to train on, and no group to train on is in two of them.
fn tests_on_other_domains(items: &[Item]) -> bool {
    let mut domains = [BTreeSet::new(), BTreeSet::new()];
    let mut domain_of = BTreeMap::new();
    for item in items {
        let Some(domain) = &item.domain else {
            return false;
        };
        if item.part == Part::Train
            && let Some(group) = &item.group
            && *domain_of.entry(group).or_insert(domain) != domain
        {
            return false;
        }
        domains[usize::from(item.part == Part::Test)].insert(domain);
    }
    let [training, testing] = domains;
    training.len() > 1 && !testing.is_empty() && training.is_disjoint(&testing)
}

/// What a choice looks at in these recordings, by domain or by group.
fn members<'a>(training: &[&'a Item], by_domain: bool) -> Vec<Member<'a>> {
    let member = |item: &&'a Item| Member {
        id: &item.id,
        group: match by_domain {
            true => item.domain.as_deref(),
            false => item.group.as_deref(),
        },
        labels: labels_of(item),
    };
    training.iter().map(member).collect()
}

/// Whether something is set aside, and of the rest two domains or more and every label are left.
fn leaves_enough(training: &[&Item], set_aside: &[usize]) -> bool {
    let set_aside: BTreeSet<&usize> = set_aside.iter().collect();
    let left = || {
        let all = training.iter().enumerate();
        all.filter(|(index, _)| !set_aside.contains(index))
            .map(|(_, item)| item)
    };
    let labels = |items: &mut dyn Iterator<Item = &&Item>| -> BTreeSet<usize> {
        items.flat_map(|item| labels_of(item)).collect()
    };
    let domains: BTreeSet<_> = left().filter_map(|item| item.domain.as_ref()).collect();
    !set_aside.is_empty()
        && domains.len() > 1
        && labels(&mut left()).len() == labels(&mut training.iter()).len()
}

fn labels_of(item: &Item) -> Vec<usize> {
    match &item.target {
        Target::Class(class) => vec![*class],
        Target::Tags(tags) => tags.clone(),
        Target::Text(_) | Target::Value(_) => Vec::new(),
    }
}
