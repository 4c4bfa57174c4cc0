//! Every setting with its meaning, its value, the values it may have and where its value comes from. Nothing here is
//! written twice: meanings are the doc comments of the fields, and the values allowed are what the checks say.

use documented::DocumentedFields;
use serde::Serialize;
use sori_datasets::{AugmentConfig, FeatureConfig, Normalization};
use sori_models::{ConfigError, ModelConfig, catalogue};
use toml::{Table, Value};

use super::choices::choices;
use super::layers::{from_table, get, leaves, replaced, table};
use super::recipes::{OF_THE_DATA, Source};
use super::schema::{DataSettings, Settings, TextSettings};
use super::training::TrainSettings;
use crate::{Error, Result};

/// One setting of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The dotted name.
    pub key: String,
    /// The value.
    pub value: Value,
    /// The meaning.
    pub meaning: String,
    /// The values that it may have.
    pub allowed: String,
    /// The words that it may be, if it is one of several.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub choices: &'static [&'static str],
    /// Where its value comes from.
    pub source: Source,
}

/// The settings of the last of these layers, each of which changes the one before it.
///
/// # Errors
/// When settings have no form in TOML.
pub fn listing(layers: &[(Source, Settings)]) -> Result<Vec<Setting>> {
    let tables = layers
        .iter()
        .map(|(source, settings)| Ok((*source, table(settings, "settings")?)));
    let tables: Vec<(Source, Table)> = tables.collect::<Result<_>>()?;
    let (Some((_, settings)), Some((_, last))) = (layers.last(), tables.last()) else {
        return Ok(Vec::new());
    };
    let keys = leaves(last).into_iter().filter(|key| can_be_set(key));
    let settings = keys.filter_map(|key| {
        let value = get(last, &key)?.clone();
        let meaning = meaning(&settings.model, &key).map_or_else(String::new, plain);
        // The last layer that differs from the one below it.
        let mut source = Source::Default;
        for pair in tables.windows(2) {
            if get(&pair[1].1, &key) != get(&pair[0].1, &key) {
                source = pair[1].0;
            }
        }
        let choices = match value {
            Value::String(_) => choices::<Settings>(last, &key).unwrap_or_default(),
            _ => &[],
        };
        Some(Setting {
            allowed: allowed(last, &key, &value, choices),
            key,
            value,
            meaning,
            choices,
            source,
        })
    });
    Ok(settings.collect())
}

/// The settings that all models share, with the general defaults.
///
/// # Errors
/// When settings have no form in TOML.
pub fn shared_listing() -> Result<Vec<Setting>> {
    let model = ModelConfig::from_name("mlp")?;
    let (train, rate_hz) = (
        DataSettings::default().train,
        FeatureConfig::default().sample_rate_hz,
    );
    let mut settings = Settings::general(model, &train, rate_hz);
    settings.text = Some(TextSettings::default());
    let mut shared = listing(&[(Source::Default, settings)])?;
    shared.retain(|setting| !setting.key.starts_with("model."));
    Ok(shared)
}

/// The dotted names of the settings of every model of the zoo.
///
/// # Errors
/// When settings have no form in TOML.
pub(crate) fn all_keys() -> Result<Vec<String>> {
    let mut keys: Vec<String> = Vec::new();
    for card in catalogue() {
        let mut settings = Settings::new(card.name, "", FeatureConfig::default().sample_rate_hz)?;
        settings.text = Some(TextSettings::default());
        for key in leaves(&table(&settings, "settings")?) {
            if can_be_set(&key) && !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys.sort();
    Ok(keys)
}

/// The doc comment of the field that the dotted name `key` names: of a setting, or of a group of them.
pub(crate) fn meaning(model: &ModelConfig, key: &str) -> Option<&'static str> {
    let Some((group, field)) = key.split_once('.') else {
        return Settings::<ModelConfig>::get_field_docs(key).ok();
    };
    match group {
        "data" => DataSettings::get_field_docs(field).ok(),
        "features" => FeatureConfig::get_field_docs(field).ok(),
        "augment" => AugmentConfig::meaning(field),
        "model" => model.meaning(field),
        "train" => TrainSettings::get_field_docs(field).ok(),
        "text" => match field.split_once('.') {
            Some(("normalization", field)) => Normalization::get_field_docs(field).ok(),
            _ => TextSettings::get_field_docs(field).ok(),
        },
        _ => None,
    }
}

/// Whether the setting `key` is left to be set: the architecture is not, nor are sizes that follow from the data.
fn can_be_set(key: &str) -> bool {
    match key.strip_prefix("model.") {
        Some(field) => field != "name" && !OF_THE_DATA.contains(&field),
        None => true,
    }
}

/// The values that a setting may have, in words.
fn allowed(table: &Table, key: &str, value: &Value, choices: &[&str]) -> String {
    let refused = |probes: &[Value]| {
        let mut reasons = probes.iter().map(|probe| refusal(table, key, probe));
        reasons.find_map(|reason| reason)
    };
    match value {
        Value::Boolean(_) => "true or false".to_string(),
        Value::String(_) if choices.is_empty() => "text".to_string(),
        Value::String(_) => choices.join(", "),
        Value::Integer(_) => refused(&[0.into(), i64::from(u32::MAX).into(), (-1).into()])
            .unwrap_or_else(|| "a whole number".to_string()),
        Value::Float(_) => {
            refused(&[f64::NAN.into(), (-1.0).into()]).unwrap_or_else(|| "a number".to_string())
        }
        Value::Array(_) => {
            let numbers = Value::Array(vec![0.into()]);
            let none = Value::Array(Vec::new());
            refused(&[numbers, none]).unwrap_or_else(|| "a list".to_string())
        }
        Value::Table(_) | Value::Datetime(_) => String::new(),
    }
}

/// What the checks say would be right for the setting `key` when it is given the value `probe`, if they refuse it.
fn refusal(table: &Table, key: &str, probe: &Value) -> Option<String> {
    let asked = replaced(table.clone(), key, probe.clone());
    let settings: Settings = match from_table(asked, "settings") {
        Ok(settings) => settings,
        // Its type refuses it.
        Err(_) if *probe == Value::Integer(-1) => return Some("0 or above".to_string()),
        Err(_) => return None,
    };
    let expected = match settings.check() {
        Err(Error::Setting {
            key: named,
            expected,
            ..
        }) if named == key => expected,
        Err(Error::Model(ConfigError::Field {
            field, expected, ..
        })) if key.strip_prefix("model.") == Some(field) => expected,
        Err(Error::Data(sori_datasets::Error::Config {
            field, expected, ..
        })) if key == field || key.strip_prefix("features.") == Some(field) => expected,
        _ => return None,
    };
    let expected = expected.strip_prefix("it must be ").unwrap_or(&expected);
    Some(expected.to_string())
}

/// A doc comment as plain text on one line: links are their text alone.
pub(crate) fn plain(doc: &str) -> String {
    let mut text = doc.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some(middle) = text.find("](") {
        let (before, behind) = text.split_at(middle);
        let (Some(begin), Some(end)) = (before.rfind('['), behind.find(')')) else {
            break;
        };
        text = [&before[..begin], &before[begin + 1..], &behind[end + 1..]].concat();
    }
    text
}
