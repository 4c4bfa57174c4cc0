use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use sori_models::{Model, loss::cross_entropy};

use super::optimizer::Optimizer;
use super::settings::TrainSettings;
use crate::batch::Batch;
use crate::task::classify::scalar;

/// A model and its optimizer, moved one training step at a time.
pub struct Stepper<B: AutodiffBackend> {
    /// Taken out only while a step moves it.
    model: Option<Model<B>>,
    pub(super) optimizer: Optimizer<B::InnerBackend>,
}

/// What a step tells.
pub struct Step<B: AutodiffBackend> {
    /// Mean loss of the batch, from before the step.
    pub loss: f64,
    /// Outputs of the model, from before the step: `[batch, classes]`.
    pub logits: Tensor<B::InnerBackend, 2>,
}

impl<B: AutodiffBackend> Stepper<B> {
    /// `model` with a fresh optimizer.
    pub fn new(model: Model<B>, settings: &TrainSettings) -> Self {
        Self {
            model: Some(model),
            optimizer: Optimizer::new(settings),
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model<B> {
        self.model
            .as_ref()
            .expect("the model is only taken out within a step")
    }

    /// Forward, loss, backward, optimizer. A loss that is not finite moves nothing.
    pub fn step(&mut self, batch: Batch<B>, learning_rate: f64) -> Step<B> {
        let loss = |logits| cross_entropy(logits, batch.targets);
        self.step_with(batch.features, &batch.lengths, loss, learning_rate)
    }

    /// [`Self::step`] with any loss of the logits.
    pub fn step_with(
        &mut self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        loss: impl FnOnce(Tensor<B, 2>) -> Tensor<B, 1>,
        learning_rate: f64,
    ) -> Step<B> {
        let logits = self.model().forward(features, lengths);
        let loss = loss(logits.clone());
        let value = scalar(loss.clone().inner());
        let logits = logits.inner();
        if value.is_finite() {
            let mut grads = loss.backward();
            if let Some(model) = self.model.take() {
                self.model = Some(
                    self.optimizer
                        .step::<B, _>(model, &mut grads, learning_rate),
                );
            }
        }
        Step {
            loss: value,
            logits,
        }
    }
}
