//! The classifier that `rnn`, `lstm` and `gru` share: stacked recurrent layers, pooling over time and
//! one layer to the classes. The three differ in their cell.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, backend::Backend};

use crate::layers::{Linear, Pooling, Recurrent, RecurrentConfig, assert_input, masked_mean};
use crate::{ConfigError, Contract, LinearHead, Network};

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

impl<B: Backend> RecurrentClassifier<B> {
    /// A classifier with random weights; its dropout is that of the layers.
    ///
    /// # Errors
    /// As [`RecurrentConfig::check`].
    pub(crate) fn new(
        layers: &RecurrentConfig,
        pooling: Pooling,
        num_classes: usize,
        device: &B::Device,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            num_bins: layers.d_input,
            recurrent: layers.init(device)?,
            pooling,
            dropout: DropoutConfig::new(layers.dropout).init(),
            classifier: Linear::new(layers.d_output(), num_classes, device),
        })
    }
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
}

/// Defines the configuration of a [`RecurrentClassifier`] of a cell, with the `CARD` of the module it
/// is in.
macro_rules! recurrent_classifier {
    ($config:ident, $network:ident, $cell:expr) => {
        #[doc = concat!("Configuration of [`", stringify!($network), "`].")]
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $config {
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
            pub pooling: crate::layers::Pooling,
            /// Probability with which a value is dropped in training, between layers and before the
            /// classifier.
            pub dropout: f64,
        }

        impl Default for $config {
            fn default() -> Self {
                Self {
                    num_bins: 161,
                    num_classes: 10,
                    d_hidden: 256,
                    num_layers: 2,
                    bidirectional: true,
                    pooling: crate::layers::Pooling::Mean,
                    dropout: 0.2,
                }
            }
        }

        impl $config {
            fn layers(&self) -> crate::layers::RecurrentConfig {
                crate::layers::RecurrentConfig {
                    cell: $cell,
                    d_input: self.num_bins,
                    d_hidden: self.d_hidden,
                    num_layers: self.num_layers,
                    bidirectional: self.bidirectional,
                    dropout: self.dropout,
                }
            }
        }

        impl crate::Architecture for $config {
            type Network<B: burn::tensor::backend::Backend> = $network<B>;

            fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
                network: &Self::Network<B>,
            ) -> Self::Network<B::InnerBackend> {
                burn::module::AutodiffModule::valid(network)
            }

            fn card(&self) -> &'static crate::Card {
                &CARD
            }

            fn role(&self) -> crate::Role {
                crate::Role::Classifier
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

            fn check(&self) -> Result<(), crate::ConfigError> {
                crate::config::check_size("num_bins", self.num_bins)?;
                crate::config::check_size("num_classes", self.num_classes)?;
                self.layers().check()
            }

            fn init<B: burn::tensor::backend::Backend>(
                &self,
                device: &B::Device,
            ) -> Result<$network<B>, crate::ConfigError> {
                self.check()?;
                $network::new(&self.layers(), self.pooling, self.num_classes, device)
            }
        }
    };
}

pub(super) use recurrent_classifier;
