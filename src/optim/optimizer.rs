//! The optimizers and their state.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sori_models::ops::{AdamStep, RmsStep, SgdStep, adam_step, rms_step, sgd_step};

use super::lbfgs::Lbfgs;
use super::loss_scale::LossScale;
use super::primitive::{Primitive, tensor};
use crate::settings::training::{OptimizerKind, Precision, TrainSettings};

/// PyTorch's defaults; β₁ is a setting.
const SECOND_BETA: f64 = 0.999;
const EPSILON: f64 = 1e-8;
const RMSPROP_AVERAGE: f64 = 0.99;
const ADAGRAD_EPSILON: f64 = 1e-10;

/// The state of one parameter.
#[derive(Clone)]
pub(crate) struct Moments<B: Backend> {
    /// Adam's first moment, the momentum, or the squared gradients of RMSProp and Adagrad.
    pub(crate) first: Primitive<B>,
    /// Adam's second moment.
    pub(crate) second: Option<Primitive<B>>,
}

/// An optimizer and its state. `B` is the backend without autodiff.
pub(crate) struct Optimizer<B: Backend> {
    pub(crate) settings: TrainSettings,
    /// The state of each parameter, by its path in the model.
    pub(crate) moments: BTreeMap<String, Moments<B>>,
    /// Steps taken, for Adam's bias correction.
    pub(crate) steps: usize,
    /// The history of L-BFGS.
    pub(crate) lbfgs: Lbfgs<B>,
    /// The loss scale, in half precision. All gradients arrive multiplied by it.
    pub(crate) loss_scale: Option<LossScale>,
}

impl<B: Backend> Optimizer<B> {
    /// An optimizer before its first step.
    pub(crate) fn new(settings: &TrainSettings) -> Self {
        Self {
            settings: settings.clone(),
            moments: BTreeMap::new(),
            steps: 0,
            lbfgs: Lbfgs { pairs: Vec::new() },
            loss_scale: (settings.precision == Precision::F16).then(LossScale::default),
        }
    }

    /// Steps that were left out because gradients overflowed.
    pub(crate) fn left_out(&self) -> usize {
        self.loss_scale.map_or(0, |scale| scale.left_out)
    }

    /// Updates the parameter at `path`, and its state.
    pub(super) fn update<const D: usize>(
        &mut self,
        path: &str,
        parameter: Tensor<B, D>,
        gradient: Tensor<B, D>,
        scale: Option<Tensor<B, 1>>,
        learning_rate: f64,
    ) -> Tensor<B, D> {
        let TrainSettings {
            optimizer,
            momentum,
            weight_decay,
            ..
        } = self.settings;
        let past = self.moments.remove(path);
        let (parameter, first, second) = match optimizer {
            OptimizerKind::Sgd | OptimizerKind::Lbfgs => {
                let step = SgdStep {
                    rate: learning_rate,
                    momentum: 0.0,
                    nesterov: false,
                    // L-BFGS has the weight decay in its direction.
                    decay: match optimizer {
                        OptimizerKind::Lbfgs => 0.0,
                        _ => weight_decay,
                    },
                };
                let [parameter, _] = sgd_step(&step, parameter, gradient, None, scale);
                return parameter;
            }
            OptimizerKind::Momentum | OptimizerKind::Nesterov => {
                let step = SgdStep {
                    rate: learning_rate,
                    momentum,
                    nesterov: optimizer == OptimizerKind::Nesterov,
                    decay: weight_decay,
                };
                let past = past.map(|past| tensor(past.first));
                let [parameter, first] = sgd_step(&step, parameter, gradient, past, scale);
                (parameter, first, None)
            }
            OptimizerKind::Rmsprop | OptimizerKind::Adagrad => {
                let (average, epsilon) = match optimizer {
                    OptimizerKind::Rmsprop => (Some(RMSPROP_AVERAGE), EPSILON),
                    _ => (None, ADAGRAD_EPSILON),
                };
                let step = RmsStep {
                    rate: learning_rate,
                    average,
                    epsilon,
                    decay: weight_decay,
                };
                let past = past.map(|past| tensor(past.first));
                let [parameter, first] = rms_step(&step, parameter, gradient, past, scale);
                (parameter, first, None)
            }
            OptimizerKind::Adam | OptimizerKind::Adamw => {
                let step = AdamStep {
                    rate: learning_rate,
                    betas: [momentum, SECOND_BETA],
                    epsilon: EPSILON,
                    steps: self.steps.saturating_sub(self.left_out()).max(1),
                    decay: weight_decay,
                    decoupled: optimizer == OptimizerKind::Adamw,
                };
                let past = past.and_then(|past| Some([tensor(past.first), tensor(past.second?)]));
                let [parameter, first, second] = adam_step(&step, parameter, gradient, past, scale);
                (parameter, first, Some(second))
            }
        };
        self.moments.insert(
            path.to_string(),
            Moments {
                first: first.into_primitive().tensor(),
                second: second.map(|second| second.into_primitive().tensor()),
            },
        );
        parameter
    }
}
