//! The task that an architecture is made for.

use serde::{Deserialize, Serialize};

/// The task that the paper of an architecture trains it for. A model is trained for it where the data
/// names no task. Any model that classifies can tag and learn numbers, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// One class for each recording.
    Classify,
    /// Any number of tags for each recording.
    Tag,
    /// A transcript for each recording.
    Transcribe,
    /// Encoding and decoding patches of features.
    Autoencode,
    /// Generating patches of features.
    Generate,
}

impl Purpose {
    /// As in data: `classify`, `tag`, `transcribe`, `autoencode` or `generate`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Tag => "tag",
            Self::Transcribe => "transcribe",
            Self::Autoencode => "autoencode",
            Self::Generate => "generate",
        }
    }
}
