//! The errors of Sori.

use std::path::{Path, PathBuf};

/// An error of Sori. Every message names the wrong file or value and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] sori_datasets::Error),
    /// A corpus could not be downloaded.
    #[error(transparent)]
    Fetch(#[from] sori_fetch::FetchError),
    /// The model's configuration is invalid.
    #[error(transparent)]
    Model(#[from] sori_models::ConfigError),
    /// A setting has a value it cannot have.
    #[error("setting `{key}` is {value}; {expected}")]
    Setting {
        /// Dotted name of the setting.
        key: String,
        /// The value it was given.
        value: String,
        /// The values it can have.
        expected: String,
    },
    /// A configuration file or a `key=value` does not fit the settings.
    #[error("{origin}: {reason}")]
    Config {
        /// The file, or the option as it was typed.
        origin: String,
        /// The mistake and its correction.
        reason: String,
    },
    /// A line of a text file is malformed.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The mistake and its correction.
        reason: String,
    },
    /// A file of a run or a result could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// The failed action, such as `cannot write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A run folder is invalid.
    #[error("run {}: {reason}", path.display())]
    Run {
        /// The run folder.
        path: PathBuf,
        /// The mistake and its correction.
        reason: String,
    },
    /// The requested backend is not compiled in or finds no device.
    #[error("backend {name}: {reason}")]
    Backend {
        /// The backend's name.
        name: String,
        /// Why it cannot be used and what would help.
        reason: String,
    },
    /// The loss became infinite or NaN. The last checkpoint is from before.
    #[error(
        "the loss is {loss} at step {step}: training diverged. The run's last checkpoint is from \
         before that; start again with a lower `train.learning_rate` (it is {learning_rate:.2e} \
         here) or a smaller `train.clip_norm`"
    )]
    Diverged {
        /// The step, counted from 0 over the whole run.
        step: usize,
        /// The loss.
        loss: f64,
        /// The learning rate of that step.
        learning_rate: f64,
    },
    /// Ctrl-C stopped a run, which can be resumed.
    #[error("interrupted; a checkpoint is written. Go on with: {again}")]
    Interrupted {
        /// The command that resumes it.
        again: String,
    },
    /// The input of a command is invalid.
    #[error("{0}")]
    Input(String),
}

/// A result of Sori.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error of a setting or an option with an invalid value.
    pub(crate) fn setting(key: &str, value: impl ToString, expected: impl Into<String>) -> Self {
        Self::Setting {
            key: key.to_string(),
            value: value.to_string(),
            expected: expected.into(),
        }
    }

    /// For `map_err` on file operations: names the failed action and the file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn line(path: &Path, line: usize, reason: impl Into<String>) -> Self {
        Self::Line {
            path: path.to_path_buf(),
            line,
            reason: reason.into(),
        }
    }

    pub(crate) fn run(path: &Path, reason: impl Into<String>) -> Self {
        Self::Run {
            path: path.to_path_buf(),
            reason: reason.into(),
        }
    }
}
