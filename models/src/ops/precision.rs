//! The precision of matrix products.
//!
//! As in PyTorch's autocast, parameters, normalisation and losses stay in single precision, and so does the forward
//! recursion of a recurrent layer that is a kernel. The inputs of a product are rounded, and its result is single again.

use std::cell::Cell;

use burn::tensor::{DType, FloatDType, Tensor, backend::Backend};

/// A precision of 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfPrecision {
    /// IEEE 754: eleven significant bits, up to 65,504. Small gradients become 0, so the loss is to be scaled.
    F16,
    /// Eight significant bits and the range of single precision.
    Bf16,
}

impl HalfPrecision {
    /// Whether tensors of `B` on this device can be computed with in this precision.
    pub fn is_there<B: Backend>(self, device: &B::Device) -> bool {
        B::supports_dtype(device, self.dtype().into())
    }

    fn dtype(self) -> FloatDType {
        match self {
            Self::F16 => FloatDType::F16,
            Self::Bf16 => FloatDType::BF16,
        }
    }
}

thread_local! {
    static PRODUCTS: Cell<Option<HalfPrecision>> = const { Cell::new(None) };
}

/// Runs `work` with the products of linear layers and convolutions, and those of recurrent layers with their inputs,
/// in this precision; without one in single precision. The state products of a speller, and of recurrent layers
/// without a kernel, are linear layers too. The backward pass belongs inside.
///
/// The kernels of the CPU are in single precision in any case.
pub fn products_in<R>(precision: Option<HalfPrecision>, work: impl FnOnce() -> R) -> R {
    struct Back(Option<HalfPrecision>);
    impl Drop for Back {
        fn drop(&mut self) {
            PRODUCTS.set(self.0);
        }
    }
    let _back = Back(PRODUCTS.replace(precision));
    work()
}

/// `left · right` in the precision of [`products_in`], from single precision to single precision.
pub(crate) fn product<B: Backend, const D: usize>(
    left: Tensor<B, D>,
    right: Tensor<B, D>,
) -> Tensor<B, D> {
    match PRODUCTS.get() {
        Some(half) if left.dtype() == DType::F32 && right.dtype() == DType::F32 => {
            let dtype = half.dtype();
            let y = left.cast(dtype).matmul(right.cast(dtype));
            y.cast(FloatDType::F32)
        }
        _ => left.matmul(right),
    }
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;

    use super::*;

    #[test]
    fn what_was_asked_for_ends_with_the_work() {
        products_in(Some(HalfPrecision::F16), || {
            assert_eq!(PRODUCTS.get(), Some(HalfPrecision::F16));
            products_in(None, || assert_eq!(PRODUCTS.get(), None));
            assert_eq!(PRODUCTS.get(), Some(HalfPrecision::F16));
        });
        assert_eq!(PRODUCTS.get(), None);
    }

    #[test]
    fn the_cpu_has_single_precision_alone() {
        for half in [HalfPrecision::F16, HalfPrecision::Bf16] {
            assert!(!half.is_there::<NdArray<f32>>(&Default::default()));
        }
    }
}
