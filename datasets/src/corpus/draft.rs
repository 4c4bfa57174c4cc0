//! Recordings before their labels are looked up.

use crate::item::{Source, TargetKind};
use crate::part::Part;

/// A recording before its labels are looked up.
pub(super) struct Draft {
    pub(super) id: String,
    /// File, or manifest and line.
    pub(super) place: String,
    pub(super) source: Source,
    pub(super) answer: Answer,
    pub(super) part: Part,
    pub(super) group: Option<String>,
    pub(super) domain: Option<String>,
}

pub(super) enum Answer {
    Class(String),
    Tags(Vec<String>),
    Text(String),
    Value(f64),
}

/// The recordings of a corpus.
pub(super) struct Found {
    pub(super) task: TargetKind,
    /// The published labels, where they do not follow from the recordings.
    pub(super) labels: Option<Vec<String>>,
    pub(super) drafts: Vec<Draft>,
    pub(super) ignored_files: usize,
}

impl Answer {
    /// The kind of this answer.
    pub(super) const fn kind(&self) -> TargetKind {
        match self {
            Self::Class(_) => TargetKind::Classify,
            Self::Tags(_) => TargetKind::Tag,
            Self::Text(_) => TargetKind::Transcribe,
            Self::Value(_) => TargetKind::Regress,
        }
    }
}
