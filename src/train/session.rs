//! The training loop: from a run's last checkpoint to its end or the next interruption.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::backend::AutodiffBackend;
use sori_datasets::{Item, Part};
use sori_models::{Architecture, Network};

use super::legs::Legs;
use super::progress::{Event, Outcome, Progress};
use super::state::{Best, RunState};
use super::step::{Rates, Read, Stepper, Taken};
use super::writer::Writer;
use crate::data::lesson::HostLesson;
use crate::data::loader::Loader;
use crate::data::order::order;
use crate::data::parts::Data;
use crate::infer::evaluate::{Evaluation, evaluate, evaluate_best};
use crate::optim::schedule::Schedule;
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::RunFolder;
use crate::run::records::{EpochRecord, RunResult};
use crate::task::contract::Task;
use crate::{Error, Result};

/// A session of a run, between two interruptions.
pub(super) struct Session<'a, A: Architecture, B: AutodiffBackend, T: Task> {
    pub(super) run: &'a RunFolder<A>,
    pub(super) data: &'a Data,
    pub(super) device: &'a B::Device,
    pub(super) loader: Loader<T>,
    pub(super) task: T,
    pub(super) schedule: Schedule,
    pub(super) stepper: Stepper<B, A::Network<B>, T>,
    pub(super) state: RunState,
    pub(super) started: Instant,
    /// Seconds of earlier sessions.
    pub(super) seconds_before: f64,
    /// Training recordings of this session.
    pub(super) items_here: usize,
    pub(super) legs: Legs,
    /// The learning rate of the last step of this session.
    pub(super) last_rate: Option<f64>,
    /// The lessons of the next epoch, which load while this one is validated.
    pub(super) ahead: Option<Lessons<T>>,
    /// The last step, whose numbers are on their way from the device while the next one is queued.
    pub(super) uncounted: Option<Uncounted>,
    pub(super) writer: Writer,
}

/// A step that is not part of the epoch's figures yet.
pub(super) struct Uncounted {
    taken: Taken,
    /// Its number, from 0 over the whole run.
    step: usize,
    items: usize,
}

/// The lessons of an epoch, as they are loaded.
pub(super) type Lessons<T> = Box<dyn Iterator<Item = Result<HostLesson<T>>>>;

impl<'a, A: Architecture, B: AutodiffBackend, T: Task> Session<'a, A, B, T> {
    /// Trains to the end of the run, or until `stop` is set.
    pub(super) fn train(
        mut self,
        stop: &AtomicBool,
        report: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Outcome> {
        let train = &self.run.settings().train;
        while self.state.epoch < train.epochs
            && !(self.is_time_over() && self.state.step_in_epoch == 0 && self.state.epoch > 0)
            && (train.patience == 0 || self.state.epochs_since_best < train.patience)
        {
            if self.epoch(stop, report)?.is_break() {
                return Ok(Outcome::Interrupted);
            }
            if self.state.epoch + 1 < train.epochs && !self.is_time_over() {
                self.ahead = Some(self.lessons(self.state.epoch + 1, 0));
            }
            self.end_epoch(report)?;
        }
        self.finish()
    }

    /// Trains to the end of the epoch, or until time runs out. Stops with a checkpoint when `stop` is
    /// set.
    fn epoch(
        &mut self,
        stop: &AtomicBool,
        report: &mut dyn FnMut(&Event<'_>),
    ) -> Result<ControlFlow<()>> {
        let train = &self.run.settings().train;
        let skip = self.state.step_in_epoch * train.accumulate;
        let ahead = self.ahead.take();
        let mut lessons = ahead.unwrap_or_else(|| self.lessons(self.state.epoch, skip));
        loop {
            let asked = Instant::now();
            let loaded = lessons
                .by_ref()
                .take(train.accumulate)
                .collect::<Result<Vec<_>>>()?;
            if loaded.is_empty() {
                self.count_in_time()?;
                return Ok(ControlFlow::Continue(()));
            }
            self.state.epoch_waited += asked.elapsed().as_secs_f64();
            let rise = self.schedule.adversary_rise(self.state.step);
            let learning_rate = self.learning_rate(self.state.step);
            self.last_rate = Some(learning_rate);
            let rates = Rates {
                learning_rate,
                adversary_weight: train.adversary_weight * rise,
            };
            self.weigh_divergence()?;
            let offset =
                train.blank_offset * self.schedule.blank_fall(self.state.step, self.time_share());
            self.stepper.objective.blank_offset = offset;
            let count = loaded.iter().map(|lesson| lesson.len()).sum();
            let loaded = loaded.into_iter();
            let lessons = loaded.map(|lesson| lesson.to_device::<B>(self.device));
            let taken = self
                .stepper
                .take_step(lessons.collect(), rates, Read::Later)?;
            self.count()?;
            let is_first = self.state.epoch_items == 0;
            let is_here = taken.is_here();
            self.uncounted = Some(Uncounted {
                taken,
                step: self.state.step,
                items: count,
            });
            // Before the first loss there is nothing to show.
            if is_here || is_first {
                self.count()?;
            }
            let state = &mut self.state;
            state.epoch_seconds += asked.elapsed().as_secs_f64();
            state.step += 1;
            state.step_in_epoch += 1;
            self.items_here += count;
            report(&Event::Step(self.progress()));

            if stop.load(Ordering::Relaxed) {
                self.write_checkpoint(None)?;
                self.writer.wait()?;
                return Ok(ControlFlow::Break(()));
            }
            if self.is_time_over() {
                self.count_in_time()?;
                return Ok(ControlFlow::Continue(()));
            }
            let every = train.checkpoint_steps;
            if every > 0 && self.state.step.is_multiple_of(every) {
                self.write_checkpoint(None)?;
            }
        }
    }

    /// [`Self::count`], with the time that the device takes for it.
    fn count_in_time(&mut self) -> Result<()> {
        let start = Instant::now();
        self.count()?;
        self.state.epoch_seconds += start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Adds the last step to the epoch's figures.
    fn count(&mut self) -> Result<()> {
        let Some(Uncounted { taken, step, items }) = self.uncounted.take() else {
            return Ok(());
        };
        let found = taken.wait();
        if !found.loss.is_finite() {
            return Err(Error::Diverged {
                step,
                loss: found.loss,
                learning_rate: self.learning_rate(step),
            });
        }
        self.state
            .count(found.loss, found.seen, found.domains_right, items);
        Ok(())
    }

    /// The lessons of this epoch without the first `skip`, loaded from now on.
    fn lessons(&self, epoch: usize, skip: usize) -> Lessons<T> {
        let settings = self.run.settings();
        let (part, frames) = self.legs.recordings(epoch, self.data);
        let targets: Vec<_> = part.iter().map(|item| &item.target).collect();
        let num_labels = self.run.info().labels.len();
        let mix = &settings.augment.mix;
        let visits = order(&settings.train, mix, epoch, &targets, &frames, num_labels);
        Box::new(self.loader.augmented(&part, &visits, skip))
    }

    /// Sets the weight of an autoencoder's divergence for the next step.
    fn weigh_divergence(&mut self) -> Result<()> {
        let epoch = self.state.step as f64 / self.legs.steps_of(0) as f64;
        let network = T::network(self.stepper.network().contract())?;
        let kl_weight = T::kl_weight_at(network, epoch);
        self.stepper.objective.kl_weight = kl_weight;
        Ok(())
    }

    /// Evaluates the network on the validation part, keeps the best checkpoint and records the epoch.
    fn end_epoch(&mut self, report: &mut dyn FnMut(&Event<'_>)) -> Result<()> {
        let (info, train) = (self.run.info(), &self.run.settings().train);
        let last_step = self.state.step.saturating_sub(1);
        let learning_rate = self
            .last_rate
            .unwrap_or_else(|| self.learning_rate(last_step));
        let joined = self.legs.joined(self.state.epoch);
        let valid = self.validate(joined)?;
        let (valid_loss, metrics) = (valid.loss, valid.metrics.clone());
        let by = (train.best_by, T::HEADLINE);
        let best = self.state.end_epoch(by, train.decay_epochs, valid);
        let state = &self.state;
        let items = state.epoch_items.max(1) as f64;
        let seconds = state.epoch_seconds.max(f64::MIN_POSITIVE);
        let record = EpochRecord {
            epoch: state.epoch,
            step: state.step,
            learning_rate,
            train_loss: state.epoch_loss / items,
            train_accuracy: self.accuracy(),
            train_blank: state.blank(),
            train_domain_accuracy: (!info.domains.is_empty()).then(|| state.domain_accuracy()),
            valid_loss,
            valid: metrics,
            joined,
            best,
            seconds: self.seconds(),
            items_per_second: items / seconds,
            waited: state.epoch_waited / seconds,
        };
        self.state.next_epoch();
        // This order makes a crash in between harmless: resuming drops lines beyond the last checkpoint
        // and writes the best checkpoint again from the last.
        self.run.append_metrics(&record)?;
        self.write_checkpoint(best.then(|| self.run.best_path()))?;
        report(&Event::Epoch(&record));
        Ok(())
    }

    /// What the network does on the validation part after this epoch. Once that part is learned from, the
    /// last figures from before are the forecast.
    fn validate(&self, joined: bool) -> Result<Best> {
        let epoch = self.state.epoch + 1;
        if let Some(forecast) = self.state.best.clone().filter(|_| joined) {
            return Ok(Best { epoch, ..forecast });
        }
        let valid = self.evaluate_valid()?;
        if !valid.loss.is_finite() {
            return Err(self.diverged(valid.loss));
        }
        Ok(Best {
            epoch,
            metrics: self.task.metrics(&valid.answers),
            loss: valid.loss,
            thresholds: self.task.best_thresholds(&valid.answers),
            worst: self.task.worst(&valid.answers),
        })
    }

    fn evaluate_valid(&self) -> Result<Evaluation<T>> {
        let part = self.data.part(Part::Valid).into_iter();
        let mut part: Vec<_> = part.zip(self.data.frames_of(Part::Valid)).collect();
        // Batches of even length are fastest.
        part.sort_by_key(|(_, frames)| *frames);
        let part: Vec<&Item> = part.into_iter().map(|(item, _)| item).collect();
        let network = A::without_autodiff(self.stepper.network());
        let network = self.stepper.average.fill(network);
        let decoding = self.run.settings().decoding();
        let (loader, device) = (&self.loader, self.device);
        evaluate(&network, &self.task, loader, &part, &decoding, device)
    }

    /// Tests the best checkpoint and writes the result.
    fn finish(&mut self) -> Result<Outcome> {
        self.writer.wait()?;
        let (part, split) = self.data.held_out();
        let found = evaluate_best::<A, B::InnerBackend>(self.run, &part, None, self.device)?;
        let best = self
            .state
            .best
            .as_ref()
            .ok_or_else(|| Error::run(self.run.path(), "it ended without an epoch"))?;
        let info = self.run.info();
        let result = RunResult {
            task: info.task,
            model: info.model.clone(),
            metric: T::HEADLINE.metric.to_string(),
            split: split.to_string(),
            value: found.metrics.get(T::HEADLINE.metric),
            metrics: found.metrics,
            params: info.params,
            seconds: self.state.seconds,
            epochs: self.state.epoch,
            backend: info.backend.clone(),
            seed: info.seed,
            best_epoch: best.epoch,
            valid: best.metrics.clone(),
            valid_worst: best.worst.clone(),
            labels_left_out: found.labels_left_out,
        };
        let (name, csv) = found.csv;
        self.run.write_result(&result, (name, csv))?;
        Ok(Outcome::Ended(Box::new(result)))
    }

    /// Starts writing the last checkpoint, and the checkpoint for use to `best` if it is given.
    fn write_checkpoint(&mut self, best: Option<PathBuf>) -> Result<()> {
        self.count()?;
        self.state.seconds = self.seconds();
        self.state.loss_scale = self.stepper.optimizer.loss_scale;
        let checkpoint = Checkpoint::of(
            self.stepper.learner(),
            Some((&self.stepper.optimizer, &self.stepper.average)),
            &self.state,
        )?;
        if !checkpoint.is_finite() {
            return Err(self.diverged(f64::NAN));
        }
        let (last, has_adversary) = (self.run.last_path(), !self.run.info().domains.is_empty());
        self.writer.begin(move || {
            checkpoint.write(&last)?;
            match best {
                Some(best) => checkpoint.for_use(has_adversary).write(&best),
                None => Ok(()),
            }
        })
    }

    fn diverged(&self, loss: f64) -> Error {
        Error::Diverged {
            step: self.state.step,
            loss,
            learning_rate: self.learning_rate(self.state.step),
        }
    }

    fn learning_rate(&self, step: usize) -> f64 {
        let (plateaus, time) = (self.state.plateaus, self.time_share());
        self.schedule.learning_rate(step, plateaus, time)
    }

    /// The share of the run's minutes that is over; 0 without a limit.
    fn time_share(&self) -> f64 {
        let minutes = self.run.settings().train.max_minutes;
        match minutes > 0.0 {
            true => (self.seconds() / (minutes * 60.0)).min(1.0),
            false => 0.0,
        }
    }

    /// Seconds of training since the run began.
    fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    fn is_time_over(&self) -> bool {
        let minutes = self.run.settings().train.max_minutes;
        minutes > 0.0 && self.seconds() >= minutes * 60.0
    }

    /// Training accuracy of the epoch so far; only of classes.
    fn accuracy(&self) -> Option<f64> {
        T::COUNTS_RIGHT.then(|| self.state.accuracy())
    }

    fn progress(&self) -> Progress {
        let train = &self.run.settings().train;
        let state = &self.state;
        let items_per_second = self.items_here as f64 / self.started.elapsed().as_secs_f64();
        let lengths = self.legs.lengths().into_iter();
        let steps: usize = lengths.map(|(epochs, steps)| epochs * steps).sum();
        let items_left = steps.saturating_sub(state.step) * train.batch_size * train.accumulate;
        let mut left = items_left as f64 / items_per_second;
        if train.max_minutes > 0.0 {
            left = left.min((train.max_minutes * 60.0 - self.seconds()).max(0.0));
        }
        Progress {
            epoch: state.epoch + 1,
            epochs: train.epochs,
            step: state.step_in_epoch,
            steps: self.legs.steps_of(state.epoch),
            loss: state.epoch_loss / state.epoch_items as f64,
            accuracy: self.accuracy(),
            blank: state.blank(),
            items_per_second,
            left: Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX),
        }
    }
}
