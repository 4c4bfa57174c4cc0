//! The task trait: everything one loop needs to train and measure any task.

use std::fmt::Debug;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sori_datasets::Item;
use sori_models::Contract;
use sori_models::las::Sampling;
use sori_models::onnx::{OnnxGraph, OnnxValue};

use super::answer::Prediction;
use super::metrics::Metrics;
use super::name::TaskName;
use super::objective::Objective;
use super::truth::Truth;
use crate::arrival::Arrival;
use crate::data::batch::Batch;
use crate::decode::Decoding;
use crate::run::records::EpochRecord;
use crate::{Error, Result};

/// The metric that chooses the best checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headline {
    /// Its name in [`Metrics`].
    pub metric: &'static str,
    /// Whether a smaller value is better.
    pub lower_is_better: bool,
}

/// Statistics of a training step beside its loss; a task fills in those that it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Rows that were classified correctly.
    pub right: usize,
    /// Steps whose most probable symbol was the blank.
    pub blanks: usize,
    /// All steps.
    pub steps: usize,
}

/// A task with its data: labels and thresholds, an alphabet or a scale.
pub trait Task: Clone + Debug + Send + Sync + 'static {
    /// Its name in run folders and results.
    const NAME: TaskName;
    /// The metric that chooses the best checkpoint.
    const HEADLINE: Headline;
    /// The word for one label, and for several.
    const LABEL: [&'static str; 2];

    /// Whether [`Seen::right`] counts, as an accuracy.
    const COUNTS_RIGHT: bool = false;

    /// The targets of a batch, as numbers.
    type Targets: Clone + Debug + Send + Sync;
    /// The network contract that it needs.
    type Network<'a, B: Backend>: Copy + Send + Sync;
    /// The network's output for a batch.
    type Output<'a, B: Backend>: Send;
    /// The answers to a whole part, as input to the metrics.
    type Answers: Send;

    /// The network behind `contract`, in the form that the task needs.
    ///
    /// # Errors
    /// When the contract belongs to another task.
    fn network<B: Backend>(contract: Contract<'_, B>) -> Result<Self::Network<'_, B>>;

    /// Number of network outputs.
    fn num_outputs(&self) -> usize;

    /// The targets of a batch, as numbers.
    ///
    /// # Errors
    /// When a row has another kind of answer, or a symbol that is not in the alphabet.
    fn encode(&self, rows: &[Truth]) -> Result<Self::Targets>;

    /// The network's output for a batch. A speller reads the right symbols, or its own predictions as
    /// `sampling` specifies.
    fn output<'a, B: Backend>(
        &self,
        network: Self::Network<'a, B>,
        batch: &Batch<B>,
        targets: &Self::Targets,
        sampling: Sampling,
    ) -> Self::Output<'a, B>;

    /// The output, and the input `[batch, d_embedding]` of the network's last layer, or none if it has
    /// none.
    fn output_and_embedding<'a, B: Backend>(
        &self,
        _network: Self::Network<'a, B>,
        _batch: &Batch<B>,
    ) -> Option<(Self::Output<'a, B>, Tensor<B, 2>)> {
        None
    }

    /// The mean loss of a batch, `[1]`.
    fn loss<B: Backend>(
        &self,
        output: &Self::Output<'_, B>,
        targets: &Self::Targets,
        objective: &Objective,
    ) -> Tensor<B, 1>;

    /// The number of items that the [`loss`](Self::loss) of a batch averages over. Weighted by it, the
    /// mean of batch losses is the mean over all items.
    fn extent<B: Backend>(
        &self,
        _network: Self::Network<'_, B>,
        lengths: &[usize],
        _targets: &Self::Targets,
        _objective: &Objective,
    ) -> f64 {
        lengths.len() as f64
    }

    /// The objective of training, given the share of label smoothing and, to weigh the labels, the
    /// answers of the training part.
    fn objective<B: Backend>(
        &self,
        _network: Self::Network<'_, B>,
        _label_smoothing: f64,
        _to_weigh: Option<&[Truth]>,
    ) -> Objective {
        Objective::default()
    }

    /// The weight of an autoencoder's divergence after `epoch` epochs.
    fn kl_weight_at<B: Backend>(_network: Self::Network<'_, B>, _epoch: f64) -> f64 {
        1.0
    }

    /// Statistics of a batch in training, once the output has come from the device.
    fn seen<B: Backend>(
        &self,
        _output: &Self::Output<'_, B>,
        _targets: &Self::Targets,
    ) -> Arrival<Seen> {
        Arrival::here(Seen::default())
    }

    /// Empty answers. Seeds `device` if the task draws random numbers.
    fn no_answers<B: Backend>(&self, device: &B::Device) -> Self::Answers;

    /// Adds the network's answers for a batch of recordings. `decoding` finds the transcripts.
    ///
    /// # Errors
    /// When a search fails, or a recording has another kind of answer.
    fn add_answers<B: Backend>(
        &self,
        answers: &mut Self::Answers,
        batch: &Batch<B>,
        output: Self::Output<'_, B>,
        items: &[&Item],
        decoding: &Decoding,
    ) -> Result<()>;

    /// The metrics of a whole part.
    fn metrics(&self, answers: &Self::Answers) -> Metrics;

    /// The threshold for each tag that fits these answers best. Empty for other tasks.
    fn best_thresholds(&self, _answers: &Self::Answers) -> Vec<f32> {
        Vec::new()
    }

    /// Labels that no recording has. Means over labels leave them out.
    fn labels_left_out(&self, _answers: &Self::Answers) -> Vec<String> {
        Vec::new()
    }

    /// The name and the contents of a CSV file of the answers.
    fn to_csv(&self, answers: &Self::Answers) -> (&'static str, String);

    /// The header of a table of the answer for each recording, where [`to_csv`](Self::to_csv) is of another
    /// kind.
    fn answer_columns(&self) -> Option<String> {
        None
    }

    /// The lines of that table for a batch of recordings, as comma-separated values.
    ///
    /// # Errors
    /// When a recording has another kind of answer.
    fn answer_lines<B: Backend>(
        &self,
        _output: &Self::Output<'_, B>,
        _items: &[&Item],
    ) -> Result<String> {
        Ok(String::new())
    }

    /// What was measured of each label: a header, and a row for each. Empty for tasks without labels.
    fn per_label(&self, _answers: &Self::Answers) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// The worst mistakes, one per line.
    fn worst(&self, _answers: &Self::Answers) -> Vec<String> {
        Vec::new()
    }

    /// An epoch's metrics as text for a person.
    fn epoch_text(&self, record: &EpochRecord) -> String;
}

/// A task that answers a long recording from its windows.
pub trait Windowed: Task {
    /// The scores of a window.
    type Score: Send;

    /// A classifier's scores of the windows of a batch.
    fn scores<B: Backend>(
        &self,
        network: Self::Network<'_, B>,
        batch: &Batch<B>,
    ) -> Vec<Self::Score>;

    /// [`Self::scores`] in ONNX, as outputs of the graph: from a classifier's outputs `[batch, outputs]`.
    fn onnx_scores(&self, graph: &mut OnnxGraph, outputs: OnnxValue);

    /// The answer for a recording from the scores of its windows, which span these seconds.
    ///
    /// # Errors
    /// When a score is not finite.
    fn predict(&self, scores: &[Self::Score], spans: &[(f64, f64)]) -> Result<Prediction>;
}

/// The error of a network whose contract does not fit `task`.
pub(crate) fn wrong_network<B: Backend>(task: TaskName, found: &Contract<'_, B>) -> Error {
    let expected = match task {
        TaskName::Classify | TaskName::Tag | TaskName::Regress => "a classifier",
        TaskName::Transcribe => "an emitter or a speller",
        TaskName::Autoencode => "an autoencoder",
        TaskName::Generate => "a generator with its discriminator",
    };
    Error::Input(format!(
        "the task {task} takes {expected}, and the network's role is {:?}",
        found.role()
    ))
}
