//! The scale on which a network learns a quantity, and the loss.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sori_models::loss::{LEAST_VARIANCE, absolute_error, gaussian_nll, squared_error};
use sori_models::onnx::{Axis, Element, OnnxGraph, OnnxValue};

use crate::numbers::host;

/// The loss for a quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegressionLoss {
    /// The magnitude of the error.
    L1,
    /// The square of the error.
    L2,
    /// The negative log-likelihood under a Gaussian whose mean and variance the network outputs, so it
    /// also estimates its uncertainty.
    #[default]
    Gaussian,
}

impl RegressionLoss {
    /// Number of network outputs that it needs.
    pub fn num_outputs(self) -> usize {
        match self {
            Self::L1 | Self::L2 => 1,
            Self::Gaussian => 2,
        }
    }

    /// The mean loss of outputs `[batch, outputs]` against the targets, both on the [`Scale`].
    pub(super) fn mean<B: Backend>(self, outputs: Tensor<B, 2>, values: &[f32]) -> Tensor<B, 1> {
        let device = outputs.device();
        let [batch, _] = outputs.dims();
        let targets = TensorData::new(values.to_vec(), [batch]);
        let targets = Tensor::from_data(targets, &device);
        let column = |index| outputs.clone().narrow(1, index, 1).squeeze_dim::<1>(1);
        match self {
            Self::L1 => absolute_error(column(0), targets),
            Self::L2 => squared_error(column(0), targets),
            Self::Gaussian => gaussian_nll(column(0), column(1), targets),
        }
    }
}

/// Mean and standard deviation of the training part's values. A network learns values minus the
/// mean, over the deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

impl Scale {
    /// The scale of `values`, or none if they are all the same.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / count;
        let deviation = variance.sqrt();
        // The mean of equal numbers may differ from them by rounding.
        let differ = values.iter().any(|value| *value != values[0]);
        (differ && deviation > 0.0 && deviation.is_finite()).then_some(Self { mean, deviation })
    }

    /// A value on the network's scale.
    pub fn scaled(&self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }

    /// Converts network outputs `[batch, outputs]` to values.
    pub fn estimates<B: Backend>(&self, outputs: Tensor<B, 2>) -> Vec<Estimate> {
        let [_, columns] = outputs.dims();
        let values = host(outputs);
        let estimate = |row: &[f32]| Estimate {
            value: self.mean + f64::from(row[0]) * self.deviation,
            deviation: row.get(1).map(|&log_variance| {
                let log_variance = f64::from(log_variance).max(LEAST_VARIANCE.ln());
                (log_variance / 2.0).exp() * self.deviation
            }),
        };
        values.chunks_exact(columns.max(1)).map(estimate).collect()
    }

    /// [`Self::estimates`] in ONNX, as outputs of the graph.
    pub(super) fn onnx_estimates(
        &self,
        graph: &mut OnnxGraph,
        outputs: OnnxValue,
        num_outputs: usize,
    ) {
        let axes = [Axis::Named("batch")];
        let [mean, unit] = [self.mean, self.deviation].map(|it| graph.number(it));
        let [value, log_variance] =
            [0, 1].map(|column| graph.slice(outputs, 1, column, column + 1));
        let value = graph.squeeze(value, 1);
        let value = graph.mul(value, unit);
        let value = graph.add(value, mean);
        graph.output("values", value, Element::Float, &axes);
        if num_outputs > 1 {
            let [least, half] = [LEAST_VARIANCE.ln(), 0.5].map(|it| graph.number(it));
            let log_variance = graph.squeeze(log_variance, 1);
            let log_variance = graph.max(log_variance, least);
            let log_deviation = graph.mul(log_variance, half);
            let deviation = graph.each("Exp", log_deviation);
            let deviation = graph.mul(deviation, unit);
            graph.output("deviations", deviation, Element::Float, &axes);
        }
    }
}

/// An estimate of a quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its standard deviation, where the network estimates one.
    pub deviation: Option<f64>,
}

impl Estimate {
    /// The mean of several estimates of one recording, with the deviation of their mixture.
    ///
    /// # Panics
    /// If there are none.
    pub(crate) fn mean(all: &[Self]) -> Self {
        let count = all.len() as f64;
        let value = all.iter().map(|each| each.value).sum::<f64>() / count;
        let squares = all
            .iter()
            .map(|each| Some(each.deviation?.powi(2) + (each.value - value).powi(2)))
            .sum::<Option<f64>>();
        Self {
            value,
            deviation: squares.map(|sum| (sum / count).sqrt()),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;

    use super::*;

    #[test]
    fn numbers_survive_their_scale() {
        let scale = Scale::of(&[10.0, 20.0, 30.0]).unwrap();
        assert_eq!(scale.mean, 20.0);
        let outputs = [scale.scaled(17.5) as f32, 2.0 * 0.5_f32.ln()];
        let outputs = Tensor::<NdArray<f32>, 2>::from_floats([outputs], &Default::default());
        let [found] = scale.estimates(outputs).try_into().unwrap();
        assert!((found.value - 17.5).abs() < 1e-5);
        assert!((found.deviation.unwrap() - scale.deviation / 2.0).abs() < 1e-5);
        assert_eq!(Scale::of(&[0.1; 80]), None);
        assert_eq!(Scale::of(&[]), None);
    }

    #[test]
    fn each_name_minimises_what_it_says() {
        let outputs = Tensor::<NdArray<f32>, 2>::from_floats([[3.0, 0.0]], &Default::default());
        for (loss, expected) in [
            (RegressionLoss::L1, 2.0),
            (RegressionLoss::L2, 4.0),
            (
                RegressionLoss::Gaussian,
                2.0 + 0.5 * std::f32::consts::TAU.ln(),
            ),
        ] {
            let found = loss.mean(outputs.clone(), &[1.0]).into_scalar();
            assert!((found - expected).abs() < 1e-6, "{loss:?}: {found}");
        }
    }

    #[test]
    fn windows_that_disagree_are_less_sure() {
        let of = |value, deviation| Estimate { value, deviation };
        let found = Estimate::mean(&[of(1.0, Some(0.0)), of(3.0, Some(0.0))]);
        assert_eq!(found, of(2.0, Some(1.0)));
        let found = Estimate::mean(&[of(1.0, None), of(3.0, None)]);
        assert_eq!(found, of(2.0, None));
    }
}
