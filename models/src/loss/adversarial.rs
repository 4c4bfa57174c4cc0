//! The losses of a generator and a discriminator.

use burn::tensor::activation::{log_sigmoid, relu};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

/// The game of a generator and a discriminator. D is the discriminator's logit of what is real, G of
/// what was generated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdversarialLoss {
    /// `−mean log σ(D) − mean log (1 − σ(G))` against `−mean log σ(G)` ([Goodfellow et al.
    /// 2014](https://arxiv.org/abs/1406.2661)): the generator makes its patches likely rather than their
    /// discovery unlikely, so that it learns while they are easy to tell.
    #[default]
    NonSaturating,
    /// `mean max(0, 1 − D) + mean max(0, 1 + G)` against `−mean G` ([Lim and Ye
    /// 2017](https://arxiv.org/abs/1705.02894), [Miyato et al.
    /// 2018](https://arxiv.org/abs/1802.05957)).
    Hinge,
}

impl AdversarialLoss {
    /// The discriminator's loss: `real`, `[batch]`, and `fake`, `[batch]`, to `[1]`. In nats
    /// for [`Self::NonSaturating`]; finite for any finite logits.
    pub fn of_discriminator<B: Backend>(
        self,
        real: Tensor<B, 1>,
        fake: Tensor<B, 1>,
    ) -> Tensor<B, 1> {
        match self {
            // 1 − σ(x) is σ(−x).
            Self::NonSaturating => -log_sigmoid(real).mean() - log_sigmoid(-fake).mean(),
            Self::Hinge => relu(-real + 1.0).mean() + relu(fake + 1.0).mean(),
        }
    }

    /// The generator's loss: `fake`, `[batch]`, to `[1]`.
    pub fn of_generator<B: Backend>(self, fake: Tensor<B, 1>) -> Tensor<B, 1> {
        match self {
            Self::NonSaturating => -log_sigmoid(fake).mean(),
            Self::Hinge => -fake.mean(),
        }
    }
}

/// The loss of each network of a [`Gan`](crate::Gan), `[1]`.
#[derive(Debug, Clone)]
pub struct GanLosses<B: Backend> {
    /// The discriminator's, over the real and the generated patches.
    pub discriminator: Tensor<B, 1>,
    /// The generator's.
    pub generator: Tensor<B, 1>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_ndarray::NdArray;

    fn losses(loss: AdversarialLoss, real: [f32; 2], fake: [f32; 2]) -> [f32; 2] {
        let device = Default::default();
        let [real, fake] =
            [real, fake].map(|logits| Tensor::<NdArray<f32>, 1>::from_floats(logits, &device));
        [
            loss.of_discriminator(real, fake.clone()).into_scalar(),
            loss.of_generator(fake).into_scalar(),
        ]
    }

    fn assert_near(found: [f32; 2], expected: [f32; 2]) {
        for (found, expected) in found.iter().zip(expected) {
            let error = (found - expected).abs();
            assert!(
                error <= 1e-6 * expected.abs().max(1.0),
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn a_guess_costs_a_bit_for_each_kind() {
        let found = losses(AdversarialLoss::NonSaturating, [0.0; 2], [0.0; 2]);
        assert_near(found, [2.0 * 2f32.ln(), 2f32.ln()]);
    }

    #[test]
    fn huge_logits_cost_what_they_are() {
        let found = losses(AdversarialLoss::NonSaturating, [-1e4, 1e4], [1e4, -1e4]);
        assert_near(found, [1e4, 5e3]);
    }

    #[test]
    fn a_margin_of_one_is_enough() {
        let found = losses(AdversarialLoss::Hinge, [1.5, 0.5], [-3.0, 1.0]);
        assert_near(found, [0.25 + 1.0, 1.0]);
    }
}
