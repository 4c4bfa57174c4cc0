use std::sync::{Mutex, PoisonError};

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use sori_models::Model;
use sori_models::las::Sampling;

use super::average::Average;
use super::optimizer::{Gradients, Optimizer};
use super::seed::{Purpose, derive};
use super::settings::TrainSettings;
use crate::batch::Batch;
use crate::task::{Objective, Output, scalar};

/// Held from a forward pass to the end of its backward pass: in Burn 0.21 a backward pass frees parts of
/// the graphs that other threads are still building, whose gradients are then silently missing
/// (<https://github.com/tracel-ai/burn/issues/5573>).
static GRAPH: Mutex<()> = Mutex::new(());

/// A model and its optimizer, moved one training step at a time. The steps of several in one process
/// take turns.
pub struct Stepper<B: AutodiffBackend> {
    /// Taken out only while a step moves it.
    model: Option<Model<B>>,
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
}

impl<B: AutodiffBackend> Stepper<B> {
    /// `model` with a fresh optimizer.
    pub fn new(model: Model<B>, settings: &TrainSettings) -> Self {
        Self {
            model: Some(model),
            optimizer: Optimizer::new(settings),
            average: Average::new(settings.ema_decay),
            freeze: settings.freeze.clone(),
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model<B> {
        self.model
            .as_ref()
            .expect("the model is only taken out within a step")
    }

    /// The model to use: with the moving average of its parameters, where one is kept.
    pub fn averaged(&self) -> Model<B::InnerBackend> {
        self.average.fill(self.model().valid())
    }

    /// Forward, loss, backward, optimizer. A loss that is not finite moves nothing.
    pub fn step(&mut self, batch: Batch<B>, objective: &Objective, learning_rate: f64) -> Step<B> {
        self.step_over(vec![batch], objective, learning_rate)
    }

    /// One step by the mean gradient over several batches, each row counting the same.
    pub fn step_over(
        &mut self,
        batches: Vec<Batch<B>>,
        objective: &Objective,
        learning_rate: f64,
    ) -> Step<B> {
        let total: usize = batches.iter().map(|batch| batch.lengths.len()).sum();
        let mut step = Step {
            loss: 0.0,
            outputs: Vec::with_capacity(batches.len()),
        };
        let mut sum: Option<Gradients<B::InnerBackend>> = None;
        let _graph = GRAPH.lock().unwrap_or_else(PoisonError::into_inner);
        let accumulate = batches.len() as u64;
        for (index, batch) in batches.into_iter().enumerate() {
            let position = self.optimizer.steps as u64 * accumulate + index as u64;
            let sampling = Sampling {
                rate: objective.scheduled_sampling,
                seed: derive(objective.seed, Purpose::Sample, position),
            };
            let share = batch.lengths.len() as f64 / total as f64;
            let output = Output::of(self.model(), &batch, sampling);
            let loss = objective.loss(&output, &batch.targets);
            step.loss += share * scalar(loss.clone().inner());
            step.outputs.push(output.inner());
            if !step.loss.is_finite() {
                return step;
            }
            let loss = if share < 1.0 { loss * share } else { loss };
            let mut gradients = loss.backward();
            let found = Gradients::take::<B, _>(self.model(), &mut gradients, &self.freeze);
            sum = Some(match sum {
                Some(sum) => sum.plus(found),
                None => found,
            });
        }
        if let (Some(gradients), Some(model)) = (sum, self.model.take()) {
            let model = self.optimizer.step::<B, _>(model, gradients, learning_rate);
            self.average.follow(&model, self.optimizer.steps);
            self.model = Some(model);
        }
        step
    }
}
