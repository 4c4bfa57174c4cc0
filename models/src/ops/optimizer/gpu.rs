//! Steps of optimizers on a GPU.

use burn::tensor::{Tensor, TensorMetadata, backend::Backend};

use super::{AdamStep, RmsStep, SgdStep};
use crate::gpu::launch::{Primitive, cast, is_single, same};
use crate::gpu::optimizer::{GRADIENTS, Norm, Rule, Squares, Step};
use crate::gpu::{Gpu, KnownGpu, known};
use crate::ops::gpu_seam::{lower, raise};

pub(super) fn adam<B: Backend, const D: usize>(
    step: &AdamStep,
    [parameter, gradient]: [&Tensor<B, D>; 2],
    moments: Option<&[Tensor<B, D>; 2]>,
    scale: Option<&Tensor<B, 1>>,
) -> Option<[Tensor<B, D>; 3]> {
    let [correction_1, correction] = step.corrections();
    let [decay, keep] = step.decays();
    let step = Step {
        rule: Rule::Adam,
        rate: step.rate / correction_1,
        kept: step.betas,
        added: step.betas.map(|beta| 1.0 - beta),
        correction,
        epsilon: step.epsilon,
        decay,
        keep,
        is_scaled: scale.is_some(),
        is_first: moments.is_none(),
    };
    let past = moments.map_or(&[][..], |moments| moments);
    launched(step, [parameter, gradient], past, scale)
}

pub(super) fn sgd<B: Backend, const D: usize>(
    step: &SgdStep,
    [parameter, gradient]: [&Tensor<B, D>; 2],
    momentum: Option<&Tensor<B, D>>,
    scale: Option<&Tensor<B, 1>>,
) -> Option<[Tensor<B, D>; 2]> {
    let step = Step {
        rule: Rule::Sgd {
            ahead: step.nesterov,
        },
        rate: step.rate,
        kept: [step.momentum, 0.0],
        added: [1.0, 0.0],
        correction: 1.0,
        epsilon: 0.0,
        decay: step.decay,
        keep: 1.0,
        is_scaled: scale.is_some(),
        is_first: momentum.is_none(),
    };
    let past = momentum.map_or(&[][..], std::slice::from_ref);
    launched(step, [parameter, gradient], past, scale)
}

pub(super) fn rms<B: Backend, const D: usize>(
    step: &RmsStep,
    [parameter, gradient]: [&Tensor<B, D>; 2],
    squares: Option<&Tensor<B, D>>,
    scale: Option<&Tensor<B, 1>>,
) -> Option<[Tensor<B, D>; 2]> {
    let [kept, added] = step.shares();
    let step = Step {
        rule: Rule::Rms,
        rate: step.rate,
        kept: [kept, 0.0],
        added: [added, 0.0],
        correction: 1.0,
        epsilon: step.epsilon,
        decay: step.decay,
        keep: 1.0,
        is_scaled: scale.is_some(),
        is_first: squares.is_none(),
    };
    let past = squares.map_or(&[][..], std::slice::from_ref);
    launched(step, [parameter, gradient], past, scale)
}

fn launched<B: Backend, const D: usize, const N: usize>(
    step: Step,
    given: [&Tensor<B, D>; 2],
    past: &[Tensor<B, D>],
    scale: Option<&Tensor<B, 1>>,
) -> Option<[Tensor<B, D>; N]> {
    let given = given.into_iter().map(|tensor| lower(tensor.clone()));
    let scale = scale.into_iter().map(|scale| lower(scale.clone()));
    let past = past.iter().map(|tensor| lower(tensor.clone()));
    let inputs: Vec<_> = given.chain(scale).chain(past).collect();
    let found = known(&mut Plain::<B, Step> {
        kernel: step,
        inputs,
    })?;
    let found: Vec<_> = found.into_iter().map(raise::<B, D>).collect();
    found.try_into().ok()
}

/// The factor for a joint norm of at most `most`.
pub(super) fn clip_factor<B: Backend>(
    gradients: Vec<Primitive<B>>,
    most: f64,
) -> Option<Tensor<B, 1>> {
    of_norm(Norm { most: Some(most) }, gradients)
}

/// The joint norm.
pub(super) fn joint_norm<B: Backend>(gradients: Vec<Primitive<B>>) -> Option<Tensor<B, 1>> {
    of_norm(Norm { most: None }, gradients)
}

fn of_norm<B: Backend>(kernel: Norm, gradients: Vec<Primitive<B>>) -> Option<Tensor<B, 1>> {
    known(&mut Plain::<B, Norm> {
        kernel,
        inputs: gradients,
    })
    .map(raise)
}

/// A kernel on tensors of the backend itself, without a gradient.
struct Plain<B: Backend, K> {
    kernel: K,
    inputs: Vec<Primitive<B>>,
}

impl<B: Backend, K> Plain<B, K> {
    /// The inputs, if the backend is this one.
    fn inputs<G: Gpu>(&self) -> Option<Vec<Primitive<G>>> {
        if !same::<B, G>() || !self.inputs.iter().all(is_single) {
            return None;
        }
        cast(self.inputs.clone())
    }
}

impl<B: Backend> KnownGpu for Plain<B, Step> {
    type Output = Vec<Primitive<B>>;

    fn attempt<G: Gpu>(&mut self) -> Option<Self::Output> {
        let inputs = self.inputs::<G>()?;
        let shape = inputs[0].shape().to_vec();
        let outputs = vec![shape; self.kernel.outputs()];
        cast(G::launch(self.kernel.clone(), inputs, outputs))
    }
}

impl<B: Backend> KnownGpu for Plain<B, Norm> {
    type Output = Primitive<B>;

    fn attempt<G: Gpu>(&mut self) -> Option<Self::Output> {
        let inputs = self.inputs::<G>()?;
        let sums = inputs.chunks(GRADIENTS).map(|some| {
            let outputs = vec![vec![Squares::sums(some.len())]];
            raise::<G, 1>(G::launch(Squares, some.to_vec(), outputs).remove(0))
        });
        let mut sums: Vec<_> = sums.collect();
        let sums = if sums.len() == 1 {
            sums.remove(0)
        } else {
            Tensor::cat(sums, 0)
        };
        let mut factor = G::launch(self.kernel.clone(), vec![lower(sums)], vec![vec![1]]);
        cast(factor.remove(0))
    }
}
