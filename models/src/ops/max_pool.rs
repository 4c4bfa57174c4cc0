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
    let steps = frames / size;
    let windows = x
        .narrow(1, 0, steps * size)
        .reshape([batch, steps, size * channels]);
    fold_max(windows, channels) // [batch, steps, channels]
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
    let [steps, bands] = [frames / size[0], bins / size[1]];

    // A maximum over a rectangle is the maximum over frames of the maxima over bins.
    let windows = x
        .narrow(1, 0, steps * size[0])
        .narrow(2, 0, bands * size[1])
        .reshape([batch, steps * size[0] * bands, size[1] * channels]);
    let windows = fold_max(windows, channels).reshape([batch, steps, size[0] * bands * channels]);
    fold_max(windows, bands * channels).reshape([batch, steps, bands, channels])
}

/// The elementwise maximum of the `width`-wide pieces of the last axis: `[_, _, pieces·width]` to
/// `[_, _, width]`.
fn fold_max<B: Backend>(windows: Tensor<B, 3>, width: usize) -> Tensor<B, 3> {
    let pieces = windows.dims()[2] / width;
    let first = windows.clone().narrow(2, 0, width);
    (1..pieces).fold(first, |max, piece| {
        max.max_pair(windows.clone().narrow(2, piece * width, width))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, module};
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    type B = Autodiff<NdArray<f32>>;

    #[test]
    fn max_pool_and_its_gradient_are_burns_own_with_channels_last() {
        for size in [[1, 1], [2, 2], [3, 1], [2, 4]] {
            let device = Default::default();
            let x =
                Tensor::<B, 4>::random([2, 9, 8, 3], Distribution::Default, &device).require_grad();
            let ours = max_pool2d(x.clone(), size);
            let theirs = module::max_pool2d(
                x.clone().permute([0, 3, 1, 2]),
                size,
                size,
                [0, 0],
                [1, 1],
                false,
            )
            .permute([0, 2, 3, 1]);
            let weights = Tensor::random(ours.dims(), Distribution::Default, &device);
            let gradient = |pooled: Tensor<B, 4>| {
                let gradients = (pooled * weights.clone()).sum().backward();
                x.grad(&gradients)
                    .expect("the input has a gradient")
                    .into_data()
            };
            ours.to_data().assert_eq(&theirs.to_data(), true);
            gradient(ours).assert_eq(&gradient(theirs), true);
        }
    }

    #[test]
    fn one_dimension_is_two_with_a_single_bin() {
        let x = Tensor::<B, 3>::random([2, 10, 4], Distribution::Default, &Default::default());
        let flat = max_pool2d(x.clone().unsqueeze_dim(2), [3, 1]).squeeze_dim::<3>(2);
        max_pool1d(x, 3)
            .into_data()
            .assert_eq(&flat.into_data(), true);
    }
}
