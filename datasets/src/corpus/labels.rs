//! The labels of a corpus, and answers as indices of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Answer, Draft};
use super::spec::Spec;
use crate::error::listed;
use crate::item::Target;
use crate::{Error, Result};

/// Every label that occurs, sorted.
pub(super) fn labels_of(drafts: &[Draft]) -> Vec<String> {
    let mut labels = BTreeSet::new();
    for draft in drafts {
        match &draft.answer {
            Answer::Class(label) => {
                labels.insert(label);
            }
            Answer::Tags(tags) => labels.extend(tags),
            Answer::Text(_) | Answer::Value(_) => {}
        }
    }
    labels.into_iter().cloned().collect()
}

pub(super) fn target(
    draft: &Draft,
    index: &BTreeMap<Cow<'_, str>, usize>,
    labels: &[String],
) -> Result<Target> {
    let find = |label: &String| {
        index
            .get(label.as_str())
            .copied()
            .ok_or_else(|| Error::UnknownLabel {
                place: draft.place.clone(),
                label: label.clone(),
                known: listed(labels, 20),
            })
    };
    Ok(match &draft.answer {
        Answer::Class(label) => Target::Class(find(label)?),
        Answer::Tags(tags) => {
            let tags: BTreeSet<usize> = tags.iter().map(find).collect::<Result<_>>()?;
            Target::Tags(tags.into_iter().collect())
        }
        Answer::Text(text) => Target::Text(text.clone()),
        Answer::Value(value) => Target::Value(*value),
    })
}

/// The name of a quantity whose list does not name it.
pub(super) const VALUE: &str = "value";

/// Refuses values of another quantity than the one that is known.
pub(super) fn check_quantity(spec: &Spec, own: &[String], given: &[String]) -> Result<()> {
    let named = |names: &[String]| names.first().cloned().unwrap_or_default();
    let (own, given) = (named(own), named(given));
    if own == given || own == VALUE || given == VALUE {
        return Ok(());
    }
    Err(Error::UnknownLabel {
        place: spec.to_string(),
        label: own,
        known: given,
    })
}
