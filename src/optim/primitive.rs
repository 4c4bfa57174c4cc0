//! Tensors of any rank, as maps from a parameter's path hold them.

use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{Tensor, TensorPrimitive};

/// A tensor of any rank.
pub(crate) type Primitive<B> = <B as BackendTypes>::FloatTensorPrimitive;

/// Gives a tensor its rank back.
pub(crate) fn tensor<B: Backend, const D: usize>(primitive: Primitive<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
