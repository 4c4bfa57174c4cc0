//! The classifier that `rnn`, `lstm` and `gru` share: stacked recurrent layers, pooling over time and
//! one layer to the classes. The three differ in their cell.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::module::{AutodiffModule, Module};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::check_size;
use crate::layers::{
    Cell, Dropout, Linear, Pooling, Recurrent, RecurrentConfig, assert_input, masked_mean,
};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::{Architecture, Card, ConfigError, Contract, LinearHead, Network};

/// A classifier on stacked recurrent layers.
#[derive(Module, Debug)]
pub struct RecurrentClassifier<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// The stack of recurrent layers.
    pub recurrent: Recurrent<B>,
    /// Pooling of the states to one vector.
    pub pooling: Pooling,
    /// Acts on that vector.
    pub dropout: Dropout,
    /// From that vector to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for RecurrentClassifier<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for RecurrentClassifier<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let states = self.recurrent.forward(features, lengths); // [batch, frames, directions·d_hidden]
        let x = match self.pooling {
            Pooling::Mean => masked_mean(states.outputs, lengths),
            Pooling::Last => states.last,
        }; // [batch, directions·d_hidden]
        self.dropout.forward(x) // [batch, directions·d_hidden]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let (outputs, last) = self.recurrent.onnx(graph, features); // [batch, frames, directions·d_hidden]
        Ok(match self.pooling {
            Pooling::Mean => outputs.mean(graph),
            Pooling::Last => last,
        }) // [batch, directions·d_hidden]
    }
}

/// One of the three: its cell and its entry of the catalogue.
pub trait Recurrence: Clone + Debug + Default + PartialEq + Send + Sync + 'static {
    /// The cell of its layers.
    const CELL: Cell;
    /// The entry of the catalogue.
    const CARD: &'static Card;
}

/// Configuration of a [`RecurrentClassifier`] of one kind of cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields, bound = "")]
pub struct RecurrentClassifierConfig<R: Recurrence> {
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
    /// Pooling of the states to one vector.
    pub pooling: Pooling,
    /// Probability with which a value is dropped in training, between layers and before the
    /// classifier.
    pub dropout: f64,
    /// The kind of cell, which is part of the type.
    #[serde(skip)]
    pub recurrence: PhantomData<R>,
}

impl<R: Recurrence> Default for RecurrentClassifierConfig<R> {
    fn default() -> Self {
        Self {
            num_bins: 161,
            num_classes: 10,
            d_hidden: 256,
            num_layers: 2,
            bidirectional: true,
            pooling: Pooling::Mean,
            dropout: 0.2,
            recurrence: PhantomData,
        }
    }
}

impl<R: Recurrence> RecurrentClassifierConfig<R> {
    fn layers(&self) -> RecurrentConfig {
        RecurrentConfig {
            cell: R::CELL,
            d_input: self.num_bins,
            d_hidden: self.d_hidden,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
        }
    }
}

impl<R: Recurrence> Architecture for RecurrentClassifierConfig<R> {
    type Network<B: Backend> = RecurrentClassifier<B>;

    fn without_autodiff<B: AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        network.valid()
    }

    fn card(&self) -> &'static Card {
        R::CARD
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
        self.layers().check()
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Self::Network<B>, ConfigError> {
        self.check()?;
        let layers = self.layers();
        Ok(RecurrentClassifier {
            num_bins: self.num_bins,
            recurrent: layers.init(device)?,
            pooling: self.pooling,
            dropout: Dropout::new(self.dropout),
            classifier: Linear::new(layers.d_output(), self.num_classes, device),
        })
    }
}
