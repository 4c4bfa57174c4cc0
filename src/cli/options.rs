//! Options that several commands share.

use std::path::PathBuf;

use clap::Args;

use super::output::print;
use crate::{BackendName, Error, Result, Settings};

/// The heading of the options of every command.
pub(super) const GENERAL: &str = "General";

/// Options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = GENERAL)]
pub(super) struct Common {
    /// Where to compute: ndarray (CPU), wgpu, vulkan, metal or cuda, as compiled in
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) backend: Option<BackendName>,
    /// Threads to compute with [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// Leave out recordings that cannot be used instead of stopping at the first
    #[arg(long, global = true)]
    pub(super) skip_bad: bool,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// Print JSON lines on standard output
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Common {
    /// The requested backend, or the one a run was trained on if it is compiled in, or the default.
    pub(super) fn backend_for(&self, trained_on: Option<&str>) -> BackendName {
        self.backend.unwrap_or_else(|| {
            trained_on
                .and_then(|name| name.parse().ok())
                .filter(|name| BackendName::compiled().any(|compiled| compiled == *name))
                .unwrap_or_default()
        })
    }

    /// Prints a line for a person, unless the output is JSON or quiet.
    pub(super) fn tell(&self, text: &str) -> Result<()> {
        if self.json || self.quiet {
            return Ok(());
        }
        print(text)
    }
}

/// Options that change settings.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Model")]
pub(super) struct SettingArgs {
    /// TOML file of settings, as a run's config.toml; may be given several times
    #[arg(long, value_name = "FILE.toml")]
    config: Vec<PathBuf>,
    /// One setting, such as train.weight_decay=0.01 (or weight_decay=0.01); may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl SettingArgs {
    /// `settings` with the files and then the single settings over them.
    pub(super) fn apply(&self, mut settings: Settings) -> Result<Settings> {
        for path in &self.config {
            settings = settings.with_file(path)?;
        }
        for assignment in &self.set {
            settings = settings.with_override(assignment).map_err(of_set)?;
        }
        Ok(settings)
    }

    /// Whether a file or a single setting is given.
    pub(super) fn is_given(&self) -> bool {
        !self.config.is_empty() || !self.set.is_empty()
    }

    /// The dotted names of the single settings that are given.
    pub(super) fn set_keys(&self, settings: &Settings) -> Result<Vec<String>> {
        let keys = self
            .set
            .iter()
            .map(|assignment| settings.key_of(assignment));
        keys.collect::<Result<_>>().map_err(of_set)
    }
}

/// The error of an assignment, naming the command-line option.
pub(super) fn of_set(error: Error) -> Error {
    match error {
        Error::Config { origin, reason } => Error::Config {
            origin: format!("--set {origin}"),
            reason,
        },
        error => error,
    }
}
