//! A step of L-BFGS with a backtracking line search.

use burn::module::Module;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::gradients::Gradients;
use super::lbfgs::dot;
use super::optimizer::Optimizer;
use super::statistics::RunningStatistics;
use crate::numbers::scalar;

/// The share of the decrease predicted by the slope that a step must achieve ([Armijo
/// 1966](https://doi.org/10.2140/pjm.1966.16.1)).
const SUFFICIENT_DECREASE: f64 = 1e-4;
/// The most halvings of a step; a step that is still too long is not taken.
const MAX_HALVINGS: usize = 12;

impl<B: Backend> Optimizer<B> {
    /// Takes a step of L-BFGS from `model`, whose loss and gradients are given. `evaluate` returns the
    /// loss and the gradients of another model, or none if they are not finite. If no step length
    /// lowers the loss, the model stays as it is and the history is cleared.
    pub(crate) fn second_order_step<A, M>(
        &mut self,
        model: M,
        (value, gradients): (f64, Gradients<B>),
        learning_rate: f64,
        mut evaluate: impl FnMut(&M) -> Option<(f64, Gradients<B>)>,
    ) -> M
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        self.steps += 1;
        let gradient = gradients.flat();
        let mut direction = self.lbfgs.direction(gradient.clone());
        let mut slope = dot(&gradient, &direction);
        if slope <= 0.0 {
            self.lbfgs.pairs.clear();
            direction = gradient.clone();
            slope = dot(&gradient, &direction);
        }
        // Trials are evaluated in training mode, and each would move the running statistics.
        let statistics = RunningStatistics::of::<A, M>(&model);
        let mut length = learning_rate;
        if self.lbfgs.pairs.is_empty() {
            // Without a history the first step is small, as PyTorch's is.
            length *= scalar(gradient.clone().abs().sum()).recip().min(1.0);
        }
        for _ in 0..=MAX_HALVINGS {
            let step = gradients.with_values(direction.clone());
            let moved = self.moved::<A, M>(model.clone(), step, None, length);
            let evaluated = evaluate(&moved);
            // A clone shares its statistics with the original.
            let moved = statistics.restored::<A, M>(moved);
            if let Some((there, found)) = evaluated
                && there <= value - SUFFICIENT_DECREASE * length * slope
            {
                let turned = found.flat() - gradient;
                self.lbfgs.remember(direction * -length, turned);
                return moved;
            }
            length /= 2.0;
        }
        self.lbfgs.pairs.clear();
        model
    }
}
