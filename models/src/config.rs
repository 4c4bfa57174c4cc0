use thiserror::Error;

/// Why a configuration describes no model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A field has a value that makes no sense.
    #[error("`{field}` is {value}, but must be {expected}")]
    Field {
        /// The field's name, as written in a configuration file.
        field: &'static str,
        /// The value it has.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// No model of the zoo is called that.
    #[error("there is no model `{name}`; the zoo has {known}")]
    UnknownModel {
        /// The name that was asked for.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
}

impl ConfigError {
    pub(crate) fn field(
        field: &'static str,
        value: impl std::fmt::Debug,
        expected: impl Into<String>,
    ) -> Self {
        Self::Field {
            field,
            value: format!("{value:?}"),
            expected: expected.into(),
        }
    }
}

pub(crate) fn check_positive(field: &'static str, value: usize) -> Result<(), ConfigError> {
    match value {
        0 => Err(ConfigError::field(field, value, "at least 1")),
        _ => Ok(()),
    }
}

/// A list of layer sizes: each at least one, and at least one layer unless `may_be_empty`.
pub(crate) fn check_sizes(
    field: &'static str,
    sizes: &[usize],
    may_be_empty: bool,
) -> Result<(), ConfigError> {
    if sizes.contains(&0) {
        return Err(ConfigError::field(field, sizes, "sizes of at least 1"));
    }
    if sizes.is_empty() && !may_be_empty {
        return Err(ConfigError::field(
            field,
            sizes,
            "a list of at least one size",
        ));
    }
    Ok(())
}

pub(crate) fn check_odd(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if value.is_multiple_of(2) {
        let expected = "odd, so that a frame lies at its middle";
        return Err(ConfigError::field(field, value, expected));
    }
    Ok(())
}

pub(crate) fn check_probability(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if !(0.0..1.0).contains(&value) {
        return Err(ConfigError::field(field, value, "at least 0 and below 1"));
    }
    Ok(())
}
