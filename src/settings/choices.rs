//! The words that a setting may be: those that its type names when it is given another.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use toml::{Table, Value};

use super::layers::replaced;

/// A word that no setting has.
const NO_WORD: &str = "?";

/// The words that the setting `key` of settings of this type may be, if it is one of several; `table` holds the
/// settings.
pub(super) fn choices<S: DeserializeOwned>(
    table: &Table,
    key: &str,
) -> Option<&'static [&'static str]> {
    let asked = replaced(table.clone(), key, Value::String(NO_WORD.to_string()));
    match S::deserialize(Node(Value::Table(asked))) {
        Err(Refusal::Choices(choices)) => Some(choices),
        _ => None,
    }
}

/// The reason why a value is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// It is not among these words.
    #[error("it is not one of {0:?}")]
    Choices(&'static [&'static str]),
    /// Another reason.
    #[error("{0}")]
    Other(String),
}

impl de::Error for Refusal {
    fn custom<T: std::fmt::Display>(reason: T) -> Self {
        Self::Other(reason.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Choices(expected)
    }
}

/// A value that is read with [`Refusal`] for an error.
struct Node(Value);

impl<'de> Deserializer<'de> for Node {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0 {
            Value::String(value) => visitor.visit_string(value),
            Value::Integer(value) => visitor.visit_i64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Boolean(value) => visitor.visit_bool(value),
            Value::Datetime(value) => visitor.visit_string(value.to_string()),
            Value::Array(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Node)))
            }
            Value::Table(table) => {
                let entries = table.into_iter().map(|(key, value)| (key, Node(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.0 {
            Value::String(word) => word
                .into_deserializer()
                .deserialize_enum(name, variants, visitor),
            _ => Err(Refusal::Choices(variants)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Refusal> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
