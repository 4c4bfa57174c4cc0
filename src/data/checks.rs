//! Checks of a run's recordings.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use sori_datasets::{Item, Part, Source, Target};
use sori_models::Architecture;

use super::listing::Recordings;
use super::parts::domains;
use crate::settings::schema::Settings;
use crate::task::contract::Task;
use crate::task::name::TaskName;
use crate::task::{Classify, Scale, Tag};
use crate::{Error, Result};

fn refuse<T>(reason: String) -> Result<T> {
    Err(Error::Input(reason))
}

/// Refuses training parts with nothing to learn, or a label without recordings. Returns the scale
/// of a quantity.
pub(super) fn labels<A: Architecture>(
    settings: &Settings<A>,
    listing: &Recordings,
) -> Result<Option<Scale>> {
    let spec = &settings.data.train;
    let labels = &listing.labels;
    if labels.len() < 2 && listing.task == TaskName::Classify {
        return refuse(format!(
            "{spec}: there is only the class {}; telling classes apart takes two",
            labels.join(", ")
        ));
    }
    if labels.is_empty() && listing.task == TaskName::Tag {
        return refuse(format!("{spec}: no recording has a tag"));
    }
    let train = listing.train();
    if train.is_empty() {
        return refuse(format!(
            "{spec}: no recording is left to train on; a `split=` in it must be train, or left out"
        ));
    }
    match listing.task {
        TaskName::Classify => every_label(spec, listing, &train, Classify::LABEL[0])?,
        TaskName::Tag => every_label(spec, listing, &train, Tag::LABEL[0])?,
        TaskName::Regress => return quantity(settings, &train).map(Some),
        TaskName::Transcribe | TaskName::Autoencode | TaskName::Generate => {}
    }
    Ok(None)
}

/// Refuses labels with no training recording left.
fn every_label(spec: &str, listing: &Recordings, train: &[&Item], label: &str) -> Result<()> {
    let learned: HashSet<usize> = train
        .iter()
        .flat_map(|item| match &item.target {
            Target::Class(class) => vec![*class],
            Target::Tags(tags) => tags.clone(),
            Target::Text(_) | Target::Value(_) => Vec::new(),
        })
        .collect();
    let labels = &listing.labels;
    let missing = labels
        .iter()
        .enumerate()
        .filter(|(index, _)| !learned.contains(index));
    let Some((_, name)) = missing.into_iter().next() else {
        return Ok(());
    };
    let index = labels.iter().position(|other| other == name);
    let is_of_it = |item: &&Item| match &item.target {
        Target::Class(class) => Some(*class) == index,
        Target::Tags(tags) => index.is_some_and(|index| tags.contains(&index)),
        Target::Text(_) | Target::Value(_) => false,
    };
    let set_aside = listing.items.iter().filter(|item| item.part == Part::Valid);
    let set_aside = set_aside.filter(is_of_it).count();
    if listing.valid_is_set_aside && set_aside > 0 {
        return refuse(format!(
            "{spec}: all {set_aside} recordings of the {label} {name} would be in the validation part, which \
             keeps groups whole; name other groups, or recordings to validate on (data.valid)"
        ));
    }
    refuse(format!(
        "{spec}: no recording of the {label} {name} is left to train on ({} were left out); add one or \
         take the {label} away",
        listing.rejected.len(),
    ))
}

/// The scale of a quantity. Refuses settings that only apply to labels.
fn quantity<A: Architecture>(settings: &Settings<A>, train: &[&Item]) -> Result<Scale> {
    let spec = &settings.data.train;
    let of_labels = [
        ("label_smoothing", settings.train.label_smoothing != 0.0),
        ("class_weights", settings.train.class_weights),
        ("balance", settings.train.balance),
    ];
    if let Some((key, _)) = of_labels.iter().find(|(_, is_on)| *is_on) {
        return refuse(format!(
            "{spec}: train.{key} is for labels, and numbers are learned here; leave it out"
        ));
    }
    let values: Vec<f64> = train
        .iter()
        .filter_map(|item| item.target.value())
        .collect();
    match Scale::of(&values) {
        Some(scale) => Ok(scale),
        None => refuse(format!(
            "{spec}: all recordings to train on have the same value; there is nothing to tell apart"
        )),
    }
}

/// Refuses parts that are empty or share a recording, and recordings without a domain if
/// domains are to be hidden.
pub(super) fn parts<A: Architecture>(
    settings: &Settings<A>,
    listing: &Recordings,
    had_test: bool,
) -> Result<()> {
    let specs = &settings.data;
    if settings.train.adversary_weight > 0.0 {
        two_domains(&specs.train, &listing.train())?;
    }
    let is_empty = |part| !listing.items.iter().any(|item| item.part == part);
    if is_empty(Part::Valid) {
        return refuse(match specs.valid.as_str() {
            "" => format!(
                "{}: there is no second recording (of a class) to set aside for validation; add some, or \
                 name others in data.valid",
                specs.train
            ),
            valid => format!("{valid}: no recording is left to choose the best checkpoint by"),
        });
    }
    if had_test && is_empty(Part::Test) {
        return refuse(format!(
            "{}: none of the recordings to test on can be used",
            match specs.test.as_str() {
                "" => &specs.train,
                test => test,
            }
        ));
    }
    // A file's stretches: start and end in milliseconds, and the part.
    let mut files: BTreeMap<PathBuf, Vec<(u64, u64, Part)>> = BTreeMap::new();
    for item in &listing.items {
        for (path, start_ms) in item.source.files() {
            let end_ms = match &item.source {
                Source::Segment(segment) => start_ms.saturating_add(segment.length_ms),
                _ => u64::MAX,
            };
            let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            files
                .entry(path)
                .or_default()
                .push((start_ms, end_ms, item.part));
        }
    }
    for (path, mut stretches) in files {
        stretches.sort_unstable();
        // The furthest end of each part so far.
        let mut ends: BTreeMap<Part, u64> = BTreeMap::new();
        for (start_ms, end_ms, part) in stretches {
            let shared = ends
                .iter()
                .find(|(other, end)| **other != part && **end > start_ms);
            if let Some((other, _)) = shared {
                return refuse(format!(
                    "{} is in two parts ({other} and {part}), so that the result would mean nothing; \
                     choose parts that share no recording, with `?split=` or other folders",
                    path.display(),
                ));
            }
            let end = ends.entry(part).or_default();
            *end = end_ms.max(*end);
        }
    }
    Ok(())
}

/// Refuses training recordings from fewer than two domains.
fn two_domains(spec: &str, train: &[&Item]) -> Result<()> {
    let without = train.iter().filter(|item| item.domain.is_none()).count();
    let found = match (without, domains(train).as_slice()) {
        (0, [_, _, ..]) => return Ok(()),
        (0, domains) => format!("all are of {}", domains.join(", ")),
        _ => format!("{without} of {} have none", train.len()),
    };
    refuse(format!(
        "{spec}: train.adversary_weight needs recordings of two domains or more, and {found}; fsdd \
         names its speakers, a manifest a \"domain\" of each recording, and folder:DIR?group=REGEX too"
    ))
}
