//! Corpora that are published in folds.

use std::collections::BTreeSet;

use super::spec::Spec;
use crate::part::Part;
use crate::{Error, Result};

/// The folds `folds=` names to test on, or the corpus's usual one.
pub(super) fn test_folds(spec: &Spec, count: u32, usual: u32) -> Result<BTreeSet<u32>> {
    let Some(text) = spec.query.get("folds") else {
        return Ok(BTreeSet::from([usual]));
    };
    let parsed: Option<BTreeSet<u32>> = text
        .split(',')
        .map(|fold| {
            fold.trim()
                .parse()
                .ok()
                .filter(|fold| (1..=count).contains(fold))
        })
        .collect();
    parsed.ok_or_else(|| Error::Query {
        corpus: spec.corpus.clone(),
        key: "folds".into(),
        value: text.clone(),
        expected: format!(
            "folds are those to test on, numbers from 1 to {count} with commas between"
        ),
    })
}

/// Test or training part.
pub(super) fn part_of(fold: u32, test_folds: &BTreeSet<u32>) -> Part {
    if test_folds.contains(&fold) {
        Part::Test
    } else {
        Part::Train
    }
}
