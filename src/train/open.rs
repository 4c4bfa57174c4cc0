//! Opens the training session of a run at its last checkpoint.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use burn::tensor::backend::AutodiffBackend;
use sori_datasets::Part;
use sori_models::{Architecture, Network};

use super::adversary::{adversary, check_domains};
use super::legs::Legs;
use super::network_and_adversary::NetworkAndAdversary;
use super::precision::check_precision;
use super::progress::{Event, Outcome};
use super::session::Session;
use super::state::RunState;
use super::step::Stepper;
use super::writer::Writer;
use crate::data::loader::Loader;
use crate::data::parts::Data;
use crate::optim::schedule::Schedule;
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::RunFolder;
use crate::settings::training::OptimizerKind;
use crate::task::any::TaskJob;
use crate::task::contract::Task;
use crate::task::truth::Truth;
use crate::{Error, Result};

/// Trains `run` from its last checkpoint to its end, or until `stop` is set.
///
/// # Errors
/// When the data have changed or cannot be read, a file cannot be written, or training diverges.
/// The last checkpoint stays.
pub fn train<A: Architecture, B: AutodiffBackend>(
    run: &RunFolder<A>,
    device: &B::Device,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<Outcome> {
    train_on::<A, B>(run, None, device, stop, report)
}

/// As [`train`], on the run's data if they are already read.
pub(crate) fn train_on<A: Architecture, B: AutodiffBackend>(
    run: &RunFolder<A>,
    data: Option<Data>,
    device: &B::Device,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<Outcome> {
    let _session = run.lock()?;
    if let Some(result) = run.result()? {
        return Ok(Outcome::Ended(Box::new(result)));
    }
    let data = match data {
        Some(data) => data,
        None => {
            let data = Data::of_run(run)?;
            let parts = [Part::Train, Part::Valid, Part::Test];
            data.check_unchanged(run, &parts, stop, &mut |done, total| {
                report(&Event::Scan { done, total });
            })?;
            data
        }
    };
    let job = TrainJob::<A, B> {
        run,
        data: &data,
        device,
        stop,
        report,
    };
    run.task().clone().run(job)
}

/// The training of a run, generic over the task.
struct TrainJob<'a, A: Architecture, B: AutodiffBackend> {
    run: &'a RunFolder<A>,
    data: &'a Data,
    device: &'a B::Device,
    stop: &'a AtomicBool,
    report: &'a mut dyn FnMut(&Event<'_>),
}

impl<A: Architecture, B: AutodiffBackend> TaskJob for TrainJob<'_, A, B> {
    type Output = Result<Outcome>;

    fn run<T: Task>(self, task: T) -> Result<Outcome> {
        let Self {
            run,
            data,
            device,
            stop,
            report,
        } = self;
        Session::<A, B, T>::open(run, data, task, device, report)?.train(stop, report)
    }
}

impl<'a, A: Architecture, B: AutodiffBackend, T: Task> Session<'a, A, B, T> {
    /// Opens the run at its last checkpoint.
    pub(super) fn open(
        run: &'a RunFolder<A>,
        data: &'a Data,
        task: T,
        device: &'a B::Device,
        report: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Self> {
        let (info, settings) = (run.info(), run.settings());
        let train = &settings.train;
        check_precision::<B::InnerBackend>(train.precision, device)?;
        let part = data.part(Part::Train);
        let checkpoint = Checkpoint::read(&run.last_path())?;
        let state: RunState = checkpoint.state()?;
        let network = settings.model.init::<B>(device)?;
        check_domains(run, &part)?;
        let adversary = adversary(&info.domains, &network, device)?;
        let learner = checkpoint.load(NetworkAndAdversary {
            model: network,
            adversary,
        })?;
        run.keep_metrics(state.epoch)?;
        report(&Event::Begin {
            info,
            task: run.task(),
            data: &settings.data.train,
            epochs: train.epochs,
            path: run.path(),
            steps_done: state.step,
        });
        let truths = part.iter().map(|item| Truth::from(item.target.clone()));
        let to_weigh: Option<Vec<Truth>> = train.class_weights.then(|| truths.collect());
        let objective = {
            let network = T::network(learner.model.contract())?;
            task.objective(network, train.label_smoothing, to_weigh.as_deref())
        };
        let mut stepper = Stepper::of(learner, task.clone(), objective, train);
        checkpoint.load_optimizer(&mut stepper.optimizer, &mut stepper.average, device);
        if train.optimizer == OptimizerKind::Sgd && !stepper.optimizer.moments.is_empty() {
            return Err(Error::run(
                run.path(),
                "it was begun when `sgd` had momentum, which is `momentum` now: set \
                 optimizer = \"momentum\" in its config.toml to go on as before",
            ));
        }
        stepper.optimizer.steps = state.step;
        if let (Some(now), Some(then)) = (&mut stepper.optimizer.loss_scale, state.loss_scale) {
            *now = then;
        }
        let best = state.best.as_ref();
        let just_best = best.is_some_and(|best| best.epoch == state.epoch);
        if just_best && state.step_in_epoch == 0 {
            // A crash may have come between the last checkpoint and the best one.
            checkpoint
                .for_use(!info.domains.is_empty())
                .write(&run.best_path())?;
        }
        let best_path = run.best_path();
        if state.best.is_some() && !best_path.is_file() {
            let last = run.last_path();
            return Err(Error::run(
                &best_path,
                format!(
                    "this checkpoint of the run's best epoch is missing; put it back, or copy {} there to \
                     take the last epoch for the best so far",
                    last.display()
                ),
            ));
        }
        let legs = Legs::of(run, data);
        Ok(Self {
            run,
            data,
            device,
            loader: Loader::new(run, task.clone())?
                .with_augment(&settings.augment)?
                .with_cache(&settings.data)?
                .with_memory(Arc::clone(&data.memory))
                .with_domains(info.domains.clone()),
            task,
            schedule: Schedule::new(train, &legs.lengths()),
            stepper,
            started: Instant::now(),
            seconds_before: state.seconds,
            items_here: 0,
            state,
            legs,
            last_rate: None,
            ahead: None,
            uncounted: None,
            writer: Writer::default(),
        })
    }
}
