//! The data of an existing run, in its original parts.

use std::collections::HashMap;

use sori_datasets::{OpenOptions, Part, Spec};
use sori_models::Architecture;

use super::parts::Data;
use super::specs;
use crate::run::folder::RunFolder;
use crate::run::splits::{Kept, Splits};
use crate::{Error, Result};

impl Data {
    /// The data of an existing run in its original parts, without reading a recording. Recordings
    /// added since are ignored.
    ///
    /// # Errors
    /// When one of the run's recordings is missing or has changed.
    pub fn of_run<A: Architecture>(run: &RunFolder<A>) -> Result<Self> {
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
        for kept in Splits::read(run.path())? {
            let Some(mut item) = found.remove(&(kept.part as u8, kept.id.clone())) else {
                return refuse(run, &kept, "no longer in its data");
            };
            // It may be drawn from files that have changed.
            let is_same = |print: &String| *print == item.fingerprint();
            if !kept.fingerprint.as_ref().is_none_or(is_same) {
                let is = "made of other files than it was, or has another answer, in its data";
                return refuse(run, &kept, is);
            }
            item.part = kept.part;
            items.push(item);
            frames.push(kept.frames);
        }
        Ok(Self {
            task: task.clone(),
            items,
            frames,
            skipped: Vec::new(),
            stats: None,
            longest_s: 0.0,
        })
    }
}

fn refuse<A: Architecture, T>(run: &RunFolder<A>, kept: &Kept, is: &str) -> Result<T> {
    let (id, train) = (&kept.id, &run.settings().data.train);
    Err(Error::run(
        run.path(),
        format!("its recording {id} is {is} ({train}); put it back, or begin a new run"),
    ))
}
