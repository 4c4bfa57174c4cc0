//! Errors and checks of configurations.

use thiserror::Error;

/// The reason why a configuration describes no model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A field has a value that it cannot have.
    #[error("`{field}` is {value}, but must be {expected}")]
    Field {
        /// The field's name, as written in a configuration file.
        field: &'static str,
        /// Its value.
        value: String,
        /// The values it may have.
        expected: String,
    },
    /// No architecture of the zoo has this name.
    #[error("there is no model `{name}`; the zoo has {known}")]
    UnknownModel {
        /// The name that was asked for.
        name: String,
        /// The names of the zoo, separated by commas.
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

/// The largest size a field may have. No sensible model comes near it, and no product of two such
/// sizes overflows.
const MAX_SIZE: usize = 1 << 20;

/// A size or count: from 1 to [`MAX_SIZE`].
pub(crate) fn check_size(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if !(1..=MAX_SIZE).contains(&value) {
        let expected = format!("from 1 to {MAX_SIZE}");
        return Err(ConfigError::field(field, value, expected));
    }
    Ok(())
}

/// The sizes of several layers, from the input upwards.
pub(crate) fn check_sizes(field: &'static str, values: &[usize]) -> Result<(), ConfigError> {
    if values.iter().any(|value| !(1..=MAX_SIZE).contains(value)) {
        let expected = format!("a list of sizes from 1 to {MAX_SIZE}");
        return Err(ConfigError::field(field, values, expected));
    }
    Ok(())
}

/// The channels of the blocks of a convolutional network, of which there must be one.
pub(crate) fn check_channels(field: &'static str, values: &[usize]) -> Result<(), ConfigError> {
    if values.is_empty() {
        return Err(ConfigError::field(
            field,
            values,
            "a list of at least one size",
        ));
    }
    check_sizes(field, values)
}

/// A kernel that has a middle.
pub(crate) fn check_odd(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if value.is_multiple_of(2) {
        let expected = "odd, so that a frame lies at its middle";
        return Err(ConfigError::field(field, value, expected));
    }
    check_size(field, value)
}

/// The extent that `num_blocks` poolings reduce to one. Saturates.
pub(crate) fn pooled_size(pool_size: usize, num_blocks: usize) -> usize {
    pool_size.saturating_pow(u32::try_from(num_blocks).unwrap_or(u32::MAX))
}

/// The frames and the bins that poolings reduce to one. Saturates.
pub(crate) fn pooled_sizes(pools: &[[usize; 2]]) -> [usize; 2] {
    pools.iter().fold([1, 1], |size, pool| {
        [
            size[0].saturating_mul(pool[0]),
            size[1].saturating_mul(pool[1]),
        ]
    })
}

/// The channels and the poolings of the blocks of a convolutional network over frames and bins.
pub(crate) fn check_pools(
    num_bins: usize,
    channels: &[usize],
    pools: &[[usize; 2]],
) -> Result<(), ConfigError> {
    check_channels("channels", channels)?;
    if pools.len() != channels.len() {
        let expected = format!("one for each of the {} blocks", channels.len());
        return Err(ConfigError::field("pools", pools.len(), expected));
    }
    for &size in pools.iter().flatten() {
        check_size("pools", size)?;
    }
    let min_bins = pooled_sizes(pools)[1];
    if num_bins < min_bins {
        let expected = format!("at least {min_bins}, which the poolings make one of");
        return Err(ConfigError::field("num_bins", num_bins, expected));
    }
    Ok(())
}

/// A probability of dropping a value, which may not drop them all.
pub(crate) fn check_probability(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if !(0.0..1.0).contains(&value) {
        return Err(ConfigError::field(field, value, "at least 0 and below 1"));
    }
    Ok(())
}
