//! The recordings that the corpora of a run list, and the usable ones among them.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sori_datasets::{
    Alphabet, AudioMemory, Corpus, Item, OpenOptions, Part, Rejected, Scan, Target, TargetKind,
    scan,
};
use sori_models::loss::steps_needed;
use sori_models::{Architecture, Purpose, catalogue};

use super::pipeline::{pipeline, with_cache};
use super::specs;
use crate::settings::schema::Settings;
use crate::task::any::task_of;
use crate::task::name::TaskName;
use crate::{Error, Result};

/// The recordings that the corpora of a run list, before any is read.
pub(super) struct Recordings {
    pub(super) task: TaskName,
    /// Names of the labels, or of the quantity.
    pub(super) labels: Vec<String>,
    pub(super) items: Vec<Item>,
    /// Whether the validation part was set aside from the training part.
    pub(super) valid_is_set_aside: bool,
    pub(super) rejected: Vec<Rejected>,
}

/// The training corpus of `settings`.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn training_corpus<A: Architecture>(settings: &Settings<A>) -> Result<Corpus> {
    let options = OpenOptions {
        skip_bad: settings.data.skip_bad,
        labels: None,
    };
    specs::open(&settings.data.train, &options, None)
}

impl Recordings {
    /// The recordings of the corpora of `settings` in their parts.
    pub(super) fn of<A: Architecture>(
        settings: &Settings<A>,
        corpus: Option<Corpus>,
    ) -> Result<Self> {
        let data = &settings.data;
        let mut corpus = match corpus {
            Some(corpus) => corpus,
            None => training_corpus(settings)?,
        };
        let (role, kind) = (settings.model.role(), corpus.task);
        let task = task_of(role, kind).ok_or_else(|| unfit(settings, kind))?;
        let labels = match role.generates() {
            true => Vec::new(),
            false => corpus.labels.clone(),
        };
        let others = OpenOptions {
            skip_bad: data.skip_bad,
            labels: match task {
                TaskName::Classify | TaskName::Tag | TaskName::Regress => Some(labels.clone()),
                TaskName::Transcribe | TaskName::Autoencode | TaskName::Generate => None,
            },
        };
        let kind = (!role.generates()).then_some(kind);
        // The test part comes first: the validation part is set aside to resemble it.
        if !data.test.is_empty() {
            // What was set aside for the test is not needed for it; a test part of the corpus's own is
            // not trained on.
            match corpus.test_is_set_aside {
                true => corpus.items.iter_mut().for_each(|item| {
                    if item.part == Part::Test {
                        item.part = Part::Train;
                    }
                }),
                false => corpus.items.retain(|item| item.part != Part::Test),
            }
            let (test, bad) = specs::whole(&data.test, &others, Part::Test, kind)?;
            corpus.items.extend(test);
            corpus.rejected.extend(bad);
        }
        let has_valid = corpus.items.iter().any(|item| item.part == Part::Valid);
        if data.valid.is_empty() {
            corpus.set_aside_valid(data.valid_fraction, settings.train.seed);
        } else {
            corpus.items.retain(|item| item.part != Part::Valid);
            let (valid, bad) = specs::whole(&data.valid, &others, Part::Valid, kind)?;
            corpus.items.extend(valid);
            corpus.rejected.extend(bad);
        }
        Ok(Self {
            task,
            labels,
            items: corpus.items,
            valid_is_set_aside: data.valid.is_empty() && !has_valid,
            rejected: corpus.rejected,
        })
    }

    /// Reads each recording once and leaves out those that cannot be used.
    pub(super) fn scan<A: Architecture>(
        &mut self,
        settings: &Settings<A>,
        memory: &Arc<AudioMemory>,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Scan> {
        let pipeline = with_cache(pipeline(&settings.features, None)?, &settings.data)?
            .with_augment(&settings.augment)?
            .with_memory(Arc::clone(memory));
        let total = self.items.len();
        let workers = settings.train.num_workers();
        let on_progress = |done| {
            if stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            progress(done, total);
            ControlFlow::Continue(())
        };
        let skip_bad = settings.data.skip_bad;
        let (items, mut scanned) = scan(&self.items, &pipeline, workers, skip_bad, on_progress)?;
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Input(
                "interrupted while reading the recordings, before the run had begun".to_string(),
            ));
        }
        self.items = items;
        self.rejected.append(&mut scanned.bad);
        Ok(scanned)
    }

    /// Leaves out training recordings with too few steps for their transcripts.
    pub(super) fn drop_too_short<A: Architecture>(
        &mut self,
        settings: &Settings<A>,
        alphabet: &Alphabet,
        frames: &mut Vec<usize>,
    ) -> Result<()> {
        let model = &settings.model;
        let mut kept = Vec::with_capacity(self.items.len());
        for (item, &frames) in self.items.iter().zip(frames.iter()) {
            let steps = model.num_steps(frames.max(model.min_frames()));
            let needed = match &item.target {
                Target::Text(text) if item.part == Part::Train => {
                    steps_needed(&alphabet.encode(text)?)
                }
                _ => 0,
            };
            if steps < needed {
                self.rejected.push(Rejected {
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
        frames.retain(|_| keep.next() == Some(&true));
        Ok(())
    }

    /// The recordings of the training part.
    pub(super) fn train(&self) -> Vec<&Item> {
        let items = self.items.iter();
        items.filter(|item| item.part == Part::Train).collect()
    }
}

/// The error of recordings with a kind of answer that the model does not give.
fn unfit<A: Architecture>(settings: &Settings<A>, kind: TargetKind) -> Error {
    let (train, name) = (&settings.data.train, settings.model.card().name);
    if kind == TargetKind::Transcribe {
        let cards = catalogue().iter();
        let others = cards.filter(|card| card.purpose == Purpose::Transcribe);
        let others: Vec<&str> = others.map(|card| card.name).collect();
        return Error::Input(format!(
            "{train}: these recordings have transcripts, which {name} does not write; {} do",
            others.join(" and ")
        ));
    }
    Error::Input(format!(
        "{train}: {name} writes transcripts, which these recordings do not have; a corpus for it is \
         digits:DIR, or a manifest with a `text` for each recording"
    ))
}
