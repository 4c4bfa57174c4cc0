use std::sync::{Mutex, PoisonError};

use burn::module::{AutodiffModule, Module};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use sori_models::Model;
use sori_models::las::Sampling;
use sori_models::layers::DomainClassifier;
use sori_models::loss::cross_entropy;
use sori_models::ops::in_pool;

use super::average::Average;
use super::optimizer::{Gradients, Optimizer};
use super::seed::{Purpose, derive};
use super::settings::{OptimizerKind, TrainSettings};
use crate::batch::{Batch, Targets};
use crate::task::{Objective, Output, count_right, scalar};

/// Held from a forward pass to the end of its backward pass: in Burn 0.21 a backward pass frees parts of
/// the graphs that other threads are still building, whose gradients are then silently missing
/// (<https://github.com/tracel-ai/burn/issues/5573>).
static GRAPH: Mutex<()> = Mutex::new(());

/// Runs a forward and backward pass of a backend over `B`, one at a time in this process.
pub(crate) fn one_at_a_time<B: Backend, R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    // Taken outside the pool, whose threads may not wait for one another's locks.
    let _graph = GRAPH.lock().unwrap_or_else(PoisonError::into_inner);
    in_pool::<B, _>(pass)
}

/// All that is trained.
#[derive(Module, Debug)]
pub(super) struct Learner<B: Backend> {
    pub(super) model: Model<B>,
    /// What tries to tell the domain of a recording from what the model makes of it.
    pub(super) adversary: Option<DomainClassifier<B>>,
}

/// A model and its optimizer, moved one training step at a time. The steps of several in one process
/// take turns.
pub struct Stepper<B: AutodiffBackend> {
    /// Taken out only while a step moves it.
    learner: Option<Learner<B>>,
    pub(super) optimizer: Optimizer<B::InnerBackend>,
    pub(super) average: Average<B::InnerBackend>,
    /// Parameters below these paths stay as they are.
    freeze: Vec<String>,
}

/// What a step tells.
pub struct Step<B: AutodiffBackend> {
    /// Mean loss of the batches, from before the step.
    pub loss: f64,
    /// What the model said of each batch, from before the step.
    pub outputs: Vec<Output<B::InnerBackend>>,
    /// Rows whose domain was told right; none where domains are not looked at.
    pub domains_right: usize,
}

impl<B: AutodiffBackend> Stepper<B> {
    /// `model` with a fresh optimizer.
    pub fn new(model: Model<B>, settings: &TrainSettings) -> Self {
        let adversary = None;
        Self::of(Learner { model, adversary }, settings)
    }

    pub(super) fn of(learner: Learner<B>, settings: &TrainSettings) -> Self {
        Self {
            learner: Some(learner),
            optimizer: Optimizer::new(settings),
            average: Average::new(settings.ema_decay),
            freeze: settings.freeze.clone(),
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model<B> {
        &self.learner().model
    }

    /// All that is trained.
    pub(super) fn learner(&self) -> &Learner<B> {
        self.learner
            .as_ref()
            .expect("it is only taken out within a step")
    }

    /// The model to use: with the moving average of its parameters, where one is kept.
    pub fn averaged(&self) -> Model<B::InnerBackend> {
        self.average.fill(self.model().valid())
    }

    /// Forward, loss, backward, optimizer. A loss that is not finite moves nothing.
    pub fn step(&mut self, batch: Batch<B>, objective: &Objective, learning_rate: f64) -> Step<B> {
        self.step_over(vec![batch], objective, learning_rate)
    }

    /// One step by the mean gradient over several batches, each counting as much as its loss
    /// is a mean over ([`Objective::extent`]).
    pub fn step_over(
        &mut self,
        batches: Vec<Batch<B>>,
        objective: &Objective,
        learning_rate: f64,
    ) -> Step<B> {
        one_at_a_time::<B::InnerBackend, _>(|| self.step_alone(batches, objective, learning_rate))
    }

    fn step_alone(
        &mut self,
        batches: Vec<Batch<B>>,
        objective: &Objective,
        learning_rate: f64,
    ) -> Step<B> {
        let work = Work {
            batches,
            objective,
            freeze: &self.freeze,
            steps: self.optimizer.steps,
        };
        let TrainSettings {
            optimizer,
            l1_penalty,
            weight_decay,
            ..
        } = self.optimizer.settings;
        let (step, gradients) = work.evaluate(self.learner());
        if let (Some(gradients), Some(learner)) = (gradients, self.learner.take()) {
            let learner = if optimizer == OptimizerKind::Lbfgs {
                let penalised = |learner: &Learner<B>, loss, gradients: Gradients<_>| {
                    let (gradients, penalty) = gradients.with_l2::<B, _>(learner, weight_decay);
                    (loss + penalty, gradients)
                };
                let start = penalised(&learner, step.loss, gradients);
                let evaluate = |learner: &Learner<B>| {
                    let (step, gradients) = work.evaluate(learner);
                    Some(penalised(learner, step.loss, gradients?))
                };
                self.optimizer
                    .second_order_step::<B, _>(learner, start, learning_rate, evaluate)
            } else {
                let gradients = gradients.with_l1::<B, _>(&learner, l1_penalty);
                self.optimizer
                    .step::<B, _>(learner, gradients, learning_rate)
            };
            self.average.follow(&learner, self.optimizer.steps);
            self.learner = Some(learner);
        }
        step
    }
}

/// What a step learns from.
struct Work<'a, B: AutodiffBackend> {
    batches: Vec<Batch<B>>,
    objective: &'a Objective,
    freeze: &'a [String],
    /// Steps taken before it.
    steps: usize,
}

impl<B: AutodiffBackend> Work<'_, B> {
    /// Forward, loss and backward of all batches; no gradient where a loss is not finite. Dropout is
    /// drawn from the seed and the step, so that it is the same each time.
    fn evaluate(&self, learner: &Learner<B>) -> (Step<B>, Option<Gradients<B::InnerBackend>>) {
        let objective = self.objective;
        let extents: Vec<f64> = self
            .batches
            .iter()
            .map(|batch| objective.extent(&learner.model, batch))
            .collect();
        let total: f64 = extents.iter().sum();
        let mut step = Step {
            loss: 0.0,
            outputs: Vec::with_capacity(self.batches.len()),
            domains_right: 0,
        };
        let mut sum: Option<Gradients<B::InnerBackend>> = None;
        let steps = self.steps as u64;
        for (index, batch) in self.batches.iter().enumerate() {
            if index == 0 {
                let seed = derive(objective.seed, Purpose::Step, steps);
                B::seed(&batch.features.device(), seed);
            }
            let position = steps * self.batches.len() as u64 + index as u64;
            let sampling = Sampling {
                rate: objective.scheduled_sampling,
                seed: derive(objective.seed, Purpose::Sample, position),
            };
            let share = extents[index] / total;
            let (output, domains) = match &learner.adversary {
                None => (Output::of(&learner.model, batch, sampling), None),
                Some(adversary) => {
                    let embedding = learner.model.embed(batch.features.clone(), &batch.lengths);
                    let output = learner.model.classify(embedding.clone());
                    let domains = adversary.forward(embedding, objective.adversary_weight);
                    (Output::Labels(output), Some(domains))
                }
            };
            let mut loss = objective.loss(&output, &batch.targets);
            step.loss += share * scalar(loss.clone().inner());
            step.outputs.push(output.inner());
            if !step.loss.is_finite() {
                return (step, None);
            }
            if let Some(logits) = domains {
                let targets = Targets::Classes(batch.domains.clone());
                step.domains_right += count_right(logits.clone().inner(), &targets);
                loss = loss + domain_loss(logits, &batch.domains);
            }
            let loss = if share < 1.0 { loss * share } else { loss };
            let mut gradients = loss.backward();
            let found = Gradients::take::<B, _>(learner, &mut gradients, self.freeze);
            sum = Some(match sum {
                Some(sum) => sum.plus(found),
                None => found,
            });
        }
        (step, sum)
    }
}

/// The mean cross entropy of logits `[batch, domains]`.
fn domain_loss<B: Backend>(logits: Tensor<B, 2>, domains: &[usize]) -> Tensor<B, 1> {
    let device = logits.device();
    let domains: Vec<i64> = domains.iter().map(|&domain| domain as i64).collect();
    let count = domains.len();
    let targets = TensorData::new(domains, [count]);
    cross_entropy(logits, Tensor::<B, 1, Int>::from_data(targets, &device))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;
    use sori_datasets::{Alphabet, AlphabetKind, Features, Normalization, Target};
    use sori_models::ModelConfig;

    use super::*;
    use crate::batch::{Coding, FrameLimits, HostBatch, Row};
    use crate::task::Task;
    use crate::train::{Checkpoint, random_model};

    type Cpu = Autodiff<NdArray<f32>>;

    /// The running statistics of a network with batch norm after a step, and its loss in a second one.
    fn after_a_step(optimizer: OptimizerKind, learning_rate: f64) -> (Vec<Vec<f32>>, f64) {
        let device = Default::default();
        let config: ModelConfig =
            toml::from_str("name = \"cnn1d\"\nchannels = [4]\ndropout = 0.0").unwrap();
        let config = config.with_input(0, 3, 2);
        let rows: Vec<_> = [1.0, -1.0, 0.5, 2.0]
            .iter()
            .enumerate()
            .map(|(row, level)| {
                let values = (0..24).map(|i| level * ((i * (row + 3)) as f32).sin());
                let (frames, bins, values) = (8, 3, values.collect());
                let features = Features {
                    frames,
                    bins,
                    values,
                };
                Row::new(features, Target::Class(row % 2))
            })
            .collect();
        let batch = HostBatch::collate(&rows, FrameLimits::default(), &Coding::Labels(2)).unwrap();
        let batch = batch.to_device::<Cpu>(&device);
        let settings = TrainSettings {
            optimizer,
            clip_norm: 0.0,
            ..TrainSettings::default()
        };
        let model = random_model::<Cpu>(&config, 1, &device).unwrap();
        let mut stepper = Stepper::new(model, &settings);
        let plain = Objective::plain(Task::Classify);
        stepper.step(batch.clone(), &plain, learning_rate);
        let nothing = None::<(&Optimizer<NdArray<f32>>, &Average<NdArray<f32>>)>;
        let statistics = Checkpoint::of(stepper.model(), nothing, &())
            .unwrap()
            .running_statistics();
        (statistics, stepper.step(batch, &plain, learning_rate).loss)
    }

    /// However many trials a step of L-BFGS takes, and wherever they lead, batch norm has seen the batch
    /// once.
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
    fn losses(table: &str, objective: &Objective, batches: &[&[Row]], coding: &Coding) -> [f64; 2] {
        let device = Default::default();
        let config: ModelConfig = toml::from_str(table).unwrap();
        let outputs = match coding {
            Coding::Symbols(alphabet) => alphabet.num_symbols() + 1,
            _ => coding.num_labels(),
        };
        let config = config.with_input(6, 3, outputs);
        let settings = TrainSettings {
            optimizer: OptimizerKind::Sgd,
            clip_norm: 0.0,
            ..TrainSettings::default()
        };
        let model = random_model::<Cpu>(&config, 1, &device).unwrap();
        let mut stepper = Stepper::new(model, &settings);
        let limits = FrameLimits::from(&config);
        [0, 1].map(|_| {
            let batches = batches.iter().map(|rows| {
                let batch = HostBatch::collate(rows, limits, coding).unwrap();
                batch.to_device::<Cpu>(&device)
            });
            stepper.step_over(batches.collect(), objective, 0.5).loss
        })
    }

    #[test]
    fn accumulated_batches_are_one_large_batch() {
        let row = |frames: usize, target: Target| {
            let values = (0..frames * 3).map(|i| ((i * (frames + 2)) as f32).sin());
            let (bins, values) = (3, values.collect());
            let features = Features {
                frames,
                bins,
                values,
            };
            Row::new(features, target)
        };
        let assert_same = |table: &str, objective: &Objective, rows: &[Row], coding: &Coding| {
            let whole = losses(table, objective, &[rows], coding);
            let parts = losses(table, objective, &[&rows[..1], &rows[1..]], coding);
            for (whole, part) in whole.iter().zip(parts) {
                assert!((whole - part).abs() < 1e-5 * whole, "{whole} is not {part}");
            }
        };

        let classes = [(6, 0), (3, 0), (5, 1), (4, 0)];
        let classes = classes.map(|(frames, class)| row(frames, Target::Class(class)));
        let weighed = Objective {
            weights: vec![0.6, 5.0],
            ..Objective::plain(Task::Classify)
        };
        let mlp = "name = \"mlp\"\nd_hidden = [4]\ndropout = 0.0";
        assert_same(mlp, &weighed, &classes, &Coding::Labels(2));

        let texts = [(6, "abba"), (3, "a"), (5, ""), (4, "ba")];
        let texts = texts.map(|(frames, text)| row(frames, Target::Text(text.to_string())));
        let kind = AlphabetKind::Characters;
        let alphabet = Alphabet::build(kind, Normalization::default(), ["ab"]).unwrap();
        let las = "name = \"las\"\nd_listener = 3\nnum_plain_layers = 1\nnum_pyramid_layers = 1\n\
                   d_embedding = 3\nd_speller = 4\nnum_speller_layers = 1\nd_attention = 4\ndropout = 0.0";
        let spelled = Objective::plain(Task::Transcribe);
        assert_same(las, &spelled, &texts, &Coding::Symbols(Arc::new(alphabet)));
    }
}
