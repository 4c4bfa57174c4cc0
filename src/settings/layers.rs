//! Layers of settings: a TOML text or a `key=value` changes settings of any type.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::nearest::nearest;
use crate::{Error, Result};

/// `settings` changed by the TOML text `text`. Errors call the text `origin`.
///
/// # Errors
/// When the text is not TOML, or has a setting that does not exist or has the wrong type.
pub(crate) fn with_toml<S>(settings: &S, text: &str, origin: &str) -> Result<S>
where
    S: Serialize + DeserializeOwned,
{
    let bad = |reason: String| config_error(origin, reason);
    let changes: Table = text.parse().map_err(|e| bad(format!("{e}")))?;
    let mut table = table(settings, origin)?;
    let known = leaves(&table);
    merge(&mut table, changes, "", &known).map_err(bad)?;
    from_table(table, origin)
}

/// `settings` with one changed, given as `key=value`. The key is dotted (`train.learning_rate`) or,
/// where it is unambiguous, only its last part (`learning_rate`). The value is TOML. A bare word is a
/// string.
///
/// # Errors
/// When there is no such setting, the key is ambiguous, `refused` gives a reason against it, or
/// the value has the wrong type.
pub(crate) fn with_override<S>(
    settings: &S,
    assignment: &str,
    refused: impl Fn(&str) -> Option<String>,
) -> Result<S>
where
    S: Serialize + DeserializeOwned,
{
    let bad = |reason: String| config_error(assignment, reason);
    let (key, value) = assignment.split_once('=').ok_or_else(|| {
        bad("it must read key=value, such as train.learning_rate=0.01".to_string())
    })?;
    let mut table = table(settings, assignment)?;
    let known = leaves(&table);
    let path = find(&known, key.trim()).map_err(bad)?;
    if let Some(reason) = refused(&path) {
        return Err(bad(reason));
    }
    let value = value.trim();
    let mut changes = match format!("value = {value}").parse::<Table>() {
        Ok(mut parsed) if parsed.len() == 1 => {
            let parsed = parsed.remove("value");
            parsed.unwrap_or_else(|| Value::String(value.to_string()))
        }
        Ok(_) => {
            return Err(bad(
                "it holds several lines; give each setting by a `key=value` of its own".to_string(),
            ));
        }
        Err(_) => Value::String(value.to_string()),
    };
    // `path` comes from `leaves`, so each of its parts exists.
    for part in path.rsplit('.') {
        changes = Value::Table(Table::from_iter([(part.to_string(), changes)]));
    }
    if let Value::Table(changes) = changes {
        merge(&mut table, changes, "", &known).map_err(bad)?;
    }
    from_table(table, assignment)
}

/// The dotted name of the setting that `assignment`, which is `key=value`, sets in `settings`.
///
/// # Errors
/// When there is no such setting, or the key is ambiguous.
pub(crate) fn key_of<S: Serialize>(settings: &S, assignment: &str) -> Result<String> {
    let (key, _) = assignment.split_once('=').unwrap_or((assignment, ""));
    let leaves = leaves(&table(settings, assignment)?);
    find(&leaves, key.trim()).map_err(|reason| config_error(assignment, reason))
}

/// The dotted name among `keys` that `key` means.
fn find(keys: &[String], key: &str) -> std::result::Result<String, String> {
    let means = |known: &&String| {
        known.as_str() == key || (!key.contains('.') && known.rsplit('.').next() == Some(key))
    };
    let matching: Vec<&String> = keys.iter().filter(means).collect();
    match matching.as_slice() {
        [path] => Ok((*path).clone()),
        [] => {
            let below: Vec<&str> = keys
                .iter()
                .filter(|known| known.starts_with(&format!("{key}.")))
                .map(String::as_str)
                .collect();
            Err(if below.is_empty() {
                no_setting(key, &nearest(key, keys), keys)
            } else {
                format!("`{key}` is several settings: {}", below.join(", "))
            })
        }
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            Err(format!(
                "`{key}` could be {}; write the one you mean",
                names.join(" or ")
            ))
        }
    }
}

/// The message that there is no setting `key`: with the names that may be meant, or else with all there are.
fn no_setting(key: &str, near: &[&str], keys: &[String]) -> String {
    let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    match near.is_empty() {
        true => format!("there is no setting `{key}`; there are {}", keys.join(", ")),
        false => format!(
            "there is no setting `{key}`; did you mean {}?",
            near.join(" or ")
        ),
    }
}

/// The settings as a table. Errors call them `origin`.
pub(super) fn table<S: Serialize>(settings: &S, origin: &str) -> Result<Table> {
    Table::try_from(settings).map_err(|e| config_error(origin, e.to_string()))
}

/// The settings in a table. Errors call it `origin`.
pub(super) fn from_table<S: DeserializeOwned>(table: Table, origin: &str) -> Result<S> {
    table
        .try_into()
        .map_err(|e: toml::de::Error| config_error(origin, e.message().to_string()))
}

fn config_error(origin: &str, reason: String) -> Error {
    Error::Config {
        origin: origin.to_string(),
        reason,
    }
}

/// Merges `changes` into `table`, whose names begin with `prefix`; `known` are the names of all settings. An integer
/// is accepted where a float is expected.
fn merge(
    table: &mut Table,
    changes: Table,
    prefix: &str,
    known: &[String],
) -> std::result::Result<(), String> {
    // The name comes first. Other mismatches follow from a wrong model.
    let (name, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(key, _)| key == "name");
    for (key, change) in name.into_iter().chain(rest) {
        let path = format!("{prefix}{key}");
        if path == "model.name" && table.get(&key) != Some(&change) {
            let model = table.get(&key).unwrap_or(&change);
            return Err(format!(
                "these settings are for the model {change}, the command is for {model}; they must \
                 agree"
            ));
        }
        let Some(current) = table.get_mut(&key) else {
            let here = table.keys().map(|known| format!("{prefix}{known}"));
            let here: Vec<String> = here.collect();
            let near = match nearest(&path, &here) {
                near if near.is_empty() => nearest(&path, known),
                near => near,
            };
            return Err(no_setting(&path, &near, &here));
        };
        match (current, change) {
            (Value::Table(inner), Value::Table(change)) => {
                merge(inner, change, &format!("{path}."), known)?;
            }
            (Value::Float(current), Value::Integer(change)) => *current = change as f64,
            (current, change) if current.type_str() == change.type_str() => *current = change,
            (current, change) => {
                return Err(format!(
                    "setting `{path}` must be of type {}, such as {current}; it is of type {}",
                    current.type_str(),
                    change.type_str()
                ));
            }
        }
    }
    Ok(())
}

/// The value of the setting `key`.
pub(super) fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((group, rest)) => get(table.get(group)?.as_table()?, rest),
    }
}

/// The table with another value of the setting `key`, which it has.
pub(super) fn replaced(mut table: Table, key: &str, value: Value) -> Table {
    match key.split_once('.') {
        None => {
            table.insert(key.to_string(), value);
        }
        Some((group, rest)) => {
            if let Some(Value::Table(inner)) = table.remove(group) {
                let inner = Value::Table(replaced(inner, rest, value));
                table.insert(group.to_string(), inner);
            }
        }
    }
    table
}

/// The dotted names of all settings.
pub(super) fn leaves(table: &Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                names.extend(
                    leaves(inner)
                        .into_iter()
                        .map(|leaf| format!("{key}.{leaf}")),
                );
            }
            _ => names.push(key.clone()),
        }
    }
    names
}
