//! The values of a query.

use super::spec::Spec;
use crate::{Error, Result};

/// Refuses keys a corpus does not take; `split` is taken by all.
pub(super) fn check_keys(spec: &Spec, own: &[&str]) -> Result<()> {
    for (key, value) in &spec.query {
        if key != "split" && !own.contains(&key.as_str()) {
            let mut known = vec!["split"];
            known.extend(own);
            return Err(Error::Query {
                corpus: spec.corpus.clone(),
                key: key.clone(),
                value: value.clone(),
                expected: format!("it takes {}", known.join(", ")),
            });
        }
    }
    Ok(())
}

/// The value of a key as a number between two limits, or its default.
pub(super) fn number<T>(spec: &Spec, key: &str, default: T, least: T, most: T) -> Result<T>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
{
    let Some(text) = spec.query.get(key) else {
        return Ok(default);
    };
    text.parse()
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| Error::Query {
            corpus: spec.corpus.clone(),
            key: key.to_owned(),
            value: text.clone(),
            expected: format!("{key} is a number between {least} and {most}"),
        })
}

/// The sets that `sets=` names, separated by commas; all if it is not given.
pub(super) fn chosen_sets(spec: &Spec, there: &[String]) -> Result<Vec<String>> {
    let Some(asked) = spec.query.get("sets") else {
        return Ok(there.to_vec());
    };
    let wanted: Vec<&str> = asked.split(',').map(str::trim).collect();
    if let Some(missing) = wanted.iter().find(|set| !there.iter().any(|it| it == *set)) {
        let known = match there {
            [] => "none".to_owned(),
            there => there.join(", "),
        };
        return Err(Error::Query {
            corpus: spec.corpus.clone(),
            key: "sets".into(),
            value: asked.clone(),
            expected: format!("there is no '{missing}'; the sets there are: {known}"),
        });
    }
    let chosen = there.iter().filter(|set| wanted.contains(&set.as_str()));
    Ok(chosen.cloned().collect())
}

/// Whether a key is `true`; it is false where it is not given.
pub(super) fn flag(spec: &Spec, key: &str) -> Result<bool> {
    match spec.query.get(key).map(String::as_str) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Error::Query {
            corpus: spec.corpus.clone(),
            key: key.to_owned(),
            value: other.to_owned(),
            expected: format!("{key} is true or false"),
        }),
    }
}
