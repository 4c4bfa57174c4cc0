//! Dropout as a layer.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use crate::ops;

/// Drops values with a probability, while a gradient is recorded; otherwise the values stay. See
/// [`ops::dropout`].
#[derive(Module, Clone, Debug)]
pub struct Dropout {
    /// The probability with which a value is dropped.
    pub probability: f64,
}

impl Dropout {
    /// Drops with this probability, which is from 0 to 1.
    #[must_use]
    pub fn new(probability: f64) -> Self {
        Self { probability }
    }

    /// Values of any shape to the same shape.
    ///
    /// # Panics
    /// If the probability is not in `0..=1`.
    pub fn forward<B: Backend, const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        match B::ad_enabled(&x.device()) {
            true => ops::dropout(x, self.probability),
            false => x,
        }
    }
}
