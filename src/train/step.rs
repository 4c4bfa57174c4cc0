//! One training step: forward, loss, backward, optimizer.

use std::sync::{Mutex, PoisonError};

use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_models::Network;
use sori_models::las::Sampling;
use sori_models::ops::{in_pool, products_in};

use super::adversary::{domain_loss, no_embedding};
use super::network_and_adversary::NetworkAndAdversary;
use crate::Result;
use crate::arrival::Arrival;
use crate::data::lesson::Lesson;
use crate::optim::average::Average;
use crate::optim::gradients::Gradients;
use crate::optim::optimizer::Optimizer;
use crate::seed::{SeedUse, derive};
use crate::settings::training::{OptimizerKind, TrainSettings};
use crate::task::contract::{Seen, Task};
use crate::task::objective::Objective;

/// Held from a forward pass to the end of its backward pass. In Burn 0.21 a backward pass frees
/// parts of graphs that other threads are still building, whose gradients are then silently missing
/// (<https://github.com/tracel-ai/burn/issues/5573>).
static GRAPH: Mutex<()> = Mutex::new(());

/// Runs a forward and backward pass of a backend over `B`, one at a time in this process.
pub(crate) fn one_at_a_time<B: Backend, R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    // Taken outside the pool, whose threads must not wait for each other's locks.
    let _graph = GRAPH.lock().unwrap_or_else(PoisonError::into_inner);
    in_pool::<B, _>(pass)
}

/// The rates of a step: the learning rate, and the weight of the adversary.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// The learning rate.
    pub learning_rate: f64,
    /// Factor of the adversary's reversed gradient on its way into the network.
    pub adversary_weight: f64,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// Mean loss of the lessons, before the step.
    pub loss: f64,
    /// Statistics of the network's outputs, before the step.
    pub seen: Seen,
    /// Rows whose domain was predicted correctly. 0 if domains are not used.
    pub domains_right: usize,
}

/// A step that was taken, whose numbers may still be on their way from the device.
pub(crate) struct Taken {
    /// The share and the loss of each lesson.
    losses: Vec<(f64, Arrival<f64>)>,
    seen: Vec<Arrival<Seen>>,
    domains_right: Vec<Arrival<usize>>,
}

impl Taken {
    /// Whether all numbers have arrived, as on the CPU they always have.
    pub(crate) fn is_here(&self) -> bool {
        self.losses.iter().all(|(_, loss)| loss.is_here())
            && self.seen.iter().all(Arrival::is_here)
            && self.domains_right.iter().all(Arrival::is_here)
    }

    /// Waits for the loss.
    fn loss(&mut self) -> f64 {
        for (_, loss) in &mut self.losses {
            loss.arrive();
        }
        let losses = self.losses.iter();
        losses
            .map(|(share, loss)| share * loss.value().copied().unwrap_or(f64::NAN))
            .sum()
    }

    /// Waits for the numbers.
    pub(crate) fn wait(self) -> Step {
        let mut step = Step::default();
        for (share, loss) in self.losses {
            step.loss += share * loss.wait();
        }
        for seen in self.seen {
            let seen = seen.wait();
            step.seen.right += seen.right;
            step.seen.blanks += seen.blanks;
            step.seen.steps += seen.steps;
        }
        for right in self.domains_right {
            step.domains_right += right.wait();
        }
        step
    }
}

/// When the numbers of a step are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Before the optimizer's step, which a loss that is not finite prevents.
    Now,
    /// When they arrive, which on a GPU is after the next step was queued. L-BFGS, which decides by the loss,
    /// reads it before in any case.
    Later,
}

/// A network and its optimizer, trained one step at a time. Several in one process take turns.
pub struct Stepper<B: AutodiffBackend, N: Network<B>, T: Task> {
    /// Taken out only during a step.
    learner: Option<NetworkAndAdversary<B, N>>,
    task: T,
    /// The training objective.
    pub objective: Objective,
    pub(crate) optimizer: Optimizer<B::InnerBackend>,
    pub(crate) average: Average<B::InnerBackend>,
}

impl<B: AutodiffBackend, N: Network<B>, T: Task> Stepper<B, N, T> {
    /// `network` with a fresh optimizer, to minimise the reported loss of `task`.
    pub fn new(network: N, task: T, settings: &TrainSettings) -> Self {
        let learner = NetworkAndAdversary {
            model: network,
            adversary: None,
        };
        Self::of(learner, task, Objective::default(), settings)
    }

    pub(crate) fn of(
        learner: NetworkAndAdversary<B, N>,
        task: T,
        objective: Objective,
        settings: &TrainSettings,
    ) -> Self {
        Self {
            learner: Some(learner),
            task,
            objective,
            optimizer: Optimizer::new(settings),
            average: Average::new(settings.ema_decay),
        }
    }

    /// The current network.
    pub fn network(&self) -> &N {
        &self.learner().model
    }

    /// The trained module.
    pub(crate) fn learner(&self) -> &NetworkAndAdversary<B, N> {
        self.learner
            .as_ref()
            .expect("it is only taken out within a step")
    }

    /// Forward, loss, backward, optimizer. A loss that is not finite changes nothing, and nor do gradients that
    /// overflow in `f16`: the next step has a smaller loss scale.
    ///
    /// # Errors
    /// When the network does not fit the task.
    pub fn step(&mut self, lesson: Lesson<B, T>, learning_rate: f64) -> Result<Step> {
        let rates = Rates {
            learning_rate,
            adversary_weight: 0.0,
        };
        self.step_over(vec![lesson], rates)
    }

    /// One step by the mean gradient over several lessons, each weighted by its
    /// [`Task::extent`].
    ///
    /// # Errors
    /// When the network does not fit the task.
    pub fn step_over(&mut self, lessons: Vec<Lesson<B, T>>, rates: Rates) -> Result<Step> {
        Ok(self.take_step(lessons, rates, Read::Now)?.wait())
    }

    /// [`Self::step_over`] without waiting for the step's numbers.
    pub(crate) fn take_step(
        &mut self,
        lessons: Vec<Lesson<B, T>>,
        rates: Rates,
        read: Read,
    ) -> Result<Taken> {
        one_at_a_time::<B::InnerBackend, _>(|| self.step_alone(lessons, rates, read))
    }

    fn step_alone(
        &mut self,
        lessons: Vec<Lesson<B, T>>,
        rates: Rates,
        read: Read,
    ) -> Result<Taken> {
        let settings = self.optimizer.settings.clone();
        let work = Work {
            lessons,
            task: &self.task,
            objective: &self.objective,
            settings: &settings,
            adversary_weight: rates.adversary_weight,
            steps: self.optimizer.steps,
            loss_scale: self.optimizer.loss_scale.map_or(1.0, |it| it.factor),
        };
        let read = match settings.optimizer {
            OptimizerKind::Lbfgs => Read::Now,
            _ => read,
        };
        let (mut taken, gradients) = work.evaluate(self.learner(), read)?;
        if let (Some(gradients), Some(learner)) = (gradients, self.learner.take()) {
            let left_out = self.optimizer.left_out();
            let learner = if settings.optimizer == OptimizerKind::Lbfgs {
                let penalised =
                    |learner: &NetworkAndAdversary<B, N>, loss, gradients: Gradients<_>| {
                        let l2 = settings.weight_decay;
                        let (gradients, penalty) = gradients.with_l2::<B, _>(learner, l2);
                        (loss + penalty, gradients)
                    };
                let start = penalised(&learner, taken.loss(), gradients);
                let mut failure = None;
                let evaluate = |learner: &NetworkAndAdversary<B, N>| {
                    let found = work
                        .evaluate(learner, Read::Now)
                        .map_err(|error| failure = Some(error));
                    let (mut taken, gradients) = found.ok()?;
                    Some(penalised(learner, taken.loss(), gradients?))
                };
                let rate = rates.learning_rate;
                let learner = self
                    .optimizer
                    .second_order_step::<B, _>(learner, start, rate, evaluate);
                if let Some(error) = failure {
                    self.learner = Some(learner);
                    return Err(error);
                }
                learner
            } else {
                let penalty = settings.l1_penalty * work.loss_scale;
                let gradients = gradients.with_l1::<B, _>(&learner, penalty);
                self.optimizer
                    .step::<B, _>(learner, gradients, rates.learning_rate)
            };
            if self.optimizer.left_out() == left_out {
                self.average.follow(&learner, self.optimizer.steps);
            }
            self.learner = Some(learner);
            if self
                .optimizer
                .loss_scale
                .is_some_and(|it| it.is_exhausted())
            {
                taken.losses = vec![(1.0, Arrival::here(f64::NAN))];
            }
        }
        Ok(taken)
    }
}

/// The inputs of a step.
struct Work<'a, B: AutodiffBackend, T: Task> {
    lessons: Vec<Lesson<B, T>>,
    task: &'a T,
    objective: &'a Objective,
    settings: &'a TrainSettings,
    adversary_weight: f64,
    /// Steps taken before it.
    steps: usize,
    /// The factor of the loss before the backward pass.
    loss_scale: f64,
}

impl<B: AutodiffBackend, T: Task> Work<'_, B, T> {
    /// Forward, loss and backward of all lessons. No gradient if a loss is not finite. The seed and
    /// the step determine the dropout, so it is the same in every trial.
    fn evaluate<N: Network<B>>(
        &self,
        learner: &NetworkAndAdversary<B, N>,
        read: Read,
    ) -> Result<(Taken, Option<Gradients<B::InnerBackend>>)> {
        let half = self.settings.precision.half();
        products_in(half, || self.evaluated(learner, read))
    }

    fn evaluated<N: Network<B>>(
        &self,
        learner: &NetworkAndAdversary<B, N>,
        read: Read,
    ) -> Result<(Taken, Option<Gradients<B::InnerBackend>>)> {
        let (task, objective) = (self.task, self.objective);
        let network = T::network(learner.model.contract())?;
        let extent = |lesson: &Lesson<B, T>| {
            let lengths = &lesson.batch.lengths;
            task.extent(network, lengths, &lesson.targets, objective)
        };
        let extents: Vec<f64> = self.lessons.iter().map(extent).collect();
        let total: f64 = extents.iter().sum();
        let mut taken = Taken {
            losses: Vec::new(),
            seen: Vec::new(),
            domains_right: Vec::new(),
        };
        let mut sum: Option<Gradients<B::InnerBackend>> = None;
        let (seed, steps) = (self.settings.seed, self.steps as u64);
        for (index, lesson) in self.lessons.iter().enumerate() {
            let Lesson {
                batch,
                targets,
                domains,
            } = lesson;
            if index == 0 {
                let seed = derive(seed, SeedUse::Step, steps);
                B::seed(&batch.features.device(), seed);
            }
            let position = steps * self.lessons.len() as u64 + index as u64;
            let sampling = Sampling {
                rate: self.settings.scheduled_sampling,
                seed: derive(seed, SeedUse::Sample, position),
            };
            let share = extents[index] / total;
            let (output, adversary_logits) = match &learner.adversary {
                None => (task.output(network, batch, targets, sampling), None),
                Some(adversary) => {
                    let (output, embedding) = task
                        .output_and_embedding(network, batch)
                        .ok_or_else(no_embedding)?;
                    let logits = adversary.forward(embedding, self.adversary_weight);
                    (output, Some(logits))
                }
            };
            let mut loss = task.loss(&output, targets, objective);
            let reported = loss.clone().inner();
            if let Some(logits) = adversary_logits {
                let (of_domains, right) = domain_loss(logits, domains);
                taken.domains_right.push(right);
                loss = loss + of_domains;
            }
            let factor = share * self.loss_scale;
            let loss = match factor == 1.0 {
                true => loss,
                false => loss * factor,
            };
            let mut gradients = loss.backward();
            let freeze = &self.settings.freeze;
            let found = Gradients::take::<B, _>(learner, &mut gradients, freeze);
            // Read here, where a GPU has the backward pass to work on already.
            let reported = Arrival::of(reported, |loss| {
                loss.first().copied().map_or(f64::NAN, f64::from)
            });
            taken.losses.push((share, reported));
            if (read == Read::Now || taken.is_here()) && !taken.loss().is_finite() {
                return Ok((taken, None));
            }
            taken.seen.push(task.seen(&output, targets));
            sum = Some(match sum {
                Some(sum) => sum.plus(found),
                None => found,
            });
        }
        Ok((taken, sum))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;
    use sori_datasets::{Alphabet, AlphabetKind, Features, Normalization, Target};
    use sori_models::{Architecture, Cnn1dConfig, GruConfig, LasConfig, MlpConfig};

    use super::*;
    use crate::data::batch::FrameLimits;
    use crate::data::lesson::{HostLesson, Row};
    use crate::run::checkpoint::Checkpoint;
    use crate::task::{Classify, Transcribe};
    use crate::train::begin::random_network;

    type Cpu = Autodiff<NdArray<f32>>;

    fn two_classes() -> Classify {
        Classify {
            labels: ["a", "b"].map(String::from).to_vec(),
        }
    }

    /// The running statistics of a batch-norm network after a step, and the loss of a second step.
    fn after_a_step(optimizer: OptimizerKind, learning_rate: f64) -> (Vec<Vec<f32>>, f64) {
        let device = Default::default();
        let config = Cnn1dConfig {
            channels: vec![4],
            dropout: 0.0,
            ..Cnn1dConfig::default()
        };
        let config = config.with_input(0, 3, 2);
        let rows = [1.0, -1.0, 0.5, 2.0]
            .iter()
            .enumerate()
            .map(|(row, level)| {
                let values = (0..24).map(|i| level * ((i * (row + 3)) as f32).sin());
                let features = Features {
                    frames: 8,
                    bins: 3,
                    values: values.collect(),
                };
                Row::new(features, Target::Class(row % 2))
            });
        let limits = FrameLimits::default();
        let lesson = HostLesson::collate(rows.collect(), limits, &two_classes()).unwrap();
        let lesson = lesson.to_device::<Cpu>(&device);
        let settings = TrainSettings {
            optimizer,
            clip_norm: 0.0,
            ..TrainSettings::default()
        };
        let network = random_network::<_, Cpu>(&config, 1, &device).unwrap();
        let mut stepper = Stepper::new(network, two_classes(), &settings);
        stepper.step(lesson.clone(), learning_rate).unwrap();
        let no_optimizer = None::<(&Optimizer<NdArray<f32>>, &Average<NdArray<f32>>)>;
        let statistics = Checkpoint::of(stepper.network(), no_optimizer, &())
            .unwrap()
            .running_statistics();
        (
            statistics,
            stepper.step(lesson, learning_rate).unwrap().loss,
        )
    }

    /// Batch norm sees the batch once, however many trials an L-BFGS step takes.
    #[test]
    fn trials_of_a_step_leave_running_statistics_alone() {
        let (expected, _) = after_a_step(OptimizerKind::Sgd, 0.1);
        assert_eq!(expected.len(), 2);
        let (_, small) = after_a_step(OptimizerKind::Lbfgs, 1.0);
        for learning_rate in [1.0, 300.0, 1e30] {
            let (found, loss) = after_a_step(OptimizerKind::Lbfgs, learning_rate);
            assert_eq!(found, expected, "a rate of {learning_rate}");
            assert!(loss.is_finite() && loss <= small * 2.0, "{loss}");
        }
    }

    /// The losses of two steps, each over these batches at once.
    fn losses<A: Architecture, T: Task>(
        config: &A,
        task: &T,
        objective: &Objective,
        rows: &[&[Row]],
    ) -> [f64; 2] {
        let device = Default::default();
        let config = config.clone().with_input(6, 3, task.num_outputs());
        let settings = TrainSettings {
            optimizer: OptimizerKind::Sgd,
            clip_norm: 0.0,
            ..TrainSettings::default()
        };
        let network = random_network::<_, Cpu>(&config, 1, &device).unwrap();
        let mut stepper = Stepper::new(network, task.clone(), &settings);
        stepper.objective = objective.clone();
        let limits = FrameLimits::of(&config);
        let rates = Rates {
            learning_rate: 0.5,
            adversary_weight: 0.0,
        };
        [0, 1].map(|_| {
            let lessons = rows.iter().map(|rows| {
                let lesson = HostLesson::collate(rows.to_vec(), limits, task).unwrap();
                lesson.to_device::<Cpu>(&device)
            });
            stepper.step_over(lessons.collect(), rates).unwrap().loss
        })
    }

    fn assert_accumulates<A: Architecture, T: Task>(
        config: &A,
        task: &T,
        objective: &Objective,
        rows: &[Row],
    ) {
        let whole = losses(config, task, objective, &[rows]);
        let parts = losses(config, task, objective, &[&rows[..1], &rows[1..]]);
        for (whole, part) in whole.iter().zip(parts) {
            assert!((whole - part).abs() < 1e-5 * whole, "{whole} is not {part}");
        }
    }

    #[test]
    fn accumulated_batches_are_one_large_batch() {
        let row = |frames: usize, target: Target| {
            let values = (0..frames * 3).map(|i| ((i * (frames + 2)) as f32).sin());
            let features = Features {
                frames,
                bins: 3,
                values: values.collect(),
            };
            Row::new(features, target)
        };
        let classes = [(6, 0), (3, 0), (5, 1), (4, 0)];
        let classes = classes.map(|(frames, class)| row(frames, Target::Class(class)));
        let weighed = Objective {
            weights: vec![0.6, 5.0],
            ..Objective::default()
        };
        let mlp = MlpConfig {
            d_hidden: vec![4],
            dropout: 0.0,
            ..MlpConfig::default()
        };
        assert_accumulates(&mlp, &two_classes(), &weighed, &classes);

        let texts = [(6, "abba"), (3, "a"), (5, ""), (4, "ba")];
        let texts = texts.map(|(frames, text)| row(frames, Target::Text(text.to_string())));
        let kind = AlphabetKind::Characters;
        let alphabet = Alphabet::build(kind, Normalization::default(), ["ab"]).unwrap();
        let las = LasConfig {
            d_listener: 3,
            num_plain_layers: 1,
            num_pyramid_layers: 1,
            d_embedding: 3,
            d_speller: 4,
            num_speller_layers: 1,
            d_attention: 4,
            dropout: 0.0,
            ..LasConfig::default()
        };
        let task = Transcribe {
            alphabet: Arc::new(alphabet),
        };
        assert_accumulates(&las, &task, &Objective::default(), &texts);
    }

    #[test]
    fn a_network_of_another_contract_is_refused() {
        let device = Default::default();
        let config = GruConfig::default().with_input(0, 3, 2);
        let network = random_network::<_, Cpu>(&config, 1, &device).unwrap();
        let task = Transcribe {
            alphabet: Arc::new(
                Alphabet::build(AlphabetKind::Characters, Normalization::default(), ["a"]).unwrap(),
            ),
        };
        let mut stepper = Stepper::new(network, task, &TrainSettings::default());
        let error = stepper.step_over(
            Vec::new(),
            Rates {
                learning_rate: 0.1,
                adversary_weight: 0.0,
            },
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("an emitter or a speller"), "{error}");
    }
}
