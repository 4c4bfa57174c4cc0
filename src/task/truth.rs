//! The target of a row, as the data gives it.

use sori_datasets::Target;

use super::name::TaskName;
use crate::Error;

/// The target of a row: of one recording, or of several with their shares if they were mixed.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    shares: Vec<(Target, f32)>,
}

impl Truth {
    /// The target of a mixture of two recordings, the first with the share `ratio`.
    pub fn mixed(first: Target, ratio: f32, second: Target) -> Self {
        Self {
            shares: vec![(first, ratio), (second, 1.0 - ratio)],
        }
    }

    /// The target, if the row is a single recording.
    pub fn alone(&self) -> Option<&Target> {
        match self.shares.as_slice() {
            [(target, _)] => Some(target),
            _ => None,
        }
    }

    /// The targets and their shares.
    pub fn shares(&self) -> impl Iterator<Item = (&Target, f32)> {
        self.shares.iter().map(|(target, share)| (target, *share))
    }
}

impl From<Target> for Truth {
    fn from(target: Target) -> Self {
        Self {
            shares: vec![(target, 1.0)],
        }
    }
}

/// The error of a recording whose answer does not fit `task`.
pub(crate) fn wrong_answer(task: TaskName) -> Error {
    let expected = match task {
        TaskName::Classify => "one label",
        TaskName::Tag => "tags",
        TaskName::Transcribe => "a transcript of one recording",
        TaskName::Regress => "a number",
        TaskName::Autoencode | TaskName::Generate => "no answer",
    };
    Error::Input(format!(
        "a recording has another kind of answer than the task {task} takes, which is {expected}"
    ))
}
