//! Where operators leave Burn for the CPU kernels and come back.
//!
//! An operator is generic over the backend and cannot ask for a particular one by its type, so it
//! asks at run time whether its tensors are those of `NdArray<f32>`, with or without autodiff. If
//! they are, the kernel gets slices of the tensors' own memory, and its hand-written gradient is
//! registered in the autodiff graph as one step.

use std::any::{Any, TypeId};
use std::cell::Cell;
use std::fmt::Debug;
use std::marker::PhantomData;

use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{DType, Shape, Tensor, TensorMetadata, TensorPrimitive};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::{BalancedCheckpointing, NoCheckpointing};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_ndarray::{NdArray, NdArrayTensor};
use ndarray::{ArcArray, IxDyn};

use crate::kernels::buffer;

type Cpu = NdArray<f32>;
/// The tensor of autodiff on the CPU, whatever its checkpointing strategy.
type Tracked = <Autodiff<Cpu> as BackendTypes>::FloatTensorPrimitive;

thread_local! {
    static COUNTS: Cell<PathCounts> = const { Cell::new(PathCounts { kernels: 0, portable: 0 }) };
}

/// How often operators called on this thread, or [in the pool](super::in_pool) for it, ran a CPU
/// kernel, and how often the portable expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathCounts {
    /// Calls that ran a kernel.
    pub kernels: usize,
    /// Calls that ran the portable expression, as they do on every other backend.
    pub portable: usize,
}

/// The counts of this thread so far.
pub fn path_counts() -> PathCounts {
    COUNTS.get()
}

/// Adds to the counts of this thread what another's grew by.
pub(crate) fn add_counts(before: PathCounts, after: PathCounts) {
    let mut counts = COUNTS.get();
    counts.kernels += after.kernels - before.kernels;
    counts.portable += after.portable - before.portable;
    COUNTS.set(counts);
}

fn count(kernel: bool) {
    let mut counts = COUNTS.get();
    if kernel {
        counts.kernels += 1;
    } else {
        counts.portable += 1;
    }
    COUNTS.set(counts);
}

/// The values of a tensor in row-major order, in the tensor's own memory where they lie there so.
#[derive(Debug, Clone)]
pub(crate) struct Array(NdArrayTensor);

impl Array {
    fn new(tensor: NdArrayTensor) -> Option<Self> {
        let NdArrayTensor::F32(storage) = &tensor else {
            return None;
        };
        let view = storage.view();
        if view.is_standard_layout() {
            return Some(Self(tensor));
        }
        let copy = view.as_standard_layout().into_owned();
        Some(Self(copy.into_shared().into()))
    }

    pub(crate) fn values(&self) -> &[f32] {
        let NdArrayTensor::F32(storage) = &self.0 else {
            unreachable!("arrays are of single precision")
        };
        let view = storage.view();
        view.to_slice().expect("arrays are kept in row-major order")
    }

    /// The values to change: the tensor's own where nobody else sees them, otherwise a copy.
    pub(crate) fn into_vec(self) -> Vec<f32> {
        match self.try_into_vec() {
            Ok(values) => values,
            Err(shared) => {
                let mut copy = buffer::take(shared.values().len());
                copy.copy_from_slice(shared.values());
                copy
            }
        }
    }

    /// Gives the memory back for the next kernel, if nobody else holds it.
    pub(crate) fn give(self) {
        if let Ok(values) = self.try_into_vec() {
            buffer::give(values);
        }
    }

    fn try_into_vec(self) -> Result<Vec<f32>, Self> {
        let len = self.values().len();
        match self.0 {
            NdArrayTensor::F32(storage) if storage.is_unique() => {
                let array = storage.into_shared().into_owned();
                let (values, offset) = array.into_raw_vec_and_offset();
                if offset.unwrap_or(0) == 0 && values.len() == len {
                    Ok(values)
                } else {
                    let from = offset.unwrap_or(0);
                    Ok(values[from..from + len].to_vec())
                }
            }
            shared => Err(Self(shared)),
        }
    }
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> NdArrayTensor {
    ArcArray::from_shape_vec(IxDyn(shape), values)
        .expect("kernels return as many values as their shape has")
        .into()
}

/// Whether this is the CPU backend without autodiff.
pub(crate) fn is_cpu<B: Backend>() -> bool {
    TypeId::of::<B>() == TypeId::of::<Cpu>()
}

/// Whether this is a tensor of single precision of the CPU backend without autodiff.
pub(crate) fn is_plain<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> bool {
    is_cpu::<B>() && tensor.dtype() == DType::F32
}

/// The array of a tensor for which [`is_plain`] holds.
pub(crate) fn take<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Array {
    let input: Box<dyn Any> = Box::new(Some(tensor.into_primitive().tensor()));
    let tensor = downcast::<NdArrayTensor>(input);
    tensor
        .and_then(Array::new)
        .expect("the caller asked is_plain()")
}

pub(crate) fn count_kernel() {
    count(true);
}

/// The inputs of an operator whose kernel will run.
pub(crate) struct Inputs<B: Backend, const N: usize> {
    arrays: [Array; N],
    /// The same with their places in the graph, in training.
    tracked: Option<[Tracked; N]>,
    backend: PhantomData<B>,
}

/// Any tensor as the primitive that all ranks share.
pub(crate) fn primitive<B: Backend, const D: usize>(
    tensor: &Tensor<B, D>,
) -> Option<B::FloatTensorPrimitive> {
    if tensor.dtype() != DType::F32 {
        return None;
    }
    match tensor.clone().into_primitive() {
        TensorPrimitive::Float(primitive) => Some(primitive),
        TensorPrimitive::QFloat(_) => None,
    }
}

impl<B: Backend, const N: usize> Inputs<B, N> {
    /// The inputs if kernels can take them: all of single precision and on the CPU backend.
    pub(crate) fn recognise(inputs: [Option<B::FloatTensorPrimitive>; N]) -> Option<Self> {
        let inputs = Self::look(inputs);
        count(inputs.is_some());
        inputs
    }

    /// As [`Self::recognise`], for what is no operator and is not counted.
    pub(crate) fn look(inputs: [Option<B::FloatTensorPrimitive>; N]) -> Option<Self> {
        let backend = TypeId::of::<B>();
        let plain = backend == TypeId::of::<Cpu>();
        let training = backend == TypeId::of::<Autodiff<Cpu, NoCheckpointing>>()
            || backend == TypeId::of::<Autodiff<Cpu, BalancedCheckpointing>>();
        if !(plain || training) || inputs.iter().any(Option::is_none) {
            return None;
        }
        let inputs = inputs.map(|input| Box::new(input) as Box<dyn Any>);
        if plain {
            let arrays = inputs.map(|input| downcast::<NdArrayTensor>(input).and_then(Array::new));
            return Some(Self {
                arrays: all(arrays)?,
                tracked: None,
                backend: PhantomData,
            });
        }
        let tracked = all(inputs.map(downcast::<Tracked>))?;
        let arrays = tracked.each_ref().map(|t| Array::new(t.primitive.clone()));
        Some(Self {
            arrays: all(arrays)?,
            tracked: Some(tracked),
            backend: PhantomData,
        })
    }

    /// As [`Self::recognise`], for operators without a gradient: none on a backend that records.
    pub(crate) fn recognise_plain(inputs: [Option<B::FloatTensorPrimitive>; N]) -> Option<Self> {
        let inputs = Self::look(inputs).filter(|inputs| inputs.tracked.is_none());
        count(inputs.is_some());
        inputs
    }

    /// The values of each input.
    pub(crate) fn values(&self) -> [&[f32]; N] {
        self.arrays.each_ref().map(Array::values)
    }

    /// Whether a gradient will be asked for.
    pub(crate) fn is_tracked(&self) -> bool {
        self.tracked
            .as_ref()
            .is_some_and(|tensors| tensors.iter().any(Tracked::is_tracked))
    }

    /// The operator's output as a tensor, and its gradient in the graph. `saved` says what the
    /// gradient needs, and is only asked where one will be.
    pub(crate) fn finish<O: Operator<N>, const D: usize>(
        self,
        operator: O,
        output: Vec<f32>,
        shape: [usize; D],
        saved: impl FnOnce([Array; N]) -> O::Saved,
    ) -> Tensor<B, D> {
        let Some(tracked) = self.tracked else {
            return plain(output, shape);
        };
        let output = tensor(output, &shape);
        let shapes = tracked.each_ref().map(|t| t.primitive.shape());
        let nodes = tracked.map(|t| t.node);
        let prepared = Step(operator)
            .prepare::<NoCheckpointing>(nodes)
            .compute_bound()
            .stateful();
        from_any(Box::new(match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((saved(self.arrays), shapes), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }))
    }
}

/// The output of a kernel on the backend without autodiff.
pub(crate) fn plain<B: Backend, const D: usize>(
    output: Vec<f32>,
    shape: [usize; D],
) -> Tensor<B, D> {
    from_any(Box::new(tensor(output, &shape)))
}

fn from_any<B: Backend, const D: usize>(output: Box<dyn Any>) -> Tensor<B, D> {
    let output = output
        .downcast::<B::FloatTensorPrimitive>()
        .expect("the inputs were of this backend");
    Tensor::from_primitive(TensorPrimitive::Float(*output))
}

fn downcast<T: 'static>(input: Box<dyn Any>) -> Option<T> {
    *input.downcast::<Option<T>>().ok()?
}

fn all<T, const N: usize>(items: [Option<T>; N]) -> Option<[T; N]> {
    let items: Vec<T> = items.into_iter().collect::<Option<_>>()?;
    items.try_into().ok()
}

/// The gradient of an operator with `N` inputs.
pub(crate) trait Operator<const N: usize>: Debug + Send + Sized + 'static {
    /// What the forward pass keeps for it.
    type Saved: Clone + Debug + Send + 'static;

    /// The gradients of the inputs, those that are wanted, from that of the output.
    fn backward(
        self,
        saved: Self::Saved,
        gradient: Array,
        wanted: [bool; N],
    ) -> [Option<Vec<f32>>; N];
}

#[derive(Debug)]
struct Step<O>(O);

impl<O: Operator<N>, const N: usize> Backward<Cpu, N> for Step<O> {
    type State = (O::Saved, [Shape; N]);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let (saved, shapes) = ops.state;
        let gradient = Array::new(grads.consume::<Cpu>(&ops.node))
            .expect("the gradient of single precision is of single precision");
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = self.0.backward(saved, gradient, wanted);
        for ((parent, values), shape) in ops.parents.into_iter().zip(found).zip(shapes) {
            if let (Some(parent), Some(values)) = (parent, values) {
                let dims: Vec<usize> = shape.iter().copied().collect();
                grads.register::<Cpu>(parent.id, tensor(values, &dims));
            }
        }
    }
}
