//! Classification: one label out of several.

use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use sori_datasets::{Item, Target};
use sori_models::las::Sampling;
use sori_models::loss::{cross_entropy, soft_cross_entropy};
use sori_models::onnx::{Axis, Element, OnnxGraph, OnnxValue};
use sori_models::{Classifier, Contract};

use super::answer::{Answer, Prediction, Window};
use super::classifier::{classifier, outputs, outputs_and_embedding};
use super::contract::{Headline, Seen, Task, Windowed};
use super::event::events;
use super::labels::{Labels, add_share, matrix};
use super::metrics::Metrics;
use super::name::TaskName;
use super::objective::Objective;
use super::truth::{Truth, wrong_answer};
use crate::Result;
use crate::arrival::Arrival;
use crate::data::batch::Batch;
use crate::decode::Decoding;
use crate::metric::{ConfusionMatrix, csv_cell};
use crate::numbers::{argmax, check_finite, rows};
use crate::run::records::EpochRecord;

/// Picks one label out of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Classify {
    /// Names of the classes, in the order of the outputs.
    pub labels: Vec<String>,
}

impl Classify {
    /// The class of a recording, by index.
    fn class(target: &Target) -> Result<usize> {
        target.class().ok_or_else(|| wrong_answer(Self::NAME))
    }
}

impl Task for Classify {
    const NAME: TaskName = TaskName::Classify;
    const HEADLINE: Headline = Headline {
        metric: "accuracy",
        lower_is_better: false,
    };
    const LABEL: [&'static str; 2] = ["class", "classes"];
    const COUNTS_RIGHT: bool = true;

    type Targets = Labels;
    type Network<'a, B: Backend> = &'a dyn Classifier<B>;
    /// Logits `[batch, classes]`.
    type Output<'a, B: Backend> = Tensor<B, 2>;
    type Answers = ConfusionMatrix;

    fn network<B: Backend>(contract: Contract<'_, B>) -> Result<Self::Network<'_, B>> {
        classifier(Self::NAME, contract)
    }

    fn num_outputs(&self) -> usize {
        self.labels.len()
    }

    fn encode(&self, rows: &[Truth]) -> Result<Labels> {
        let alone = rows.iter().map(Truth::alone).collect::<Option<Vec<_>>>();
        if let Some(targets) = alone {
            let classes = targets.into_iter().map(Self::class);
            return Ok(Labels::Classes(classes.collect::<Result<_>>()?));
        }
        let num_labels = self.labels.len();
        let mut weights = vec![0.0f32; rows.len() * num_labels];
        for (truth, row) in rows.iter().zip(weights.chunks_exact_mut(num_labels.max(1))) {
            for (target, share) in truth.shares() {
                add_share(row, &[Self::class(target)?], share);
            }
        }
        Ok(Labels::Weights(weights))
    }

    fn output<'a, B: Backend>(
        &self,
        network: Self::Network<'a, B>,
        batch: &Batch<B>,
        _targets: &Labels,
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

    /// Cross entropy with these weights and this smoothing, as in PyTorch's `CrossEntropyLoss`.
    fn loss<B: Backend>(
        &self,
        logits: &Tensor<B, 2>,
        targets: &Labels,
        objective: &Objective,
    ) -> Tensor<B, 1> {
        let [batch, num_labels] = logits.dims();
        let device = logits.device();
        if let Labels::Classes(classes) = targets
            && objective.label_smoothing == 0.0
            && objective.weights.is_empty()
        {
            let classes: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
            let classes = TensorData::new(classes, [batch]);
            let classes = Tensor::<B, 1, Int>::from_data(classes, &device);
            return cross_entropy(logits.clone(), classes);
        }
        let mut values = targets.weights(num_labels);
        let smoothing = objective.label_smoothing as f32;
        let weight = |label: usize| objective.weights.get(label).copied().unwrap_or(1.0);
        let weighed = values.iter().enumerate();
        let total: f32 = weighed.map(|(i, t)| t * weight(i % num_labels)).sum();
        let scale = batch as f32 / total;
        for (i, value) in values.iter_mut().enumerate() {
            let smooth = *value * (1.0 - smoothing) + smoothing / num_labels as f32;
            *value = smooth * weight(i % num_labels) * scale;
        }
        soft_cross_entropy(logits.clone(), matrix(values, [batch, num_labels], &device))
    }

    /// Number of rows, each weighted by its class.
    fn extent<B: Backend>(
        &self,
        _network: Self::Network<'_, B>,
        lengths: &[usize],
        targets: &Labels,
        objective: &Objective,
    ) -> f64 {
        if objective.weights.is_empty() {
            return lengths.len() as f64;
        }
        let values = targets.weights(objective.weights.len());
        let weights = objective.weights.iter().cycle();
        let weighed = values.iter().zip(weights);
        weighed.map(|(t, w)| f64::from(t * w)).sum()
    }

    /// Weighs each class in inverse proportion to its number of recordings, with a mean of one.
    fn objective<B: Backend>(
        &self,
        _network: Self::Network<'_, B>,
        label_smoothing: f64,
        to_weigh: Option<&[Truth]>,
    ) -> Objective {
        let num_labels = self.labels.len();
        let weights = to_weigh.map(|truths| {
            let mut counts = vec![0.0f64; num_labels];
            let classes = truths.iter().filter_map(|truth| truth.alone()?.class());
            classes.for_each(|class| counts[class] += 1.0);
            let total = truths.len() as f64;
            let weight = |count: f64| total / (num_labels as f64 * count.max(1.0));
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

    fn seen<B: Backend>(&self, logits: &Tensor<B, 2>, targets: &Labels) -> Arrival<Seen> {
        count_right(logits.clone(), targets, |right| Seen {
            right,
            ..Seen::default()
        })
    }

    fn no_answers<B: Backend>(&self, _device: &B::Device) -> ConfusionMatrix {
        ConfusionMatrix::new(self.labels.len())
    }

    fn add_answers<B: Backend>(
        &self,
        confusion: &mut ConfusionMatrix,
        _batch: &Batch<B>,
        logits: Tensor<B, 2>,
        items: &[&Item],
        _decoding: &Decoding,
    ) -> Result<()> {
        for (item, row) in items.iter().zip(rows(logits)) {
            confusion.add(Self::class(&item.target)?, argmax(&row));
        }
        Ok(())
    }

    fn metrics(&self, confusion: &ConfusionMatrix) -> Metrics {
        Metrics::new([
            ("accuracy", confusion.accuracy()),
            ("macro_f1", confusion.macro_f1()),
        ])
    }

    fn to_csv(&self, confusion: &ConfusionMatrix) -> (&'static str, String) {
        ("confusion.csv", confusion.to_csv(&self.labels))
    }

    fn answer_columns(&self) -> Option<String> {
        Some("id,truth,answer,probability".to_string())
    }

    fn answer_lines<B: Backend>(&self, logits: &Tensor<B, 2>, items: &[&Item]) -> Result<String> {
        let mut lines = String::new();
        for (item, row) in items.iter().zip(rows(softmax(logits.clone(), 1))) {
            let best = argmax(&row);
            let [truth, answer] = [Self::class(&item.target)?, best].map(|it| &self.labels[it]);
            let [id, truth, answer] = [&item.id, truth, answer].map(|it| csv_cell(it));
            lines.push_str(&format!("{id},{truth},{answer},{:.4}\n", row[best]));
        }
        Ok(lines)
    }

    fn per_label(&self, confusion: &ConfusionMatrix) -> Vec<Vec<String>> {
        let header = ["class", "recordings", "precision", "recall", "F1"];
        let mut table = vec![header.map(String::from).to_vec()];
        let shown = |value: Option<f64>| value.map_or_else(String::new, |it| format!("{it:.3}"));
        for (class, label) in self.labels.iter().enumerate() {
            let class = confusion.of_class(class);
            table.push(vec![
                label.clone(),
                class.occurs.to_string(),
                shown(class.precision),
                shown(class.recall),
                shown(class.f1),
            ]);
        }
        table
    }

    fn worst(&self, confusion: &ConfusionMatrix) -> Vec<String> {
        let line = |(truth, predicted, count): (usize, usize, _)| {
            let [truth, predicted] = [truth, predicted].map(|label| &self.labels[label]);
            format!("{count:>6} × {truth} taken for {predicted}")
        };
        confusion.worst(5).into_iter().map(line).collect()
    }

    fn epoch_text(&self, record: &EpochRecord) -> String {
        format!(
            "accuracy {:.3}  validation: loss {:.4}  accuracy {:.3}  F1 {:.3}",
            record.train_accuracy.unwrap_or(f64::NAN),
            record.valid_loss,
            record.valid.get("accuracy"),
            record.valid.get("macro_f1"),
        )
    }
}

impl Windowed for Classify {
    /// The probability of each class. They sum to one.
    type Score = Vec<f32>;

    fn scores<B: Backend>(&self, network: Self::Network<'_, B>, batch: &Batch<B>) -> Vec<Vec<f32>> {
        let logits = outputs(network, batch);
        rows(softmax(logits, 1))
    }

    fn onnx_scores(&self, graph: &mut OnnxGraph, outputs: OnnxValue) {
        let probabilities = graph.softmax(outputs);
        let axes = [Axis::Named("batch"), Axis::Fixed(self.labels.len())];
        graph.output("probabilities", probabilities, Element::Float, &axes);
    }

    /// The class with the largest mean probability.
    fn predict(&self, scores: &[Vec<f32>], spans: &[(f64, f64)]) -> Result<Prediction> {
        check_finite(scores.iter().flatten())?;
        let mean = |label: usize| {
            let each = scores.iter().map(|row| row[label]);
            each.sum::<f32>() / scores.len() as f32
        };
        let whole: Vec<f32> = (0..self.labels.len()).map(mean).collect();
        let answer = |row: &[f32]| Answer::Label(self.labels[argmax(row)].clone());
        let each = scores
            .iter()
            .map(|row| (answer(row), Some(row[argmax(row)])));
        Ok(Prediction {
            windows: Window::several(spans, each),
            events: events(spans, scores, &self.labels, |row| vec![argmax(row)]),
            scores: whole.clone(),
            ..Prediction::new(answer(&whole))
        })
    }
}

/// The number of rows whose largest logit is that of the largest weight, and what `then` makes of it.
pub(crate) fn count_right<B: Backend, T: 'static>(
    logits: Tensor<B, 2>,
    targets: &Labels,
    then: impl FnOnce(usize) -> T + Send + 'static,
) -> Arrival<T> {
    let num_labels = logits.dims()[1].max(1);
    let weights = targets.weights(num_labels);
    Arrival::of(logits, move |logits| {
        let rows = logits.chunks_exact(num_labels);
        let pairs = rows.zip(weights.chunks_exact(num_labels));
        let right = pairs.filter(|(row, weights)| argmax(row) == argmax(weights));
        then(right.count())
    })
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;

    use super::*;
    use crate::numbers::scalar;

    fn task() -> Classify {
        Classify {
            labels: ["a", "b", "c"].map(String::from).to_vec(),
        }
    }

    fn loss(objective: &Objective, targets: &Labels) -> f64 {
        let logits = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]];
        let logits = Tensor::<NdArray<f32>, 2>::from_floats(logits, &Default::default());
        scalar(task().loss(&logits, targets, objective))
    }

    /// torch 2.15.0, logits and targets as here: `cross_entropy(x, y)`,
    /// `cross_entropy(x, y, weight=w)`, `cross_entropy(x, y, weight=w, label_smoothing=0.1)`.
    #[test]
    fn losses_with_weights_and_smoothing_are_torchs() {
        let classes = Labels::Classes(vec![2, 1]);
        let plain = Objective::default();
        let weighed = Objective {
            weights: vec![1.0, 2.0, 0.5],
            ..plain.clone()
        };
        let smooth = Objective {
            label_smoothing: 0.1,
            ..weighed.clone()
        };
        for (objective, expected) in [(&plain, PLAIN), (&weighed, WEIGHED), (&smooth, SMOOTH)] {
            let found = loss(objective, &classes);
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }
    const PLAIN: f64 = 0.910991953032;
    const WEIGHED: f64 = 1.312800346857;
    const SMOOTH: f64 = 1.356546227788;

    #[test]
    fn a_target_that_is_all_of_one_class_costs_what_the_class_does() {
        let plain = Objective::default();
        let mixed = Labels::Weights(vec![0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        let found = loss(&plain, &mixed) - loss(&plain, &Labels::Classes(vec![2, 1]));
        assert!(found.abs() < 1e-6);
    }

    #[test]
    fn mixed_rows_become_shares_of_labels() {
        let mixed = Truth::mixed(Target::Class(1), 0.75, Target::Class(2));
        let found = task().encode(&[mixed, Target::Class(0).into()]).unwrap();
        let expected = Labels::Weights(vec![0.0, 0.75, 0.25, 1.0, 0.0, 0.0]);
        assert_eq!(found, expected);
    }

    #[test]
    fn another_kind_of_answer_is_refused() {
        let error = task().encode(&[Target::Value(1.0).into()]).unwrap_err();
        assert!(error.to_string().contains("one label"), "{error}");
    }
}
