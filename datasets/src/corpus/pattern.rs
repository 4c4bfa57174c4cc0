//! Groups from the names of a folder's files: `group=REGEX`.

use std::path::Path;

use regex::Regex;

use super::draft::Draft;
use super::gate::Gate;
use super::spec::Spec;
use crate::item::Source;
use crate::spelling::composed;
use crate::{Error, Result};

const KEY: &str = "group";

/// The regular expression of a spec's `group=`.
pub(super) fn pattern(spec: &Spec) -> Result<Option<Regex>> {
    let Some(text) = spec.query.get(KEY) else {
        return Ok(None);
    };
    let pattern = Regex::new(&composed(text)).map_err(|error| {
        // The lines above the last show the place in the expression.
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default();
        let reason = last.strip_prefix("error: ").unwrap_or(last).to_owned();
        refused(spec, format!("it is not a regular expression: {reason}"))
    })?;
    Ok(Some(pattern))
}

fn refused(spec: &Spec, expected: String) -> Error {
    Error::Query {
        corpus: spec.corpus.clone(),
        key: KEY.into(),
        value: spec.query.get(KEY).cloned().unwrap_or_default(),
        expected,
    }
}

/// What a path's group is: the first bracket of the expression, or all that it matches. None if
/// that is nothing.
pub(super) fn group_of<'a>(pattern: &Regex, path: &'a str) -> Option<&'a str> {
    let found = pattern.captures(path)?;
    let bracket = match found.len() {
        1 => 0,
        _ => 1,
    };
    let group = found.get(bracket)?.as_str();
    (!group.is_empty()).then_some(group)
}

/// Gives each recording its group, which is its domain too. The gate gets those whose path, which
/// is their id, does not match.
pub(super) fn give_groups(spec: &Spec, gate: &mut Gate, drafts: &mut Vec<Draft>) -> Result<()> {
    let Some(pattern) = pattern(spec)? else {
        return Ok(());
    };
    for draft in drafts.iter_mut() {
        draft.group = group_of(&pattern, &draft.id).map(str::to_owned);
        if draft.domain.is_none() {
            draft.domain.clone_from(&draft.group);
        }
    }
    let all = drafts.len();
    let without = drafts.iter().filter(|draft| draft.group.is_none()).count();
    let example = drafts.iter().find_map(|draft| {
        let group = draft.group.as_ref()?;
        Some(format!("{} does, of the group '{group}'", draft.id))
    });
    let Some(example) = example else {
        let first = drafts.first().map_or("", |draft| &draft.id);
        return match all {
            0 => Ok(()),
            _ => Err(refused(
                spec,
                format!(
                    "none of the {all} recordings matches it; it is looked for in each path, such as \
                     {first}"
                ),
            )),
        };
    };
    let mut kept = Vec::with_capacity(all - without);
    for draft in drafts.drain(..) {
        if draft.group.is_some() {
            kept.push(draft);
            continue;
        }
        let path = match &draft.source {
            Source::File(path) => path.clone(),
            _ => Path::new(&draft.place).to_owned(),
        };
        let reason = format!(
            "{} does not match group={} ({without} of {all} recordings do not); each must, as {example}",
            draft.id,
            pattern.as_str(),
        );
        gate.reject(draft.place, Error::Layout { path, reason })?;
    }
    *drafts = kept;
    Ok(())
}
