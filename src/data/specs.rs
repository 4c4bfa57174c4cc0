//! Opens the corpora that SPECs name for a task.

use sori_datasets::{Corpus, Item, OpenOptions, Part, Rejected, Spec, TargetKind};

use crate::task::any::AnyTask;
use crate::task::name::TaskName;
use crate::{Error, Result};

/// The recordings of the corpus `spec`, all assigned to `part`: the meaning of a bare SPEC beside
/// the training one. A `split=` in the SPEC has already chosen.
pub(crate) fn whole(
    spec: &str,
    options: &OpenOptions,
    part: Part,
    kind: Option<TargetKind>,
) -> Result<(Vec<Item>, Vec<Rejected>)> {
    let corpus = open(spec, options, kind)?;
    let items = corpus
        .items
        .into_iter()
        .map(|mut item| {
            item.part = part;
            item
        })
        .collect();
    Ok((items, corpus.rejected))
}

/// The recordings of the corpus `spec`, all as the test part, to evaluate a run of this task on.
pub(crate) fn to_measure_on(
    spec: &str,
    skip_bad: bool,
    task: &AnyTask,
) -> Result<(Vec<Item>, Vec<Rejected>)> {
    let options = OpenOptions {
        skip_bad,
        labels: task.named_labels().map(<[String]>::to_vec),
    };
    whole(spec, &options, Part::Test, task.target_kind())
}

/// The corpus `spec`, whose recordings must have this kind of answer.
pub(crate) fn open(spec: &str, options: &OpenOptions, kind: Option<TargetKind>) -> Result<Corpus> {
    let parsed = spec.parse::<Spec>()?;
    let corpus = match Corpus::open_with(&parsed, options) {
        // Labels of another kind are also unknown. That error tells more.
        Err(error @ sori_datasets::Error::UnknownLabel { .. }) => {
            let unlabelled = OpenOptions {
                labels: None,
                ..options.clone()
            };
            check_kind(&Corpus::open_with(&parsed, &unlabelled)?, spec, kind)?;
            return Err(error.into());
        }
        corpus => corpus?,
    };
    check_kind(&corpus, spec, kind)?;
    Ok(corpus)
}

fn check_kind(corpus: &Corpus, spec: &str, kind: Option<TargetKind>) -> Result<()> {
    match kind {
        Some(wanted) if wanted != corpus.task => Err(Error::Input(format!(
            "{spec}: its recordings are to {}, those of the training part to {}; both must be of \
             one kind",
            verb(corpus.task),
            verb(wanted)
        ))),
        _ => Ok(()),
    }
}

/// The task for recordings of this kind.
fn verb(kind: TargetKind) -> TaskName {
    match kind {
        TargetKind::Classify => TaskName::Classify,
        TargetKind::Tag => TaskName::Tag,
        TargetKind::Transcribe => TaskName::Transcribe,
        TargetKind::Regress => TaskName::Regress,
    }
}
