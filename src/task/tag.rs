//! Tagging: any number of labels.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use sori_datasets::{Item, Target};
use sori_models::las::Sampling;
use sori_models::layers::Activation;
use sori_models::loss::binary_cross_entropy;
use sori_models::onnx::{Axis, Element, OnnxGraph, OnnxValue};
use sori_models::{Classifier, Contract};

use super::answer::{Answer, Prediction, Window};
use super::classifier::{classifier, outputs, outputs_and_embedding};
use super::contract::{Headline, Task, Windowed};
use super::event::events;
use super::labels::{add_share, matrix};
use super::metrics::Metrics;
use super::name::TaskName;
use super::objective::Objective;
use super::truth::{Truth, wrong_answer};
use crate::Result;
use crate::data::batch::Batch;
use crate::decode::Decoding;
use crate::metric::{TagScores, csv_cell};
use crate::numbers::{argmax, check_finite, rows};
use crate::run::records::EpochRecord;

/// A larger weight would let a rare tag's few recordings outweigh all others.
const MAX_POSITIVE_WEIGHT: f64 = 10.0;

/// Picks any number of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// Names of the tags, in the order of the outputs.
    pub labels: Vec<String>,
    /// The threshold of each tag's score, chosen on the validation part. Empty before the first
    /// checkpoint.
    pub thresholds: Vec<f32>,
    /// Whether a long recording has the mean score of its windows, rather than the largest.
    pub mean_over_windows: bool,
}

impl Tag {
    /// The tags of a recording, by index.
    fn tags(target: &Target) -> Result<&[usize]> {
        target.tags().ok_or_else(|| wrong_answer(Self::NAME))
    }

    /// The thresholds, or the ones that fit these answers best.
    fn thresholds(&self, scores: &TagScores) -> Vec<f32> {
        match self.thresholds.as_slice() {
            [] => scores.best_thresholds(),
            known => known.to_vec(),
        }
    }

    /// The score from which on a recording has the tag; 0.5 before the first checkpoint.
    pub fn threshold(&self, tag: usize) -> f32 {
        self.thresholds.get(tag).copied().unwrap_or(0.5)
    }

    /// The tags whose scores reach their thresholds.
    fn reached(&self, scores: &[f32]) -> Vec<usize> {
        let all = 0..scores.len();
        all.filter(|&tag| scores[tag] >= self.threshold(tag))
            .collect()
    }

    fn answer(&self, scores: &[f32]) -> Answer {
        let mut tags = self.reached(scores);
        tags.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let names = tags.into_iter().map(|tag| self.labels[tag].clone());
        Answer::Tags(names.collect())
    }
}

impl Task for Tag {
    const NAME: TaskName = TaskName::Tag;
    const HEADLINE: Headline = Headline {
        metric: "map",
        lower_is_better: false,
    };
    const LABEL: [&'static str; 2] = ["tag", "tags"];

    /// Label weights, `[rows, tags]`: 0 or 1, or a share in mixed rows.
    type Targets = Vec<f32>;
    type Network<'a, B: Backend> = &'a dyn Classifier<B>;
    /// Logits `[batch, tags]`.
    type Output<'a, B: Backend> = Tensor<B, 2>;
    type Answers = TagScores;

    fn network<B: Backend>(contract: Contract<'_, B>) -> Result<Self::Network<'_, B>> {
        classifier(Self::NAME, contract)
    }

    fn num_outputs(&self) -> usize {
        self.labels.len()
    }

    fn encode(&self, rows: &[Truth]) -> Result<Vec<f32>> {
        let num_labels = self.labels.len();
        let mut weights = vec![0.0f32; rows.len() * num_labels];
        for (truth, row) in rows.iter().zip(weights.chunks_exact_mut(num_labels.max(1))) {
            for (target, share) in truth.shares() {
                add_share(row, Self::tags(target)?, share);
            }
        }
        Ok(weights)
    }

    fn output<'a, B: Backend>(
        &self,
        network: Self::Network<'a, B>,
        batch: &Batch<B>,
        _targets: &Vec<f32>,
        _sampling: Sampling,
    ) -> Self::Output<'a, B> {
        outputs(network, batch)
    }

    fn output_and_embedding<'a, B: Backend>(
        &self,
        network: Self::Network<'a, B>,
        batch: &Batch<B>,
    ) -> Option<(Self::Output<'a, B>, Tensor<B, 2>)> {
        Some(outputs_and_embedding(network, batch))
    }

    /// Binary cross entropy with these `pos_weight`s, as in PyTorch's `BCEWithLogitsLoss`.
    fn loss<B: Backend>(
        &self,
        logits: &Tensor<B, 2>,
        targets: &Vec<f32>,
        objective: &Objective,
    ) -> Tensor<B, 1> {
        let device = logits.device();
        let smoothing = objective.label_smoothing as f32;
        let smooth = |value: &f32| *value * (1.0 - smoothing) + smoothing / 2.0;
        let values = matrix(targets.iter().map(smooth).collect(), logits.dims(), &device);
        let positive = (!objective.weights.is_empty())
            .then(|| Tensor::from_floats(objective.weights.as_slice(), &device));
        binary_cross_entropy(logits.clone(), values, positive)
    }

    /// Weighs each tag by its recordings without it over those with it, at most tenfold.
    fn objective<B: Backend>(
        &self,
        _network: Self::Network<'_, B>,
        label_smoothing: f64,
        to_weigh: Option<&[Truth]>,
    ) -> Objective {
        let weights = to_weigh.map(|truths| {
            let mut counts = vec![0.0f64; self.labels.len()];
            let tags = truths.iter().filter_map(|truth| truth.alone()?.tags());
            tags.flatten().for_each(|&tag| counts[tag] += 1.0);
            let total = truths.len() as f64;
            let weight = |count: f64| {
                let count = count.max(1.0);
                ((total - count) / count).clamp(1.0, MAX_POSITIVE_WEIGHT)
            };
            counts
                .into_iter()
                .map(|count| weight(count) as f32)
                .collect()
        });
        Objective {
            label_smoothing,
            weights: weights.unwrap_or_default(),
            ..Objective::default()
        }
    }

    fn no_answers<B: Backend>(&self, _device: &B::Device) -> TagScores {
        TagScores::new(self.labels.len())
    }

    fn add_answers<B: Backend>(
        &self,
        scores: &mut TagScores,
        _batch: &Batch<B>,
        logits: Tensor<B, 2>,
        items: &[&Item],
        _decoding: &Decoding,
    ) -> Result<()> {
        for (item, row) in items.iter().zip(rows(sigmoid(logits))) {
            scores.add(&row, Self::tags(&item.target)?);
        }
        Ok(())
    }

    fn metrics(&self, scores: &TagScores) -> Metrics {
        let found = scores.metrics(&self.thresholds(scores));
        Metrics::new([
            ("map", found.map),
            ("map_micro", found.map_micro),
            ("roc_auc", found.roc_auc),
            ("roc_auc_micro", found.roc_auc_micro),
            ("lwlrap", found.lwlrap),
            ("macro_f1", found.macro_f1),
        ])
    }

    fn best_thresholds(&self, scores: &TagScores) -> Vec<f32> {
        scores.best_thresholds()
    }

    fn labels_left_out(&self, scores: &TagScores) -> Vec<String> {
        let missing = scores.without_positive().into_iter();
        missing.map(|tag| self.labels[tag].clone()).collect()
    }

    fn to_csv(&self, scores: &TagScores) -> (&'static str, String) {
        let thresholds = self.thresholds(scores);
        ("tags.csv", scores.to_csv(&self.labels, &thresholds))
    }

    fn answer_columns(&self) -> Option<String> {
        let tags = self
            .labels
            .iter()
            .map(|label| format!(",{}", csv_cell(label)));
        Some(format!("id,truth,answer{}", tags.collect::<String>()))
    }

    fn answer_lines<B: Backend>(&self, logits: &Tensor<B, 2>, items: &[&Item]) -> Result<String> {
        let mut lines = String::new();
        for (item, row) in items.iter().zip(rows(sigmoid(logits.clone()))) {
            let names = |tags: &[usize]| {
                let names = tags.iter().map(|&tag| self.labels[tag].as_str());
                csv_cell(&names.collect::<Vec<_>>().join("|"))
            };
            let (truth, answer) = (names(Self::tags(&item.target)?), names(&self.reached(&row)));
            let scores: String = row.iter().map(|score| format!(",{score:.4}")).collect();
            lines.push_str(&format!(
                "{},{truth},{answer}{scores}\n",
                csv_cell(&item.id)
            ));
        }
        Ok(lines)
    }

    fn per_label(&self, scores: &TagScores) -> Vec<Vec<String>> {
        let header = ["tag", "recordings", "AP", "threshold", "F1"];
        let mut table = vec![header.map(String::from).to_vec()];
        let shown = |value: Option<f64>| value.map_or_else(String::new, |it| format!("{it:.3}"));
        let thresholds = self.thresholds(scores);
        for (tag, (label, threshold)) in self.labels.iter().zip(thresholds).enumerate() {
            let tag = scores.of_tag(tag, threshold);
            table.push(vec![
                label.clone(),
                tag.occurs.to_string(),
                shown(tag.average_precision),
                format!("{threshold:.3}"),
                shown(tag.f1),
            ]);
        }
        table
    }

    fn worst(&self, scores: &TagScores) -> Vec<String> {
        let found = scores.average_precisions().into_iter().zip(&self.labels);
        let mut found: Vec<_> = found.filter_map(|(ap, label)| Some((ap?, label))).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let worst = found.iter().take(5);
        worst
            .map(|(average_precision, label)| format!("{average_precision:>8.4} {label}"))
            .collect()
    }

    fn epoch_text(&self, record: &EpochRecord) -> String {
        format!(
            "validation: loss {:.4}  mAP {:.3}  ROC-AUC {:.3}",
            record.valid_loss,
            record.valid.get("map"),
            record.valid.get("roc_auc"),
        )
    }
}

impl Windowed for Tag {
    /// The independent probability of each tag.
    type Score = Vec<f32>;

    fn scores<B: Backend>(&self, network: Self::Network<'_, B>, batch: &Batch<B>) -> Vec<Vec<f32>> {
        rows(sigmoid(outputs(network, batch)))
    }

    fn onnx_scores(&self, graph: &mut OnnxGraph, outputs: OnnxValue) {
        let probabilities = graph.activate(outputs, Activation::Sigmoid);
        let axes = [Axis::Named("batch"), Axis::Fixed(self.labels.len())];
        graph.output("probabilities", probabilities, Element::Float, &axes);
    }

    /// The tags whose largest probability over the windows reaches the threshold, or whose mean.
    fn predict(&self, scores: &[Vec<f32>], spans: &[(f64, f64)]) -> Result<Prediction> {
        check_finite(scores.iter().flatten())?;
        let whole = |label: usize| {
            let each = scores.iter().map(|row| row[label]);
            match self.mean_over_windows {
                true => each.sum::<f32>() / scores.len().max(1) as f32,
                false => each.fold(0.0, f32::max),
            }
        };
        let whole: Vec<f32> = (0..self.labels.len()).map(whole).collect();
        let each = scores
            .iter()
            .map(|row| (self.answer(row), Some(row[argmax(row)])));
        Ok(Prediction {
            windows: Window::several(spans, each),
            events: events(spans, scores, &self.labels, |row| self.reached(row)),
            scores: whole.clone(),
            ..Prediction::new(self.answer(&whole))
        })
    }
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;

    use super::*;
    use crate::numbers::scalar;

    fn task() -> Tag {
        Tag {
            labels: ["a", "b", "c"].map(String::from).to_vec(),
            thresholds: Vec::new(),
            mean_over_windows: false,
        }
    }

    #[test]
    fn a_long_recording_has_the_largest_or_the_mean_score_of_its_windows() {
        let (scores, spans) = (
            [vec![0.9, 0.2, 0.5], vec![0.1, 0.4, 0.6]],
            [(0.0, 1.0), (1.0, 2.0)],
        );
        let of = |mean_over_windows| {
            let task = Tag {
                mean_over_windows,
                ..task()
            };
            task.predict(&scores, &spans).unwrap()
        };
        assert_eq!(of(false).scores, [0.9, 0.4, 0.6]);
        assert_eq!(of(true).scores, [0.5, 0.3, 0.55]);
        assert_eq!(of(false).answer.to_string(), "a, c");
    }

    /// torch 2.15.0: `binary_cross_entropy_with_logits(x, one_hot(y), pos_weight=w)`.
    #[test]
    fn the_weighed_loss_is_torchs() {
        let logits = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]];
        let logits = Tensor::<NdArray<f32>, 2>::from_floats(logits, &Default::default());
        let objective = Objective {
            weights: vec![1.0, 2.0, 0.5],
            ..Objective::default()
        };
        let targets = vec![0.0, 0.0, 1.0, 0.0, 1.0, 0.0];
        let found = scalar(task().loss(&logits, &targets, &objective));
        assert!((found - 0.765160966846).abs() < 1e-6, "{found}");
    }

    #[test]
    fn tags_become_ones_and_mixed_rows_shares() {
        let tags = |tags: &[usize]| Truth::from(Target::Tags(tags.to_vec()));
        let found = task().encode(&[tags(&[0, 2]), tags(&[])]).unwrap();
        assert_eq!(found, [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        let mixed = Truth::mixed(Target::Tags(vec![0]), 0.75, Target::Tags(vec![0, 1]));
        assert_eq!(task().encode(&[mixed]).unwrap(), [1.0, 0.25, 0.0]);
    }
}
