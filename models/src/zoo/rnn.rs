//! Elman's recurrent network ([1990](https://doi.org/10.1207/s15516709cog1402_1)), by default
//! reading both ways ([Schuster and Paliwal 1997](https://doi.org/10.1109/78.650093)).
//!
//! ```text
//! a⟨t⟩ = tanh(W_ax x⟨t⟩ + W_aa a⟨t−1⟩ + b_a)
//! ```
//!
//! The states of the top layer, averaged over time (or the last ones), lead through one layer to
//! the classes. Deviations: tanh for Elman's logistic function; `b_a` is kept as the sum of two
//! vectors, as in PyTorch, so that weights and parameter counts agree with it; dropout between
//! layers and before the classifier.

use super::recurrent_classifier::{Recurrence, RecurrentClassifier, RecurrentClassifierConfig};
use crate::layers::Cell;
use crate::recipe::classifier;
use crate::{BenchShape, Card, Purpose};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "rnn",
    title: "Elman network",
    purpose: Purpose::Classify,
    paper: "Elman (1990): Finding structure in time",
    paper_url: "https://doi.org/10.1207/s15516709cog1402_1",
    summary: "Stacked tanh recurrent layers, averaged over time.",
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
pub struct RnnRecurrence;

impl Recurrence for RnnRecurrence {
    const CELL: Cell = Cell::Elman;
    const CARD: &'static Card = &CARD;
}

/// Configuration of [`Rnn`].
pub type RnnConfig = RecurrentClassifierConfig<RnnRecurrence>;

/// A classifier on Elman's network. See the [module](self).
pub type Rnn<B> = RecurrentClassifier<B>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, num_params};
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = RnnConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(
            num_params(&model.expect("valid defaults")),
            2 * 256 * (161 + 256 + 2) + 2 * 256 * (512 + 256 + 2) + 512 * 10 + 10
        );
    }

    #[test]
    fn a_state_of_no_features_is_refused() {
        let config = RnnConfig {
            d_hidden: 0,
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
