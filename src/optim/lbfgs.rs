//! The history of L-BFGS ([Liu and Nocedal 1989](https://doi.org/10.1007/BF01589116)), which approximates
//! the inverse Hessian from the last few steps.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::numbers::scalar;

/// The number of steps in the history.
const HISTORY: usize = 10;
/// The least curvature along a step, as the dot product of its two changes, that enters the history.
const MIN_CURVATURE: f64 = 1e-10;

/// The history of the last steps, over all parameters as one vector.
pub(crate) struct Lbfgs<B: Backend> {
    /// The change of the parameters and of the gradient in each step, the latest last.
    pub(crate) pairs: Vec<[Tensor<B, 1>; 2]>,
}

impl<B: Backend> Lbfgs<B> {
    /// The approximate inverse Hessian times `gradient`, by the two-loop recursion.
    pub(crate) fn direction(&self, gradient: Tensor<B, 1>) -> Tensor<B, 1> {
        let Some([moved, turned]) = self.pairs.last() else {
            return gradient;
        };
        let scale = dot(moved, turned) / dot(turned, turned);
        let mut direction = gradient;
        let mut shares = Vec::with_capacity(self.pairs.len());
        for [moved, turned] in self.pairs.iter().rev() {
            let share = dot(moved, &direction) / dot(moved, turned);
            direction = direction - turned.clone() * share;
            shares.push(share);
        }
        direction = direction * scale;
        for ([moved, turned], share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let back = dot(turned, &direction) / dot(moved, turned);
            direction = direction + moved.clone() * (share - back);
        }
        direction
    }

    /// Adds a step to the history, unless its curvature is too small.
    pub(crate) fn remember(&mut self, moved: Tensor<B, 1>, turned: Tensor<B, 1>) {
        if dot(&moved, &turned) > MIN_CURVATURE {
            if self.pairs.len() == HISTORY {
                self.pairs.remove(0);
            }
            self.pairs.push([moved, turned]);
        }
    }
}

/// The dot product of two vectors.
pub(super) fn dot<B: Backend>(a: &Tensor<B, 1>, b: &Tensor<B, 1>) -> f64 {
    scalar((a.clone() * b.clone()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_ndarray::NdArray;

    type Cpu = NdArray<f64>;

    fn vector(values: [f64; 3]) -> Tensor<Cpu, 1> {
        Tensor::from_data(values, &Default::default())
    }

    /// After steps along all axes of a bowl the curvature is known: one more ends at its bottom.
    #[test]
    fn a_bowl_is_left_in_one_step_once_its_curvature_is_known() {
        let curvature = vector([0.5, 2.0, 30.0]);
        let mut lbfgs = Lbfgs { pairs: Vec::new() };
        for moved in [[1.0, 0.0, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 2.0]] {
            let moved = vector(moved);
            lbfgs.remember(moved.clone(), moved * curvature.clone());
        }
        let from_bottom = vector([3.0, -2.0, 0.7]);
        let direction = lbfgs.direction(from_bottom.clone() * curvature);
        let error = (direction - from_bottom).abs().max();
        assert!(scalar(error) < 1e-6);
    }

    #[test]
    fn a_step_without_curvature_is_not_remembered_and_the_oldest_is_forgotten() {
        let mut lbfgs = Lbfgs::<Cpu> { pairs: Vec::new() };
        let along = vector([1.0, 0.0, 0.0]);
        lbfgs.remember(along.clone(), along.clone() * -1.0);
        lbfgs.remember(along.clone(), along.clone() * 0.0);
        assert!(lbfgs.pairs.is_empty());
        for step in 0..=HISTORY {
            lbfgs.remember(along.clone(), along.clone() * (1.0 + step as f64));
        }
        assert_eq!(lbfgs.pairs.len(), HISTORY);
        assert_eq!(dot(&lbfgs.pairs[0][1], &along), 2.0);
    }
}
