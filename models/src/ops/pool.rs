//! Max and average pooling.

use std::ops::Add;

use burn::tensor::{Tensor, backend::Backend};

/// The largest value of every `size` frames, windows side by side; a remainder is dropped.
///
/// Where values tie, the gradient goes to the first of them, as in PyTorch.
///
/// # Shapes
/// - `x`: `[batch, frames, channels]`
/// - output: `[batch, frames / size, channels]`
///
/// # Panics
/// If there are fewer frames than `size`.
pub fn max_pool1d<B: Backend>(x: Tensor<B, 3>, size: usize) -> Tensor<B, 3> {
    let [batch, frames, channels] = x.dims();
    assert!(
        frames >= size,
        "max_pool1d: {frames} frames, windows of {size}"
    );
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::pool(&x, [batch, frames, 1, channels], [size, 1], cpu::Kind::Max) {
        return y;
    }
    let steps = frames / size;
    let windows = x
        .narrow(1, 0, steps * size)
        .reshape([batch, steps, size * channels]);
    fold(windows, channels, Tensor::max_pair) // [batch, steps, channels]
}

/// The largest value of every window of `size` (frames, bins), windows side by side; remainders are
/// dropped.
///
/// # Shapes
/// - `x`: `[batch, frames, bins, channels]`
/// - output: `[batch, frames / size₀, bins / size₁, channels]`
///
/// # Panics
/// If there are fewer frames or bins than `size` says.
pub fn max_pool2d<B: Backend>(x: Tensor<B, 4>, size: [usize; 2]) -> Tensor<B, 4> {
    let [batch, frames, bins, channels] = x.dims();
    assert!(
        frames >= size[0] && bins >= size[1],
        "max_pool2d: {frames} frames and {bins} bins, windows of {size:?}"
    );
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::pool(&x, [batch, frames, bins, channels], size, cpu::Kind::Max) {
        return y;
    }
    windows(x, size, Tensor::max_pair)
}

/// The average of every `size` frames, windows side by side; a remainder is dropped.
///
/// # Shapes
/// - `x`: `[batch, frames, channels]`
/// - output: `[batch, frames / size, channels]`
///
/// # Panics
/// If there are fewer frames than `size`.
pub fn average_pool1d<B: Backend>(x: Tensor<B, 3>, size: usize) -> Tensor<B, 3> {
    let [batch, frames, channels] = x.dims();
    assert!(
        frames >= size,
        "average_pool1d: {frames} frames, windows of {size}"
    );
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::pool(
        &x,
        [batch, frames, 1, channels],
        [size, 1],
        cpu::Kind::Average,
    ) {
        return y;
    }
    let steps = frames / size;
    let windows = x
        .narrow(1, 0, steps * size)
        .reshape([batch, steps, size * channels]);
    fold(windows, channels, Add::add) / size as f64
}

/// The average of every window of `size` (frames, bins), windows side by side; remainders are
/// dropped.
///
/// # Shapes
/// - `x`: `[batch, frames, bins, channels]`
/// - output: `[batch, frames / size₀, bins / size₁, channels]`
///
/// # Panics
/// If there are fewer frames or bins than `size` says.
pub fn average_pool2d<B: Backend>(x: Tensor<B, 4>, size: [usize; 2]) -> Tensor<B, 4> {
    let [batch, frames, bins, channels] = x.dims();
    assert!(
        frames >= size[0] && bins >= size[1],
        "average_pool2d: {frames} frames and {bins} bins, windows of {size:?}"
    );
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::pool(
        &x,
        [batch, frames, bins, channels],
        size,
        cpu::Kind::Average,
    ) {
        return y;
    }
    windows(x, size, Add::add) / (size[0] * size[1]) as f64
}

/// Every window of `size` folded into one value by `pair`.
fn windows<B: Backend>(
    x: Tensor<B, 4>,
    size: [usize; 2],
    pair: fn(Tensor<B, 3>, Tensor<B, 3>) -> Tensor<B, 3>,
) -> Tensor<B, 4> {
    let [batch, frames, bins, channels] = x.dims();
    let [steps, bands] = [frames / size[0], bins / size[1]];

    // A maximum (or a sum) over a rectangle is that over frames of those over bins.
    let windows = x
        .narrow(1, 0, steps * size[0])
        .narrow(2, 0, bands * size[1])
        .reshape([batch, steps * size[0] * bands, size[1] * channels]);
    let windows = fold(windows, channels, pair);
    let windows = windows.reshape([batch, steps, size[0] * bands * channels]);
    fold(windows, bands * channels, pair).reshape([batch, steps, bands, channels])
}

/// The `width`-wide pieces of the last axis folded into one by `pair`: `[_, _, pieces·width]` to
/// `[_, _, width]`.
fn fold<B: Backend>(
    windows: Tensor<B, 3>,
    width: usize,
    pair: fn(Tensor<B, 3>, Tensor<B, 3>) -> Tensor<B, 3>,
) -> Tensor<B, 3> {
    let pieces = windows.dims()[2] / width;
    let first = windows.clone().narrow(2, 0, width);
    (1..pieces).fold(first, |folded, piece| {
        pair(folded, windows.clone().narrow(2, piece * width, width))
    })
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::pool::Windows;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    #[derive(Debug, Clone, Copy, PartialEq)]
    pub(super) enum Kind {
        Max,
        Average,
    }

    pub(super) fn pool<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
        size: [usize; 4],
        pool: [usize; 2],
        kind: Kind,
    ) -> Option<Tensor<B, D>> {
        if pool[0] * pool[1] > 256 {
            return None; // which value was the largest is kept in a byte
        }
        let windows = Windows { size, pool };
        let [batch, steps, bands, channels] = windows.size_out();
        let mut dims = [bands; D];
        dims[0] = batch;
        dims[1] = steps;
        dims[D - 1] = channels;
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let [x] = inputs.values();
        let (y, which) = match kind {
            Kind::Max => windows.max(x),
            Kind::Average => (windows.average(x), Vec::new()),
        };
        Some(inputs.finish(Pool(kind), y, dims, |_| (windows, which)))
    }

    #[derive(Debug)]
    struct Pool(Kind);

    impl Operator<1> for Pool {
        type Saved = (Windows, Vec<u8>);

        fn backward(
            self,
            (windows, which): Self::Saved,
            gradient: Array,
            _: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            let gradient = gradient.values();
            [Some(match self.0 {
                Kind::Max => windows.max_backward(&which, gradient),
                Kind::Average => windows.average_backward(gradient),
            })]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::backend::AutodiffBackend;
    use burn::tensor::{Distribution, Tolerance, module};
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    /// The kernels' backend, and one that they leave to the portable expressions.
    type Kernels = Autodiff<NdArray<f32>>;
    type Portable = Autodiff<NdArray<f32, i32>>;

    fn pooling_is_burns_own<B: AutodiffBackend>() {
        for size in [[1, 1], [2, 2], [3, 1], [2, 4]] {
            let device = Default::default();
            let x = Tensor::<B, 4>::random([2, 9, 8, 3], Distribution::Default, &device);
            let dims = [2, 9 / size[0], 8 / size[1], 3];
            let weights = Tensor::<B, 4>::random(dims, Distribution::Default, &device);
            // A backward pass takes what its leaves share with others: each has a leaf of its own.
            let results = |pool: &dyn Fn(Tensor<B, 4>) -> Tensor<B, 4>| {
                let x = x.clone().detach().require_grad();
                let y = pool(x.clone());
                let data = y.to_data();
                let gradients = (y * weights.clone()).sum().backward();
                let gradient = x.grad(&gradients).expect("the input has a gradient");
                [data, gradient.into_data()]
            };
            let first = |x: Tensor<B, 4>| x.permute([0, 3, 1, 2]);
            let last = |x: Tensor<B, 4>| x.permute([0, 2, 3, 1]);
            let max = |x| {
                let y = module::max_pool2d(first(x), size, size, [0, 0], [1, 1], false);
                last(y)
            };
            let average = |x| {
                let y = module::avg_pool2d(first(x), size, size, [0, 0], true, false);
                last(y)
            };
            for (ours, theirs) in [
                (results(&|x| max_pool2d(x, size)), results(&max)),
                (results(&|x| average_pool2d(x, size)), results(&average)),
            ] {
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    ours.assert_approx_eq::<f32>(theirs, Tolerance::absolute(1e-6));
                }
            }
        }
    }

    #[test]
    fn pooling_and_its_gradient_are_burns_own_with_channels_last() {
        pooling_is_burns_own::<Kernels>();
    }

    #[test]
    fn portable_pooling_is_burns_own_too() {
        pooling_is_burns_own::<Portable>();
    }

    fn one_dimension_is_two<B: Backend>() {
        let x = Tensor::<B, 3>::random([2, 10, 4], Distribution::Default, &Default::default());
        let wide = || x.clone().unsqueeze_dim(2);
        for (flat, image) in [
            (max_pool1d(x.clone(), 3), max_pool2d(wide(), [3, 1])),
            (average_pool1d(x.clone(), 3), average_pool2d(wide(), [3, 1])),
        ] {
            flat.into_data()
                .assert_eq(&image.squeeze_dim::<3>(2).into_data(), true);
        }
    }

    #[test]
    fn one_dimension_is_two_with_a_single_bin() {
        one_dimension_is_two::<Kernels>();
        one_dimension_is_two::<Portable>();
    }
}
