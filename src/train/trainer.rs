use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use serde::{Deserialize, Serialize};
use sori_datasets::{AudioMemory, AugmentConfig, Item, Part, Pipeline, Target, prefetch_with};
use sori_models::layers::DomainClassifier;
use sori_models::{Model, ModelConfig, num_params};

use super::average::Average;
use super::checkpoint::Checkpoint;
use super::data::{self, Data};
use super::module_path::ModulePath;
use super::optimizer::{Optimizer, is_frozen};
use super::order::order;
use super::run::{EpochRecord, RunFolder, RunInfo, RunResult, SplitSizes};
use super::schedule::Schedule;
use super::seed::{Purpose, derive};
use super::settings::{BestBy, DataSettings, OptimizerKind, Settings};
use super::stepper::{Learner, Step, Stepper};
use crate::batch::{Coding, FrameLimits, HostBatch, Row, Targets};
use crate::decode::{Beam, Decoding};
use crate::task::{self, Blanks, Evaluation, Metrics, Objective, Output, RegressionLoss, Task};
use crate::{Error, Result};

/// Batches loaded ahead of the training step by each worker.
const BATCHES_AHEAD: usize = 4;

/// What happens in a run, for whoever shows it.
pub enum Event<'a> {
    /// Recordings are read once before training: `done` of `total`.
    Scan {
        /// Recordings read so far.
        done: usize,
        /// All recordings.
        total: usize,
    },
    /// Training begins or goes on.
    Begin {
        /// What the run is.
        info: &'a RunInfo,
        /// Its settings.
        settings: &'a Settings,
        /// The run folder.
        path: &'a Path,
        /// Steps taken in earlier sittings.
        steps_done: usize,
    },
    /// The run starts from the weights of another.
    From {
        /// The other run's folder.
        run: &'a str,
        /// Parameters that the other run does not have in this shape.
        fresh: &'a [String],
    },
    /// A step was taken.
    Step(Progress),
    /// An epoch ended.
    Epoch(&'a EpochRecord),
}

/// Where a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The current epoch, counted from 1.
    pub epoch: usize,
    /// All epochs.
    pub epochs: usize,
    /// Steps taken in this epoch.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Mean training loss of the epoch so far.
    pub loss: f64,
    /// Training accuracy of the epoch so far; only of classes.
    pub accuracy: Option<f64>,
    /// Share of the epoch's steps so far that said the blank; only of transcripts by CTC.
    pub blank: Option<f64>,
    /// Training recordings per second in this sitting.
    pub items_per_second: f64,
    /// Estimated time to the end of the last epoch.
    pub left: Duration,
}

/// How a sitting ended.
#[derive(Debug)]
pub enum Outcome {
    /// The run has ended.
    Ended(Box<RunResult>),
    /// It was interrupted; a checkpoint holds where.
    Interrupted,
}

/// What later steps depend on beside model and optimizer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct State {
    /// Epochs that have ended.
    epoch: usize,
    step_in_epoch: usize,
    /// Over the whole run.
    step: usize,
    seconds: f64,
    epoch_seconds: f64,
    epoch_waited: f64,
    epoch_loss: f64,
    epoch_right: usize,
    epoch_blanks: usize,
    epoch_outputs: usize,
    epoch_domains_right: usize,
    epoch_items: usize,
    best: Option<Best>,
    epochs_since_best: usize,
    /// How often, and for how many epochs of late, validation has not got better: for the schedule
    /// that follows it.
    plateaus: usize,
    plateau_epochs: usize,
}

impl State {
    /// Counts what the model said of a batch in training.
    fn count<B: Backend>(&mut self, task: Task, output: Output<B>, targets: &Targets) {
        match output {
            Output::Labels(logits) if task == Task::Classify => {
                self.epoch_right += task::count_right(logits, targets);
            }
            Output::Labels(_) | Output::Spelled(_) | Output::Bound(_) | Output::Adversarial(_) => {}
            Output::Symbols(emissions) => {
                let mut found = Blanks::default();
                for path in task::best_paths(&emissions) {
                    found += Blanks::of(&path);
                }
                self.epoch_blanks += found.blanks;
                self.epoch_outputs += found.steps;
            }
        }
    }

    fn accuracy(&self, task: Task) -> Option<f64> {
        (task == Task::Classify).then(|| self.epoch_right as f64 / self.epoch_items.max(1) as f64)
    }

    /// Share of the domains that were told right so far; none where none were looked at.
    fn domain_accuracy(&self, info: &RunInfo) -> Option<f64> {
        let right = self.epoch_domains_right as f64;
        (!info.domains.is_empty()).then(|| right / self.epoch_items.max(1) as f64)
    }

    fn blank(&self) -> Option<f64> {
        let found = Blanks {
            blanks: self.epoch_blanks,
            steps: self.epoch_outputs,
        };
        (found.steps > 0).then(|| found.share())
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Best {
    epoch: usize,
    metrics: Metrics,
    loss: f64,
    /// From which score on each tag is said to be there; none of classes.
    thresholds: Vec<f32>,
}

impl Best {
    /// See [`BestBy`].
    fn is_beaten_by(&self, by: BestBy, task: Task, metrics: &Metrics, loss: f64) -> bool {
        let headline = task.headline();
        let (new, best) = (metrics.get(headline), self.metrics.get(headline));
        match by {
            BestBy::Metric if new == best => loss < self.loss,
            BestBy::Metric if task.lower_is_better() => new < best,
            BestBy::Metric => new > best,
            BestBy::Loss => loss < self.loss,
            BestBy::Last => true,
        }
    }
}

/// From which score on each tag is said to be there, as the run's validation part suggests; none of
/// classes.
pub(crate) fn thresholds(checkpoint: &Checkpoint) -> Result<Vec<f32>> {
    let state: State = checkpoint.state()?;
    Ok(state.best.map_or_else(Vec::new, |best| best.thresholds))
}

/// Loads the recordings of a part as batches, on worker threads, in an order that does not depend
/// on timing.
#[derive(Clone)]
pub struct Loader {
    pipeline: Pipeline,
    limits: FrameLimits,
    batch_size: usize,
    workers: usize,
    coding: Coding,
    regression: RegressionLoss,
    /// Sorted; none where domains are not looked at.
    domains: Arc<Vec<String>>,
}

impl Loader {
    /// For the features and the model of `settings`, normalised as `info` says and with answers by
    /// `coding`, without augmentation.
    ///
    /// # Errors
    /// When the settings of the features are not possible.
    pub fn new(settings: &Settings, info: &RunInfo, coding: Coding) -> Result<Self> {
        Ok(Self {
            pipeline: data::pipeline(&settings.features, info.stats.as_ref())?,
            limits: FrameLimits::from(&settings.model),
            batch_size: settings.train.batch_size,
            workers: settings.train.workers,
            coding,
            regression: settings.train.regression_loss,
            domains: Arc::default(),
        })
    }

    /// How answers become numbers.
    pub fn coding(&self) -> &Coding {
        &self.coding
    }

    /// What is minimised of a quantity.
    pub(crate) fn regression(&self) -> RegressionLoss {
        self.regression
    }

    /// Whose [`augmented`](Self::augmented) batches are augmented in this way.
    ///
    /// # Errors
    /// When that is not possible, or a folder that it needs cannot be read.
    pub fn with_augment(mut self, augment: &AugmentConfig) -> Result<Self> {
        self.pipeline = self.pipeline.with_augment(augment)?;
        Ok(self)
    }

    /// Whose augmented batches say which of `domains`, which are sorted, each row is of.
    #[must_use]
    pub(crate) fn with_domains(mut self, domains: Vec<String>) -> Self {
        self.domains = Arc::new(domains);
        self
    }

    /// Which keeps features where `data` says.
    fn with_cache(mut self, data: &DataSettings) -> Result<Self> {
        self.pipeline = data::with_cache(self.pipeline, data)?;
        Ok(self)
    }

    /// With so much memory for decoded recordings, which are then decoded once only.
    #[must_use]
    pub fn with_memory(mut self, mib: usize) -> Self {
        let memory = AudioMemory::new(mib.saturating_mul(1 << 20));
        self.pipeline = self.pipeline.with_memory(Arc::new(memory));
        self
    }

    /// The batches of `items` in their order, as they are.
    pub fn batches(&self, items: &[&Item]) -> impl Iterator<Item = Result<HostBatch>> + use<> {
        let jobs = items.iter().map(|&item| Job::plain(item)).collect();
        self.load(jobs, 0)
    }

    /// The batches of `items` in their order, augmented as the seed of the epoch draws, without the
    /// first `skip`.
    pub fn augmented(
        &self,
        items: &[&Item],
        epoch_seed: u64,
        skip: usize,
    ) -> impl Iterator<Item = Result<HostBatch>> + use<> {
        let jobs = items
            .iter()
            .enumerate()
            .map(|(position, &item)| {
                let seed = derive(epoch_seed, Purpose::Augment, position as u64);
                let partner = derive(epoch_seed, Purpose::Partner, position as u64);
                Job {
                    item: item.clone(),
                    augment: Some((seed, items[partner as usize % items.len()].clone())),
                }
            })
            .collect();
        self.load(jobs, skip)
    }

    fn load(&self, jobs: Vec<Job>, skip: usize) -> impl Iterator<Item = Result<HostBatch>> + use<> {
        let jobs: Vec<Vec<Job>> = jobs
            .chunks(self.batch_size)
            .skip(skip)
            .map(<[Job]>::to_vec)
            .collect();
        let pipeline = self.pipeline.clone();
        let (limits, coding) = (self.limits, self.coding.clone());
        let domains = self.domains.clone();
        prefetch_with(
            jobs,
            self.workers,
            self.workers.max(1) * BATCHES_AHEAD,
            move || pipeline.loader(),
            move |loader, batch: Vec<Job>| {
                let loader = match loader {
                    Ok(loader) => loader,
                    Err(e) => return Err(Error::Input(e.to_string())),
                };
                let rows = batch
                    .iter()
                    .map(|job| job.row(loader, &domains))
                    .collect::<Result<Vec<_>>>()?;
                HostBatch::collate(&rows, limits, &coding)
            },
        )
    }
}

/// A row to load.
#[derive(Clone)]
struct Job {
    item: Item,
    /// The seed of its augmentation, and the recording it may be mixed with.
    augment: Option<(u64, Item)>,
}

impl Job {
    fn plain(item: &Item) -> Self {
        Self {
            item: item.clone(),
            augment: None,
        }
    }

    fn row(&self, loader: &mut sori_datasets::Loader, domains: &[String]) -> Result<Row> {
        let Some((seed, partner)) = &self.augment else {
            let example = loader.load(&self.item)?;
            return Ok(Row::new(example.features, example.target));
        };
        let mixed = loader.load_mixed(&self.item, partner, *seed)?;
        let mut row = Row::new(mixed.features, self.item.target.clone());
        let domain = self.item.domain.as_ref();
        row.domain = domain.and_then(|domain| domains.binary_search(domain).ok());
        if mixed.ratio < 1.0 {
            let ratio = mixed.ratio as f32;
            row.targets[0].1 = ratio;
            row.targets.push((partner.target.clone(), 1.0 - ratio));
        }
        Ok(row)
    }
}

/// A model with the initial parameters of `seed`.
///
/// # Errors
/// When `config` does not describe a model.
pub fn random_model<B: Backend>(
    config: &ModelConfig,
    seed: u64,
    device: &B::Device,
) -> Result<Model<B>> {
    B::seed(device, derive(seed, Purpose::Initialize, 0));
    let model = config.init::<B>(device)?;
    draw_parameters(&model);
    Ok(model)
}

/// Parameters draw their numbers when first looked at: all of them now, in their order.
pub(crate) fn draw_parameters<B: Backend, M: Module<B>>(model: &M) {
    struct Draw;
    impl<B: Backend> ModuleVisitor<B> for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            param.val();
        }
    }
    model.visit(&mut Draw);
}

/// Reads the data that `settings` name and begins a run in the folder `path`, without a step.
///
/// # Errors
/// When the settings, the data or the folder cannot be used, or `stop` is set meanwhile.
pub fn begin<B: Backend>(
    settings: &Settings,
    path: &Path,
    backend: &str,
    device: &B::Device,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<RunFolder> {
    settings.check()?;
    // What cannot be augmented with is said before the recordings are read.
    data::pipeline(&settings.features, None)?.with_augment(&settings.augment)?;
    let run = RunFolder::claim(path)?;
    let start = || -> Result<()> {
        let data = Data::open(settings, stop, &mut |done, total| {
            report(&Event::Scan { done, total });
        })?;
        start::<B>(&run, settings, &data, backend, device, report)
    }();
    if start.is_err() {
        run.give_up();
    }
    start.map(|()| run)
}

/// Writes the start of a run: what it is, and its model before the first step.
fn start<B: Backend>(
    run: &RunFolder,
    settings: &Settings,
    data: &Data,
    backend: &str,
    device: &B::Device,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<()> {
    let mut settings = settings.absolute()?;
    let rate = f64::from(settings.features.sample_rate_hz);
    let frames = settings
        .features
        .num_frames((data.longest_s * rate).ceil() as usize);
    let fixed = settings.model.fixed_frames();
    settings.model = settings.model.clone().with_input(
        fixed.unwrap_or(frames),
        settings.features.num_bins(),
        settings.num_outputs(data.task, data.labels.len()),
    );
    let mut model = random_model::<B>(&settings.model, settings.train.seed, device)?;
    if !settings.data.from.is_empty() {
        let from = RunFolder::open(Path::new(&settings.data.from))?;
        let (filled, left) = Checkpoint::read(&from.best_checkpoint()?)?.load_matching(model);
        model = filled;
        if left.len() == num_tensors(&model) {
            return Err(Error::run(
                from.path(),
                format!(
                    "none of its parameters fits a {} of these settings by name and shape; there \
                     is nothing to start from",
                    settings.model.name()
                ),
            ));
        }
        report(&Event::From {
            run: &settings.data.from,
            fresh: &left,
        });
    }
    check_freeze(&model, &settings.train.freeze)?;
    // A model of fixed length sees no more than that of a recording.
    let seen_s = fixed.map_or(f64::INFINITY, |frames| {
        frames as f64 * settings.features.frame_period_s()
    });
    let info = RunInfo {
        sori_version: env!("CARGO_PKG_VERSION").to_string(),
        task: data.task,
        model: settings.model.name().to_string(),
        backend: backend.to_string(),
        seed: settings.train.seed,
        params: num_params(&model),
        labels: data.labels.clone(),
        scale: data.scale(),
        domains: match settings.train.adversary_weight > 0.0 {
            true => data.domains(),
            false => Vec::new(),
        },
        splits: SplitSizes {
            train: data.part(Part::Train).len(),
            valid: data.part(Part::Valid).len(),
            test: data.part(Part::Test).len(),
        },
        skipped: data.skipped.len(),
        longest_s: data.longest_s,
        window_s: data.longest_s.min(seen_s),
        stats: data.stats.clone(),
    };
    let nothing = None::<(&Optimizer<B>, &Average<B>)>;
    B::seed(device, derive(settings.train.seed, Purpose::Initialize, 1));
    let adversary = adversary(&info, &model, device);
    if let Some(adversary) = &adversary {
        draw_parameters(adversary);
    }
    let learner = Learner { model, adversary };
    let checkpoint = Checkpoint::of(&learner, nothing, &State::default())?;
    run.write_start(&settings, &info, data, &checkpoint)
}

/// What tells domains from what `model` sees, where it is to learn to hide them.
fn adversary<B: Backend>(
    info: &RunInfo,
    model: &Model<B>,
    device: &B::Device,
) -> Option<DomainClassifier<B>> {
    (!info.domains.is_empty())
        .then(|| DomainClassifier::new(model.d_embedding(), info.domains.len(), device))
}

/// Refuses recordings to learn from whose domain is not among those that the run began with.
fn check_domains(run: &RunFolder, info: &RunInfo, items: &[&Item]) -> Result<()> {
    let known = |item: &&Item| {
        item.domain
            .as_ref()
            .is_some_and(|it| info.domains.contains(it))
    };
    let stranger = items.iter().find(|item| !known(item));
    match stranger {
        Some(item) if !info.domains.is_empty() => Err(Error::run(
            run.path(),
            format!(
                "the domain of its recording {} is {}, which is none of those it began with ({}); put its \
                 data back as it was",
                item.id,
                item.domain.as_deref().unwrap_or("not given any more"),
                info.domains.join(", ")
            ),
        )),
        _ => Ok(()),
    }
}

fn num_tensors<B: Backend>(model: &Model<B>) -> usize {
    parameter_paths(model).len()
}

/// The path of each parameter in the model.
fn parameter_paths<B: Backend>(model: &Model<B>) -> Vec<String> {
    #[derive(Default)]
    struct Paths {
        path: ModulePath,
        all: Vec<String>,
    }
    impl<B: Backend> ModuleVisitor<B> for Paths {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<B, D>>) {
            self.all.push(self.path.to_string());
        }
    }
    let mut paths = Paths::default();
    model.visit(&mut paths);
    paths.all
}

/// Refuses what freezes nothing, or everything.
fn check_freeze<B: Backend>(model: &Model<B>, freeze: &[String]) -> Result<()> {
    let paths = parameter_paths(model);
    let refuse = |value: String, expected: String| {
        Err(Error::Setting {
            key: "train.freeze".to_string(),
            value,
            expected,
        })
    };
    for part in freeze {
        let alone = std::slice::from_ref(part);
        if !paths.iter().any(|path| is_frozen(path, alone)) {
            return refuse(
                part.clone(),
                format!(
                    "it must be one of the parameters or a part of the path to some: {}",
                    paths.join(", ")
                ),
            );
        }
    }
    if !freeze.is_empty() && paths.iter().all(|path| is_frozen(path, freeze)) {
        return refuse(
            freeze.join(", "),
            "it must leave something to train".to_string(),
        );
    }
    Ok(())
}

/// The weight of each class, in proportion to one over its recordings and one on the average; or of
/// each tag's presence, the recordings without it over those with it, at most tenfold.
fn label_weights(task: Task, targets: &[&Target], num_labels: usize) -> Vec<f32> {
    let mut counts = vec![0.0f64; num_labels];
    for target in targets {
        match target {
            Target::Class(class) => counts[*class] += 1.0,
            Target::Tags(tags) => tags.iter().for_each(|&tag| counts[tag] += 1.0),
            Target::Text(_) | Target::Value(_) => {}
        }
    }
    let total = targets.len() as f64;
    let weight = |count: f64| match task {
        Task::Classify => total / (num_labels as f64 * count),
        Task::Tag => ((total - count) / count).clamp(1.0, MAX_POSITIVE_WEIGHT),
        _ => 1.0,
    };
    counts
        .into_iter()
        .map(|count| weight(count.max(1.0)) as f32)
        .collect()
}

/// More would make a rare tag's few recordings outweigh all others.
const MAX_POSITIVE_WEIGHT: f64 = 10.0;

/// Trains the run in `run` from where it is to its end, or until `stop` is set.
///
/// # Errors
/// When the data has changed, cannot be read, a file cannot be written, or training diverges. The
/// last checkpoint stays.
pub fn train<B: AutodiffBackend>(
    run: &RunFolder,
    device: &B::Device,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<Outcome> {
    run.lock()?;
    if let Some(result) = run.result()? {
        return Ok(Outcome::Ended(Box::new(result)));
    }
    let settings = run.settings()?;
    let info = run.info()?;
    let data = Data::of_run(run)?;
    Sitting::<B>::open(run, &settings, &info, &data, device, report)?.train(stop, report)
}

/// Steps that so many recordings make.
fn steps_per_epoch(settings: &Settings, recordings: usize) -> usize {
    recordings.div_ceil(settings.train.batch_size * settings.train.accumulate)
}

/// Runs the best checkpoint of `run` over recordings; transcripts are found by `beam`, or without a
/// search. Also returns from which score on each tag is said to be there; none of classes.
///
/// # Errors
/// When the run has no best checkpoint yet, or its data cannot be read.
pub fn evaluate_run<B: Backend>(
    run: &RunFolder,
    items: &[&Item],
    beam: Option<Beam>,
    device: &B::Device,
) -> Result<(Evaluation, Vec<f32>)> {
    let (model, loader, thresholds) = open::<B>(run, device)?;
    let (settings, task) = (run.settings()?, run.info()?.task);
    let decoding = Decoding {
        beam,
        ..settings.text.clone().unwrap_or_default().decoding()
    };
    let evaluation = task::evaluate(&model, &loader, items, task, &decoding, device)?;
    Ok((evaluation, thresholds))
}

/// What the best checkpoint of `run` says of recordings, see [`task::emissions`].
///
/// # Errors
/// As [`evaluate_run`], and when its model is none that says symbols at each step.
pub fn emissions_of_run<B: Backend>(
    run: &RunFolder,
    items: &[&Item],
    device: &B::Device,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let (model, loader, _) = open::<B>(run, device)?;
    task::emissions(&model, &loader, items, device)
}

/// The best checkpoint of a run, what loads recordings for it, and the thresholds of its tags.
pub(crate) fn open<B: Backend>(
    run: &RunFolder,
    device: &B::Device,
) -> Result<(Model<B>, Loader, Vec<f32>)> {
    let settings = run.settings()?;
    let info = run.info()?;
    let checkpoint = Checkpoint::read(&run.best_checkpoint()?)?;
    let model = checkpoint.load_model(settings.model.init::<B>(device)?)?;
    let loader = Loader::new(&settings, &info, run.coding(&info)?)?;
    Ok((model, loader, thresholds(&checkpoint)?))
}

/// A run from its last checkpoint to its end or the next interruption.
struct Sitting<'a, B: AutodiffBackend> {
    run: &'a RunFolder,
    settings: &'a Settings,
    info: &'a RunInfo,
    data: &'a Data,
    device: &'a B::Device,
    loader: Loader,
    schedule: Schedule,
    objective: Objective,
    stepper: Stepper<B>,
    state: State,
    started: Instant,
    /// Seconds of earlier sittings.
    seconds_before: f64,
    /// Training recordings of this sitting.
    items_here: usize,
}

impl<'a, B: AutodiffBackend> Sitting<'a, B> {
    fn open(
        run: &'a RunFolder,
        settings: &'a Settings,
        info: &'a RunInfo,
        data: &'a Data,
        device: &'a B::Device,
        report: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Self> {
        let targets: Vec<&Target> = data
            .part(Part::Train)
            .into_iter()
            .map(|item| &item.target)
            .collect();
        let steps = steps_per_epoch(settings, targets.len());
        let objective = Objective {
            task: info.task,
            label_smoothing: match &settings.model {
                ModelConfig::Las(config) => config.label_smoothing,
                _ => settings.train.label_smoothing,
            },
            ctc_weight: match &settings.model {
                ModelConfig::Las(config) => config.ctc_weight,
                _ => 0.0,
            },
            scheduled_sampling: settings.train.scheduled_sampling,
            seed: settings.train.seed,
            regression: settings.train.regression_loss,
            adversary_weight: 0.0,
            kl_weight: 1.0,
            weights: if settings.train.class_weights {
                label_weights(info.task, &targets, info.labels.len())
            } else {
                Vec::new()
            },
        };
        let checkpoint = Checkpoint::read(&run.last_path())?;
        let state: State = checkpoint.state()?;
        let model = settings.model.init::<B>(device)?;
        check_domains(run, info, &data.part(Part::Train))?;
        let adversary = adversary(info, &model, device);
        let learner = checkpoint.load_model(Learner { model, adversary })?;
        run.keep_metrics(state.epoch)?;
        report(&Event::Begin {
            info,
            settings,
            path: run.path(),
            steps_done: state.step,
        });
        let mut stepper = Stepper::of(learner, &settings.train);
        checkpoint.load_optimizer(&mut stepper.optimizer, &mut stepper.average, device);
        if settings.train.optimizer == OptimizerKind::Sgd && !stepper.optimizer.moments.is_empty() {
            return Err(Error::run(
                run.path(),
                "it was begun when `sgd` had momentum, which is `momentum` now: set \
                 optimizer = \"momentum\" in its config.toml to go on as before",
            ));
        }
        stepper.optimizer.steps = state.step;
        let best = state.best.as_ref();
        let just_best = best.is_some_and(|best| best.epoch == state.epoch);
        if just_best && state.step_in_epoch == 0 {
            // A crash may have come between the last checkpoint and its copy.
            checkpoint.for_use().write(&run.best_path())?;
        }
        Ok(Self {
            run,
            settings,
            info,
            data,
            device,
            loader: Loader::new(settings, info, run.coding(info)?)?
                .with_augment(&settings.augment)?
                .with_cache(&settings.data)?
                .with_memory(settings.data.memory_mib)
                .with_domains(info.domains.clone()),
            schedule: Schedule::new(&settings.train, steps),
            objective,
            stepper,
            started: Instant::now(),
            seconds_before: state.seconds,
            items_here: 0,
            state,
        })
    }

    /// Trains to the end of the run, or until `stop` is set.
    fn train(mut self, stop: &AtomicBool, report: &mut dyn FnMut(&Event<'_>)) -> Result<Outcome> {
        let train = &self.settings.train;
        while self.state.epoch < train.epochs
            && !(self.is_time_over() && self.state.step_in_epoch == 0 && self.state.epoch > 0)
            && (train.patience == 0 || self.state.epochs_since_best < train.patience)
        {
            if self.epoch(stop, report)?.is_break() {
                return Ok(Outcome::Interrupted);
            }
            self.end_epoch(report)?;
        }
        self.finish()
    }

    /// Trains to the end of the epoch, or until the time is over. Breaks off, with a checkpoint,
    /// when `stop` is set.
    fn epoch(
        &mut self,
        stop: &AtomicBool,
        report: &mut dyn FnMut(&Event<'_>),
    ) -> Result<ControlFlow<()>> {
        let settings = self.settings;
        let seed = settings.train.seed;
        let part = self.data.part(Part::Train);
        let targets: Vec<&Target> = part.iter().map(|item| &item.target).collect();
        let frames = self.data.frames_of(Part::Train);
        let num_labels = self.info.labels.len();
        let order = order(
            &settings.train,
            self.state.epoch,
            &targets,
            &frames,
            num_labels,
        );
        let items: Vec<&Item> = order.into_iter().map(|i| part[i]).collect();
        let accumulate = settings.train.accumulate;
        let skip = self.state.step_in_epoch * accumulate;
        let epoch_seed = derive(seed, Purpose::Augment, self.state.epoch as u64);
        let mut batches = self.loader.augmented(&items, epoch_seed, skip);
        loop {
            let asked = Instant::now();
            let hosts = batches
                .by_ref()
                .take(accumulate)
                .collect::<Result<Vec<_>>>()?;
            if hosts.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            self.state.epoch_waited += asked.elapsed().as_secs_f64();
            let learning_rate = self.learning_rate(self.state.step);
            self.objective.adversary_weight =
                settings.train.adversary_weight * self.schedule.adversary_rise(self.state.step);
            if let ModelConfig::Vae(config) = &settings.model {
                let steps = steps_per_epoch(settings, self.info.splits.train);
                self.objective.kl_weight =
                    config.kl_weight_at(self.state.step as f64 / steps as f64);
            }
            let batches: Vec<_> = hosts
                .into_iter()
                .map(|host| host.to_device::<B>(self.device))
                .collect();
            let targets: Vec<_> = batches.iter().map(|batch| batch.targets.clone()).collect();
            let count: usize = batches.iter().map(|batch| batch.lengths.len()).sum();
            let Step {
                loss,
                outputs,
                domains_right,
            } = self
                .stepper
                .step_over(batches, &self.objective, learning_rate);
            if !loss.is_finite() {
                return Err(self.diverged(loss));
            }
            let state = &mut self.state;
            state.epoch_loss += loss * count as f64;
            for (output, targets) in outputs.into_iter().zip(&targets) {
                state.count(self.info.task, output, targets);
            }
            state.epoch_domains_right += domains_right;
            state.epoch_items += count;
            state.epoch_seconds += asked.elapsed().as_secs_f64();
            state.step += 1;
            state.step_in_epoch += 1;
            self.items_here += count;
            report(&Event::Step(self.progress()));

            if stop.load(Ordering::Relaxed) {
                self.checkpoint()?;
                return Ok(ControlFlow::Break(()));
            }
            if self.is_time_over() {
                return Ok(ControlFlow::Continue(()));
            }
            let every = settings.train.checkpoint_steps;
            if every > 0 && self.state.step.is_multiple_of(every) {
                self.checkpoint()?;
            }
        }
    }

    /// Validates, keeps the best checkpoint and records the epoch.
    fn end_epoch(&mut self, report: &mut dyn FnMut(&Event<'_>)) -> Result<()> {
        let mut part: Vec<(&Item, usize)> = self
            .data
            .part(Part::Valid)
            .into_iter()
            .zip(self.data.frames_of(Part::Valid))
            .collect();
        // Batches of even length are the quickest.
        part.sort_by_key(|(_, frames)| *frames);
        let part: Vec<&Item> = part.into_iter().map(|(item, _)| item).collect();
        let valid = task::evaluate(
            &self.stepper.averaged(),
            &self.loader,
            &part,
            self.info.task,
            &self.settings.text.clone().unwrap_or_default().decoding(),
            self.device,
        )?;
        if !valid.loss.is_finite() {
            return Err(self.diverged(valid.loss));
        }
        let thresholds = valid.thresholds();
        let metrics = valid.metrics(&thresholds);
        let (by, task) = (self.settings.train.best_by, self.info.task);
        let best = self
            .state
            .best
            .as_ref()
            .is_none_or(|best| best.is_beaten_by(by, task, &metrics, valid.loss));
        let learning_rate = self.learning_rate(self.state.step.saturating_sub(1));
        let state = &mut self.state;
        state.epoch += 1;
        if best {
            state.best = Some(Best {
                epoch: state.epoch,
                metrics: metrics.clone(),
                loss: valid.loss,
                thresholds,
            });
            state.epochs_since_best = 0;
            state.plateau_epochs = 0;
        } else {
            state.epochs_since_best += 1;
            state.plateau_epochs += 1;
            if state.plateau_epochs >= self.settings.train.decay_epochs {
                state.plateaus += 1;
                state.plateau_epochs = 0;
            }
        }
        let items = state.epoch_items.max(1) as f64;
        let seconds = state.epoch_seconds.max(f64::MIN_POSITIVE);
        let record = EpochRecord {
            epoch: state.epoch,
            step: state.step,
            learning_rate,
            train_loss: state.epoch_loss / items,
            train_accuracy: state.accuracy(self.info.task),
            train_blank: state.blank(),
            train_domain_accuracy: state.domain_accuracy(self.info),
            valid_loss: valid.loss,
            valid: metrics,
            best,
            seconds: self.seconds_before + self.started.elapsed().as_secs_f64(),
            items_per_second: items / seconds,
            waited: state.epoch_waited / seconds,
        };
        self.state = State {
            epoch: self.state.epoch,
            step: self.state.step,
            best: self.state.best.take(),
            epochs_since_best: self.state.epochs_since_best,
            plateaus: self.state.plateaus,
            plateau_epochs: self.state.plateau_epochs,
            ..State::default()
        };
        // In this order, a crash in between loses nothing: lines beyond the last checkpoint are
        // dropped on resume, and the best one is written again from the last.
        self.run.append_metrics(&record)?;
        let checkpoint = self.checkpoint()?;
        if best {
            checkpoint.for_use().write(&self.run.best_path())?;
        }
        report(&Event::Epoch(&record));
        Ok(())
    }

    /// Tests the best checkpoint and writes the result.
    fn finish(&self) -> Result<Outcome> {
        let (part, split) = self.data.held_out();
        let (evaluation, thresholds) =
            evaluate_run::<B::InnerBackend>(self.run, &part, None, self.device)?;
        let metrics = evaluation.metrics(&thresholds);
        let best = self
            .state
            .best
            .as_ref()
            .ok_or_else(|| Error::run(self.run.path(), "it ended without an epoch"))?;
        let task = self.info.task;
        let result = RunResult {
            task,
            model: self.info.model.clone(),
            metric: task.headline().to_string(),
            split: split.to_string(),
            value: metrics.get(task.headline()),
            metrics,
            params: self.info.params,
            seconds: self.state.seconds,
            epochs: self.state.epoch,
            backend: self.info.backend.clone(),
            seed: self.info.seed,
            best_epoch: best.epoch,
            valid: best.metrics.clone(),
            labels_left_out: evaluation.labels_left_out(&self.info.labels),
        };
        let csv = evaluation.to_csv(&self.info.labels, &thresholds);
        self.run.write_result(&result, csv)?;
        Ok(Outcome::Ended(Box::new(result)))
    }

    fn checkpoint(&mut self) -> Result<Checkpoint> {
        self.state.seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        let checkpoint = Checkpoint::of(
            self.stepper.learner(),
            Some((&self.stepper.optimizer, &self.stepper.average)),
            &self.state,
        )?;
        if !checkpoint.is_finite() {
            return Err(self.diverged(f64::NAN));
        }
        checkpoint.write(&self.run.last_path())?;
        Ok(checkpoint)
    }

    fn diverged(&self, loss: f64) -> Error {
        Error::Diverged {
            step: self.state.step,
            loss,
            learning_rate: self.learning_rate(self.state.step),
        }
    }

    fn learning_rate(&self, step: usize) -> f64 {
        self.schedule.learning_rate(step, self.state.plateaus)
    }

    fn is_time_over(&self) -> bool {
        let minutes = self.settings.train.max_minutes;
        let seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        minutes > 0.0 && seconds >= minutes * 60.0
    }

    fn progress(&self) -> Progress {
        let train = &self.settings.train;
        let state = &self.state;
        let items_per_second = self.items_here as f64 / self.started.elapsed().as_secs_f64();
        let items_left = self.info.splits.train * (train.epochs - state.epoch) - state.epoch_items;
        let mut left = items_left as f64 / items_per_second;
        if train.max_minutes > 0.0 {
            let seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
            left = left.min((train.max_minutes * 60.0 - seconds).max(0.0));
        }
        let items = state.epoch_items as f64;
        Progress {
            epoch: state.epoch + 1,
            epochs: train.epochs,
            step: state.step_in_epoch,
            steps: steps_per_epoch(self.settings, self.info.splits.train),
            loss: state.epoch_loss / items,
            accuracy: state.accuracy(self.info.task),
            blank: state.blank(),
            items_per_second,
            left: Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_the_best_by_the_metric_the_loss_or_being_the_last() {
        let metrics = |name: &str, value| Metrics([(name.to_string(), value)].into());
        let best = |task: Task| Best {
            epoch: 1,
            metrics: metrics(task.headline(), 0.5),
            loss: 2.0,
            thresholds: Vec::new(),
        };
        let beats = |by, task: Task, value, loss| {
            best(task).is_beaten_by(by, task, &metrics(task.headline(), value), loss)
        };
        assert!(beats(BestBy::Metric, Task::Classify, 0.6, 3.0));
        assert!(!beats(BestBy::Metric, Task::Classify, 0.4, 1.0));
        assert!(beats(BestBy::Metric, Task::Classify, 0.5, 1.0));
        assert!(!beats(BestBy::Metric, Task::Classify, 0.5, 2.0));
        assert!(beats(BestBy::Metric, Task::Transcribe, 0.4, 3.0)); // a rate of errors
        assert!(!beats(BestBy::Metric, Task::Transcribe, 0.6, 1.0));
        for task in [Task::Classify, Task::Transcribe] {
            assert!(beats(BestBy::Loss, task, 0.5, 1.0));
            assert!(!beats(BestBy::Loss, task, 0.4, 3.0));
            assert!(!beats(BestBy::Loss, task, 0.6, 3.0));
            assert!(beats(BestBy::Last, task, 0.5, 3.0));
        }
    }
}
