//! Launching a kernel on the tensors of a Burn backend, whether it fuses operations or not.

use std::any::{Any, TypeId};
use std::fmt::Debug;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Shape, TensorData, TensorMetadata};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use cubecl::prelude::{ArrayArg, CubeCount};

/// One launch, or several that belong together, with what it takes beside its tensors.
pub(crate) trait Kernel: Clone + Debug + Send + Sync + 'static {
    /// A name for the stream of a fused backend.
    #[cfg_attr(
        not(feature = "fusion"),
        allow(dead_code, reason = "only such a stream asks for it")
    )]
    const NAME: &'static str;

    /// Launches it on inputs in row-major order. The outputs hold whatever was in their memory.
    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>);
}

/// The tensor of any kind of a backend on a GPU.
pub(crate) type Primitive<G> = <G as burn::tensor::backend::BackendTypes>::FloatTensorPrimitive;

/// A backend on whose tensors kernels are launched.
pub(crate) trait Gpu: Backend {
    /// New tensors of the given shapes and of single precision, filled by the kernel.
    fn launch<K: Kernel>(
        kernel: K,
        inputs: Vec<Primitive<Self>>,
        outputs: Vec<Vec<usize>>,
    ) -> Vec<Primitive<Self>>;

    /// Whole numbers for a kernel.
    fn numbers(values: Vec<i32>, device: &Self::Device) -> Primitive<Self>;
}

/// A tensor as a kernel's argument: its values in a row.
pub(crate) fn array<R: CubeRuntime>(tensor: &CubeTensor<R>) -> ArrayArg<R> {
    tensor.clone().into_array_arg()
}

/// Cubes of `units` for so many values, at most as many as a device counts: then units go on to further values.
pub(crate) fn cubes(values: usize, units: u32) -> CubeCount {
    // Some devices count up to 65535 in each direction.
    CubeCount::Static(values.div_ceil(units as usize).clamp(1, 65535) as u32, 1, 1)
}

impl<R, F, I, T> Gpu for CubeBackend<R, F, I, T>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    T: BoolElement,
{
    fn launch<K: Kernel>(
        kernel: K,
        inputs: Vec<CubeTensor<R>>,
        outputs: Vec<Vec<usize>>,
    ) -> Vec<CubeTensor<R>> {
        let inputs: Vec<_> = inputs.into_iter().map(into_contiguous).collect();
        let (client, device) = (inputs[0].client.clone(), inputs[0].device.clone());
        let new = |shape| {
            let (client, device) = (client.clone(), device.clone());
            empty_device_contiguous_dtype(client, device, Shape::from(shape), DType::F32)
        };
        let outputs: Vec<_> = outputs.into_iter().map(new).collect();
        kernel.launch(inputs, outputs.clone());
        outputs
    }

    fn numbers(values: Vec<i32>, device: &R::Device) -> CubeTensor<R> {
        use burn::tensor::ops::IntTensorOps;
        let count = values.len();
        Self::int_from_data(TensorData::new(values, [count]), device)
    }
}

#[cfg(feature = "fusion")]
mod fused {
    use std::marker::PhantomData;

    use burn_fusion::stream::{Operation, OperationStreams};
    use burn_fusion::{Fusion, FusionBackend, FusionRuntime, FusionTensor};
    use burn_ir::{CustomOpIr, HandleContainer, OperationIr, TensorIr};

    use super::*;

    /// A kernel in the stream of a backend that fuses what surrounds it.
    #[derive(Debug)]
    struct Custom<G, K> {
        description: CustomOpIr,
        kernel: K,
        backend: PhantomData<fn() -> G>,
    }

    type Handles<G> =
        HandleContainer<<<G as FusionBackend>::FusionRuntime as FusionRuntime>::FusionHandle>;

    impl<G: Gpu + FusionBackend, K: Kernel> Operation<G::FusionRuntime> for Custom<G, K> {
        fn execute(&self, handles: &mut Handles<G>) {
            let CustomOpIr {
                inputs, outputs, ..
            } = &self.description;
            let inputs = inputs
                .iter()
                .map(|input| handles.get_float_tensor::<G>(input));
            let inputs = inputs.collect();
            let shapes = outputs.iter().map(|output| output.shape.to_vec()).collect();
            let found = G::launch(self.kernel.clone(), inputs, shapes);
            for (output, found) in outputs.iter().zip(found) {
                handles.register_float_tensor::<G>(&output.id, found);
            }
        }
    }

    impl<G: Gpu + FusionBackend> Gpu for Fusion<G> {
        fn launch<K: Kernel>(
            kernel: K,
            inputs: Vec<Primitive<Self>>,
            outputs: Vec<Vec<usize>>,
        ) -> Vec<Primitive<Self>> {
            let client = inputs[0].client.clone();
            let streams = OperationStreams::with_inputs(&inputs);
            let inputs: Vec<TensorIr> = inputs.into_iter().map(FusionTensor::into_ir).collect();
            let new = |shape| {
                let id = client.create_empty_handle();
                TensorIr::uninit(id, Shape::from(shape), DType::F32)
            };
            let outputs: Vec<TensorIr> = outputs.into_iter().map(new).collect();
            let description = CustomOpIr::new(K::NAME, &inputs, &outputs);
            let operation = Custom::<G, K> {
                description: description.clone(),
                kernel,
                backend: PhantomData,
            };
            client.register(streams, OperationIr::Custom(description), operation)
        }

        fn numbers(values: Vec<i32>, device: &Self::Device) -> Primitive<Self> {
            use burn::tensor::ops::IntTensorOps;
            let count = values.len();
            Self::int_from_data(TensorData::new(values, [count]), device)
        }
    }
}

/// What to do with a backend once its type is known.
pub(crate) trait KnownGpu {
    /// What comes of it.
    type Output;

    /// Does it, if `G` is the backend in question.
    fn attempt<G: Gpu>(&mut self) -> Option<Self::Output>;
}

/// Tries the backends on which kernels can be launched, one after another.
pub(crate) fn known<V: KnownGpu>(visitor: &mut V) -> Option<V::Output> {
    macro_rules! backends {
        ($($runtime:ty, $truth:ty;)*) => {$(
            type Plain = CubeBackend<$runtime, f32, i32, $truth>;
            if let Some(found) = visitor.attempt::<Plain>() {
                return Some(found);
            }
            #[cfg(feature = "fusion")]
            if let Some(found) = visitor.attempt::<burn_fusion::Fusion<Plain>>() {
                return Some(found);
            }
        )*};
    }
    #[cfg(feature = "wgpu")]
    {
        backends! { cubecl::wgpu::WgpuRuntime, u32; }
    }
    // As SPIR-V and Metal's language have it.
    #[cfg(feature = "wgpu")]
    {
        backends! { cubecl::wgpu::WgpuRuntime, u8; }
    }
    #[cfg(feature = "cuda")]
    {
        backends! { cubecl::cuda::CudaRuntime, u8; }
    }
    None
}

/// Whether a tensor is of single precision.
pub(crate) fn is_single<P: TensorMetadata>(tensor: &P) -> bool {
    tensor.dtype() == DType::F32
}

/// A value as what it is, if it is of that type.
pub(crate) fn cast<T: 'static, U: 'static>(value: T) -> Option<U> {
    let value: Box<dyn Any> = Box::new(value);
    value.downcast::<U>().ok().map(|value| *value)
}

/// Whether the two types are the same.
pub(crate) fn same<T: 'static, U: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<U>()
}
