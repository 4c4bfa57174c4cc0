//! A corpus, from its name to its recordings.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::draft::Draft;
use super::gate::Gate;
use super::labels::{check_quantity, labels_of, target};
use super::spec::Spec;
use super::table;
use crate::item::{Item, Rejected, TargetKind};
use crate::part::Part;
use crate::spelling::{composed, into_composed};
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
    /// The sample rate of most recordings, the higher of two that are as frequent. At the highest
    /// that there is, one recording could make all others several times as long to no gain.
    pub native_rate_hz: u32,
    /// The number of recordings of each sample rate, in corpora whose form leaves the rate open;
    /// of one recording elsewhere. More than one: some are resampled even at the native rate.
    pub rates_hz: BTreeMap<u32, usize>,
    /// Recordings and lines that could not be used, with [`OpenOptions::skip_bad`].
    pub rejected: Vec<Rejected>,
    /// Files that were ignored: they have no audio extension, or the corpus's list does not name
    /// them.
    pub ignored_files: usize,
    /// Those of them that are sound by their names, in formats that are not read: how many there are
    /// of each extension, such as `opus`.
    pub unread_sounds: BTreeMap<String, usize>,
    /// Whether the test part was chosen from recordings that are published without parts.
    pub test_is_set_aside: bool,
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
        let mut gate = Gate::new(options.skip_bad);
        let mut found = table::find(spec, &mut gate)?;
        found.drafts.iter_mut().for_each(Draft::compose);
        let labels = match (&options.labels, found.labels) {
            _ if found.task == TargetKind::Transcribe => Vec::new(),
            (Some(given), Some(own)) if found.task == TargetKind::Regress => {
                check_quantity(spec, &own, given)?;
                given.clone()
            }
            (Some(given), _) => given.clone(),
            (None, Some(published)) => published.into_iter().map(into_composed).collect(),
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
        let index: BTreeMap<_, usize> = labels
            .iter()
            .enumerate()
            .map(|(index, label)| (composed(label), index))
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
        let rates = rates_of(spec, &items, options.skip_bad)?;
        Ok(Self {
            native_rate_hz: most_frequent(&rates),
            rates_hz: rates,
            spec: spec.clone(),
            task: found.task,
            labels,
            items,
            rejected: gate.rejected,
            ignored_files: found.ignored_files,
            unread_sounds: gate.unread,
            test_is_set_aside: gate.chose_test,
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

/// The corpora whose recordings may be of any rate: each one's is looked at.
const ANY_RATE: [&str; 3] = ["folder", "manifest", "urbansound8k"];

/// How many recordings there are of each rate, as far as headers can be read; of the first alone
/// where all are of one rate.
fn rates_of(spec: &Spec, items: &[Item], skip_bad: bool) -> Result<BTreeMap<u32, usize>> {
    let is_open = ANY_RATE.contains(&spec.corpus.as_str());
    let mut rates = BTreeMap::new();
    let mut first_error = None;
    let mut of_file = HashMap::<&Path, u32>::new();
    for item in items {
        let file = item.source.files().first().map(|&(path, _)| path);
        let known = file.and_then(|file| of_file.get(file)).copied();
        match known.map_or_else(|| item.source.sample_rate_hz(), Ok) {
            Ok(rate) => {
                *rates.entry(rate).or_default() += 1;
                if !is_open {
                    break;
                }
                if let Some(file) = file {
                    of_file.insert(file, rate);
                }
            }
            Err(error) if rates.is_empty() && !skip_bad => return Err(error),
            // Found again when it is loaded.
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    if rates.is_empty() {
        return Err(first_error.unwrap_or(Error::Nothing {
            place: "the corpus".into(),
            reason: "it holds no recordings".into(),
        }));
    }
    Ok(rates)
}

fn most_frequent(rates: &BTreeMap<u32, usize>) -> u32 {
    let most = rates.iter().max_by_key(|&(&rate, &count)| (count, rate));
    most.map_or(0, |(&rate, _)| rate)
}
