use std::path::{Path, PathBuf};

/// What can go wrong in the learner. Every message names the file or value that was wrong and what
/// would be right.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] sori_datasets::Error),
    /// The model's configuration does not describe a model.
    #[error(transparent)]
    Model(#[from] sori_models::ConfigError),
    /// A setting has a value it cannot have.
    #[error("setting `{key}` is {value}; {expected}")]
    Setting {
        /// Dotted name of the setting.
        key: String,
        /// The value it was given.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// A configuration file or a `key=value` does not fit the settings.
    #[error("{origin}: {reason}")]
    Config {
        /// The file, or the option as it was typed.
        origin: String,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// A line of a text file is not what it should be.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// A file of a run or a result could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `cannot write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A run folder is not what it should be.
    #[error("run {}: {reason}", path.display())]
    Run {
        /// The run folder.
        path: PathBuf,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// The backend asked for is not compiled in or finds no device.
    #[error("backend {name}: {reason}")]
    Backend {
        /// The backend's name.
        name: String,
        /// Why it cannot be used and what would help.
        reason: String,
    },
    /// The loss became infinite or not a number. The last checkpoint is from before.
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
    /// Ctrl-C stopped a run, which can go on.
    #[error("interrupted; a checkpoint is written. Go on with: {again}")]
    Interrupted {
        /// The command that goes on.
        again: String,
    },
    /// The input of a command is wrong in itself.
    #[error("{0}")]
    Input(String),
}

/// Results of the learner.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For `map_err` on file operations: names what was tried on which file.
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
