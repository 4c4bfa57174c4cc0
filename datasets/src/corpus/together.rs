//! Choosing a fraction of the recordings so that those that belong together stay together.
//!
//! Where each group lies within one class, such as clips of one original, a fraction of each class is
//! chosen, as it is of recordings without groups. Where groups stretch over classes, such as speakers
//! who say all words, whole groups are chosen from all recordings.

use std::collections::{BTreeMap, BTreeSet};

use super::chosen::{chosen_by_name, rank};

/// What a choice looks at in a recording.
#[derive(Clone)]
pub(super) struct Member<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// Its group; the recording is one of its own without.
    pub(super) group: Option<&'a str>,
    /// Its labels: one class, any number of tags, or none.
    pub(super) labels: Vec<usize>,
}

impl Member<'_> {
    /// The name of its group, or its own.
    pub(super) fn name(&self) -> &str {
        self.group.unwrap_or(self.id)
    }

    /// The class it is counted in: its only label, or the first.
    pub(super) fn class(&self) -> Option<usize> {
        self.labels.first().copied()
    }
}

/// The recordings chosen, by their indices.
pub(super) struct Chosen {
    pub(super) indices: Vec<usize>,
    /// Whether groups stayed whole; they do unless all recordings are of one.
    pub(super) keeps_groups: bool,
}

/// Chooses about a `fraction` of the recordings. Of two recordings or more, one or more are chosen,
/// and never all; the choice depends on names, groups, labels and the seed alone.
pub(super) fn choose(members: &[Member], fraction: f64, seed: u64) -> Chosen {
    if is_one_group(members) {
        let apart = members.iter().map(|member| Member {
            group: None,
            ..member.clone()
        });
        return Chosen {
            indices: by_class(&apart.collect::<Vec<_>>(), fraction, seed),
            keeps_groups: false,
        };
    }
    Chosen {
        indices: match stretch_over_classes(members) {
            false => by_class(members, fraction, seed),
            true => whole_groups(members, fraction, seed),
        },
        keeps_groups: true,
    }
}

/// Whether two recordings or more are all of one group.
pub(super) fn is_one_group(members: &[Member]) -> bool {
    let Some(first) = members.first().and_then(|member| member.group) else {
        return false;
    };
    members.len() > 1 && members.iter().all(|member| member.group == Some(first))
}

/// Whether a group has recordings of several classes.
pub(super) fn stretch_over_classes(members: &[Member]) -> bool {
    let mut classes = BTreeMap::new();
    members
        .iter()
        .any(|member| *classes.entry(member.name()).or_insert(member.class()) != member.class())
}

/// A fraction of each class, at least one of a class of two.
fn by_class(members: &[Member], fraction: f64, seed: u64) -> Vec<usize> {
    let mut classes = BTreeMap::<Option<usize>, Vec<usize>>::new();
    for (index, member) in members.iter().enumerate() {
        classes.entry(member.class()).or_default().push(index);
    }
    let mut chosen = Vec::new();
    for of_class in classes.into_values() {
        let names: Vec<&str> = of_class
            .iter()
            .map(|&index| members[index].name())
            .collect();
        let indices = chosen_by_name(&names, fraction, seed);
        chosen.extend(indices.into_iter().map(|index| of_class[index]));
    }
    chosen
}

/// A group with all its recordings.
pub(super) struct Group {
    pub(super) rank: [u8; 32],
    pub(super) indices: Vec<usize>,
    /// The number of its recordings with each label.
    pub(super) labels: BTreeMap<usize, usize>,
}

impl Group {
    pub(super) fn size(&self) -> usize {
        self.indices.len()
    }
}

/// The groups of recordings, in the order of their ranks.
pub(super) fn ranked_groups(members: &[Member], seed: u64) -> Vec<Group> {
    let mut by_name = BTreeMap::<&str, Group>::new();
    for (index, member) in members.iter().enumerate() {
        let name = member.name();
        let group = by_name.entry(name).or_insert_with(|| Group {
            rank: rank(name, seed),
            indices: Vec::new(),
            labels: BTreeMap::new(),
        });
        group.indices.push(index);
        for &label in &member.labels {
            *group.labels.entry(label).or_default() += 1;
        }
    }
    let mut groups: Vec<Group> = by_name.into_values().collect();
    groups.sort_by_key(|group| group.rank);
    groups
}

/// Whole groups, in the order of their ranks: each is taken that brings the recordings, and those of
/// each label, nearer to the fraction, unless no recording of one of its labels would be left. If
/// none does, the one that is nearest is taken.
fn whole_groups(members: &[Member], fraction: f64, seed: u64) -> Vec<usize> {
    if fraction.is_nan() || fraction <= 0.0 {
        return Vec::new();
    }
    let groups = ranked_groups(members, seed);
    let mut state = State::new(&groups, fraction);
    let mut chosen = Vec::new();
    for (place, group) in groups.iter().enumerate() {
        let is_last = chosen.len() + 1 == groups.len();
        if !is_last && state.labels_lost(group) == 0 && state.further(group) < -MARGIN {
            state.take(group);
            chosen.push(place);
        }
    }
    if chosen.is_empty() && groups.len() > 1 {
        let cost = |group: &Group| (state.labels_lost(group), state.further(group));
        let mut nearest = (0, cost(&groups[0]));
        for (place, group) in groups.iter().enumerate().skip(1) {
            let (lost, further) = cost(group);
            let (least, least_further) = nearest.1;
            if lost < least || (lost == least && further < least_further - MARGIN) {
                nearest = (place, (lost, further));
            }
        }
        chosen.push(nearest.0);
    }
    let indices: BTreeSet<usize> = chosen
        .into_iter()
        .flat_map(|place| groups[place].indices.iter().copied())
        .collect();
    indices.into_iter().collect()
}

/// Differences below it are those of rounding.
const MARGIN: f64 = 1e-9;

/// How many recordings there are and how many of them are taken, in all and of each label.
struct State {
    wanted: f64,
    taken: f64,
    labels: BTreeMap<usize, OfLabel>,
}

struct OfLabel {
    wanted: f64,
    taken: usize,
    all: usize,
}

impl State {
    fn new(groups: &[Group], fraction: f64) -> Self {
        let all: usize = groups.iter().map(Group::size).sum();
        let mut labels = BTreeMap::<usize, usize>::new();
        for (&label, count) in groups.iter().flat_map(|group| &group.labels) {
            *labels.entry(label).or_default() += count;
        }
        let of_label = |all| OfLabel {
            wanted: all as f64 * fraction,
            taken: 0,
            all,
        };
        Self {
            wanted: all as f64 * fraction,
            taken: 0.0,
            labels: labels
                .into_iter()
                .map(|(label, all)| (label, of_label(all)))
                .collect(),
        }
    }

    /// How many labels would have no recording left without a group.
    fn labels_lost(&self, group: &Group) -> usize {
        let lost = |&(label, count): &(&usize, &usize)| {
            let of_label = self.labels.get(label);
            of_label.is_some_and(|of_label| of_label.taken + count == of_label.all)
        };
        group.labels.iter().filter(lost).count()
    }

    /// How much further from what is wanted a group leads; below zero if it leads nearer.
    fn further(&self, group: &Group) -> f64 {
        let further = |wanted: f64, taken: f64, more: f64| {
            (taken + more - wanted).abs() - (taken - wanted).abs()
        };
        let in_all = further(self.wanted, self.taken, group.size() as f64);
        let of_labels = group.labels.iter().filter_map(|(label, &count)| {
            let of_label = self.labels.get(label)?;
            Some(further(
                of_label.wanted,
                of_label.taken as f64,
                count as f64,
            ))
        });
        in_all + of_labels.sum::<f64>()
    }

    fn take(&mut self, group: &Group) {
        self.taken += group.size() as f64;
        for (label, count) in &group.labels {
            if let Some(of_label) = self.labels.get_mut(label) {
                of_label.taken += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Recordings of these groups and classes; the last group is none.
    fn members<'a>(
        drawn: &[(usize, usize)],
        names: &'a [String],
        ids: &'a [String],
    ) -> Vec<Member<'a>> {
        let drawn = drawn.iter().zip(ids);
        drawn
            .map(|(&(group, class), id)| Member {
                id,
                group: names.get(group).map(String::as_str),
                labels: vec![class],
            })
            .collect()
    }

    fn named(prefix: &str, count: usize) -> Vec<String> {
        (0..count).map(|index| format!("{prefix}{index}")).collect()
    }

    fn classes_of<'a>(members: impl Iterator<Item = &'a Member<'a>>) -> BTreeSet<usize> {
        members.filter_map(Member::class).collect()
    }

    proptest! {
        #[test]
        fn no_group_is_divided_and_some_are_left(
            drawn in prop::collection::vec((0usize..8, 0usize..5), 2..60),
            fraction in 0.01f64..0.99,
            seed in 0u64..4,
        ) {
            let (names, ids) = (named("g", 7), named("r", drawn.len()));
            let members = members(&drawn, &names, &ids);
            let chosen = choose(&members, fraction, seed);
            let is_chosen = |index: &usize| chosen.indices.contains(index);
            prop_assert!(chosen.indices.len() < members.len());
            let mut groups = BTreeMap::<&str, BTreeSet<bool>>::new();
            for (index, member) in members.iter().enumerate() {
                groups.entry(member.name()).or_default().insert(is_chosen(&index));
            }
            prop_assert_eq!(chosen.keeps_groups, !is_one_group(&members));
            if chosen.keeps_groups {
                prop_assert!(groups.values().all(|sides| sides.len() == 1));
            }
            // Classes left, by trying every single group where none could be left out.
            let all = classes_of(members.iter());
            let left = (0..members.len()).filter(|index| !is_chosen(index));
            let left = classes_of(left.map(|index| &members[index]));
            let spares = |name: &&str| {
                let others = members.iter().filter(|member| member.name() != *name);
                classes_of(others) == all
            };
            if groups.keys().any(spares) || !stretch_over_classes(&members) {
                prop_assert_eq!(left, all);
            }
            if stretch_over_classes(&members) && chosen.keeps_groups {
                prop_assert!(!chosen.indices.is_empty());
                let count = |name: &str| members.iter().filter(|it| it.name() == name).count();
                let largest = groups.keys().map(|name| count(name)).max().unwrap_or(0);
                let most = members.len() as f64 * fraction + largest as f64;
                prop_assert!(chosen.indices.len() as f64 <= most);
            }
        }

        #[test]
        fn the_order_of_recordings_changes_nothing(
            drawn in prop::collection::vec((0usize..6, 0usize..4), 2..40),
            turn in 0usize..40,
            fraction in 0.05f64..0.6,
        ) {
            let (names, ids) = (named("g", 5), named("r", drawn.len()));
            let mut members = members(&drawn, &names, &ids);
            let chosen = |members: &[Member]| -> BTreeSet<String> {
                let indices = choose(members, fraction, 3).indices.into_iter();
                indices.map(|index| members[index].id.to_owned()).collect()
            };
            let before = chosen(&members);
            members.reverse();
            let count = members.len();
            members.rotate_left(turn % count);
            prop_assert_eq!(chosen(&members), before);
        }

        /// Groups that have the same recordings of each class: their number is as near as it can be.
        #[test]
        fn the_number_of_like_groups_is_the_nearest(
            num_groups in 2usize..12,
            classes in 2usize..5,
            each in 1usize..4,
            fraction in 0.01f64..0.99,
        ) {
            let mut drawn = Vec::new();
            for group in 0..num_groups {
                for class in 0..classes {
                    drawn.extend(std::iter::repeat_n((group, class), each));
                }
            }
            let (names, ids) = (named("g", num_groups), named("r", drawn.len()));
            let members = members(&drawn, &names, &ids);
            let count = choose(&members, fraction, 1).indices.len() / (classes * each);
            let off = |count: usize| (count as f64 - num_groups as f64 * fraction).abs();
            let least = (1..num_groups).map(off).fold(f64::INFINITY, f64::min);
            prop_assert!((off(count) - least).abs() < 1e-6, "{count} of {num_groups}");
        }
    }

    #[test]
    fn a_group_with_the_only_recordings_of_a_class_is_left() {
        let (names, ids) = (named("g", 3), named("r", 7));
        // Class 2 is in group 0 alone.
        let drawn = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1)];
        let members = members(&drawn, &names, &ids);
        for seed in 0..20 {
            let chosen = choose(&members, 0.3, seed).indices;
            assert!(chosen == [3, 4] || chosen == [5, 6], "{chosen:?}");
        }
    }

    #[test]
    fn recordings_of_a_single_group_are_chosen_one_by_one() {
        let (names, ids) = (named("g", 1), named("r", 20));
        let drawn: Vec<(usize, usize)> = (0..20).map(|index| (0, index % 2)).collect();
        let chosen = choose(&members(&drawn, &names, &ids), 0.1, 0);
        assert_eq!((chosen.indices.len(), chosen.keeps_groups), (2, false));
    }
}
