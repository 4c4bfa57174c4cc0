//! The files that a run writes: metrics, result, answers.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use sori_models::Architecture;

use super::folder::RunFolder;
use super::records::{EpochRecord, RunResult};
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
    /// When a line is malformed. The last one may be cut short by a crash.
    pub fn metrics(&self) -> Result<Vec<EpochRecord>> {
        let path = self.metrics_path();
        let text = fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
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
            .map_err(Error::io("cannot write", &path))
    }

    /// Drops the lines of epochs that a resumed run will train again.
    pub(crate) fn keep_metrics(&self, epochs: usize) -> Result<()> {
        let records = self.metrics()?.into_iter();
        let kept = records.filter(|record| record.epoch <= epochs);
        let lines = kept.map(|record| self.line(&record));
        let text = lines.collect::<Result<String>>()?;
        write_atomically(&self.metrics_path(), text.as_bytes())
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
