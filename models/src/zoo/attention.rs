//! A recurrent classifier that attends to some frames more than to others: stacked bidirectional
//! LSTM layers, additive attention ([Bahdanau et al. 2014](https://arxiv.org/abs/1409.0473)) as the
//! pooling over time, and one layer to the classes.
//!
//! Without a decoder there is no query; the score of a frame's state is `v · tanh(W h + b) + c`, as
//! in [Raffel and Ellis 2015](https://arxiv.org/abs/1512.08756), and the weights are the softmax of
//! the scores over the valid frames. [`Attention::weights`] returns them.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_size};
use crate::layers::{
    AdditivePooling, Cell, Dropout, Linear, Recurrent, RecurrentConfig, assert_input,
};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::recipe::classifier;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "attention",
    title: "Attention over time",
    purpose: Purpose::Classify,
    paper: "Raffel and Ellis (2015): Feed-forward networks with attention can solve some long-term memory problems",
    paper_url: "https://arxiv.org/abs/1512.08756",
    summary: "Stacked bidirectional LSTM layers, summed over time by additive attention.",
    paper_settings: "",
    recipe: classifier,
    bench: Some(BenchShape {
        batch: 8,
        frames: 100,
        bins: 161,
    }),
};

/// Configuration of [`Attention`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Classes to tell apart.
    pub num_classes: usize,
    /// Features of the state of one direction.
    pub d_hidden: usize,
    /// Recurrent layers on top of one another.
    pub num_layers: usize,
    /// Whether each layer also reads backward in time.
    pub bidirectional: bool,
    /// Features of the layer that scores a frame.
    pub d_attention: usize,
    /// Probability with which a value is dropped in training, between layers and before the
    /// classifier.
    pub dropout: f64,
}

impl Default for AttentionConfig {
    fn default() -> Self {
        Self {
            num_bins: 161,
            num_classes: 10,
            d_hidden: 256,
            num_layers: 2,
            bidirectional: true,
            d_attention: 128,
            dropout: 0.2,
        }
    }
}

impl AttentionConfig {
    fn recurrent(&self) -> RecurrentConfig {
        RecurrentConfig {
            cell: Cell::Lstm,
            d_input: self.num_bins,
            d_hidden: self.d_hidden,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
        }
    }
}

impl Architecture for AttentionConfig {
    type Network<B: Backend> = Attention<B>;

    fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        burn::module::AutodiffModule::valid(network)
    }

    fn card(&self) -> &'static Card {
        &CARD
    }

    fn role(&self) -> Role {
        Role::Classifier
    }

    fn with_input(self, _num_frames: usize, num_bins: usize, num_outputs: usize) -> Self {
        Self {
            num_bins,
            num_classes: num_outputs,
            ..self
        }
    }

    fn num_outputs(&self) -> usize {
        self.num_classes
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_size("num_bins", self.num_bins)?;
        check_size("num_classes", self.num_classes)?;
        check_size("d_attention", self.d_attention)?;
        self.recurrent().check()
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Attention<B>, ConfigError> {
        self.check()?;
        let recurrent = self.recurrent();
        let d_output = recurrent.d_output();
        Ok(Attention {
            num_bins: self.num_bins,
            recurrent: recurrent.init(device)?,
            pooling: AdditivePooling::new(d_output, self.d_attention, device),
            dropout: Dropout::new(self.dropout),
            classifier: Linear::new(d_output, self.num_classes, device),
        })
    }
}

/// A classifier that attends to frames. See the [module](self).
#[derive(Module, Debug)]
pub struct Attention<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// The stack of recurrent layers.
    pub recurrent: Recurrent<B>,
    /// Scores the frames and sums their states.
    pub pooling: AdditivePooling<B>,
    /// Acts on that sum.
    pub dropout: Dropout,
    /// From that sum to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Attention<B> {
    /// Attention weights of the frames: features `[batch, frames, bins]` to `[batch, frames]`. Each row
    /// adds up to one and is zero past its length.
    ///
    /// # Panics
    /// As [`Classifier::embed`](crate::Classifier::embed).
    pub fn weights(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        let states = self.recurrent.forward(features, lengths).outputs;
        self.pooling.weights(states, lengths)
    }
}

impl<B: Backend> Network<B> for Attention<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Attention<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let states = self.recurrent.forward(features, lengths).outputs; // [batch, frames, directions·d_hidden]
        let x = self.pooling.forward(states, lengths); // [batch, directions·d_hidden]
        self.dropout.forward(x) // [batch, directions·d_hidden]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let (states, _) = self.recurrent.onnx(graph, features); // [batch, frames, directions·d_hidden]
        Ok(self.pooling.onnx(graph, states)) // [batch, directions·d_hidden]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn::tensor::Distribution;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = AttentionConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 2_505_995);
    }

    #[test]
    fn the_weights_of_a_row_add_up_to_one_over_its_valid_frames() {
        let device = Default::default();
        let config = AttentionConfig {
            num_bins: 3,
            d_hidden: 4,
            ..Default::default()
        };
        let model = config
            .init::<NdArray>(&device)
            .expect("a valid configuration");
        let features = Tensor::random([2, 5, 3], Distribution::Default, &device);
        let weights = model.weights(features, &[5, 2]).into_data();
        let weights: Vec<f32> = weights.iter().collect();
        for row in weights.chunks(5) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{row:?}");
        }
        assert!(weights[7..].iter().all(|&w| w == 0.0), "{weights:?}");
    }

    #[test]
    fn an_attention_of_no_features_is_refused() {
        let config = AttentionConfig {
            d_attention: 0,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
