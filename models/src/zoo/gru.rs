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

use super::recurrent_classifier::{Recurrence, RecurrentClassifier, RecurrentClassifierConfig};
use crate::layers::Cell;
use crate::recipe::classifier;
use crate::{BenchShape, Card, Purpose};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "gru",
    title: "Gated recurrent unit",
    purpose: Purpose::Classify,
    paper: "Cho et al. (2014): Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    paper_url: "https://arxiv.org/abs/1406.1078",
    summary: "Stacked bidirectional GRU layers, averaged over time.",
    paper_settings: "",
    recipe: classifier,
    bench: Some(BenchShape {
        batch: 8,
        frames: 100,
        bins: 161,
    }),
};

/// Marks the configuration of this one of the three.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GruRecurrence;

impl Recurrence for GruRecurrence {
    const CELL: Cell = Cell::Gru;
    const CARD: &'static Card = &CARD;
}

/// Configuration of [`Gru`].
pub type GruConfig = RecurrentClassifierConfig<GruRecurrence>;

/// A classifier on gated recurrent units. See the [module](self).
pub type Gru<B> = RecurrentClassifier<B>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, num_params};
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
