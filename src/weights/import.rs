//! A run of weights from elsewhere.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;
use sha2::{Digest, Sha256};
use sori_datasets::Alphabet;
use sori_datasets::features::{BinStats, Normalize};
use sori_models::{Architecture, Role, num_params};

use super::facts::NamedBy;
use super::file::WeightFile;
use super::names::Names;
use super::plan::Plan;
use super::twin::pytorch_names;
use crate::file::{write_atomically, write_json};
use crate::optim::average::Average;
use crate::optim::optimizer::Optimizer;
use crate::run::checkpoint::Checkpoint;
use crate::run::claim::{CHECKPOINTS, Claim, INFO};
use crate::run::folder::{RunFolder, alphabet_path, best_path};
use crate::run::info::{Imported, RunInfo, SplitSizes};
use crate::settings::schema::Settings;
use crate::task::metrics::Metrics;
use crate::task::name::TaskName;
use crate::task::reading::Reading;
use crate::train::random_network;
use crate::train::state::{Best, RunState};
use crate::{Error, Result};

/// The threshold of a tag whose thresholds are not known.
const THRESHOLD: f32 = 0.5;

/// What is to be imported.
pub(crate) struct Import {
    /// Settings whose features and model are those of the weights. The sizes of input and output follow.
    pub(crate) settings: Settings,
    /// The task.
    pub(crate) task: TaskName,
    /// The labels or tags, in the order of the outputs; empty for transcripts and what generates.
    pub(crate) labels: Vec<String>,
    /// The symbols of transcripts.
    pub(crate) alphabet: Option<Alphabet>,
    /// The length of sound that goes through the network at once, in seconds.
    pub(crate) window_s: f64,
    /// Whether tags of longer recordings have the mean score of windows side by side.
    pub(crate) mean_over_windows: bool,
    /// Mean and deviation of the features by which they are normalised, if they are.
    pub(crate) stats: Option<BinStats>,
    /// The threshold of each tag; empty where they are not known.
    pub(crate) thresholds: Vec<f32>,
    /// What the network gives besides the answer of its task.
    pub(crate) reading: Option<Reading>,
    /// Rules that come ahead of PyTorch's names, or of Sori's own in a file that it wrote with those.
    pub(crate) names: Names,
    /// The published model, if it is one.
    pub(crate) published: Option<String>,
}

/// The weights of a file, fitted to a network.
pub(crate) struct Fitted {
    /// Which tensor becomes which parameter.
    pub(crate) plan: Plan,
    settings: Settings,
    start: Checkpoint,
    params: usize,
}

impl Import {
    /// Finds the tensors of the network's parameters. Reads no values.
    ///
    /// # Errors
    /// When the settings are wrong.
    pub(crate) fn fit<B: Backend>(&self, file: &WeightFile, device: &B::Device) -> Result<Fitted> {
        let outputs = match (&self.alphabet, self.settings.model.role()) {
            (Some(alphabet), _) => alphabet.num_symbols() + 1,
            (None, Role::Autoencoder | Role::Adversarial) => 1,
            (None, _) => self.labels.len(),
        };
        let mut settings = self.settings.clone();
        if settings.features.normalize == Normalize::Corpus && self.stats.is_none() {
            return Err(Error::setting(
                "features.normalize",
                settings.features.normalize,
                "it must be none or utterance: imported weights come without the mean and the deviation of \
                 their recordings",
            ));
        }
        let bins = settings.features.num_bins();
        let frames = settings.model.fixed_frames().unwrap_or(1);
        settings.model = settings.model.with_input(frames, bins, outputs);
        settings.check()?;
        let network = random_network::<_, B>(&settings.model, 0, device)?;
        let thresholds = match self.task {
            TaskName::Tag if self.thresholds.is_empty() => vec![THRESHOLD; self.labels.len()],
            TaskName::Tag => self.thresholds.clone(),
            _ => Vec::new(),
        };
        let state = RunState {
            best: Some(Best {
                epoch: 0,
                metrics: Metrics::default(),
                loss: 0.0,
                thresholds,
                worst: Vec::new(),
            }),
            ..RunState::default()
        };
        let no_optimizer = None::<(&Optimizer<B>, &Average<B>)>;
        let start = Checkpoint::of(&network, no_optimizer, &state)?;
        let mut names = self.names.clone();
        names.then(match file.facts.as_ref().map(|facts| facts.names) {
            Some(NamedBy::Sori) => Names::its_own(),
            Some(NamedBy::Pytorch) | None => pytorch_names(&settings.model),
        });
        Ok(Fitted {
            plan: Plan::new(file, names, &start.model_shapes()),
            params: num_params(&network),
            settings,
            start,
        })
    }

    /// Writes the weights as a run into the folder `out`. Nothing is written unless all of them are right.
    ///
    /// # Errors
    /// When a tensor does not fit, cannot be read or is not finite, or the folder cannot be used.
    pub(crate) fn write(
        &self,
        file: &WeightFile,
        source: &Path,
        fitted: Fitted,
        backend: &str,
        out: &Path,
    ) -> Result<RunFolder> {
        let model = fitted.settings.model.card().name;
        fitted.plan.check(&format!("{model} with these settings"))?;
        let values: BTreeMap<String, TensorData> = fitted.plan.read(file)?;
        let checkpoint = fitted.start.with_model(values);
        let features = &fitted.settings.features;
        let fixed = fitted.settings.model.fixed_frames();
        let fixed_s = fixed.map(|frames| frames as f64 * features.frame_period_s());
        let window_s = fixed_s.unwrap_or(self.window_s);
        let info = RunInfo {
            sori_version: env!("CARGO_PKG_VERSION").to_string(),
            task: self.task,
            model: model.to_string(),
            backend: backend.to_string(),
            seed: fitted.settings.train.seed,
            params: fitted.params,
            labels: match &self.alphabet {
                Some(alphabet) => alphabet.symbols().iter().map(char::to_string).collect(),
                None => self.labels.clone(),
            },
            splits: SplitSizes {
                train: 0,
                valid: 0,
                test: 0,
            },
            joins_at: None,
            skipped: 0,
            longest_s: window_s,
            window_s,
            mean_over_windows: self.mean_over_windows,
            reading: self.reading,
            stats: self.stats.clone(),
            scale: None,
            domains: Vec::new(),
            imported: Some(Imported {
                file: file.name().to_string(),
                sha256: sha256(source)?,
                published: self.published.clone(),
            }),
        };
        let claim = Claim::new(out)?;
        let write = || -> Result<()> {
            let folder = out.join(CHECKPOINTS);
            fs::create_dir_all(&folder).map_err(Error::io("cannot create", &folder))?;
            checkpoint.write(&best_path(out))?;
            let config = fitted.settings.to_toml()?;
            write_atomically(&out.join("config.toml"), config.as_bytes())?;
            if let Some(alphabet) = &self.alphabet {
                write_json(&alphabet_path(out), alphabet)?;
            }
            // Last, because a folder with a run.json holds a run.
            write_json(&out.join(INFO), &info)
        };
        match write() {
            Ok(()) => RunFolder::begun(claim),
            Err(error) => {
                claim.give_up();
                Err(error)
            }
        }
    }
}

/// The SHA-256 of the file `path`, or of the archive of `ARCHIVE#MEMBER`, in hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let name = path.display().to_string();
    let archive = name.split_once('#').map(|(archive, _)| Path::new(archive));
    let path = archive.filter(|_| !path.exists()).unwrap_or(path);
    let mut file = File::open(path).map_err(Error::io("cannot open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = [0; 1 << 16];
    loop {
        match io::Read::read(&mut file, &mut buffer).map_err(Error::io("cannot read", path))? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    let digits = hasher.finalize();
    Ok(digits.iter().map(|byte| format!("{byte:02x}")).collect())
}
