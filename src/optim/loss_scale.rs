//! The factor of the loss in half precision ([Micikevicius et al. 2018](https://arxiv.org/abs/1710.03740)).

use serde::{Deserialize, Serialize};

/// As in PyTorch's `GradScaler`.
const START: f64 = 65_536.0;
const STEPS_TO_DOUBLE: usize = 2_000;
/// Beyond this nothing is gained.
const MOST: f64 = 16_777_216.0;

/// The factor of the loss, by which small gradients stay above the least number of half precision. Where
/// gradients overflow, the step is left out and the factor is halved. After 2,000 steps without overflow it doubles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossScale {
    /// The factor.
    pub(crate) factor: f64,
    /// Steps since it changed.
    steps: usize,
    /// Steps that were left out over the whole run.
    #[serde(default)]
    pub(crate) left_out: usize,
}

impl Default for LossScale {
    fn default() -> Self {
        Self {
            factor: START,
            steps: 0,
            left_out: 0,
        }
    }
}

impl LossScale {
    /// Follows a step, whose gradients are finite or not.
    pub(crate) fn follow(&mut self, is_finite: bool) {
        self.steps += 1;
        if !is_finite {
            self.factor /= 2.0;
            self.steps = 0;
            self.left_out += 1;
        } else if self.steps >= STEPS_TO_DOUBLE {
            self.factor = (self.factor * 2.0).min(MOST);
            self.steps = 0;
        }
    }

    /// Whether the factor is below one: gradients overflow even unscaled.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.factor < 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_at_an_overflow_and_doubles_after_2000_steps_without() {
        let mut scale = LossScale::default();
        scale.follow(false);
        assert_eq!((scale.factor, scale.left_out), (32_768.0, 1));
        for _ in 0..1_999 {
            scale.follow(true);
        }
        assert_eq!(scale.factor, 32_768.0);
        scale.follow(true);
        assert_eq!(scale.factor, 65_536.0);
        for _ in 0..17 {
            assert!(!scale.is_exhausted());
            scale.follow(false);
        }
        assert!(scale.is_exhausted());
    }
}
