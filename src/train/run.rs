//! The run folder: everything a run was and is, so that it can be resumed, used and understood.
//!
//! ```text
//! config.toml          the resolved settings
//! alphabet.json        of transcripts: the symbols, and how text is written before it becomes them
//! run.json             version, task, model, labels, split sizes, seed, backend, parameters
//! splits.json          which recording is in which part
//! skipped.jsonl        recordings left out under --skip-bad, and why
//! metrics.jsonl        one line per epoch
//! checkpoints/         last.safetensors (with optimizer state), best.safetensors
//! result.json          metrics of the best checkpoint, once the run has ended
//! confusion.csv        of classes; rows: true class, columns: predicted class
//! tags.csv             of tags: average precision, area under the curve and threshold of each
//! transcripts.csv      of transcripts: what is said and what was heard in each recording, worst first
//! values.csv           of numbers: what is right and what was said of each recording, worst first
//! patches.csv          of what is made: means over a grid of each patch of the part, and of as many made
//! ```

use std::cell::OnceCell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sori_datasets::{Alphabet, BinStats, Part};

use super::checkpoint::Checkpoint;
use super::data::Data;
use super::settings::Settings;
use crate::batch::Coding;
use crate::file::{read_json, remove_temporary, write_atomically, write_json};
use crate::task::{Metrics, Scale, Task};
use crate::{Error, Result};

/// What the run folder's `run.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The version of Sori that began the run.
    pub sori_version: String,
    /// What the model does.
    pub task: Task,
    /// The architecture.
    pub model: String,
    /// The backend it was begun on.
    pub backend: String,
    /// Where all randomness starts from.
    pub seed: u64,
    /// Trainable parameters.
    pub params: usize,
    /// Names of the labels, in the order of the model's outputs; of transcripts the symbols, which
    /// come after the blank; of numbers what they count.
    pub labels: Vec<String>,
    /// How many recordings each part has.
    pub splits: SplitSizes,
    /// How many recordings were left out.
    pub skipped: usize,
    /// The longest training recording in seconds.
    pub longest_s: f64,
    /// What the model sees of a recording at once, in seconds: longer ones are predicted window by
    /// window.
    pub window_s: f64,
    /// Mean and deviation of the training part's features, where the settings normalise by them.
    pub stats: Option<BinStats>,
    /// Mean and deviation of the training part's numbers; none of other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// The domains of the training part, sorted, where the model learns to hide them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
}

/// How many recordings each part has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the three parts")]
pub struct SplitSizes {
    pub train: usize,
    pub valid: usize,
    pub test: usize,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps taken since the run began.
    pub step: usize,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Mean loss over the epoch's training recordings, as they were met.
    pub train_loss: f64,
    /// Share of them that was classified right, as they were met; only of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Share of their steps that said the blank; only of transcripts by CTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_blank: Option<f64>,
    /// Share of them whose domain was told, while the model learned to hide it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_domain_accuracy: Option<f64>,
    /// Over the whole validation part.
    pub valid_loss: f64,
    /// Over the whole validation part.
    pub valid: Metrics,
    /// Whether this is the best checkpoint so far.
    pub best: bool,
    /// Seconds of training since the run began, without pauses.
    pub seconds: f64,
    /// Training recordings per second in this epoch.
    pub items_per_second: f64,
    /// Share of the epoch's training time in which a step waited for its data.
    pub waited: f64,
}

impl EpochRecord {
    /// The task's headline metric over the validation part.
    pub fn headline(&self) -> f64 {
        self.valid.get(self.task().headline())
    }

    /// The task of the run, which shows in its metrics.
    pub fn task(&self) -> Task {
        let tasks = [
            Task::Transcribe,
            Task::Tag,
            Task::Regress,
            // Before what makes patches without a bound.
            Task::Autoencode,
            Task::Generate,
        ];
        let found = tasks
            .into_iter()
            .find(|task| self.valid.0.contains_key(task.headline()));
        found.unwrap_or(Task::Classify)
    }
}

/// What the run folder's `result.json` says; the last line of `sori train --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// What the model does.
    pub task: Task,
    /// The architecture.
    pub model: String,
    /// The task's headline metric: `accuracy`, `map` of tags, `wer` of transcripts, `mae` of numbers,
    /// `bound` of what is encoded and decoded again, or `frechet` of what is made.
    pub metric: String,
    /// The part `value` is from: `test` where there is one, otherwise `valid`.
    pub split: String,
    /// The headline metric of the best checkpoint.
    pub value: f64,
    /// All metrics of that part.
    pub metrics: Metrics,
    /// Trainable parameters.
    pub params: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// Epochs trained.
    pub epochs: usize,
    /// The backend.
    pub backend: String,
    /// The seed.
    pub seed: u64,
    /// The epoch of the best checkpoint.
    pub best_epoch: usize,
    /// The best checkpoint on the validation part.
    pub valid: Metrics,
    /// Tags that no recording of the part has, which means over tags leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels_left_out: Vec<String>,
}

/// A run folder.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Keeps a second process from training into the same folder.
    lock: OnceCell<File>,
}

/// What `splits.json` says.
#[derive(Serialize, Deserialize)]
struct Splits {
    train: SplitPart,
    valid: SplitPart,
    test: SplitPart,
}

/// The recordings of a part, by identifier, the frames of each, and what it can be known by again.
#[derive(Serialize, Deserialize)]
struct SplitPart {
    ids: Vec<String>,
    frames: Vec<usize>,
    /// [`sori_datasets::Item::fingerprint`]; none in runs from before there were any.
    #[serde(default)]
    fingerprints: Vec<String>,
}

/// A recording of a run, as its `splits.json` has it.
pub(super) struct Kept {
    pub(super) part: Part,
    pub(super) id: String,
    pub(super) frames: usize,
    pub(super) fingerprint: Option<String>,
}

impl RunFolder {
    /// Opens the run in `path`.
    ///
    /// # Errors
    /// When there is no run, with what is there instead.
    pub fn open(path: &Path) -> Result<Self> {
        let run = Self::at(path);
        if run.info_path().is_file() {
            return Ok(run);
        }
        Err(Error::run(
            path,
            if !path.exists() {
                "there is no such folder"
            } else if !path.is_dir() {
                "this is a file; a run is a folder that `sori train` made"
            } else if run.lock_path().is_file() {
                "this run was stopped while it read its recordings, before it had begun; begin it \
                 again with `sori train MODEL --out` and this folder"
            } else {
                "this folder is not a run that `sori train` began (it has no run.json)"
            },
        ))
    }

    fn at(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            lock: OnceCell::new(),
        }
    }

    /// Takes the folder `path` for a new run. It must not exist, be empty, or be what is left of a
    /// run that was killed before it had begun.
    pub(super) fn claim(path: &Path) -> Result<Self> {
        let run = Self::at(path);
        if run.info_path().exists() {
            return Err(Error::run(
                path,
                "there is a run already; continue it with `--resume`, or choose another `--out`",
            ));
        }
        fs::create_dir_all(path).map_err(Error::io("cannot create", path))?;
        let mut entries = fs::read_dir(path).map_err(Error::io("cannot read", path))?;
        if entries.next().is_some() && !run.lock_path().is_file() {
            return Err(Error::run(
                path,
                "this folder holds something else; a new run needs a folder of its own",
            ));
        }
        run.lock()?;
        Ok(run)
    }

    /// Gives the folder back if nothing was written to it. Otherwise the lock stays, by which
    /// [`claim`](Self::claim) knows what is left of a run that had not begun.
    pub(super) fn give_up(&self) {
        let only_lock = fs::read_dir(&self.path).is_ok_and(|entries| entries.count() == 1);
        if only_lock {
            // What cannot be removed is only untidy.
            let _ = fs::remove_file(self.lock_path());
            let _ = fs::remove_dir(&self.path);
        }
    }

    /// Writes a new run, before its first step.
    pub(super) fn write_start(
        &self,
        settings: &Settings,
        info: &RunInfo,
        data: &Data,
        start: &Checkpoint,
    ) -> Result<()> {
        let path = &self.path;
        fs::create_dir_all(self.checkpoints()).map_err(Error::io("cannot create", path))?;
        write_atomically(&path.join("config.toml"), settings.to_toml()?.as_bytes())?;
        let part = |part| {
            let items = data.part(part);
            SplitPart {
                ids: items.iter().map(|item| item.id.clone()).collect(),
                frames: data.frames_of(part),
                fingerprints: items.iter().map(|item| item.fingerprint()).collect(),
            }
        };
        let splits = Splits {
            train: part(Part::Train),
            valid: part(Part::Valid),
            test: part(Part::Test),
        };
        write_json(&path.join("splits.json"), &splits)?;
        let mut skipped = String::new();
        for rejected in &data.skipped {
            let line = serde_json::json!({"audio": rejected.place, "reason": rejected.reason});
            skipped.push_str(&line.to_string());
            skipped.push('\n');
        }
        if let Some(alphabet) = &data.alphabet {
            write_json(&self.alphabet_path(), alphabet.as_ref())?;
        }
        write_atomically(&path.join("skipped.jsonl"), skipped.as_bytes())?;
        write_atomically(&self.metrics_path(), b"")?;
        start.write(&self.last_path())?;
        // Last: a folder with a run.json is a run that can be resumed.
        write_json(&self.info_path(), info)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `run.json` says.
    ///
    /// # Errors
    /// When it cannot be read, or does not belong to the run's settings.
    pub fn info(&self) -> Result<RunInfo> {
        let info: RunInfo = read_json(&self.info_path())?;
        let settings = self.settings()?;
        let outputs = settings.num_outputs(info.task, info.labels.len());
        let belongs = outputs == settings.model.num_outputs()
            && info.scale.is_some() == (info.task == Task::Regress)
            && info.splits.train > 0
            && info.splits.valid > 0
            && info.window_s > 0.0;
        if belongs {
            return Ok(info);
        }
        Err(Error::run(
            &self.path,
            "its run.json does not belong to its config.toml; put them back as `sori train` wrote \
             them",
        ))
    }

    /// How the answers of the run become numbers.
    ///
    /// # Errors
    /// When `alphabet.json` cannot be read, or does not belong to `info`.
    pub fn coding(&self, info: &RunInfo) -> Result<Coding> {
        if let Some(scale) = info.scale {
            return Ok(Coding::Value(scale));
        }
        match info.task {
            Task::Classify | Task::Tag => return Ok(Coding::Labels(info.labels.len())),
            Task::Autoencode | Task::Generate => return Ok(Coding::Nothing),
            Task::Transcribe | Task::Regress => {}
        }
        let alphabet: Alphabet = read_json(&self.alphabet_path())?;
        if alphabet.num_symbols() == info.labels.len() {
            return Ok(Coding::Symbols(Arc::new(alphabet)));
        }
        Err(Error::run(
            &self.path,
            "its alphabet.json does not belong to its run.json; put them back as `sori train` wrote \
             them",
        ))
    }

    /// What `config.toml` says.
    pub fn settings(&self) -> Result<Settings> {
        let path = self.path.join("config.toml");
        let text = fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
        let settings = Settings::from_toml(&text, &path.display().to_string())?;
        settings.check()?;
        Ok(settings)
    }

    /// What `result.json` says, if the run has ended.
    pub fn result(&self) -> Result<Option<RunResult>> {
        let path = self.path.join("result.json");
        if !path.is_file() {
            return Ok(None);
        }
        read_json(&path).map(Some)
    }

    /// The lines of `metrics.jsonl`.
    ///
    /// # Errors
    /// When a line is not one that training wrote; the last one may be cut short by a crash.
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

    /// The run's recordings.
    pub(super) fn splits(&self) -> Result<Vec<Kept>> {
        let path = self.path.join("splits.json");
        let splits: Splits = read_json(&path)?;
        let parts = [
            (Part::Train, splits.train),
            (Part::Valid, splits.valid),
            (Part::Test, splits.test),
        ];
        let mut all = Vec::new();
        for (part, kept) in parts {
            let count = kept.ids.len();
            let known = kept.fingerprints.len();
            if kept.frames.len() != count || known != count && known != 0 {
                return Err(Error::Config {
                    origin: path.display().to_string(),
                    reason: "it has not as many frames and fingerprints as ids; put it back as \
                             `sori train` wrote it"
                        .to_string(),
                });
            }
            let fingerprints = kept.fingerprints.into_iter().map(Some);
            let fingerprints = fingerprints.chain(std::iter::repeat_with(|| None));
            let items = kept.ids.into_iter().zip(kept.frames).zip(fingerprints);
            all.extend(items.map(|((id, frames), fingerprint)| Kept {
                part,
                id,
                frames,
                fingerprint,
            }));
        }
        Ok(all)
    }

    /// The best checkpoint, for prediction.
    ///
    /// # Errors
    /// When no epoch has ended yet.
    pub fn best_checkpoint(&self) -> Result<PathBuf> {
        let path = self.best_path();
        if path.is_file() {
            return Ok(path);
        }
        Err(Error::run(
            &self.path,
            "it has no checkpoints/best.safetensors, which the first epoch writes at its end; go on \
             with `sori train --resume`",
        ))
    }

    /// Locks the folder for this process, until it is dropped.
    pub(super) fn lock(&self) -> Result<()> {
        if self.lock.get().is_some() {
            return Ok(());
        }
        let path = self.lock_path();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io("cannot create", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::run(
                    &self.path,
                    "another process is training it right now",
                ));
            }
            Err(TryLockError::Error(e)) => return Err(Error::io("cannot lock", &path)(e)),
        }
        remove_temporary(&self.path);
        remove_temporary(&self.checkpoints());
        // Nobody else can have set it: `OnceCell` is not shared between threads.
        let _ = self.lock.set(file);
        Ok(())
    }

    pub(super) fn append_metrics(&self, record: &EpochRecord) -> Result<()> {
        let path = self.metrics_path();
        let mut line = serde_json::to_string(record)
            .map_err(|e| Error::run(&self.path, format!("metrics cannot be written: {e}")))?;
        line.push('\n');
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| {
                file.write_all(line.as_bytes())?;
                // The checkpoint that follows must not reach the disk before its line.
                file.sync_data()
            })
            .map_err(Error::io("cannot write", &path))
    }

    /// Drops the lines of epochs that a resumed run will train again.
    pub(super) fn keep_metrics(&self, epochs: usize) -> Result<()> {
        let kept: Vec<EpochRecord> = self
            .metrics()?
            .into_iter()
            .filter(|record| record.epoch <= epochs)
            .collect();
        let mut text = String::new();
        for record in &kept {
            let line = serde_json::to_string(record)
                .map_err(|e| Error::run(&self.path, format!("metrics cannot be written: {e}")))?;
            text.push_str(&line);
            text.push('\n');
        }
        write_atomically(&self.metrics_path(), text.as_bytes())
    }

    pub(super) fn write_result(
        &self,
        result: &RunResult,
        (name, csv): (&str, String),
    ) -> Result<()> {
        write_atomically(&self.path.join(name), csv.as_bytes())?;
        write_json(&self.path.join("result.json"), result)
    }

    fn lock_path(&self) -> PathBuf {
        self.path.join("lock")
    }

    fn info_path(&self) -> PathBuf {
        self.path.join("run.json")
    }

    fn alphabet_path(&self) -> PathBuf {
        self.path.join("alphabet.json")
    }

    fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    pub(super) fn last_path(&self) -> PathBuf {
        self.checkpoints().join("last.safetensors")
    }

    pub(super) fn best_path(&self) -> PathBuf {
        self.checkpoints().join("best.safetensors")
    }
}
