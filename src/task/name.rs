//! The names of the tasks in run folders and results.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// The task of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TaskName {
    /// Picks one label out of several.
    Classify,
    /// Picks any number of labels.
    Tag,
    /// Writes transcripts.
    Transcribe,
    /// Estimates a quantity.
    Regress,
    /// Encodes patches and decodes them again.
    Autoencode,
    /// Generates new patches.
    Generate,
}

impl TaskName {
    /// The name in run folders and results.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
