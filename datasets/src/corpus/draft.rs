//! Recordings before their labels are looked up.

use crate::item::{Source, TargetKind};
use crate::part::Part;
use crate::spelling::into_composed;

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

impl Draft {
    /// Brings what is kept of it into one spelling.
    pub(super) fn compose(&mut self) {
        let compose = |text: &mut String| *text = into_composed(std::mem::take(text));
        compose(&mut self.id);
        self.group.iter_mut().for_each(compose);
        self.domain.iter_mut().for_each(compose);
        match &mut self.answer {
            Answer::Class(text) | Answer::Text(text) => compose(text),
            Answer::Tags(tags) => tags.iter_mut().for_each(compose),
            Answer::Value(_) => {}
        }
    }
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
