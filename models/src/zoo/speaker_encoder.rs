//! Speaker encoder: one vector for the voice of a recording ([Wan et al.
//! 2018](https://arxiv.org/abs/1710.10467)).
//!
//! Stacked LSTM layers read the frames; the last state of the topmost leads through one layer and a ReLU to
//! the embedding, which has the length 1. Two recordings of one speaker have embeddings of a small angle.
//!
//! Deviations: as in [Resemblyzer](https://github.com/resemble-ai/Resemblyzer), no projection within the
//! LSTM layers, and a ReLU ahead of the length. The paper trains by a loss over pairs of recordings; here one
//! layer above the embedding tells the speakers of the training part apart, as in [Variani et al.
//! 2014](https://doi.org/10.1109/ICASSP.2014.6854363). A network of `num_classes` 0 has no such layer, and
//! gives its embedding for an output. 1e-12 is added to the squared length before its root is taken.

use burn::module::{AutodiffModule, Module};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_probability, check_size};
use crate::layers::{Cell, Linear, Recurrent, RecurrentConfig, assert_input};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::classifier;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose};

/// Added to the squared length of an embedding, whose gradient would otherwise be infinite at zero.
const LEAST_SQUARE: f64 = 1e-12;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "speaker_encoder",
    title: "Speaker encoder",
    purpose: Purpose::Classify,
    paper: "Wan et al. (2018): Generalized end-to-end loss for speaker verification",
    paper_url: "https://arxiv.org/abs/1710.10467",
    summary: "Stacked LSTM layers whose last state becomes a vector of length 1 for each voice.",
    paper_settings: "",
    recipe: classifier,
    bench: Some(BenchShape {
        batch: 8,
        frames: 160,
        bins: 40,
    }),
};

/// Configuration of [`SpeakerEncoder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct SpeakerEncoderConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Speakers to tell apart; 0 for a network without the layer that does.
    pub num_classes: usize,
    /// Features of the state of a layer.
    pub d_hidden: usize,
    /// LSTM layers on top of one another.
    pub num_layers: usize,
    /// Size of the embedding.
    pub d_embedding: usize,
    /// Probability with which a value is dropped in training, between layers.
    pub dropout: f64,
}

impl Default for SpeakerEncoderConfig {
    fn default() -> Self {
        Self {
            num_bins: 40,
            num_classes: 10,
            d_hidden: 256,
            num_layers: 3,
            d_embedding: 256,
            dropout: 0.0,
        }
    }
}

impl SpeakerEncoderConfig {
    fn layers(&self) -> RecurrentConfig {
        RecurrentConfig {
            cell: Cell::Lstm,
            d_input: self.num_bins,
            d_hidden: self.d_hidden,
            num_layers: self.num_layers,
            bidirectional: false,
            dropout: self.dropout,
        }
    }
}

impl Architecture for SpeakerEncoderConfig {
    type Network<B: Backend> = SpeakerEncoder<B>;

    fn without_autodiff<B: AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        network.valid()
    }

    fn card(&self) -> &'static Card {
        &CARD
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
        if self.num_classes > 0 {
            check_size("num_classes", self.num_classes)?;
        }
        check_size("d_hidden", self.d_hidden)?;
        check_size("num_layers", self.num_layers)?;
        check_size("d_embedding", self.d_embedding)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<SpeakerEncoder<B>, ConfigError> {
        self.check()?;
        let classes = (self.num_classes > 0).then_some(self.num_classes);
        Ok(SpeakerEncoder {
            num_bins: self.num_bins,
            recurrent: self.layers().init(device)?,
            projection: Linear::new(self.d_hidden, self.d_embedding, device),
            classifier: classes.map(|classes| Linear::new(self.d_embedding, classes, device)),
        })
    }
}

/// A network from frames to a vector for a voice. See the [module](self).
#[derive(Module, Debug)]
pub struct SpeakerEncoder<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// The LSTM layers.
    pub recurrent: Recurrent<B>,
    /// From the last state to the embedding.
    pub projection: Linear<B>,
    /// From the embedding to the speakers of the training part.
    pub classifier: Option<Linear<B>>,
}

impl<B: Backend> Network<B> for SpeakerEncoder<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for SpeakerEncoder<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let last = self.recurrent.forward(features, lengths).last; // [batch, d_hidden]
        let x = ops::activate(self.projection.forward(last), Activation::Relu); // [batch, d_embedding]
        let square = (x.clone() * x.clone()).sum_dim(1) + LEAST_SQUARE; // [batch, 1]
        x / square.sqrt() // [batch, d_embedding]
    }

    fn head(&self) -> &Linear<B> {
        self.classifier.as_ref().unwrap_or(&self.projection)
    }

    fn classify(&self, embedding: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.classifier {
            Some(classifier) => classifier.forward(embedding), // [batch, classes]
            None => embedding,                                 // [batch, d_embedding]
        }
    }

    fn d_embedding(&self) -> usize {
        self.projection.bias.dims()[0]
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let (_, last) = self.recurrent.onnx(graph, features); // [batch, d_hidden]
        let x = self.projection.onnx(graph, last);
        let x = graph.activate(x, Activation::Relu); // [batch, d_embedding]
        let square = graph.mul(x, x);
        let square = graph.sum(square, 1);
        let square = graph.unsqueeze(square, &[1]); // [batch, 1]
        let least = graph.number(LEAST_SQUARE);
        let square = graph.add(square, least);
        let length = graph.each("Sqrt", square);
        Ok(graph.div(x, length)) // [batch, d_embedding]
    }

    fn onnx_classify(&self, graph: &mut OnnxGraph, embedding: OnnxValue) -> OnnxValue {
        match &self.classifier {
            Some(classifier) => classifier.onnx(graph, embedding), // [batch, classes]
            None => embedding,                                     // [batch, d_embedding]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn without_speakers_it_has_the_parameters_of_resemblyzer() {
        let config = SpeakerEncoderConfig::default().with_input(0, 40, 0);
        let model = config.init::<NdArray>(&Default::default());
        // Of 3 layers, 4 gates of 256 each; and the layer above them.
        let layers = 4 * 256 * (40 + 256 + 2) + 2 * 4 * 256 * (256 + 256 + 2);
        assert_eq!(num_params(&model.expect("valid")), layers + 256 * 256 + 256);
    }

    #[test]
    fn an_embedding_has_the_length_of_one() {
        let device = Default::default();
        let config = SpeakerEncoderConfig {
            d_hidden: 8,
            num_classes: 0,
            ..Default::default()
        };
        let model = config.init::<NdArray>(&device).expect("valid");
        let embedding =
            crate::Classifier::forward(&model, Tensor::ones([2, 9, 40], &device), &[9, 4]);
        assert_eq!(embedding.dims(), [2, 256]);
        for square in (embedding.clone() * embedding)
            .sum_dim(1)
            .into_data()
            .iter::<f32>()
        {
            assert!((square - 1.0).abs() < 1e-5, "{square}");
        }
    }
}
