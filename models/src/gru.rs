//! Gated recurrent units ([Cho et al. 2014](https://arxiv.org/abs/1406.1078)), by default reading
//! both ways ([Schuster and Paliwal 1997](https://doi.org/10.1109/78.650093)).
//!
//! ```text
//! r⟨t⟩ = σ(W_rx x⟨t⟩ + b_r + W_rh h⟨t−1⟩ + b'_r)
//! z⟨t⟩ = σ(W_zx x⟨t⟩ + b_z + W_zh h⟨t−1⟩ + b'_z)
//! n⟨t⟩ = tanh(W_nx x⟨t⟩ + b_n + r⟨t⟩ ∘ (W_nh h⟨t−1⟩ + b'_n))
//! h⟨t⟩ = (1 − z⟨t⟩) ∘ n⟨t⟩ + z⟨t⟩ ∘ h⟨t−1⟩
//! ```
//!
//! The states of the top layer, averaged over time (or the last ones), lead through one layer to
//! the classes. Deviations: the reset gate acts after the state's product, as in cuDNN and PyTorch,
//! where the paper has
//! `W_nh (r⟨t⟩ ∘ h⟨t−1⟩)`; two bias vectors for each gate, as there; dropout between layers and
//! before the classifier.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_size};
use crate::layers::{Cell, Linear, Pooling, Recurrent, RecurrentConfig, masked_mean};

/// Configuration of [`Gru`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GruConfig {
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
    /// How the states become one vector.
    pub pooling: Pooling,
    /// Probability with which a value is dropped in training, between layers and before the
    /// classifier.
    pub dropout: f64,
}

impl Default for GruConfig {
    fn default() -> Self {
        Self {
            num_bins: 161,
            num_classes: 10,
            d_hidden: 256,
            num_layers: 2,
            bidirectional: true,
            pooling: Pooling::Mean,
            dropout: 0.2,
        }
    }
}

impl GruConfig {
    fn recurrent(&self) -> RecurrentConfig {
        RecurrentConfig {
            cell: Cell::Gru,
            d_input: self.num_bins,
            d_hidden: self.d_hidden,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is wrong, its value and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_size("num_bins", self.num_bins)?;
        check_size("num_classes", self.num_classes)?;
        self.recurrent().check()
    }

    /// A network with random weights.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Gru<B>, ConfigError> {
        self.check()?;
        let recurrent = self.recurrent();
        Ok(Gru {
            recurrent: recurrent.init(device)?,
            pooling: self.pooling,
            dropout: DropoutConfig::new(self.dropout).init(),
            classifier: Linear::new(recurrent.d_output(), self.num_classes, device),
        })
    }
}

/// A classifier on gated recurrent units. See the [module](self).
#[derive(Module, Debug)]
pub struct Gru<B: Backend> {
    /// The stack of recurrent layers.
    pub recurrent: Recurrent<B>,
    /// How the states become one vector.
    pub pooling: Pooling,
    /// Acts on that vector.
    pub dropout: Dropout,
    /// From that vector to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Gru<B> {
    /// Features `[batch, frames, bins]` and the valid frames of each row to logits `[batch,
    /// classes]`.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in `1..=frames`, or the bins are
    /// not the configuration's.
    pub fn forward(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        self.classifier.forward(self.embed(features, lengths)) // [batch, classes]
    }

    /// What the classifier sees of each row: all but the last layer of [`Self::forward`].
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        let states = self.recurrent.forward(features, lengths); // [batch, frames, directions·d_hidden]
        let x = match self.pooling {
            Pooling::Mean => masked_mean(states.outputs, lengths),
            Pooling::Last => states.last,
        }; // [batch, directions·d_hidden]
        self.dropout.forward(x) // [batch, directions·d_hidden]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = GruConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 1_831_434);
    }

    #[test]
    fn no_layer_at_all_is_refused() {
        let config = GruConfig {
            num_layers: 0,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
