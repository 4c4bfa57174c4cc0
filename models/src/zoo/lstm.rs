//! Long short-term memory ([Hochreiter and Schmidhuber
//! 1997](https://doi.org/10.1162/neco.1997.9.8.1735)), by default reading both ways ([Graves and
//! Schmidhuber 2005](https://doi.org/10.1016/j.neunet.2005.06.042)).
//!
//! ```text
//! i⟨t⟩ = σ(W_ix x⟨t⟩ + W_ih h⟨t−1⟩ + b_i)      o⟨t⟩ = σ(W_ox x⟨t⟩ + W_oh h⟨t−1⟩ + b_o)
//! f⟨t⟩ = σ(W_fx x⟨t⟩ + W_fh h⟨t−1⟩ + b_f)      c⟨t⟩ = f⟨t⟩ ∘ c⟨t−1⟩ + i⟨t⟩ ∘ g⟨t⟩
//! g⟨t⟩ = tanh(W_gx x⟨t⟩ + W_gh h⟨t−1⟩ + b_g)   h⟨t⟩ = o⟨t⟩ ∘ tanh(c⟨t⟩)
//! ```
//!
//! The states of the top layer, averaged over time (or the last ones), lead through one layer to
//! the classes. Deviations: the forget gate of [Gers et al.
//! 2000](https://doi.org/10.1162/089976600300015015), no peepholes, two bias vectors for each gate
//! as in PyTorch (only their sum counts), and dropout between layers and before the classifier.

use super::recurrent_classifier::{Recurrence, RecurrentClassifier, RecurrentClassifierConfig};
use crate::layers::Cell;
use crate::recipe::classifier;
use crate::{BenchShape, Card, Purpose};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "lstm",
    title: "Long short-term memory",
    purpose: Purpose::Classify,
    paper: "Hochreiter and Schmidhuber (1997): Long short-term memory",
    paper_url: "https://doi.org/10.1162/neco.1997.9.8.1735",
    summary: "Stacked bidirectional LSTM layers, averaged over time.",
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
pub struct LstmRecurrence;

impl Recurrence for LstmRecurrence {
    const CELL: Cell = Cell::Lstm;
    const CARD: &'static Card = &CARD;
}

/// Configuration of [`Lstm`].
pub type LstmConfig = RecurrentClassifierConfig<LstmRecurrence>;

/// A classifier on long short-term memory. See the [module](self).
pub type Lstm<B> = RecurrentClassifier<B>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, num_params};
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = LstmConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 2_440_202);
    }

    #[test]
    fn dropping_everything_is_refused() {
        let config = LstmConfig {
            dropout: 1.0,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
