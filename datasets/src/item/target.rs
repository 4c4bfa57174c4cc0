//! The answer that a recording asks for.

use crate::named::named;

named! {
    /// The kind of answer that a corpus asks for.
    TargetKind, "task" {
        /// One of the labels.
        Classify = "classify",
        /// Any number of the labels.
        Tag = "tag",
        /// The words spoken.
        Transcribe = "transcribe",
        /// A number.
        Regress = "regress",
    }
}

/// The right answer for one recording.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Index of its label.
    Class(usize),
    /// Indices of its labels, ascending.
    Tags(Vec<usize>),
    /// The words spoken.
    Text(String),
    /// The value of the corpus's quantity.
    Value(f64),
}

impl Target {
    /// The kind of this answer.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Class(_) => TargetKind::Classify,
            Self::Tags(_) => TargetKind::Tag,
            Self::Text(_) => TargetKind::Transcribe,
            Self::Value(_) => TargetKind::Regress,
        }
    }

    /// The index of a class; nothing for other kinds.
    #[must_use]
    pub const fn class(&self) -> Option<usize> {
        match self {
            Self::Class(class) => Some(*class),
            _ => None,
        }
    }

    /// The indices of tags; nothing for other kinds.
    #[must_use]
    pub fn tags(&self) -> Option<&[usize]> {
        match self {
            Self::Tags(tags) => Some(tags),
            _ => None,
        }
    }

    /// A transcript; nothing for other kinds.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a quantity; nothing for other kinds.
    #[must_use]
    pub const fn value(&self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(*value),
            _ => None,
        }
    }
}
