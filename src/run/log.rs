//! The files that a run writes: metrics, result, answers.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use sori_models::Architecture;

use super::folder::RunFolder;
use super::records::{EpochRecord, RunResult};
use super::tensorboard;
use crate::file::{read_json, write_atomically, write_json};
use crate::{Error, Result};

impl<A: Architecture> RunFolder<A> {
    /// The contents of `result.json`, if the run has ended.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn result(&self) -> Result<Option<RunResult>> {
        let path = self.path().join("result.json");
        if !path.is_file() {
            return Ok(None);
        }
        read_json(&path).map(Some)
    }

    /// The lines of `metrics.jsonl`.
    ///
    /// # Errors
    /// When a line is malformed. The last one may be cut short by a crash. A file that was removed counts
    /// as empty.
    pub fn metrics(&self) -> Result<Vec<EpochRecord>> {
        let path = self.metrics_path();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(Error::io("cannot read", &path))?,
        };
        text.split_inclusive('\n')
            .enumerate()
            .filter(|(_, line)| line.ends_with('\n'))
            .map(|(number, line)| {
                serde_json::from_str(line).map_err(|e| Error::Config {
                    origin: format!("{}:{}", path.display(), number + 1),
                    reason: format!("{e}; this line is not one that training wrote"),
                })
            })
            .collect()
    }

    pub(crate) fn append_metrics(&self, record: &EpochRecord) -> Result<()> {
        let path = self.metrics_path();
        let line = self.line(record)?;
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| {
                file.write_all(line.as_bytes())?;
                // This line must be on disk before the checkpoint that follows.
                file.sync_data()
            })
            .map_err(Error::io("cannot write", &path))?;
        if self.settings().train.tensorboard {
            tensorboard::append(self.path(), record)?;
        }
        Ok(())
    }

    /// Drops the lines of epochs that a resumed run will train again.
    ///
    /// # Errors
    /// When lines of epochs that have ended are missing: all of them, or the last ones. Earlier ones may be
    /// missing, because the file may be removed between two sessions.
    pub(crate) fn keep_metrics(&self, epochs: usize) -> Result<()> {
        let path = self.metrics_path();
        if !path.exists() {
            return self.keep_events(&[]);
        }
        let records = self.metrics()?.into_iter();
        let kept: Vec<_> = records.filter(|record| record.epoch <= epochs).collect();
        let first = kept.first().map_or(1, |record| record.epoch);
        if !kept.iter().map(|record| record.epoch).eq(first..=epochs) {
            return Err(Error::run(
                &path,
                format!(
                    "lines of the {epochs} epochs that have ended are missing; put it back as `sori train` \
                     wrote it, or remove it to go on without their measurements"
                ),
            ));
        }
        let lines = kept.iter().map(|record| self.line(record));
        let text = lines.collect::<Result<String>>()?;
        write_atomically(&self.metrics_path(), text.as_bytes())?;
        self.keep_events(&kept)
    }

    /// Makes TensorBoard's file, if the run has one, hold these epochs and no others.
    fn keep_events(&self, kept: &[EpochRecord]) -> Result<()> {
        match self.settings().train.tensorboard {
            true => tensorboard::keep(self.path(), kept),
            false => Ok(()),
        }
    }

    pub(crate) fn write_result(
        &self,
        result: &RunResult,
        (name, csv): (&str, String),
    ) -> Result<()> {
        write_atomically(&self.path().join(name), csv.as_bytes())?;
        write_json(&self.path().join("result.json"), result)
    }

    fn line(&self, record: &EpochRecord) -> Result<String> {
        let line = serde_json::to_string(record)
            .map_err(|e| Error::run(self.path(), format!("metrics cannot be written: {e}")))?;
        Ok(line + "\n")
    }

    fn metrics_path(&self) -> PathBuf {
        self.path().join("metrics.jsonl")
    }
}
