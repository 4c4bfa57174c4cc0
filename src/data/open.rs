//! From the SPECs of settings to the training, validation and test parts of a run.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use sori_datasets::{Alphabet, Corpus, Item, Part, Target};
use sori_models::Architecture;

use super::checks;
use super::contents::contents;
use super::listing::Recordings;
use super::parts::Data;
use super::pipeline::memory;
use crate::settings::schema::{Settings, TextSettings};
use crate::task::any::AnyTask;
use crate::task::name::TaskName;
use crate::{Error, Result};

impl Data {
    /// Reads every recording of the corpora of `settings` once, to check that it is readable and to
    /// compute the statistics of the training part. `corpus` is the training corpus if it is already
    /// open. `progress` receives the number of recordings read and the total.
    ///
    /// # Errors
    /// When a corpus cannot be opened or does not fit the model, a part or a class is empty, one
    /// recording is in two parts, a recording cannot be used and `skip_bad` is off, transcripts have
    /// symbols that are not in the alphabet, or `stop` is set meanwhile.
    pub fn open<A: Architecture>(
        settings: &Settings<A>,
        corpus: Option<Corpus>,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let mut listing = Recordings::of(settings, corpus)?;
        let alphabet = match listing.task {
            TaskName::Transcribe => Some(alphabet(settings, &listing.items)?),
            _ => None,
        };
        let had_test = listing.items.iter().any(|item| item.part == Part::Test);
        let memory = memory(&settings.data);
        let mut scanned = listing.scan(settings, &memory, stop, progress)?;
        let longest = |part: Option<Part>| {
            let all = listing.items.iter().zip(&scanned.durations_s);
            all.filter(|(item, _)| part.is_none_or(|part| item.part == part))
                .fold(0.0, |longest: f64, (_, &duration)| longest.max(duration))
        };
        let (longest_s, longest_of_any_s) = (longest(Some(Part::Train)), longest(None));
        if let Some(alphabet) = &alphabet
            && settings.model.learns_by_ctc()
        {
            listing.drop_too_short(settings, alphabet, &mut scanned.frames)?;
        }
        let scale = checks::labels(settings, &listing)?;
        let (name, labels) = (listing.task, listing.labels.clone());
        let loss = settings.train.regression_loss;
        let task = AnyTask::new(name, labels, alphabet, scale, loss).ok_or_else(|| {
            Error::Input(format!(
                "{}: it cannot be learned from",
                settings.data.train
            ))
        })?;
        checks::parts(settings, &listing, had_test)?;
        let contents = contents(&listing.items.iter().collect::<Vec<_>>(), stop, progress)?;
        Ok(Self {
            task,
            items: listing.items,
            frames: scanned.frames,
            skipped: listing.rejected,
            stats: scanned.stats,
            longest_s,
            longest_of_any_s,
            valid_is_set_aside: listing.valid_is_set_aside,
            memory,
            contents,
        })
    }
}

/// The transcripts that a run with these settings learns from. Reads no recordings.
pub(crate) fn training_texts<A: Architecture>(settings: &Settings<A>) -> Result<Vec<String>> {
    let items = Recordings::of(settings, None)?.items.into_iter();
    let texts = items.filter_map(|item| match item.target {
        Target::Text(text) if item.part == Part::Train => Some(text),
        _ => None,
    });
    Ok(texts.collect())
}

/// The symbols of the transcripts of `items`.
fn alphabet<A: Architecture>(settings: &Settings<A>, items: &[Item]) -> Result<Alphabet> {
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
            .filter_map(|item| item.target.text())
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
        return Ok(alphabet);
    }
    Err(Error::Input(format!(
        "{}: transcripts have symbols that the alphabet does not have: {}; add them, normalise them \
         away, or take them all for one symbol with text.unk",
        settings.data.train,
        missing.join(", ")
    )))
}
