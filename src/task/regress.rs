//! Regression: the value of a quantity.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sori_datasets::{Item, Target};
use sori_models::las::Sampling;
use sori_models::onnx::{OnnxGraph, OnnxValue};
use sori_models::{Classifier, Contract};

use super::answer::{Answer, Prediction, Window};
use super::classifier::{classifier, outputs, outputs_and_embedding};
use super::contract::{Headline, Task, Windowed};
use super::metrics::Metrics;
use super::name::TaskName;
use super::objective::Objective;
use super::scale::{Estimate, RegressionLoss, Scale};
use super::truth::{Truth, wrong_answer};
use crate::Result;
use crate::data::batch::Batch;
use crate::decode::Decoding;
use crate::metric::{ValueError, ValueErrors};
use crate::numbers::check_finite;
use crate::run::records::EpochRecord;
use crate::show::text::rounded;

/// Estimates a quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Regress {
    /// The quantity's name and unit.
    pub labels: Vec<String>,
    /// The scale of the network's outputs.
    pub scale: Scale,
    /// The training loss.
    pub loss: RegressionLoss,
}

impl Regress {
    /// The value of a recording.
    fn value(target: &Target) -> Result<f64> {
        target.value().ok_or_else(|| wrong_answer(Self::NAME))
    }
}

impl Task for Regress {
    const NAME: TaskName = TaskName::Regress;
    const HEADLINE: Headline = Headline {
        metric: "mae",
        lower_is_better: true,
    };
    const LABEL: [&'static str; 2] = ["quantity", "quantities"];

    /// The value of each row on the [`Scale`].
    type Targets = Vec<f32>;
    type Network<'a, B: Backend> = &'a dyn Classifier<B>;
    /// `[batch, outputs]`: the value and, if it is learned, the logarithm of its variance.
    type Output<'a, B: Backend> = Tensor<B, 2>;
    type Answers = ValueErrors;

    fn network<B: Backend>(contract: Contract<'_, B>) -> Result<Self::Network<'_, B>> {
        classifier(Self::NAME, contract)
    }

    fn num_outputs(&self) -> usize {
        self.loss.num_outputs()
    }

    /// The values of mixed rows are mixed too.
    fn encode(&self, rows: &[Truth]) -> Result<Vec<f32>> {
        let scaled = |(target, share): (&Target, f32)| {
            Ok(share * self.scale.scaled(Self::value(target)?) as f32)
        };
        let value = |truth: &Truth| truth.shares().map(scaled).sum();
        rows.iter().map(value).collect()
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

    fn loss<B: Backend>(
        &self,
        outputs: &Tensor<B, 2>,
        targets: &Vec<f32>,
        _objective: &Objective,
    ) -> Tensor<B, 1> {
        self.loss.mean(outputs.clone(), targets)
    }

    fn no_answers<B: Backend>(&self, _device: &B::Device) -> ValueErrors {
        ValueErrors::default()
    }

    fn add_answers<B: Backend>(
        &self,
        answers: &mut ValueErrors,
        _batch: &Batch<B>,
        outputs: Tensor<B, 2>,
        items: &[&Item],
        _decoding: &Decoding,
    ) -> Result<()> {
        for (item, estimate) in items.iter().zip(self.scale.estimates(outputs)) {
            answers.all.push(ValueError {
                id: item.id.clone(),
                truth: Self::value(&item.target)?,
                value: estimate.value,
                deviation: estimate.deviation,
            });
        }
        Ok(())
    }

    fn metrics(&self, answers: &ValueErrors) -> Metrics {
        let mut metrics = Metrics::new([
            ("mae", answers.mae()),
            ("rmse", answers.rmse()),
            ("r2", answers.r2()),
        ]);
        if let Some(nll) = answers.nll() {
            metrics.0.insert("nll".to_string(), nll);
        }
        metrics
    }

    fn to_csv(&self, answers: &ValueErrors) -> (&'static str, String) {
        ("values.csv", answers.to_csv())
    }

    fn worst(&self, answers: &ValueErrors) -> Vec<String> {
        let line = |each: &ValueError| {
            let [truth, value, error] = [each.truth, each.value, each.error()].map(rounded);
            format!("{error:>9} off: {}: {value}, not {truth}", each.id)
        };
        let worst = answers.worst_first().into_iter().take(5);
        worst.map(line).collect()
    }

    fn epoch_text(&self, record: &EpochRecord) -> String {
        format!(
            "validation: loss {:.4}  MAE {:.4}  RMSE {:.4}",
            record.valid_loss,
            record.valid.get("mae"),
            record.valid.get("rmse"),
        )
    }
}

impl Windowed for Regress {
    type Score = Estimate;

    fn scores<B: Backend>(&self, network: Self::Network<'_, B>, batch: &Batch<B>) -> Vec<Estimate> {
        self.scale.estimates(outputs(network, batch))
    }

    fn onnx_scores(&self, graph: &mut OnnxGraph, outputs: OnnxValue) {
        self.scale
            .onnx_estimates(graph, outputs, self.num_outputs());
    }

    /// The mean value.
    fn predict(&self, scores: &[Estimate], spans: &[(f64, f64)]) -> Result<Prediction> {
        let numbers = scores.iter().flat_map(|each| {
            let deviation = each.deviation.unwrap_or_default();
            [each.value as f32, deviation as f32]
        });
        check_finite(numbers.collect::<Vec<_>>().iter())?;
        let whole = Estimate::mean(scores);
        let each = scores
            .iter()
            .map(|estimate| (Answer::Value(estimate.value), None));
        Ok(Prediction {
            deviation: whole.deviation,
            windows: Window::several(spans, each),
            ..Prediction::new(Answer::Value(whole.value))
        })
    }
}
