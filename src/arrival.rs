//! Values on their way from a device.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};

/// A value that is computed from a tensor of the device once it has arrived. The copy is queued on the device at
/// once, behind what has been queued before, so that it does not wait for what comes later. On wgpu the values arrive
/// later; on the CPU, and through CubeCL 0.10 on CUDA, they are here at once, after what was queued before.
pub struct Arrival<T>(State<T>);

enum State<T> {
    Here(T),
    Coming(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Arrival<T> {
    /// Reads `tensor` and applies `then` to its values, in row-major order.
    ///
    /// # Panics
    /// When the device fails.
    pub fn of<B: Backend, const D: usize>(
        tensor: Tensor<B, D>,
        then: impl FnOnce(Vec<f32>) -> T + Send + 'static,
    ) -> Self
    where
        T: 'static,
    {
        let data = tensor.detach().into_data_async();
        let mut coming: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(async move {
            let data = data.await.expect("the device gives its values back");
            let values = data.convert_dtype(DType::F32).into_vec();
            then(values.expect("the data was just converted to f32"))
        });
        // The first poll queues the copy. On the CPU the values are here by then.
        match coming
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(value) => Self::here(value),
            Poll::Pending => Self(State::Coming(coming)),
        }
    }

    /// A value that is here.
    pub fn here(value: T) -> Self {
        Self(State::Here(value))
    }

    /// The value, if it has arrived.
    pub fn value(&self) -> Option<&T> {
        match &self.0 {
            State::Here(value) => Some(value),
            State::Coming(_) => None,
        }
    }

    /// Whether it has arrived.
    pub fn is_here(&self) -> bool {
        self.value().is_some()
    }

    /// Waits until it has arrived, and keeps it.
    pub fn arrive(&mut self) {
        if let State::Coming(coming) = &mut self.0 {
            self.0 = State::Here(pollster::block_on(coming));
        }
    }

    /// Waits until it has arrived.
    pub fn wait(self) -> T {
        match self.0 {
            State::Here(value) => value,
            State::Coming(coming) => pollster::block_on(coming),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;

    use super::*;

    #[test]
    fn values_of_the_cpu_are_here_at_once() {
        let tensor =
            Tensor::<NdArray, 2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &Default::default());
        let arrival = Arrival::of(tensor, |values| values);
        assert!(arrival.is_here());
        assert_eq!(arrival.wait(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(Arrival::here(5).wait(), 5);
    }
}
