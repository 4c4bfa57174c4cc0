//! From SPECs to the three parts a run learns from, chooses on and is tested on.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sori_datasets::{
    Alphabet, BinStats, Corpus, FeatureCache, FeatureConfig, Item, OpenOptions, Part, Pipeline,
    Rejected, Spec, Target, scan,
};
use sori_models::loss::steps_needed;

use super::run::RunFolder;
use super::settings::{DataSettings, Settings, TextSettings};
use crate::batch::Coding;
use crate::task::{Scale, Task};
use crate::{Error, Result};

/// The recordings of a run.
pub struct Data {
    /// What is to be said of a recording.
    pub task: Task,
    /// Names of the labels, in the order of the model's outputs; of transcripts the symbols, which
    /// come after the blank.
    pub labels: Vec<String>,
    /// The symbols of transcripts, where those are the answers.
    pub alphabet: Option<Arc<Alphabet>>,
    /// The recordings, each in its part.
    pub items: Vec<Item>,
    /// Frames of each of them, where they are known.
    pub frames: Vec<usize>,
    /// Recordings left out, and why.
    pub skipped: Vec<Rejected>,
    /// Mean and deviation over the training part, where the features are normalised by them.
    pub stats: Option<BinStats>,
    /// The longest training recording in seconds.
    pub longest_s: f64,
}

impl Data {
    /// Opens the corpora of `settings` and reads every recording once: to know that it can be read,
    /// and to gather the statistics of the training part. `progress` is told how many of how many
    /// recordings have been read.
    ///
    /// # Errors
    /// When a corpus cannot be opened or is not for the model, a part or a class is empty, one
    /// recording is in two parts, a recording cannot be used and `skip_bad` is off, transcripts have
    /// symbols that the alphabet does not have, or `stop` is set meanwhile.
    pub fn open(
        settings: &Settings,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let (task, mut labels, items, mut skipped) = Self::split(settings)?;
        let alphabet = alphabet(settings, &items)?;
        if let Some(alphabet) = &alphabet {
            labels = alphabet.symbols().iter().map(char::to_string).collect();
        }
        let pipeline = with_cache(pipeline(&settings.features, None)?, &settings.data)?;
        let total = items.len();
        let had_test = items.iter().any(|item| item.part == Part::Test);
        let (items, scanned) = scan(
            &items,
            &pipeline,
            settings.train.workers.max(1),
            settings.data.skip_bad,
            |done| {
                if stop.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
                progress(done, total);
                ControlFlow::Continue(())
            },
        )?;
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Input(
                "interrupted while reading the recordings, before the run had begun".to_string(),
            ));
        }
        skipped.extend(scanned.bad);
        let longest_s = items
            .iter()
            .zip(&scanned.durations_s)
            .filter(|(item, _)| item.part == Part::Train)
            .fold(0.0, |longest: f64, (_, &duration)| longest.max(duration));
        let mut data = Self {
            task,
            labels,
            alphabet,
            items,
            frames: scanned.frames,
            skipped,
            stats: scanned.stats,
            longest_s,
        };
        data.drop_too_short(settings)?;
        data.check(settings, had_test)?;
        Ok(data)
    }

    /// Leaves out recordings to learn from whose steps are too few for what is said in them.
    fn drop_too_short(&mut self, settings: &Settings) -> Result<()> {
        let Some(alphabet) = &self.alphabet else {
            return Ok(());
        };
        if !settings.model.learns_by_ctc() {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(self.items.len());
        for (item, &frames) in self.items.iter().zip(&self.frames) {
            let steps = settings
                .model
                .num_steps(frames.max(settings.model.min_frames()));
            let needed = match &item.target {
                Target::Text(text) if item.part == Part::Train => {
                    steps_needed(&alphabet.encode(text)?)
                }
                _ => 0,
            };
            if steps < needed {
                self.skipped.push(Rejected {
                    place: item.id.clone(),
                    reason: format!(
                        "{}: its {steps} steps are too few for its transcript, which takes {needed}",
                        item.id
                    ),
                });
            }
            kept.push(steps >= needed);
        }
        let mut keep = kept.iter();
        self.items.retain(|_| keep.next() == Some(&true));
        let mut keep = kept.iter();
        self.frames.retain(|_| keep.next() == Some(&true));
        Ok(())
    }

    fn check(&self, settings: &Settings, had_test: bool) -> Result<()> {
        let specs = &settings.data;
        let refuse = |reason: String| Err(Error::Input(reason));
        if self.labels.len() < 2 && self.task == Task::Classify {
            return refuse(format!(
                "{}: there is only the class {}; telling classes apart takes two",
                specs.train,
                self.labels.join(", ")
            ));
        }
        if self.labels.is_empty() && !self.task.generates() {
            return refuse(format!("{}: no recording has a tag", specs.train));
        }
        let train = self.part(Part::Train);
        if train.is_empty() {
            return refuse(format!(
                "{}: no recording is left to train on; a `split=` in it must be train, or left out",
                specs.train
            ));
        }
        let learned: HashSet<usize> = train
            .iter()
            .flat_map(|item| match &item.target {
                Target::Class(class) => vec![*class],
                Target::Tags(tags) => tags.clone(),
                Target::Text(_) | Target::Value(_) => Vec::new(),
            })
            .collect();
        let missing = (0..self.labels.len()).find(|label| !learned.contains(label));
        if let (Some(label), Task::Classify | Task::Tag) = (missing, self.task) {
            return refuse(format!(
                "{}: no recording of the {} {} is left to train on ({} were left out); add one \
                 or take the {} away",
                specs.train,
                self.task.label(1),
                self.labels[label],
                self.skipped.len(),
                self.task.label(1),
            ));
        }
        if self.task == Task::Regress {
            let train = &settings.train;
            let of_labels = [
                ("label_smoothing", train.label_smoothing != 0.0),
                ("class_weights", train.class_weights),
                ("balance", train.balance),
            ];
            if let Some((key, _)) = of_labels.iter().find(|(_, is_on)| *is_on) {
                return refuse(format!(
                    "{}: train.{key} is for labels, and numbers are learned here; leave it out",
                    specs.train
                ));
            }
            if self.scale().is_none() {
                return refuse(format!(
                    "{}: all recordings to train on have the same value; there is nothing to tell \
                     apart",
                    specs.train
                ));
            }
        }
        if settings.train.adversary_weight > 0.0 {
            self.check_domains(&specs.train)?;
        }
        if self.part(Part::Valid).is_empty() {
            return refuse(match specs.valid.as_str() {
                "" => format!(
                    "{}: there is no second recording (of a class) to set aside for validation; add \
                     some, or name others with --valid-data",
                    specs.train
                ),
                valid => format!("{valid}: no recording is left to choose the best checkpoint by"),
            });
        }
        if had_test && self.part(Part::Test).is_empty() {
            return refuse(format!(
                "{}: none of the recordings to test on can be used",
                if specs.test.is_empty() {
                    &specs.train
                } else {
                    &specs.test
                }
            ));
        }
        let mut seen: HashMap<(PathBuf, u64), Part> = HashMap::new();
        for item in &self.items {
            // A recording cut into several begins where each of them does.
            for (path, start_ms) in item.source.files() {
                let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
                let shown = path.display().to_string();
                match seen.insert((path, start_ms), item.part) {
                    Some(part) if part != item.part => {
                        return refuse(format!(
                            "{shown} is in two parts ({} and {}), so that the result would mean \
                             nothing; choose parts that share no recording, with `?split=` or other \
                             folders",
                            part_name(part),
                            part_name(item.part)
                        ));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The data of a run in the parts it began with, without reading a recording. Recordings that
    /// have come since are not looked at.
    ///
    /// # Errors
    /// When one of the run's recordings is no longer there, or no longer the same.
    pub fn of_run(run: &RunFolder) -> Result<Self> {
        let settings = run.settings()?;
        let info = run.info()?;
        let alphabet = match run.coding(&info)? {
            Coding::Symbols(alphabet) => Some(alphabet),
            _ => None,
        };
        let (task, labels) = (info.task, info.labels);
        // What has come since, and what may be wrong with it, is of no concern to the run.
        let options = OpenOptions {
            skip_bad: true,
            labels: task.has_labels().then(|| labels.clone()),
        };
        let data = &settings.data;
        let mut found = HashMap::new();
        for (spec, parts) in [
            (&data.train, &[Part::Train, Part::Valid, Part::Test][..]),
            (&data.valid, &[Part::Valid]),
            (&data.test, &[Part::Test]),
        ] {
            if spec.is_empty() {
                continue;
            }
            let mut spec: Spec = spec.parse()?;
            spec.query.remove("split");
            let wanted = (!task.generates()).then_some(task);
            for item in open(&spec.to_string(), &options, wanted)?.items {
                for &part in parts {
                    found.insert((part as u8, item.id.clone()), item.clone());
                }
            }
        }
        let mut items = Vec::new();
        let mut frames = Vec::new();
        for kept in run.splits()? {
            let refuse = |is: &str| {
                let (id, train) = (&kept.id, &data.train);
                Err(Error::run(
                    run.path(),
                    format!(
                        "its recording {id} is {is} ({train}); put it back, or begin a new run"
                    ),
                ))
            };
            let Some(mut item) = found.remove(&(kept.part as u8, kept.id.clone())) else {
                return refuse("no longer in its data");
            };
            // Such as one that is drawn from the files there are.
            if kept
                .fingerprint
                .is_some_and(|print| print != item.fingerprint())
            {
                return refuse(
                    "made of other files than it was, or has another answer, in its data",
                );
            }
            item.part = kept.part;
            items.push(item);
            frames.push(kept.frames);
        }
        Ok(Self {
            task,
            labels,
            alphabet,
            items,
            frames,
            skipped: Vec::new(),
            stats: None,
            longest_s: 0.0,
        })
    }

    /// The domains of the training part, sorted.
    pub(crate) fn domains(&self) -> Vec<String> {
        let part = self.part(Part::Train).into_iter();
        let domains: BTreeSet<&String> = part.filter_map(|item| item.domain.as_ref()).collect();
        domains.into_iter().cloned().collect()
    }

    /// Mean and deviation of the training part's numbers, where numbers are learned and are not all the
    /// same.
    pub(crate) fn scale(&self) -> Option<Scale> {
        if self.task != Task::Regress {
            return None;
        }
        let value = |item: &Item| match item.target {
            Target::Value(value) => Some(value),
            _ => None,
        };
        let values: Vec<f64> = self
            .part(Part::Train)
            .into_iter()
            .filter_map(value)
            .collect();
        Scale::of(&values)
    }

    /// Refuses recordings to learn from that do not come from two domains or more.
    fn check_domains(&self, spec: &str) -> Result<()> {
        let part = self.part(Part::Train);
        let without = part.iter().filter(|item| item.domain.is_none()).count();
        let found = match (without, self.domains().as_slice()) {
            (0, [_, _, ..]) => return Ok(()),
            (0, domains) => format!("all are of {}", domains.join(", ")),
            _ => format!("{without} of {} have none", part.len()),
        };
        Err(Error::Input(format!(
            "{spec}: train.adversary_weight needs recordings of two domains or more, and {found}; fsdd \
             names its speakers, and a manifest a \"domain\" of each recording"
        )))
    }

    #[allow(
        clippy::type_complexity,
        reason = "what `open` goes on with, each part for itself"
    )]
    fn split(settings: &Settings) -> Result<(Task, Vec<String>, Vec<Item>, Vec<Rejected>)> {
        let data = &settings.data;
        let options = OpenOptions {
            skip_bad: data.skip_bad,
            labels: None,
        };
        let mut corpus = open(&data.train, &options, None)?;
        let task = Task::of_model(&settings.model, corpus.task);
        let name = settings.model.name();
        match (settings.model.transcribes(), task) {
            (true, Task::Transcribe)
            | (false, Task::Classify | Task::Tag | Task::Regress)
            | (false, Task::Autoencode | Task::Generate) => {}
            (true, _) => {
                return Err(Error::Input(format!(
                    "{}: {name} writes transcripts, which these recordings do not have; a corpus \
                     for it is digits:DIR, or a manifest with a `text` for each recording",
                    data.train
                )));
            }
            (false, _) => {
                return Err(Error::Input(format!(
                    "{}: these recordings have transcripts, which {name} does not write; \
                     deep_speech2 and las do",
                    data.train
                )));
            }
        }
        let labels = match task.generates() {
            true => Vec::new(),
            false => corpus.labels.clone(),
        };
        let others = OpenOptions {
            labels: task.has_labels().then(|| labels.clone()),
            ..options
        };
        let mut items = Vec::new();
        let mut skipped = Vec::new();
        if data.valid.is_empty() {
            corpus.set_aside_valid(data.valid_fraction, settings.train.seed);
        } else {
            corpus.items.retain(|item| item.part != Part::Valid);
            let (valid, rejected) = whole(&data.valid, &others, Part::Valid, task)?;
            items.extend(valid);
            skipped.extend(rejected);
        }
        if !data.test.is_empty() {
            corpus.items.retain(|item| item.part != Part::Test);
            let (test, rejected) = whole(&data.test, &others, Part::Test, task)?;
            items.extend(test);
            skipped.extend(rejected);
        }
        corpus.items.append(&mut items);
        corpus.rejected.append(&mut skipped);
        Ok((task, labels, corpus.items, corpus.rejected))
    }

    /// What a run is judged by: the test part where there is one, otherwise the validation part,
    /// and which of them it is.
    pub fn held_out(&self) -> (Vec<&Item>, &'static str) {
        let test = self.part(Part::Test);
        if test.is_empty() {
            (self.part(Part::Valid), "valid")
        } else {
            (test, "test")
        }
    }

    /// The frames of the recordings of one part, where they are known.
    pub fn frames_of(&self, part: Part) -> Vec<usize> {
        let both = self.items.iter().zip(&self.frames);
        both.filter(|(item, _)| item.part == part)
            .map(|(_, &frames)| frames)
            .collect()
    }

    /// The recordings of one part.
    pub fn part(&self, part: Part) -> Vec<&Item> {
        self.items.iter().filter(|item| item.part == part).collect()
    }
}

/// The transcripts that a run with these settings would learn from. No recording is read.
pub(crate) fn training_texts(settings: &Settings) -> Result<Vec<String>> {
    let (_, _, items, _) = Data::split(settings)?;
    let texts = items.into_iter().filter_map(|item| match item.target {
        Target::Text(text) if item.part == Part::Train => Some(text),
        _ => None,
    });
    Ok(texts.collect())
}

/// The corpus `spec`, used whole, all of it as `part`: what a bare SPEC beside the training one
/// means. A `split=` in the SPEC has already chosen.
pub(crate) fn whole(
    spec: &str,
    options: &OpenOptions,
    part: Part,
    task: Task,
) -> Result<(Vec<Item>, Vec<Rejected>)> {
    let corpus = open(spec, options, (!task.generates()).then_some(task))?;
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

fn open(spec: &str, options: &OpenOptions, task: Option<Task>) -> Result<Corpus> {
    let parsed = spec.parse::<Spec>()?;
    let corpus = match Corpus::open_with(&parsed, options) {
        // Labels are unknown too where they are of another kind, which says more.
        Err(error @ sori_datasets::Error::UnknownLabel { .. }) => {
            let unlabelled = OpenOptions {
                labels: None,
                ..options.clone()
            };
            check_task(&Corpus::open_with(&parsed, &unlabelled)?, spec, task)?;
            return Err(error.into());
        }
        corpus => corpus?,
    };
    check_task(&corpus, spec, task)?;
    Ok(corpus)
}

fn check_task(corpus: &Corpus, spec: &str, task: Option<Task>) -> Result<()> {
    let found = Task::of(corpus.task);
    match task {
        Some(wanted) if wanted != found => Err(Error::Input(format!(
            "{spec}: its recordings are to {}, those of the training part to {}; both must be of \
             one kind",
            found.name(),
            wanted.name()
        ))),
        _ => Ok(()),
    }
}

/// The symbols of the transcripts of `items`, where those are what `settings` are for.
fn alphabet(settings: &Settings, items: &[Item]) -> Result<Option<Arc<Alphabet>>> {
    if !settings.model.transcribes() {
        return Ok(None);
    }
    let TextSettings {
        alphabet: file,
        kind,
        unk,
        normalization,
        ..
    } = settings.text.clone().unwrap_or_default();
    let texts = |training: bool| {
        items
            .iter()
            .filter(move |item| !training || item.part == Part::Train)
            .filter_map(|item| match &item.target {
                Target::Text(text) => Some(text.as_str()),
                _ => None,
            })
    };
    let mut alphabet = if file.is_empty() {
        Alphabet::build(kind, normalization, texts(true))?
    } else {
        Alphabet::read(kind, normalization, Path::new(&file))?
    };
    if unk {
        alphabet = alphabet.with_unknown();
    }
    let missing: Vec<String> =
        Alphabet::build(kind, alphabet.normalization().clone(), texts(false))?
            .symbols()
            .iter()
            .filter(|symbol| !alphabet.symbols().contains(symbol))
            .map(|&symbol| format!("{symbol:?} (U+{:04X})", u32::from(symbol)))
            .collect();
    if missing.is_empty() || alphabet.unknown().is_some() {
        return Ok(Some(Arc::new(alphabet)));
    }
    Err(Error::Input(format!(
        "{}: transcripts have symbols that the alphabet does not have: {}; add them, normalise them \
         away, or take them all for one symbol with --unk",
        settings.data.train,
        missing.join(", ")
    )))
}

/// The way from a recording to features under these settings. Without `stats` (before they are
/// known) features are as they come.
pub(crate) fn pipeline(features: &FeatureConfig, stats: Option<&BinStats>) -> Result<Pipeline> {
    let pipeline = Pipeline::new(features.clone())?;
    Ok(match stats {
        Some(stats) => pipeline.with_stats(stats.clone())?,
        None => pipeline,
    })
}

/// The same, keeping features where `data` says.
pub(crate) fn with_cache(pipeline: Pipeline, data: &DataSettings) -> Result<Pipeline> {
    Ok(match data.cache.as_str() {
        "" => pipeline,
        folder => pipeline.with_cache(Arc::new(FeatureCache::new(folder)?)),
    })
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Train => "train",
        Part::Valid => "valid",
        Part::Test => "test",
    }
}
