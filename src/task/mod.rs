//! What a model is for: its loss, its metrics and how its answer is shown.

mod generate;
mod regress;
mod transcribe;

use std::collections::BTreeMap;

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sori_datasets::{Item, Target, TaskKind};
use sori_models::las::{Listened, Sampling, Spelled};
use sori_models::loss::{
    Bound, CtcOptions, Reduction, binary_cross_entropy, cross_entropy, soft_cross_entropy,
};
use sori_models::ops::in_pool;
use sori_models::{Emissions, GanLosses, Model, ModelConfig};

pub use generate::Patches;
pub(crate) use generate::{generated, noise};
pub(crate) use regress::Estimate;
pub use regress::{RegressionLoss, Scale};
use transcribe::heard;
pub use transcribe::{Blanks, Heard, Transcripts, best_paths};
pub(crate) use transcribe::{indices, log_probs, searched, spelled_best, written};

use crate::batch::{Batch, Coding, Targets};
use crate::decode::Decoding;
use crate::metric::{ConfusionMatrix, TagScores, ValueError, ValueErrors};
use crate::train::Loader;
use crate::{Error, Result};

/// What is to be said of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One label of several.
    Classify,
    /// Any number of labels.
    Tag,
    /// What is said in it.
    Transcribe,
    /// How much of a quantity there is.
    Regress,
    /// Nothing: it is encoded and decoded again, and its likelihood bounded.
    Autoencode,
    /// Nothing: others like it are made.
    Generate,
}

impl Task {
    /// What `model` does with recordings that are to be recognised as `corpus` says.
    pub fn of_model(model: &ModelConfig, corpus: TaskKind) -> Self {
        match model {
            ModelConfig::Vae(_) => Self::Autoencode,
            ModelConfig::Gan(_) => Self::Generate,
            _ => Self::of(corpus),
        }
    }

    /// Whether it makes patches, whatever is to be said of a recording.
    pub fn generates(self) -> bool {
        matches!(self, Self::Autoencode | Self::Generate)
    }

    /// Whether its answers are of named labels, or of a named quantity.
    pub fn has_labels(self) -> bool {
        matches!(self, Self::Classify | Self::Tag | Self::Regress)
    }

    /// The task of a corpus.
    pub fn of(kind: TaskKind) -> Self {
        match kind {
            TaskKind::Classify => Self::Classify,
            TaskKind::Tag => Self::Tag,
            TaskKind::Transcribe => Self::Transcribe,
            TaskKind::Regress => Self::Regress,
        }
    }

    /// Its name in run folders and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Tag => "tag",
            Self::Transcribe => "transcribe",
            Self::Regress => "regress",
            Self::Autoencode => "autoencode",
            Self::Generate => "generate",
        }
    }

    /// The metric that chooses the best checkpoint.
    pub fn headline(self) -> &'static str {
        match self {
            Self::Classify => "accuracy",
            Self::Tag => "map",
            Self::Transcribe => "wer",
            Self::Regress => "mae",
            Self::Autoencode => "bound",
            Self::Generate => "frechet",
        }
    }

    /// Whether a smaller [`headline`](Self::headline) is the better one.
    pub fn lower_is_better(self) -> bool {
        matches!(self, Self::Transcribe | Self::Regress | Self::Generate)
    }

    /// What a label is called.
    pub fn label(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Classify, 1) => "class",
            (Self::Classify, _) => "classes",
            (Self::Tag, 1) => "tag",
            (Self::Tag, _) => "tags",
            (Self::Transcribe, 1) => "symbol",
            (Self::Transcribe, _) => "symbols",
            (Self::Regress, 1) => "quantity",
            (Self::Regress, _) => "quantities",
            (Self::Autoencode | Self::Generate, _) => "labels",
        }
    }

    /// The probability of each label, row by row, from `logits` `[batch, labels]`: of classes they
    /// add up to one, of tags each stands for itself.
    ///
    /// # Panics
    /// For other tasks, which have no labels.
    pub fn probabilities<B: Backend>(self, logits: Tensor<B, 2>) -> Vec<Vec<f32>> {
        rows(match self {
            Self::Classify => softmax(logits, 1),
            Self::Tag => sigmoid(logits),
            _ => panic!("there are no labels"),
        })
    }
}

/// What a model says of a batch.
#[derive(Clone, Debug)]
pub enum Output<B: Backend> {
    /// The logits of each label, `[batch, labels]`; of a quantity, its value and, where that is learned,
    /// the logarithm of its variance, as [`Scale`] has them.
    Labels(Tensor<B, 2>),
    /// The logits of each symbol at each step.
    Symbols(Emissions<B>),
    /// The logits of each symbol of the right transcript, given those before it.
    Spelled(Spelled<B>),
    /// The evidence lower bound of each row.
    Bound(Bound<B>),
    /// What a generator and its discriminator make of each other.
    Adversarial(GanLosses<B>),
}

impl<B: Backend> Output<B> {
    /// What `model` says of `batch`; a speller reads its own guesses as `sampling` says.
    ///
    /// # Panics
    /// If the model is a speller and the batch has no transcripts.
    pub fn of(model: &Model<B>, batch: &Batch<B>, sampling: Sampling) -> Self {
        let (features, lengths) = (batch.features.clone(), &batch.lengths);
        in_pool::<B, _>(|| match (model, &batch.targets) {
            (Model::Las(model), Targets::Transcripts(transcripts)) => {
                Self::Spelled(model.forward(features, lengths, transcripts, sampling))
            }
            (Model::Vae(model), _) => {
                let noise = noise(lengths.len(), model.d_latent(), &features.device());
                Self::Bound(model.bound(features, lengths, noise))
            }
            (Model::Gan(model), _) => {
                let noise = noise(lengths.len(), model.d_latent(), &features.device());
                Self::Adversarial(model.losses(features, lengths, noise))
            }
            (Model::DeepSpeech2(_), _) => Self::Symbols(model.emissions(features, lengths)),
            _ => Self::Labels(model.forward(features, lengths)),
        })
    }
}

impl<B: AutodiffBackend> Output<B> {
    /// The same without a graph.
    pub fn inner(self) -> Output<B::InnerBackend> {
        match self {
            Self::Labels(logits) => Output::Labels(logits.inner()),
            Self::Symbols(Emissions { logits, lengths }) => Output::Symbols(Emissions {
                logits: logits.inner(),
                lengths,
            }),
            Self::Spelled(spelled) => Output::Spelled(Spelled {
                logits: spelled.logits.inner(),
                lengths: spelled.lengths,
                ctc_logits: spelled.ctc_logits.map(Tensor::inner),
                listened: Listened {
                    states: spelled.listened.states.inner(),
                    lengths: spelled.listened.lengths,
                },
            }),
            Self::Bound(bound) => Output::Bound(Bound {
                log_likelihood: bound.log_likelihood.inner(),
                divergence: bound.divergence.inner(),
                num_values: bound.num_values,
            }),
            Self::Adversarial(losses) => Output::Adversarial(GanLosses {
                discriminator: losses.discriminator.inner(),
                generator: losses.generator.inner(),
            }),
        }
    }
}

/// What training makes small.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The task.
    pub task: Task,
    /// How much of a target is spread over all labels ([Szegedy et al.
    /// 2015](https://arxiv.org/abs/1512.00567)).
    pub label_smoothing: f64,
    /// The weight of each class, or of each tag's presence; empty: all the same.
    pub weights: Vec<f32>,
    /// The share of a speller's loss that is CTC over what its listener heard.
    pub ctc_weight: f64,
    /// How often a speller reads its own guess.
    pub scheduled_sampling: f64,
    /// What those guesses are drawn from.
    pub seed: u64,
    /// What is minimised of a quantity.
    pub regression: RegressionLoss,
    /// What the gradient of the adversary is multiplied by, turned round, on its way into the model.
    pub adversary_weight: f64,
    /// What the divergence of a variational autoencoder counts.
    pub kl_weight: f64,
}

impl Objective {
    /// The loss of a task as it is reported, without smoothing and weights.
    pub fn plain(task: Task) -> Self {
        Self {
            task,
            label_smoothing: 0.0,
            weights: Vec::new(),
            ctc_weight: 0.0,
            scheduled_sampling: 0.0,
            seed: 0,
            regression: RegressionLoss::default(),
            adversary_weight: 0.0,
            kl_weight: 1.0,
        }
    }

    /// The mean loss of the rows, as PyTorch's `CrossEntropyLoss` and `BCEWithLogitsLoss` have it
    /// with these weights and this smoothing; of transcripts as its `CTCLoss` has it, each divided by
    /// the length of its transcript, and zero where a row has too few steps for it. What is spelled
    /// costs its cross entropy, ends of sentences among it, and a share of CTC.
    ///
    /// # Panics
    /// If the targets are not of the output's kind.
    pub fn loss<B: Backend>(&self, output: &Output<B>, targets: &Targets) -> Tensor<B, 1> {
        match (output, targets) {
            (Output::Symbols(emissions), Targets::Transcripts(transcripts)) => {
                // A row that augmentation made too short for its transcript teaches nothing.
                let options = CtcOptions {
                    reduction: Reduction::Mean,
                    zero_infinity: true,
                };
                emissions.ctc(transcripts, options)
            }
            (Output::Spelled(spelled), Targets::Transcripts(transcripts)) => {
                spelled.loss(transcripts, self.label_smoothing, self.ctc_weight)
            }
            (Output::Bound(bound), _) => bound.loss(self.kl_weight),
            // Each network has the gradient of its own alone.
            (Output::Adversarial(losses), _) => {
                losses.discriminator.clone() + losses.generator.clone()
            }
            (Output::Labels(outputs), Targets::Values(values)) => {
                self.regression.of(outputs.clone(), values)
            }
            (Output::Labels(logits), Targets::Classes(_) | Targets::Weights(_)) => {
                self.loss_of_labels(logits.clone(), targets)
            }
            _ => panic!("the targets are of another kind than what the model says"),
        }
    }

    /// How much the mean [`loss`](Self::loss) of `batch` is a mean over, so that means of several batches
    /// weighed by it are the mean of all: rows, each with the weight of its class; of a speller symbols
    /// and ends, and of a variational autoencoder valid frames. (CTC's share of a speller's loss is a mean
    /// over rows and goes by symbols here.)
    pub fn extent<B: Backend>(&self, model: &Model<B>, batch: &Batch<B>) -> f64 {
        let rows = batch.lengths.len() as f64;
        match (model, &batch.targets) {
            (Model::Las(_), Targets::Transcripts(transcripts)) => {
                transcripts.iter().map(|row| row.len() as f64 + 1.0).sum()
            }
            (Model::Vae(_), _) => batch.lengths.iter().sum::<usize>() as f64,
            (_, Targets::Classes(_) | Targets::Weights(_))
                if self.task == Task::Classify && !self.weights.is_empty() =>
            {
                let values = batch.targets.to_weights(self.weights.len());
                let weights = self.weights.iter().cycle();
                values
                    .iter()
                    .zip(weights)
                    .map(|(t, w)| f64::from(t * w))
                    .sum()
            }
            _ => rows,
        }
    }

    fn loss_of_labels<B: Backend>(&self, logits: Tensor<B, 2>, targets: &Targets) -> Tensor<B, 1> {
        let [batch, labels] = logits.dims();
        let device = logits.device();
        if let (Task::Classify, Targets::Classes(classes)) = (self.task, targets)
            && self.label_smoothing == 0.0
            && self.weights.is_empty()
        {
            let classes: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
            let classes = TensorData::new(classes, [batch]);
            return cross_entropy(logits, Tensor::<B, 1, Int>::from_data(classes, &device));
        }
        let mut values = targets.to_weights(labels);
        let smoothing = self.label_smoothing as f32;
        let matrix = |values: Vec<f32>| {
            Tensor::<B, 2>::from_data(TensorData::new(values, [batch, labels]), &device)
        };
        match self.task {
            Task::Classify => {
                let weight = |label: usize| self.weights.get(label).copied().unwrap_or(1.0);
                let weighed = values.iter().enumerate();
                let total: f32 = weighed.map(|(i, t)| t * weight(i % labels)).sum();
                let scale = batch as f32 / total;
                for (i, value) in values.iter_mut().enumerate() {
                    let smooth = *value * (1.0 - smoothing) + smoothing / labels as f32;
                    *value = smooth * weight(i % labels) * scale;
                }
                soft_cross_entropy(logits, matrix(values))
            }
            Task::Tag => {
                for value in &mut values {
                    *value = *value * (1.0 - smoothing) + smoothing / 2.0;
                }
                let positive = (!self.weights.is_empty())
                    .then(|| Tensor::from_floats(self.weights.as_slice(), &device));
                binary_cross_entropy(logits, matrix(values), positive)
            }
            _ => panic!("there are no labels"),
        }
    }
}

/// Metrics over a whole part, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metrics(pub BTreeMap<String, f64>);

impl Metrics {
    fn new<const N: usize>(metrics: [(&str, f64); N]) -> Self {
        Self(
            metrics
                .map(|(name, value)| (name.to_string(), value))
                .into(),
        )
    }

    /// Each as a person would name it and read it, `headline` first.
    pub fn named(&self, headline: &str) -> impl Iterator<Item = (String, String)> {
        let shown = |(name, value): (&String, &f64)| {
            let name = match name.as_str() {
                "macro_f1" => "macro F1",
                "map" => "mAP",
                "map_micro" => "micro mAP",
                "roc_auc" => "ROC-AUC",
                "roc_auc_micro" => "micro ROC-AUC",
                "wer" => "WER",
                "cer" => "CER",
                "jamo_cer" => "jamo CER",
                "mae" => "MAE",
                "rmse" => "RMSE",
                "r2" => "R²",
                "nll" => "NLL",
                "importance_bound" => "importance bound",
                "kl" => "KL",
                "frechet" => "Fréchet distance",
                "told_apart" => "told apart",
                "substitutions" | "deletions" | "insertions" => {
                    return (name.clone(), value.to_string());
                }
                other => other,
            };
            (name.to_string(), format!("{value:.4}"))
        };
        let (first, others): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(name, _)| *name == headline);
        first.into_iter().chain(others).map(shown)
    }

    /// All of them as text, `headline` first.
    pub fn text(&self, headline: &str) -> String {
        let all = self.named(headline);
        let all = all.map(|(name, value)| format!("{name} {value}"));
        all.collect::<Vec<_>>().join("  ")
    }

    /// The metric of this name; not a number where there is none.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }
}

/// What a model made of a whole part.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// The answers.
    pub answers: Answers,
}

/// The answers to a whole part, as their task counts them.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// How often each class was taken for each other.
    Classes(ConfusionMatrix),
    /// The score of each tag of each recording.
    Tags(TagScores),
    /// What was heard in each recording.
    Transcripts(Transcripts),
    /// How much there is in each recording, and how much was said to be.
    Values(ValueErrors),
    /// How the patches that are made differ from those of the part.
    Patches(Patches),
}

impl Evaluation {
    /// The metrics; tags are taken to be there from their `thresholds` on (none given: from those
    /// that suit these very answers best).
    pub fn metrics(&self, thresholds: &[f32]) -> Metrics {
        match &self.answers {
            Answers::Classes(confusion) => Metrics::new([
                ("accuracy", confusion.accuracy()),
                ("macro_f1", confusion.macro_f1()),
            ]),
            Answers::Tags(scores) => {
                let found = if thresholds.is_empty() {
                    scores.metrics(&scores.best_thresholds())
                } else {
                    scores.metrics(thresholds)
                };
                Metrics::new([
                    ("map", found.map),
                    ("map_micro", found.map_micro),
                    ("roc_auc", found.roc_auc),
                    ("roc_auc_micro", found.roc_auc_micro),
                    ("lwlrap", found.lwlrap),
                    ("macro_f1", found.macro_f1),
                ])
            }
            Answers::Transcripts(found) => found.metrics(),
            Answers::Values(found) => {
                let mut metrics = Metrics::new([
                    ("mae", found.mae()),
                    ("rmse", found.rmse()),
                    ("r2", found.r2()),
                ]);
                if let Some(nll) = found.nll() {
                    metrics.0.insert("nll".to_string(), nll);
                }
                metrics
            }
            Answers::Patches(found) => found.metrics(),
        }
    }

    /// The threshold of each tag that suits these answers best; none but of tags.
    pub fn thresholds(&self) -> Vec<f32> {
        match &self.answers {
            Answers::Tags(scores) => scores.best_thresholds(),
            _ => Vec::new(),
        }
    }

    /// Labels that no recording has, which means over labels leave out.
    pub fn labels_left_out(&self, labels: &[String]) -> Vec<String> {
        match &self.answers {
            Answers::Tags(scores) => {
                let missing = scores.without_positive().into_iter();
                missing.map(|tag| labels[tag].clone()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The answers, label by label or recording by recording, as comma-separated values, and the
    /// name of their file.
    ///
    /// # Panics
    /// When there is not one of `labels` for each label of the answers.
    pub fn to_csv(&self, labels: &[String], thresholds: &[f32]) -> (&'static str, String) {
        match &self.answers {
            Answers::Classes(confusion) => ("confusion.csv", confusion.to_csv(labels)),
            Answers::Tags(scores) => ("tags.csv", scores.to_csv(labels, thresholds)),
            Answers::Transcripts(found) => ("transcripts.csv", found.errors.to_csv()),
            Answers::Values(found) => ("values.csv", found.to_csv()),
            Answers::Patches(found) => ("patches.csv", found.to_csv()),
        }
    }
}

/// Runs `model` over the recordings `items`, as `loader` loads them; transcripts are found by
/// `decoding`.
///
/// # Errors
/// The first error of a recording.
pub fn evaluate<B: Backend>(
    model: &Model<B>,
    loader: &Loader,
    items: &[&Item],
    task: Task,
    decoding: &Decoding,
    device: &B::Device,
) -> Result<Evaluation> {
    let objective = Objective {
        regression: loader.regression(),
        ..Objective::plain(task)
    };
    let num_labels = loader.coding().num_labels();
    let mut answers = match task {
        Task::Classify => Answers::Classes(ConfusionMatrix::new(num_labels)),
        Task::Tag => Answers::Tags(TagScores::new(num_labels)),
        Task::Transcribe => Answers::Transcripts(Transcripts::default()),
        Task::Regress => Answers::Values(ValueErrors::default()),
        Task::Autoencode | Task::Generate => {
            B::seed(device, generate::EVALUATION_SEED);
            Answers::Patches(Patches::default())
        }
    };
    let (mut loss, mut extent, mut count) = (0.0, 0.0, 0);
    for batch in loader.batches(items) {
        let batch = batch?.to_device::<B>(device);
        let output = Output::of(model, &batch, Sampling::default());
        let mean = scalar(objective.loss(&output, &batch.targets));
        let here = &items[count..count + batch.lengths.len()];
        count += here.len();
        let size = objective.extent(model, &batch);
        loss += mean * size;
        extent += size;
        match (&mut answers, &batch.targets, output) {
            (Answers::Classes(confusion), Targets::Classes(classes), Output::Labels(logits)) => {
                for (&truth, row) in classes.iter().zip(rows(logits)) {
                    confusion.add(truth, argmax(&row));
                }
            }
            (Answers::Tags(scores), targets, Output::Labels(logits)) => {
                let weights = targets.to_weights(num_labels);
                let truths = weights.chunks_exact(num_labels.max(1));
                for (truths, row) in truths.zip(task.probabilities(logits)) {
                    let tags: Vec<usize> = (0..num_labels).filter(|&t| truths[t] > 0.5).collect();
                    scores.add(&row, &tags);
                }
            }
            (Answers::Patches(found), _, _) => found.add(model, &batch),
            (Answers::Values(found), Targets::Values(_), Output::Labels(outputs)) => {
                let Coding::Value(scale) = loader.coding() else {
                    continue;
                };
                for (item, estimate) in here.iter().zip(scale.estimates(outputs)) {
                    if let Target::Value(truth) = item.target {
                        found.all.push(ValueError {
                            id: item.id.clone(),
                            truth,
                            value: estimate.value,
                            deviation: estimate.deviation,
                        });
                    }
                }
            }
            (Answers::Transcripts(found), _, output) => {
                let Coding::Symbols(alphabet) = loader.coding() else {
                    continue;
                };
                let heard = heard(model, output, decoding, alphabet)?;
                for (item, heard) in here.iter().zip(heard) {
                    if let Target::Text(text) = &item.target {
                        found.add(&item.id, text, &heard, alphabet);
                    }
                }
            }
            _ => {
                return Err(Error::Input(
                    "a set to measure on has an answer of the run's kind for each recording"
                        .to_string(),
                ));
            }
        }
    }
    Ok(Evaluation {
        loss: if count == 0 { 0.0 } else { loss / extent },
        answers,
    })
}

/// What a recogniser trained by CTC says of the recordings `items`, as `loader` loads them: the
/// log-probability of each symbol at each step, recording by recording.
///
/// # Errors
/// The first error of a recording, and when the model is none that says symbols at each step.
pub fn emissions<B: Backend>(
    model: &Model<B>,
    loader: &Loader,
    items: &[&Item],
    device: &B::Device,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let mut found = Vec::with_capacity(items.len());
    for batch in loader.batches(items) {
        let batch = batch?.to_device::<B>(device);
        let Output::Symbols(emissions) = Output::of(model, &batch, Sampling::default()) else {
            return Err(Error::Input(
                "--emissions is for deep_speech2, which says something at each step".to_string(),
            ));
        };
        found.extend(log_probs(&emissions));
    }
    Ok(found)
}

/// How many rows of `logits` `[batch, classes]` have their largest value at the target's largest.
pub fn count_right<B: Backend>(logits: Tensor<B, 2>, targets: &Targets) -> usize {
    let labels = logits.dims()[1];
    let weights = targets.to_weights(labels);
    let pairs = rows(logits);
    let pairs = pairs.iter().zip(weights.chunks_exact(labels.max(1)));
    pairs
        .filter(|(row, weights)| argmax(row) == argmax(weights))
        .count()
}

/// Index of the largest value, the first of equals.
pub fn argmax(values: &[f32]) -> usize {
    values.iter().enumerate().fold(
        0,
        |best, (i, value)| if *value > values[best] { i } else { best },
    )
}

/// The one number of a tensor.
pub(crate) fn scalar<B: Backend>(tensor: Tensor<B, 1>) -> f64 {
    host(tensor).first().copied().map_or(f64::NAN, f64::from)
}

fn rows<B: Backend>(tensor: Tensor<B, 2>) -> Vec<Vec<f32>> {
    let columns = tensor.dims()[1];
    host(tensor).chunks(columns).map(<[f32]>::to_vec).collect()
}

pub(crate) fn host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert_dtype(DType::F32)
        .into_vec()
        .expect("the data was just converted to f32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_ndarray::NdArray;

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(argmax(&[0.0, 2.0, 2.0, 1.0]), 1);
        assert_eq!(argmax(&[f32::NEG_INFINITY, -3.0]), 1);
    }

    fn loss(objective: &Objective, targets: &Targets) -> f64 {
        let logits = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]];
        let logits = Tensor::<NdArray<f32>, 2>::from_floats(logits, &Default::default());
        scalar(objective.loss(&Output::Labels(logits), targets))
    }

    /// torch 2.15.0, logits and targets as here: `cross_entropy(x, y)`,
    /// `cross_entropy(x, y, weight=w)`, `cross_entropy(x, y, weight=w, label_smoothing=0.1)`, and
    /// `binary_cross_entropy_with_logits(x, one_hot(y), pos_weight=w)`.
    #[test]
    fn losses_with_weights_and_smoothing_are_torchs() {
        let classes = Targets::Classes(vec![2, 1]);
        let plain = Objective::plain(Task::Classify);
        let weighed = Objective {
            weights: vec![1.0, 2.0, 0.5],
            ..plain.clone()
        };
        let smooth = Objective {
            label_smoothing: 0.1,
            ..weighed.clone()
        };
        let tags = Objective {
            task: Task::Tag,
            ..weighed.clone()
        };
        for (objective, expected) in [
            (&plain, PLAIN),
            (&weighed, WEIGHED),
            (&smooth, SMOOTH),
            (&tags, TAGS),
        ] {
            let found = loss(objective, &classes);
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }
    const PLAIN: f64 = 0.910991953032;
    const WEIGHED: f64 = 1.312800346857;
    const SMOOTH: f64 = 1.356546227788;
    const TAGS: f64 = 0.765160966846;

    #[test]
    fn a_target_that_is_all_of_one_class_costs_what_the_class_does() {
        let plain = Objective::plain(Task::Classify);
        let mixed = Targets::Weights(vec![0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        let found = loss(&plain, &mixed) - loss(&plain, &Targets::Classes(vec![2, 1]));
        assert!(found.abs() < 1e-6);
    }
}
