//! Corpora: what recordings there are, what each is to be recognised as, and which part it
//! belongs to. Opening one reads names and lists, no sound (but for a look at one sample rate, and
//! the few files that are cut into pieces).
//!
//! | Written | Query | Parts unless the query says otherwise |
//! |---|---|---|
//! | `clovacall:DIR` | `version=raw` | its two lists |
//! | `digits:DIR` | `size=`, `seed=`, `speaker=theo`, `speaker=!theo` | connected digits of FSDD: recordings 0 to 4 to test, 5 to 8 to validate |
//! | `esc:DIR` | `folds=5`, `esc10=true` | ESC-50 or ESC-10: fold 5 to test, the rest to train |
//! | `esc-mix:DIR` | as `esc`, `size=`, `seed=`, `valid_fold=` | mixtures within a fold: fold 5 to test, an eighth of the clips of the others to validate |
//! | `folder:DIR` | `test_fraction=0.1` | its folders `train`, `valid`, `test`, or a tenth to test |
//! | `fsd50k:DIR` | | as published: `train`, `val`, evaluation set |
//! | `fsdd:DIR` | `speaker=theo`, `speaker=!theo` | recordings 0 to 4 to test |
//! | `fsdkaggle2019:DIR` | `noisy=true` | curated set to train, test set |
//! | `ksponspeech:DIR` | `notation=pronunciation`, `sets=train,dev,eval_clean` | by its lists; without them `KsponSpeech_eval` to test |
//! | `librispeech:DIR` | `sets=train-clean-100,dev-clean,test-clean` | its folders `train-*`, `dev-*`, `test-*` |
//! | `magnatagatune:DIR` | `tags=50` | folders 0 to b, c, d to f |
//! | `manifest:FILE.jsonl`, `.csv` | | each line's `split`, or all to train |
//! | `pansori:DIR` | | a tenth of the recordings, by speaker, to test |
//! | `speech-commands:DIR` | `words=yes,no`, `subset=12` | by its two lists |
//! | `speechocean762:DIR` | | its folders `train` and `test`, or a tenth, by speaker, to test |
//! | `synth:dtmf`, `synth:morse`, `synth:scenes` | `size=`, `seed=`; of `morse` `snr=10`, `answer=speed`, `answer=pitch` | `size`, and a fifth to validate and to test |
//! | `urbansound8k:DIR` | `folds=10` | fold 10 to test, the rest to train |
//! | `yesno:DIR` | | the second half of the recordings to test |
//!
//! `folds=` names the folds to test on, with commas between: a k-fold run opens the corpus once for
//! each, `folds=1`, `folds=2` and so on. All take `split=` for one part alone.

mod clovacall;
mod digits;
mod esc;
mod esc_mix;
mod folder;
mod folds;
mod fsd50k;
mod fsdd;
mod fsdkaggle2019;
mod joined;
mod ksponspeech;
mod librispeech;
mod list;
mod magnatagatune;
mod manifest;
mod mixture;
mod pansori;
mod source;
mod speech_commands;
mod speechocean762;
mod synthesised;
mod transcripts;
mod urbansound8k;
mod yesno;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

pub use joined::{Joined, Piece};
pub use mixture::{Mixture, Voice};
pub use source::{Segment, Source};

use crate::error::listed;
use crate::named::named;
use crate::{Error, Result, Spec, Waveform};

/// How each corpus is written.
pub const CORPORA: &[&str] = &[
    "clovacall:DIR",
    "digits:DIR",
    "esc:DIR",
    "esc-mix:DIR",
    "folder:DIR",
    "fsd50k:DIR",
    "fsdd:DIR",
    "fsdkaggle2019:DIR",
    "ksponspeech:DIR",
    "librispeech:DIR",
    "magnatagatune:DIR",
    "manifest:FILE.jsonl",
    "manifest:FILE.csv",
    "pansori:DIR",
    "speech-commands:DIR",
    "speechocean762:DIR",
    "synth:dtmf",
    "synth:morse",
    "synth:scenes",
    "urbansound8k:DIR",
    "yesno:DIR",
];

named! {
    /// What a recording is used for.
    Part, "split" {
        /// To fit a model.
        Train = "train",
        /// To choose among models.
        Valid = "valid",
        /// To measure the chosen one.
        Test = "test",
    }
}

named! {
    /// What is to be said of a recording.
    TaskKind, "task" {
        /// Which one of the labels it is.
        Classify = "classify",
        /// Which of the labels apply.
        Tag = "tag",
        /// What was spoken.
        Transcribe = "transcribe",
        /// How much of a quantity there is.
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
    /// What was spoken.
    Text(String),
    /// How much of the corpus's quantity there is.
    Value(f64),
}

/// One recording of a corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Unique within the corpus, and the same wherever the corpus lies.
    pub id: String,
    /// Its sound.
    pub source: Source,
    /// Its right answer.
    pub target: Target,
    /// Its part.
    pub part: Part,
    /// What it shares with others that should be in the same part: the recording it was cut from, or
    /// its speaker.
    pub group: Option<String>,
    /// What its answer does not depend on though its sound does, such as its speaker.
    pub domain: Option<String>,
}

impl Item {
    /// Its sound at the rate wanted.
    ///
    /// # Errors
    ///
    /// Those of [`Source::waveform`].
    pub fn waveform(&self, sample_rate_hz: u32) -> Result<Waveform> {
        self.source.waveform(sample_rate_hz)
    }

    /// Sixteen hexadecimal digits that say whether an item of the same id is still the same: of files of these names, used from the same
    /// places on, with the same answer. Where the files lie and what is in them does not count.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (path, start_ms) in self.source.files() {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name).update(&start_ms.to_le_bytes());
        }
        hasher.update(format!("{:?}", self.target).as_bytes());
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// How it is named in messages: its file, or its id.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.source {
            Source::File(path) | Source::Raw(path) => path.display().to_string(),
            _ => self.id.clone(),
        }
    }
}

/// Something of a corpus that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rejected {
    /// File, line or item.
    pub place: String,
    /// Why, and what would be right.
    pub reason: String,
}

/// How to open a corpus.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Leave out what cannot be used, and list it, rather than fail.
    pub skip_bad: bool,
    /// The labels targets are indices of; without, the corpus brings its own.
    pub labels: Option<Vec<String>>,
}

/// Recordings with their right answers.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// How it was asked for.
    pub spec: Spec,
    /// What is to be said of a recording.
    pub task: TaskKind,
    /// Names of classes or tags, in the order targets count; of a quantity its name, alone; empty where
    /// the task is to transcribe. The published order if there is one, else sorted.
    pub labels: Vec<String>,
    /// The recordings, in an order that depends on names only.
    pub items: Vec<Item>,
    /// Sample rate of the first recording.
    pub native_rate_hz: u32,
    /// What could not be used, under [`OpenOptions::skip_bad`].
    pub rejected: Vec<Rejected>,
    /// Files that were passed over, because their names are not those of audio files or because the
    /// corpus's list does not name them.
    pub ignored_files: usize,
}

/// A recording before its labels are looked up.
struct Draft {
    id: String,
    /// File, or manifest and line.
    place: String,
    source: Source,
    answer: Answer,
    part: Part,
    group: Option<String>,
    domain: Option<String>,
}

enum Answer {
    Class(String),
    Tags(Vec<String>),
    Text(String),
    Value(f64),
}

/// What a corpus found.
struct Found {
    task: TaskKind,
    /// The published labels, where they do not follow from the recordings.
    labels: Option<Vec<String>>,
    drafts: Vec<Draft>,
    ignored_files: usize,
}

/// Decides what becomes of something that cannot be used.
struct Gate {
    skip_bad: bool,
    rejected: Vec<Rejected>,
}

impl Gate {
    /// Lists the problem under `skip_bad`, fails with it otherwise.
    fn reject(&mut self, place: String, error: Error) -> Result<()> {
        if !self.skip_bad {
            return Err(error);
        }
        self.rejected.push(Rejected {
            place,
            reason: error.to_string(),
        });
        Ok(())
    }

    /// The same for a line of a list.
    fn reject_line(&mut self, list: &Path, line: usize, reason: String) -> Result<()> {
        self.reject(
            format!("{}:{line}", list.display()),
            Error::ManifestLine {
                path: list.to_owned(),
                line,
                reason,
            },
        )
    }
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

    /// Opens a corpus whose targets are to be indices of `labels`.
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
        let found = match spec.corpus.as_str() {
            "clovacall" => clovacall::find(spec, &mut gate)?,
            "digits" => digits::find(spec, &mut gate)?,
            "esc" => esc::find(spec, &mut gate)?,
            "esc-mix" => esc_mix::find(spec, &mut gate)?,
            "folder" => folder::find(spec)?,
            "fsd50k" => fsd50k::find(spec, &mut gate)?,
            "fsdd" => fsdd::find(spec, &mut gate)?,
            "fsdkaggle2019" => fsdkaggle2019::find(spec, &mut gate)?,
            "ksponspeech" => ksponspeech::find(spec, &mut gate)?,
            "librispeech" => librispeech::find(spec, &mut gate)?,
            "magnatagatune" => magnatagatune::find(spec, &mut gate)?,
            "manifest" => manifest::find(spec, &mut gate)?,
            "pansori" => pansori::find(spec, &mut gate)?,
            "speech-commands" => speech_commands::find(spec, &mut gate)?,
            "speechocean762" => speechocean762::find(spec, &mut gate)?,
            "synth" => synthesised::find(spec)?,
            "urbansound8k" => urbansound8k::find(spec, &mut gate)?,
            "yesno" => yesno::find(spec, &mut gate)?,
            other => {
                return Err(Error::Spec {
                    spec: spec.to_string(),
                    reason: format!("there is no corpus '{other}'"),
                    known: CORPORA.join(", "),
                });
            }
        };

        let labels = match (&options.labels, found.labels) {
            _ if found.task == TaskKind::Transcribe => Vec::new(),
            (Some(given), Some(own)) if found.task == TaskKind::Regress => {
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

    /// The recordings of one part, in order.
    #[must_use]
    pub fn part(&self, part: Part) -> Vec<&Item> {
        self.items.iter().filter(|item| item.part == part).collect()
    }

    /// Where the corpus has no validation part, moves `fraction` of each class's training
    /// recordings there, and at least one of a class that has two; what has no class counts as
    /// one class, and what has tags goes by the first. Recordings of a class that belong together
    /// ([`Item::group`]) move together. Which ones depends on their ids, or their groups,
    /// and `seed` alone. The test part is never touched.
    pub fn set_aside_valid(&mut self, fraction: f64, seed: u64) {
        if self.items.iter().any(|item| item.part == Part::Valid) {
            return;
        }
        let mut classes = BTreeMap::<Option<usize>, Vec<usize>>::new();
        for (index, item) in self.items.iter().enumerate() {
            if item.part == Part::Train {
                let class = match &item.target {
                    Target::Class(class) => Some(*class),
                    Target::Tags(tags) => tags.first().copied(),
                    Target::Text(_) | Target::Value(_) => None,
                };
                classes.entry(class).or_default().push(index);
            }
        }
        for members in classes.into_values() {
            let names: Vec<&str> = members
                .iter()
                .map(|&index| {
                    let item = &self.items[index];
                    item.group.as_deref().unwrap_or(&item.id)
                })
                .collect();
            for chosen in chosen_by_name(&names, fraction, seed) {
                self.items[members[chosen]].part = Part::Valid;
            }
        }
    }
}

/// Chooses a `fraction` of names, at least one of two or more and never all, by a hash of each
/// name and the seed: whatever else there is, a name's rank stays. Of a name that occurs several
/// times all or none are chosen. Returns their indices.
fn chosen_by_name(names: &[&str], fraction: f64, seed: u64) -> Vec<usize> {
    if names.len() < 2 || fraction.is_nan() || fraction <= 0.0 {
        return Vec::new();
    }
    let count = ((names.len() as f64 * fraction).round() as usize).clamp(1, names.len() - 1);
    let mut ranked: Vec<([u8; 32], usize)> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&seed.to_le_bytes()).update(name.as_bytes());
            (*hasher.finalize().as_bytes(), index)
        })
        .collect();
    ranked.sort_unstable();
    let same = |end: usize| ranked[end].0 == ranked[end - 1].0;
    let mut end = count;
    while end < ranked.len() && same(end) {
        end += 1;
    }
    if end == ranked.len() {
        end -= 1;
        while end > 0 && same(end) {
            end -= 1;
        }
    }
    ranked
        .into_iter()
        .take(end)
        .map(|(_, index)| index)
        .collect()
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

/// Every label that occurs, sorted.
fn labels_of(drafts: &[Draft]) -> Vec<String> {
    let mut labels = BTreeSet::new();
    for draft in drafts {
        match &draft.answer {
            Answer::Class(label) => {
                labels.insert(label);
            }
            Answer::Tags(tags) => labels.extend(tags),
            Answer::Text(_) | Answer::Value(_) => {}
        }
    }
    labels.into_iter().cloned().collect()
}

fn target(draft: &Draft, index: &BTreeMap<&str, usize>, labels: &[String]) -> Result<Target> {
    let find = |label: &String| {
        index
            .get(label.as_str())
            .copied()
            .ok_or_else(|| Error::UnknownLabel {
                place: draft.place.clone(),
                label: label.clone(),
                known: listed(labels, 20),
            })
    };
    Ok(match &draft.answer {
        Answer::Class(label) => Target::Class(find(label)?),
        Answer::Tags(tags) => {
            let tags: BTreeSet<usize> = tags.iter().map(find).collect::<Result<_>>()?;
            Target::Tags(tags.into_iter().collect())
        }
        Answer::Text(text) => Target::Text(text.clone()),
        Answer::Value(value) => Target::Value(*value),
    })
}

/// The name of a quantity that a list gives no other name.
const VALUE: &str = "value";

/// Refuses values of another quantity than the one that is known.
fn check_quantity(spec: &Spec, own: &[String], given: &[String]) -> Result<()> {
    let named = |names: &[String]| names.first().cloned().unwrap_or_default();
    let (own, given) = (named(own), named(given));
    if own == given || own == VALUE || given == VALUE {
        return Ok(());
    }
    Err(Error::UnknownLabel {
        place: spec.to_string(),
        label: own,
        known: given,
    })
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

/// Refuses keys a corpus does not take; `split` is taken by all.
fn check_keys(spec: &Spec, own: &[&str]) -> Result<()> {
    for (key, value) in &spec.query {
        if key != "split" && !own.contains(&key.as_str()) {
            let mut known = vec!["split"];
            known.extend(own);
            return Err(Error::Query {
                corpus: spec.corpus.clone(),
                key: key.clone(),
                value: value.clone(),
                expected: format!("it takes {}", known.join(", ")),
            });
        }
    }
    Ok(())
}

/// The value of a key as a number between two limits, or its default.
fn number<T>(spec: &Spec, key: &str, default: T, least: T, most: T) -> Result<T>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
{
    let Some(text) = spec.query.get(key) else {
        return Ok(default);
    };
    text.parse()
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| Error::Query {
            corpus: spec.corpus.clone(),
            key: key.to_owned(),
            value: text.clone(),
            expected: format!("{key} is a number between {least} and {most}"),
        })
}

/// Those of the sets there are that `sets=` names, with commas between; all if it is not given.
fn chosen_sets(spec: &Spec, there: &[String]) -> Result<Vec<String>> {
    let Some(asked) = spec.query.get("sets") else {
        return Ok(there.to_vec());
    };
    let wanted: Vec<&str> = asked.split(',').map(str::trim).collect();
    if let Some(missing) = wanted.iter().find(|set| !there.iter().any(|it| it == *set)) {
        let known = match there {
            [] => "none".to_owned(),
            there => there.join(", "),
        };
        return Err(Error::Query {
            corpus: spec.corpus.clone(),
            key: "sets".into(),
            value: asked.clone(),
            expected: format!("there is no '{missing}'; the sets there are: {known}"),
        });
    }
    let chosen = there.iter().filter(|set| wanted.contains(&set.as_str()));
    Ok(chosen.cloned().collect())
}

/// Whether a key is `true`; it is false where it is not given.
fn flag(spec: &Spec, key: &str) -> Result<bool> {
    match spec.query.get(key).map(String::as_str) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Error::Query {
            corpus: spec.corpus.clone(),
            key: key.to_owned(),
            value: other.to_owned(),
            expected: format!("{key} is true or false"),
        }),
    }
}

/// Names of what lies in a folder, sorted, without hidden ones; a name that is not Unicode is an
/// error, because ids, labels and manifests are text.
pub(crate) fn entries(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let list =
        std::fs::read_dir(folder).map_err(|error| Error::io("read the folder", folder, error))?;
    for entry in list {
        let entry = entry.map_err(|error| Error::io("read the folder", folder, error))?;
        match entry.file_name().into_string() {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => names.push(name),
            Err(name) => {
                return Err(Error::Layout {
                    path: folder.join(name),
                    reason: "its name is not Unicode; rename it".into(),
                });
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}
