//! The data of an existing run, in its original parts.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use sori_datasets::{Item, OpenOptions, Part, Spec, composed};
use sori_models::Architecture;

use super::contents::contents;
use super::parts::Data;
use super::pipeline::memory;
use super::specs;
use crate::run::folder::RunFolder;
use crate::run::splits::Splits;
use crate::{Error, Result};

impl Data {
    /// The data of an existing run in its original parts, without reading a recording. Recordings
    /// added since are ignored.
    ///
    /// # Errors
    /// When one of the run's recordings is missing or has changed, or it was imported and has none.
    pub fn of_run<A: Architecture>(run: &RunFolder<A>) -> Result<Self> {
        if let Some(imported) = &run.info().imported {
            return Err(Error::run(
                run.path(),
                format!(
                    "its weights were imported from {}, and it has no recordings of its own; name the data \
                     to measure it on, or begin a new run from it to train",
                    imported.file
                ),
            ));
        }
        let (data, task) = (&run.settings().data, run.task());
        // Recordings added since do not belong to the run, even if something is wrong with them.
        let options = OpenOptions {
            skip_bad: true,
            labels: task.named_labels().map(<[String]>::to_vec),
        };
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
            for item in specs::open(&spec.to_string(), &options, task.target_kind())?.items {
                for &part in parts {
                    found.insert((part as u8, item.id.clone()), item.clone());
                }
            }
        }
        let mut items = Vec::new();
        let mut frames = Vec::new();
        let mut contents = Vec::new();
        for kept in Splits::read(run.path())? {
            let Some(mut item) = found.remove(&(kept.part as u8, composed(&kept.id).into_owned()))
            else {
                return refuse(run, &kept.id, "no longer in its data");
            };
            // It may be drawn from files that have changed. Runs that are older than hashes of files may have
            // it in decomposed Unicode.
            let is_same = |print: &String| *print == item.fingerprint();
            let may_differ = kept.contents.is_empty() && !kept.has_one_spelling(&item.target);
            if !kept.fingerprint.as_ref().is_none_or(is_same) && !may_differ {
                let is = "made of other files than it was, or has another answer, in its data";
                return refuse(run, &kept.id, is);
            }
            item.part = kept.part;
            items.push(item);
            frames.push(kept.frames);
            contents.push(kept.contents);
        }
        Ok(Self {
            task: task.clone(),
            items,
            frames,
            skipped: Vec::new(),
            stats: None,
            longest_s: 0.0,
            longest_of_any_s: 0.0,
            valid_is_set_aside: run.info().joins_at.is_some(),
            memory: memory(data),
            contents,
        })
    }

    /// Checks that the files of the recordings of `parts` are what they were when the run began. Runs
    /// of versions that kept no hashes are not checked.
    ///
    /// # Errors
    /// Names the first recording that has changed, or cannot be read. When `stop` is set meanwhile.
    pub(crate) fn check_unchanged<A: Architecture>(
        &self,
        run: &RunFolder<A>,
        parts: &[Part],
        stop: &AtomicBool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<()> {
        let known: Vec<(&Item, &String)> = self
            .items
            .iter()
            .zip(&self.contents)
            .filter(|(item, was)| parts.contains(&item.part) && !was.is_empty())
            .collect();
        let items: Vec<&Item> = known.iter().map(|(item, _)| *item).collect();
        for (is, (item, was)) in contents(&items, stop, progress)?.iter().zip(&known) {
            if is != *was {
                return refuse(
                    run,
                    &item.id,
                    "not the file it was when the run began, in its data",
                );
            }
        }
        Ok(())
    }
}

fn refuse<A: Architecture, T>(run: &RunFolder<A>, id: &str, is: &str) -> Result<T> {
    let train = &run.settings().data.train;
    Err(Error::run(
        run.path(),
        format!("its recording {id} is {is} ({train}); put it back, or begin a new run"),
    ))
}
