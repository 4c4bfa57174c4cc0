//! A corpus, from its name to its recordings.

use std::collections::{BTreeMap, HashMap};

use super::draft::Draft;
use super::gate::Gate;
use super::labels::{check_quantity, labels_of, target};
use super::spec::Spec;
use super::table;
use crate::item::{Item, Rejected, TargetKind};
use crate::part::Part;
use crate::{Error, Result};

/// Options for opening a corpus.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Leaves out what cannot be used, and lists it, rather than failing.
    pub skip_bad: bool,
    /// The labels that targets are indices of; the corpus's own if there are none.
    pub labels: Option<Vec<String>>,
}

/// Recordings with their right answers.
///
/// ```
/// use sori_datasets::{Corpus, Part, Spec};
///
/// let spec: Spec = "synth:scenes?size=12".parse()?;
/// let corpus = Corpus::open(&spec)?;
/// assert_eq!(corpus.part(Part::Train).len(), 12);
/// assert_eq!(corpus.labels.len(), 12);
/// let tags = corpus.items[0].target.tags().unwrap_or_default();
/// assert!(!tags.is_empty());
/// # Ok::<(), sori_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The spec it was opened by.
    pub spec: Spec,
    /// The kind of answer it asks for.
    pub task: TargetKind,
    /// Names of the classes or tags, in the order that targets index; the name of the quantity alone
    /// for a regression; empty for transcripts. The published order if there is one, else sorted.
    pub labels: Vec<String>,
    /// The recordings, in an order that depends on names only.
    pub items: Vec<Item>,
    /// Sample rate of the first recording.
    pub native_rate_hz: u32,
    /// Recordings and lines that could not be used, with [`OpenOptions::skip_bad`].
    pub rejected: Vec<Rejected>,
    /// Files that were ignored: they have no audio extension, or the corpus's list does not name
    /// them.
    pub ignored_files: usize,
}

impl Corpus {
    /// Opens a corpus with its own labels; the first thing that cannot be used is an error.
    ///
    /// # Errors
    ///
    /// As [`open_with`](Self::open_with).
    pub fn open(spec: &Spec) -> Result<Self> {
        Self::open_with(spec, &OpenOptions::default())
    }

    /// Opens a corpus whose targets are indices of `labels`.
    ///
    /// # Errors
    ///
    /// As [`open_with`](Self::open_with).
    pub fn open_with_labels(spec: &Spec, labels: &[String]) -> Result<Self> {
        Self::open_with(
            spec,
            &OpenOptions {
                labels: Some(labels.to_vec()),
                ..OpenOptions::default()
            },
        )
    }

    /// Opens a corpus.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Layout`] if it is not there or not laid out as it should be,
    /// [`Error::Query`] for a query it does not take, [`Error::ManifestLine`],
    /// [`Error::UnknownLabel`] for a label not among those given, [`Error::Nothing`] if no
    /// recording is left, and those of [`sample_rate_hz`](crate::audio::sample_rate_hz).
    pub fn open_with(spec: &Spec, options: &OpenOptions) -> Result<Self> {
        let mut gate = Gate {
            skip_bad: options.skip_bad,
            rejected: Vec::new(),
        };
        let found = table::find(spec, &mut gate)?;
        let labels = match (&options.labels, found.labels) {
            _ if found.task == TargetKind::Transcribe => Vec::new(),
            (Some(given), Some(own)) if found.task == TargetKind::Regress => {
                check_quantity(spec, &own, given)?;
                given.clone()
            }
            (Some(given), _) => given.clone(),
            (None, Some(published)) => published,
            (None, None) => labels_of(&found.drafts),
        };
        let wanted = match spec.query.get("split") {
            Some(split) => Some(split.parse::<Part>().map_err(|_| Error::Query {
                corpus: spec.corpus.clone(),
                key: "split".into(),
                value: split.clone(),
                expected: "split is one of train, valid, test".into(),
            })?),
            None => None,
        };
        let index: BTreeMap<&str, usize> = labels
            .iter()
            .enumerate()
            .map(|(index, label)| (label.as_str(), index))
            .collect();
        let mut items = Vec::with_capacity(found.drafts.len());
        for draft in unique(found.drafts, &mut gate)? {
            if wanted.is_some_and(|part| part != draft.part) {
                continue;
            }
            match target(&draft, &index, &labels) {
                Ok(target) => items.push(Item {
                    id: draft.id,
                    source: draft.source,
                    target,
                    part: draft.part,
                    group: draft.group,
                    domain: draft.domain,
                }),
                Err(error) => gate.reject(draft.place, error)?,
            }
        }
        if items.is_empty() {
            let reason = match (wanted, gate.rejected.first()) {
                (_, Some(first)) => format!(
                    "all recordings were rejected, the first ({}) because: {}",
                    first.place, first.reason
                ),
                (Some(part), None) => format!("none of its recordings is in the part '{part}'"),
                (None, None) => "it holds no recordings".into(),
            };
            return Err(Error::Nothing {
                place: spec.to_string(),
                reason,
            });
        }
        Ok(Self {
            native_rate_hz: native_rate_hz(&items, options.skip_bad)?,
            spec: spec.clone(),
            task: found.task,
            labels,
            items,
            rejected: gate.rejected,
            ignored_files: found.ignored_files,
        })
    }
}

/// The recordings whose id no earlier one has.
fn unique(drafts: Vec<Draft>, gate: &mut Gate) -> Result<Vec<Draft>> {
    let mut places = HashMap::<&str, &str>::with_capacity(drafts.len());
    let mut repeated = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        match places.get(draft.id.as_str()) {
            Some(place) => {
                repeated.insert(index, (*place).to_owned());
            }
            None => {
                places.insert(&draft.id, &draft.place);
            }
        }
    }
    let mut kept = Vec::with_capacity(drafts.len() - repeated.len());
    for (index, draft) in drafts.into_iter().enumerate() {
        match repeated.remove(&index) {
            None => kept.push(draft),
            Some(earlier) => {
                let error = Error::RepeatedId {
                    place: draft.place.clone(),
                    id: draft.id,
                    earlier,
                };
                gate.reject(draft.place, error)?;
            }
        }
    }
    Ok(kept)
}

/// The rate of the first recording whose header can be read.
fn native_rate_hz(items: &[Item], skip_bad: bool) -> Result<u32> {
    let mut first_error = None;
    for item in items {
        match item.source.sample_rate_hz() {
            Ok(rate) => return Ok(rate),
            Err(error) if !skip_bad => return Err(error),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or(Error::Nothing {
        place: "the corpus".into(),
        reason: "it holds no recordings".into(),
    }))
}
