//! The test part of recordings that are published without parts: a fraction, `test_fraction=F`, or folds,
//! `folds=K&of=N`.
//!
//! Groups, or recordings without one, are divided among `of` folds by a hash of their names, so that
//! folds are of nearly the same size and so are the recordings of each class in them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::draft::{Answer, Draft};
use super::folds::{part_of, test_folds};
use super::gate::Gate;
use super::query::number;
use super::spec::Spec;
use super::together::{Group, Member, choose, ranked_groups};
use crate::part::Part;
use crate::{Error, Result};

const USUAL_FOLDS: u32 = 5;
const MAX_FOLDS: u32 = 1000;
/// The seed of the division, which must not depend on a run's.
const FOLDS_SEED: u64 = 0;

/// The fraction that becomes the test part, of each class if there are no groups.
const TEST_FRACTION: f64 = 0.1;
/// The seed of that choice, which must not depend on a run's.
const TEST_SEED: u64 = 0;

/// The fraction of recordings that a spec wants for the test part.
pub(super) fn test_fraction(spec: &Spec) -> Result<f64> {
    let fraction = number(spec, "test_fraction", TEST_FRACTION, 0.0, 0.9)?;
    if asks_for_folds(spec) && spec.query.contains_key("test_fraction") {
        return Err(Error::Query {
            corpus: spec.corpus.clone(),
            key: "test_fraction".into(),
            value: spec.query["test_fraction"].clone(),
            expected: "test_fraction and folds both choose the test part; give one of them".into(),
        });
    }
    Ok(fraction)
}

/// Moves a fraction of recordings without parts to the test part.
pub(super) fn set_test_aside(fraction: f64, gate: &mut Gate, drafts: &mut [Draft]) {
    let all: Vec<&Draft> = drafts.iter().collect();
    for chosen in choose(&members(&all), fraction, TEST_SEED).indices {
        drafts[chosen].part = Part::Test;
    }
    gate.chose_test = true;
}

/// Whether a spec asks for folds.
pub(super) fn asks_for_folds(spec: &Spec) -> bool {
    spec.query.contains_key("folds")
}

/// Moves the recordings of the folds that `folds=` names from the training to the test part. Refuses
/// recordings that have a test part already.
pub(super) fn divide(spec: &Spec, drafts: &mut [Draft]) -> Result<()> {
    let refuse = |key: &str, expected: String| Error::Query {
        corpus: spec.corpus.clone(),
        key: key.into(),
        value: spec.query.get(key).cloned().unwrap_or_default(),
        expected,
    };
    if !asks_for_folds(spec) {
        return match spec.query.contains_key("of") {
            true => Err(refuse(
                "of",
                "of is the number of folds, and goes with folds, those to test on".into(),
            )),
            false => Ok(()),
        };
    }
    let count = number(spec, "of", USUAL_FOLDS, 2, MAX_FOLDS)?;
    let tested = test_folds(spec, count, 1)?;
    if let Some(draft) = drafts.iter().find(|draft| draft.part == Part::Test) {
        return Err(refuse(
            "folds",
            format!(
                "it has a test part of its own, such as {}; leave folds out, or that part",
                draft.place
            ),
        ));
    }
    let training: Vec<usize> = (0..drafts.len())
        .filter(|&index| drafts[index].part == Part::Train)
        .collect();
    let of_training: Vec<&Draft> = training.iter().map(|&index| &drafts[index]).collect();
    let members = members(&of_training);
    let groups = ranked_groups(&members, FOLDS_SEED);
    if groups.len() < count as usize {
        let key = match spec.query.contains_key("of") {
            true => "of",
            false => "folds",
        };
        let what = match members.iter().any(|member| member.group.is_some()) {
            true => "groups",
            false => "recordings",
        };
        let there = groups.len();
        return Err(refuse(
            key,
            format!(
                "there are {there} {what} to divide, too few for {count} folds; of is their number"
            ),
        ));
    }
    let folds = folds_of(&members, groups, count as usize);
    for (index, fold) in training.into_iter().zip(folds) {
        drafts[index].part = part_of(fold as u32 + 1, &tested);
    }
    Ok(())
}

/// The recordings as choices look at them. Labels are numbered in the order of their names.
pub(super) fn members<'a>(drafts: &[&'a Draft]) -> Vec<Member<'a>> {
    let labels = |draft: &&'a Draft| -> Vec<&'a str> {
        match &draft.answer {
            Answer::Class(class) => vec![class],
            Answer::Tags(tags) => tags.iter().map(String::as_str).collect(),
            Answer::Text(_) | Answer::Value(_) => Vec::new(),
        }
    };
    let mut numbers: BTreeMap<&str, usize> = drafts
        .iter()
        .flat_map(labels)
        .map(|label| (label, 0))
        .collect();
    for (number, of_label) in numbers.values_mut().enumerate() {
        *of_label = number;
    }
    let members = drafts.iter().map(|draft| {
        let of_draft = labels(draft).into_iter();
        let mut labels: Vec<usize> = of_draft.filter_map(|it| numbers.get(it).copied()).collect();
        labels.sort_unstable();
        labels.dedup();
        Member {
            id: &draft.id,
            group: draft.group.as_deref(),
            labels,
        }
    });
    members.collect()
}

/// How many recordings a fold has, in all and of each class.
#[derive(Clone, Default)]
struct Fold {
    size: usize,
    classes: BTreeMap<Option<usize>, usize>,
}

/// The fold of each recording, counted from 0.
///
/// Groups of one class come first, class by class, each to the fold with the fewest recordings of
/// its class; then groups that stretch over classes, each to the smallest fold. The larger come
/// before the smaller. A fold that would get all recordings of a class is the last to be taken.
fn folds_of(members: &[Member], groups: Vec<Group>, count: usize) -> Vec<usize> {
    let mut folds = vec![Fold::default(); count];
    let mut left = BTreeMap::<Option<usize>, usize>::new();
    for member in members {
        *left.entry(member.class()).or_default() += 1;
    }
    let all = left.clone();
    let mut units: Vec<(Group, BTreeMap<Option<usize>, usize>)> = groups
        .into_iter()
        .map(|group| {
            let mut classes = BTreeMap::new();
            for &index in &group.indices {
                *classes.entry(members[index].class()).or_default() += 1;
            }
            (group, classes)
        })
        .collect();
    // Groups of a rank come in its order, as the sort is stable.
    units.sort_by_key(|(group, classes)| {
        let only = match classes.len() {
            1 => classes.keys().next().copied(),
            _ => None,
        };
        (only.is_none(), only, Reverse(group.size()))
    });
    let mut fold_of = vec![0; members.len()];
    for (group, classes) in units {
        let cost = |fold: &Fold| {
            let has = |class| fold.classes.get(class).copied().unwrap_or(0);
            let filled = classes.iter().filter(|&(class, more)| {
                let is_last = left.get(class) == Some(more) && all.get(class) != Some(more);
                is_last && all.get(class) == Some(&(has(class) + more))
            });
            let alike: usize = classes.iter().map(|(class, more)| has(class) * more).sum();
            match classes.len() {
                1 => (filled.count(), alike, fold.size),
                _ => (filled.count(), fold.size, alike),
            }
        };
        let least = (0..count)
            .min_by_key(|&fold| cost(&folds[fold]))
            .unwrap_or(0);
        for (class, more) in classes {
            *folds[least].classes.entry(class).or_default() += more;
            if let Some(left) = left.get_mut(&class) {
                *left -= more;
            }
        }
        folds[least].size += group.size();
        for index in group.indices {
            fold_of[index] = least;
        }
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn names(prefix: &str, count: usize) -> Vec<String> {
        (0..count).map(|index| format!("{prefix}{index}")).collect()
    }

    fn folds(members: &[Member], count: usize) -> Vec<usize> {
        folds_of(members, ranked_groups(members, FOLDS_SEED), count)
    }

    proptest! {
        #[test]
        fn folds_of_recordings_are_alike_in_size_and_classes(
            classes in prop::collection::vec(0usize..5, 2..80),
            count in 2usize..8,
        ) {
            let ids = names("r", classes.len());
            let members: Vec<Member> = ids
                .iter()
                .zip(&classes)
                .map(|(id, &class)| Member { id, group: None, labels: vec![class] })
                .collect();
            let folds = folds(&members, count);
            let is_even = |counts: Vec<usize>| {
                counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0) <= 1
            };
            let in_fold = |fold: usize, class: Option<usize>| {
                let pairs = folds.iter().zip(&classes);
                let counted = pairs
                    .filter(|(of, it)| **of == fold && class.is_none_or(|class| **it == class));
                counted.count()
            };
            let sizes = (0..count).map(|fold| in_fold(fold, None)).collect();
            prop_assert!(is_even(sizes));
            for class in 0..5 {
                let sizes = (0..count).map(|fold| in_fold(fold, Some(class))).collect();
                prop_assert!(is_even(sizes));
            }
            // In another order of the recordings each is in the same fold.
            let reversed: Vec<Member> = members.iter().rev().cloned().collect();
            let mut again = self::folds(&reversed, count);
            again.reverse();
            prop_assert_eq!(again, folds);
        }

        #[test]
        fn a_group_is_in_one_fold_and_folds_are_alike_in_size(
            drawn in prop::collection::vec((0usize..9, 0usize..4), 9..80),
            count in 2usize..5,
        ) {
            let (ids, groups) = (names("r", drawn.len()), names("g", 9));
            let members: Vec<Member> = ids
                .iter()
                .zip(&drawn)
                .map(|(id, &(group, class))| Member {
                    id,
                    group: Some(&groups[group]),
                    labels: vec![class],
                })
                .collect();
            let folds = folds(&members, count);
            let mut of_group = BTreeMap::<&str, BTreeSet<usize>>::new();
            for (member, fold) in members.iter().zip(&folds) {
                of_group.entry(member.name()).or_default().insert(*fold);
            }
            prop_assert!(of_group.values().all(|folds| folds.len() == 1));
            let size = |of: usize| folds.iter().filter(|fold| **fold == of).count();
            let sizes: Vec<usize> = (0..count).map(size).collect();
            let of_name = |name: &str| members.iter().filter(|it| it.name() == name).count();
            let largest = of_group.keys().map(|name| of_name(name)).max().unwrap_or(0);
            let spread = sizes.iter().max().unwrap_or(&0) - sizes.iter().min().unwrap_or(&0);
            // A class kept in two folds may cost the size of a group more.
            prop_assert!(spread <= 2 * largest, "{sizes:?}, {largest}");
            if of_group.len() >= count {
                prop_assert!(spread <= largest || sizes.iter().all(|size| *size > 0));
            }
        }
    }
}
