//! The settings of training: optimizer, schedule, batches, loss.

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use sori_models::ops::HalfPrecision;

use crate::task::scale::RegressionLoss;

/// More threads than any data pipeline needs.
pub(super) const MAX_WORKERS: usize = 256;

/// The optimizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam, [Kingma and Ba 2015](https://arxiv.org/abs/1412.6980); weight decay is added to the gradient.
    Adam,
    /// Adam with decoupled weight decay, [Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101).
    Adamw,
    /// Stochastic gradient descent, without momentum.
    Sgd,
    /// Gradient descent with momentum, [Polyak 1964](https://doi.org/10.1016/0041-5553(64)90137-5).
    Momentum,
    /// Gradient descent with Nesterov's momentum, [Sutskever et al.
    /// 2013](https://proceedings.mlr.press/v28/sutskever13.html).
    Nesterov,
    /// RMSProp, [Tieleman and Hinton
    /// 2012](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf), with a moving
    /// average that keeps 0.99 of the squares.
    Rmsprop,
    /// Adagrad, [Duchi et al. 2011](https://jmlr.org/papers/v12/duchi11a.html).
    Adagrad,
    /// L-BFGS, [Liu and Nocedal 1989](https://doi.org/10.1007/BF01589116), one iteration per step.
    /// Curvature is measured on the step's own batch ([Schraudolph et al.
    /// 2007](https://proceedings.mlr.press/v2/schraudolph07a.html)). A step that does not lower that
    /// batch's loss is halved until it does. The learning rate is 1 if the batch is the whole training
    /// part. The gradient is not clipped.
    Lbfgs,
}

/// The course of the learning rate from its warm-up to the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Constant.
    Constant,
    /// Half a cosine down to zero, [Loshchilov and Hutter 2017](https://arxiv.org/abs/1608.03983).
    Cosine,
    /// Multiplied by `decay_factor` every `decay_epochs`.
    Step,
    /// The same decay as `step`, spread evenly over all steps.
    Exponential,
    /// Up from a 25th over the first third by half a cosine, then down by another to nearly zero
    /// ([Smith and Topin 2017](https://arxiv.org/abs/1708.07120)). It includes its own warm-up.
    OneCycle,
    /// Multiplied by `decay_factor` whenever `decay_epochs` have passed without a better validation
    /// result.
    Plateau,
}

/// The precision of the products of layers in training.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Half precision with a scaled loss, [Micikevicius et al. 2018](https://arxiv.org/abs/1710.03740).
    F16,
    /// Eight significant bits and the range of single precision.
    Bf16,
}

impl Precision {
    /// The half precision, if it is one.
    pub fn half(self) -> Option<HalfPrecision> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(HalfPrecision::F16),
            Self::Bf16 => Some(HalfPrecision::Bf16),
        }
    }
}

/// The criterion for the best epoch so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BestBy {
    /// The task's headline metric on the validation part. Ties are broken by the loss.
    Metric,
    /// The loss on the validation part.
    Loss,
    /// Always the last epoch, where the validation part is too small to choose by.
    Last,
}

/// The settings of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// Passes over the training part.
    pub epochs: usize,
    /// Recordings in a step.
    pub batch_size: usize,
    /// The seed of all randomness of the run.
    pub seed: u64,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// Learning rate at the end of the warm-up.
    pub learning_rate: f64,
    /// Momentum of the optimizers `momentum` and `nesterov`, and for `adam` and `adamw` the decay β₁ of
    /// the gradient's moving average.
    pub momentum: f64,
    /// Weight decay, the L2 penalty: half of this times the sum of the squared parameters is added
    /// to the loss (`adamw` shrinks the parameters by it instead). 0: none.
    pub weight_decay: f64,
    /// The L1 penalty: this times the sum of the parameters' magnitudes is added to the loss. 0: none.
    pub l1_penalty: f64,
    /// Largest norm of the gradient of all parameters together. 0: no limit.
    pub clip_norm: f64,
    /// The course of the learning rate after the warm-up.
    pub schedule: ScheduleKind,
    /// Epochs (or a part of one) over which the learning rate rises from 0.
    pub warmup_epochs: f64,
    /// The factor of the schedules `step`, `exponential` and `plateau`.
    pub decay_factor: f64,
    /// The number of epochs before each of their decays.
    pub decay_epochs: usize,
    /// Batches averaged into one step's gradient, for a larger batch than fits into memory.
    pub accumulate: usize,
    /// Decay of a moving average of the parameters, which is then validated and kept. 0: none.
    pub ema_decay: f64,
    /// The share of a target that is spread over all labels.
    pub label_smoothing: f64,
    /// The probability that a speller in training reads its own prediction, not the target
    /// (scheduled sampling, [Bengio et al. 2015](https://arxiv.org/abs/1506.03099)).
    pub scheduled_sampling: f64,
    /// Added to the blank's score in the loss of a recogniser trained by CTC, at first; it falls to 0 over the first
    /// quarter of the run. The network then begins by saying nothing, not by filling silence with symbols.
    pub blank_offset: f64,
    /// Weigh up the loss of rare classes, and the presence of rare tags (at most tenfold).
    pub class_weights: bool,
    /// The loss for numbers: `l1`, `l2` or `gaussian`. Augmentation leaves the number unchanged
    /// (`augment.mix` takes the mean), so do not use any that changes the quantity.
    pub regression_loss: RegressionLoss,
    /// The weight λ of domain-adversarial training, by which a classifier learns embeddings from which
    /// another network cannot tell a recording's domain (its speaker, if the corpus names them). That
    /// network's gradient is reversed ([Ganin et al. 2016](https://jmlr.org/papers/v17/15-239.html)).
    /// The weight rises to this over the run, as in the paper. 0: none.
    pub adversary_weight: f64,
    /// Draw recordings so that all classes come up equally often, rather than each recording once.
    pub balance: bool,
    /// Put recordings of similar length into the same batch, which saves computing on padding.
    pub bucket: bool,
    /// Order the first epoch from short recordings to long ones, which stabilises a recogniser's
    /// start (SortaGrad, [Amodei et al. 2016](https://arxiv.org/abs/1512.02595)).
    pub sort_first_epoch: bool,
    /// Parts of the model whose parameters stay fixed, such as `["blocks"]`.
    pub freeze: Vec<String>,
    /// The criterion for the best epoch, whose weights are kept: `metric`, `loss` or `last`. `last`
    /// does not go with `patience` or the schedule `plateau`.
    pub best_by: BestBy,
    /// The share of the epochs after which the validation part is learned from as well, with the schedule
    /// begun anew: what was measured on it until then is the forecast. Only a part that was set aside
    /// from the training part, where there is a test part beside, `best_by` is `last` and there is no adversary.
    /// 1: never.
    pub join_valid: f64,
    /// Stop after this many epochs without a better validation result. 0: never.
    pub patience: usize,
    /// Minutes of training after which to stop; 0: no limit. The schedules `cosine` and `one-cycle` come
    /// to their end by then.
    pub max_minutes: f64,
    /// Steps between two checkpoints within an epoch; 0: only at its end.
    pub checkpoint_steps: usize,
    /// The precision of the products of layers: `f32`, or `f16` or `bf16` on a GPU that has it. Parameters,
    /// moments, evaluation and predictions stay in single precision.
    pub precision: Precision,
    /// Threads that load recordings ahead of the training step. 0: as many as compute.
    pub workers: usize,
    /// Write the measurements of each epoch for TensorBoard as well, beside `metrics.jsonl`.
    pub tensorboard: bool,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            epochs: 15,
            batch_size: 32,
            seed: 0,
            optimizer: OptimizerKind::Adam,
            learning_rate: 1e-3,
            momentum: 0.9,
            weight_decay: 0.0,
            l1_penalty: 0.0,
            clip_norm: 5.0,
            schedule: ScheduleKind::Cosine,
            warmup_epochs: 0.5,
            decay_factor: 0.5,
            decay_epochs: 3,
            accumulate: 1,
            ema_decay: 0.0,
            label_smoothing: 0.0,
            scheduled_sampling: 0.0,
            blank_offset: 0.0,
            class_weights: false,
            regression_loss: RegressionLoss::default(),
            adversary_weight: 0.0,
            balance: false,
            bucket: true,
            sort_first_epoch: false,
            freeze: Vec::new(),
            best_by: BestBy::Metric,
            join_valid: 1.0,
            patience: 0,
            max_minutes: 0.0,
            checkpoint_steps: 200,
            precision: Precision::default(),
            workers: 0,
            tensorboard: false,
        }
    }
}

impl TrainSettings {
    /// Sets the number of epochs, and makes the moving average reach over the same share of them.
    pub(crate) fn shorten(&mut self, epochs: usize) {
        if self.ema_decay > 0.0 {
            let faster = self.epochs as f64 / epochs.max(1) as f64;
            self.ema_decay = 1.0 - ((1.0 - self.ema_decay) * faster).min(0.5);
        }
        self.epochs = epochs;
    }

    /// Threads that load recordings on this machine.
    pub fn num_workers(&self) -> usize {
        match self.workers {
            0 => rayon::current_num_threads().min(MAX_WORKERS),
            workers => workers,
        }
    }
}
