//! Where operators leave Burn for kernels on a GPU and come back.
//!
//! As the CPU's seam (`seam.rs`): an operator asks at run time whether its tensors belong to a backend
//! on which kernels can be launched, and a hand-written gradient is one step of the autodiff graph.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{Tensor, TensorMetadata, TensorPrimitive};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::{BalancedCheckpointing, NoCheckpointing};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use crate::gpu::launch::{cast, is_single, same};
use crate::gpu::{Gpu, KnownGpu, known};

type Primitive<B> = <B as BackendTypes>::FloatTensorPrimitive;

/// An operator with `N` inputs that runs on kernels, forward and backward.
pub(crate) trait Operator<const N: usize>: Clone + Debug + Send + 'static {
    /// The output, and what the gradient needs, if `keep`.
    fn forward<G: Gpu>(
        &self,
        inputs: [Primitive<G>; N],
        keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>);

    /// The gradients of the inputs from that of the output; those that are not `wanted` may be left
    /// out.
    fn backward<G: Gpu>(
        self,
        saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        wanted: [bool; N],
    ) -> [Option<Primitive<G>>; N];
}

/// Runs the operator if the inputs are of single precision and on a GPU.
pub(crate) fn apply<B: Backend, O: Operator<N>, const N: usize>(
    operator: O,
    inputs: [Primitive<B>; N],
) -> Option<Primitive<B>> {
    if !inputs.iter().all(is_single) {
        return None;
    }
    known(&mut Apply::<B, O, N> {
        operator,
        inputs: Some(inputs),
    })
}

struct Apply<B: Backend, O, const N: usize> {
    operator: O,
    /// Until a backend takes them.
    inputs: Option<[Primitive<B>; N]>,
}

impl<B: Backend, O: Operator<N>, const N: usize> KnownGpu for Apply<B, O, N> {
    type Output = Primitive<B>;

    fn attempt<G: Gpu>(&mut self) -> Option<Primitive<B>> {
        if same::<B, G>() {
            let inputs = cast::<_, [Primitive<G>; N]>(self.inputs.take()?)?;
            let (output, _) = self.operator.forward::<G>(inputs, false);
            return cast(output);
        }
        if !same::<B, Autodiff<G, NoCheckpointing>>()
            && !same::<B, Autodiff<G, BalancedCheckpointing>>()
        {
            return None;
        }
        let inputs = cast::<_, [Primitive<Autodiff<G>>; N]>(self.inputs.take()?)?;
        let keep = inputs.iter().any(|input| input.is_tracked());
        let values = inputs.each_ref().map(|input| input.primitive.clone());
        let (output, saved) = self.operator.forward::<G>(values, keep);
        let step = Step::<G, O> {
            operator: self.operator.clone(),
            backend: PhantomData,
        };
        let prepared = step
            .prepare::<NoCheckpointing>(inputs.map(|input| input.node))
            .compute_bound()
            .stateful();
        cast(match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(saved, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        })
    }
}

#[derive(Debug)]
struct Step<G, O> {
    operator: O,
    backend: PhantomData<fn() -> G>,
}

impl<G: Gpu, O: Operator<N>, const N: usize> Backward<G, N> for Step<G, O> {
    type State = Vec<Primitive<G>>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<G>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = self.operator.backward::<G>(ops.state, gradient, wanted);
        for (parent, found) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(found)) = (parent, found) {
                gradients.register::<G>(parent.id, found);
            }
        }
    }
}

/// Any tensor as the primitive that all ranks share.
pub(crate) fn lower<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Primitive<B> {
    match tensor.into_primitive() {
        TensorPrimitive::Float(tensor) => tensor,
        TensorPrimitive::QFloat(tensor) => {
            unreachable!("tensors of models are not quantised: {tensor:?}")
        }
    }
}

/// The tensor of a primitive of that rank.
pub(crate) fn raise<B: Backend, const D: usize>(primitive: Primitive<B>) -> Tensor<B, D> {
    assert_eq!(primitive.rank(), D, "the rank of a kernel's output");
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
