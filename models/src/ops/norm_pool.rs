//! Batch normalisation with a clamping activation and max pooling.

use burn::tensor::{Tensor, activation::relu, backend::Backend};

use super::{max_pool2d, zero_padding};

#[cfg(feature = "gpu")]
mod gpu;

/// The rest of an operator that begins with batch normalisation: an activation that clamps, and max
/// pooling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormPool {
    /// Added to a variance before its root is taken.
    pub epsilon: f64,
    /// Bounds of the normalised values: `[0, ∞]` is ReLU, `[−∞, ∞]` leaves them.
    pub range: [f64; 2],
    /// Frames and bins that become one, windows side by side, a remainder dropped; `[1, 1]` pools
    /// nothing.
    pub pool: [usize; 2],
}

impl NormPool {
    /// Normalisation alone.
    pub fn only_norm(epsilon: f64) -> Self {
        Self {
            epsilon,
            range: [f64::NEG_INFINITY, f64::INFINITY],
            pool: [1, 1],
        }
    }

    /// Normalisation, ReLU and max pooling.
    pub fn relu(epsilon: f64, pool: [usize; 2]) -> Self {
        Self {
            epsilon,
            range: [0.0, f64::INFINITY],
            pool,
        }
    }
}

/// The statistics of each channel over a training batch, without gradient. Shapes `[channels]`.
#[derive(Debug, Clone)]
pub struct BatchStatistics<B: Backend> {
    /// The mean over the valid positions.
    pub mean: Tensor<B, 1>,
    /// The unbiased variance over the valid positions (divided by their count less one, and by one
    /// where there is a single position).
    pub variance: Tensor<B, 1>,
}

/// Batch normalisation by the statistics of the batch itself, taken over valid frames only, then
/// the activation and the pooling of `plan`.
///
/// `y = γ · (x − E[x]) / √(Var[x] + ε) + β`, with the biased variance, as the paper has it ([Ioffe
/// and Szegedy 2015](https://arxiv.org/abs/1502.03167)). Where values of a window tie, the gradient
/// goes to the first of them, as in PyTorch.
///
/// # Shapes
/// - `x`: `[batch, frames, channels]` or `[batch, frames, bins, channels]`
/// - `lengths`: valid frames of each row
/// - `gamma`, `beta`: `[channels]`
/// - output: as `x`, with `frames / pool₀` and `bins / pool₁`; zero past a row's `length / pool₀`
///
/// # Panics
/// If `x` has another number of axes, there is not one length for each row, no valid frame at all,
/// or less than one window.
pub fn norm_pool_training<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    lengths: &[usize],
    gamma: Tensor<B, 1>,
    beta: Tensor<B, 1>,
    plan: &NormPool,
) -> (Tensor<B, D>, BatchStatistics<B>) {
    let size @ [batch, frames, bins, channels] = image(x.dims(), lengths, plan.pool);
    #[cfg(feature = "ndarray")]
    if let Some(result) = cpu::training(&x, lengths, &gamma, &beta, plan, size) {
        return result;
    }
    let positions = batch * frames * bins;
    let count: usize = lengths
        .iter()
        .map(|&length| length.min(frames) * bins)
        .sum();
    assert!(count > 0, "batch norm: a batch without a valid position");

    #[cfg(feature = "gpu")]
    {
        let image = x.clone().reshape(size);
        if let Some((y, statistics)) = gpu::training(image, lengths, &gamma, &beta, plan, count) {
            return (as_before(y), statistics);
        }
    }
    let x = zero_padding(x, lengths).reshape([positions, channels]);
    let mean = x.clone().sum_dim(0) / count as f64; // [1, channels]
    let centred = zero_padding((x - mean.clone()).reshape(size), lengths);
    let centred = centred.reshape([positions, channels]);
    let squares = (centred.clone() * centred.clone()).sum_dim(0); // [1, channels]

    let scale = gamma.unsqueeze::<2>() / (squares.clone() / count as f64 + plan.epsilon).sqrt();
    let y = centred * scale + beta.unsqueeze::<2>();
    let statistics = BatchStatistics {
        mean: mean.detach().reshape([channels]),
        variance: squares.detach().reshape([channels]) / (count.max(2) - 1) as f64,
    };
    (clamp_and_pool(y.reshape(size), lengths, plan), statistics)
}

/// Batch normalisation by given statistics, `y = γ · (x − mean) / √(variance + ε) + β`, then the
/// activation and the pooling of `plan`.
///
/// # Shapes
/// - `mean`, `variance`: `[channels]`
/// - all others: as in [`norm_pool_training`]
///
/// # Panics
/// As [`norm_pool_training`], but not where nothing is valid.
pub fn norm_pool_inference<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    lengths: &[usize],
    statistics: BatchStatistics<B>,
    gamma: Tensor<B, 1>,
    beta: Tensor<B, 1>,
    plan: &NormPool,
) -> Tensor<B, D> {
    let size @ [.., channels] = image(x.dims(), lengths, plan.pool);
    let BatchStatistics { mean, variance } = statistics;
    let scale = gamma / (variance + plan.epsilon).sqrt(); // [channels]
    let shift = beta - mean * scale.clone(); // [channels]
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::inference(&x, lengths, &scale, &shift, plan, size) {
        return y;
    }
    let along = [1, 1, 1, channels];
    let y = x.reshape(size) * scale.reshape(along) + shift.reshape(along);
    clamp_and_pool(y, lengths, plan)
}

/// The sizes of `x` as an image; a sequence has one bin.
fn image<const D: usize>(dims: [usize; D], lengths: &[usize], pool: [usize; 2]) -> [usize; 4] {
    let size = match *dims.as_slice() {
        [batch, frames, channels] => [batch, frames, 1, channels],
        [batch, frames, bins, channels] => [batch, frames, bins, channels],
        _ => panic!("batch norm takes three axes or four, not {D}"),
    };
    assert_eq!(
        lengths.len(),
        size[0],
        "one length for each row of the batch"
    );
    assert!(
        pool.iter().all(|&p| p > 0) && size[1] >= pool[0] && size[2] >= pool[1],
        "pooling: {} frames and {} bins, windows of {pool:?}",
        size[1],
        size[2]
    );
    size
}

fn clamp_and_pool<B: Backend, const D: usize>(
    y: Tensor<B, 4>,
    lengths: &[usize],
    plan: &NormPool,
) -> Tensor<B, D> {
    let y = match plan.range {
        [f64::NEG_INFINITY, f64::INFINITY] => y,
        [0.0, f64::INFINITY] => relu(y),
        [low, high] => y.clamp(low, high),
    };
    let y = if plan.pool == [1, 1] {
        y
    } else {
        max_pool2d(y, plan.pool)
    };
    let lengths: Vec<usize> = lengths.iter().map(|length| length / plan.pool[0]).collect();
    as_before(zero_padding(y, &lengths))
}

/// An image as a sequence again, if it was one.
fn as_before<B: Backend, const D: usize>(y: Tensor<B, 4>) -> Tensor<B, D> {
    let [batch, steps, bands, channels] = y.dims();
    let mut dims = [batch; D];
    dims[1] = steps;
    dims[D - 2] = if D == 3 { steps } else { bands };
    dims[D - 1] = channels;
    y.reshape(dims)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use burn::tensor::TensorData;

    use super::*;
    use crate::kernels::norm::{Plan, Saved};
    use crate::ops::seam::{Array, Inputs, Operator, plain, primitive};

    fn kernel(lengths: &[usize], plan: &NormPool, size: [usize; 4]) -> Option<Plan<f32>> {
        // Which value of a window was picked is kept in a byte.
        let windows_fit = plan.pool[0] * plan.pool[1] <= 256;
        windows_fit.then(|| Plan {
            size,
            lengths: lengths.to_vec(),
            pool: plan.pool,
            range: plan.range.map(|limit| limit as f32),
        })
    }

    fn dims<const D: usize>([batch, steps, bands, channels]: [usize; 4]) -> [usize; D] {
        let mut dims = [bands; D];
        dims[0] = batch;
        dims[1] = steps;
        dims[D - 1] = channels;
        dims
    }

    pub(super) fn training<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
        lengths: &[usize],
        gamma: &Tensor<B, 1>,
        beta: &Tensor<B, 1>,
        plan: &NormPool,
        size: [usize; 4],
    ) -> Option<(Tensor<B, D>, BatchStatistics<B>)> {
        let kernel = kernel(lengths, plan, size)?;
        let device = x.device();
        let inputs = [primitive(x), primitive(gamma), primitive(beta)];
        let inputs = Inputs::<B, 3>::recognise(inputs)?;
        let [x, gamma, beta] = inputs.values();
        let keep = inputs.is_tracked();
        let (y, saved) = kernel.forward_training(x, gamma, beta, plan.epsilon, keep);
        let statistics = saved.statistics();
        let unbiased = statistics.count as f64 / (statistics.count.max(2) - 1) as f64;
        let vector = |values: Vec<f32>| {
            let data = TensorData::new(values, [size[3]]);
            Tensor::from_data(data, &device)
        };
        let mean = statistics.mean.iter().map(|&m| m as f32).collect();
        let variance = statistics.variance.iter().map(|&v| (v * unbiased) as f32);
        let statistics = BatchStatistics {
            mean: vector(mean),
            variance: vector(variance.collect()),
        };
        let dims = dims(kernel.size_out());
        let y = inputs.finish(Norm, y, dims, |[x, _, _]| (kernel, x, saved));
        Some((y, statistics))
    }

    pub(super) fn inference<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
        lengths: &[usize],
        scale: &Tensor<B, 1>,
        shift: &Tensor<B, 1>,
        plan: &NormPool,
        size: [usize; 4],
    ) -> Option<Tensor<B, D>> {
        let kernel = kernel(lengths, plan, size)?;
        let inputs = [primitive(x), primitive(scale), primitive(shift)];
        let inputs = Inputs::<B, 3>::recognise_plain(inputs)?;
        let [x, scale, shift] = inputs.values();
        let (y, _, _) = kernel.forward(x, scale, shift, false);
        Some(plain(y, dims(kernel.size_out())))
    }

    #[derive(Debug)]
    struct Norm;

    impl Operator<3> for Norm {
        type Saved = (Plan<f32>, Array, Saved<f32>);

        fn backward(
            self,
            (kernel, x, saved): Self::Saved,
            gradient: Array,
            wanted: [bool; 3],
        ) -> [Option<Vec<f32>>; 3] {
            let (x, gamma, beta) = kernel.backward(x.into_vec(), saved, gradient.values());
            gradient.give();
            let found = [x, gamma, beta];
            let mut wanted = wanted.into_iter();
            found.map(|values| wanted.next().unwrap_or(false).then_some(values))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, TensorData, Tolerance};
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    /// The kernels' backend, and one that they leave to the portable expressions.
    type Kernels = Autodiff<NdArray<f32>>;
    type Portable = Autodiff<NdArray<f32, i32>>;

    fn training<B: burn::tensor::backend::AutodiffBackend>(
        data: &[TensorData; 4],
        lengths: &[usize],
        plan: &NormPool,
    ) -> Vec<TensorData> {
        let device = Default::default();
        let of = |data: &TensorData| data.clone().convert::<B::FloatElem>();
        let x = Tensor::<B, 4>::from_data(of(&data[0]), &device).require_grad();
        let gamma = Tensor::<B, 1>::from_data(of(&data[1]), &device).require_grad();
        let beta = Tensor::<B, 1>::from_data(of(&data[2]), &device).require_grad();
        let (y, statistics) =
            norm_pool_training(x.clone(), lengths, gamma.clone(), beta.clone(), plan);
        let inference = norm_pool_inference(
            x.clone().inner(),
            lengths,
            BatchStatistics {
                mean: statistics.mean.clone().inner(),
                variance: statistics.variance.clone().inner(),
            },
            gamma.clone().inner(),
            beta.clone().inner(),
            plan,
        );
        let weights = Tensor::from_data(of(&data[3]), &device);
        let results = [y.to_data(), inference.into_data()];
        let gradients = (y * weights).sum().backward();
        let missing = "every input has a gradient";
        results
            .into_iter()
            .chain([statistics.mean.into_data(), statistics.variance.into_data()])
            .chain([x.grad(&gradients).expect(missing).into_data()])
            .chain([gamma.grad(&gradients).expect(missing).into_data()])
            .chain([beta.grad(&gradients).expect(missing).into_data()])
            .map(|data| data.convert::<f32>())
            .collect()
    }

    #[test]
    fn the_kernel_and_the_portable_expression_agree_in_everything() {
        let normal = Distribution::Normal(0.3, 1.5);
        let random = |dims: &[usize]| {
            let len: usize = dims.iter().product();
            let flat =
                Tensor::<NdArray<f32>, 1>::random([len], normal, &Default::default()).into_data();
            TensorData::new(flat.into_vec::<f32>().expect("of f32"), dims.to_vec())
        };
        let infinite = f64::INFINITY;
        for (size, lengths, pool, range) in [
            ([2, 9, 8, 3], [9, 6], [2, 2], [0.0, infinite]),
            ([2, 9, 1, 40], [1, 9], [2, 1], [0.0, infinite]),
            ([2, 7, 5, 17], [7, 0], [1, 1], [-infinite, infinite]),
            ([2, 40, 70, 5], [40, 33], [1, 1], [0.0, 1.0]),
            ([2, 12, 31, 33], [12, 5], [3, 5], [0.0, infinite]),
        ] {
            let [batch, frames, bins, channels] = size;
            let out = [batch, frames / pool[0], bins / pool[1], channels];
            let data = [
                random(&size),
                random(&[channels]),
                random(&[channels]),
                random(&out),
            ];
            let plan = NormPool {
                epsilon: 1e-5,
                range,
                pool,
            };
            let ours = training::<Kernels>(&data, &lengths, &plan);
            let theirs = training::<Portable>(&data, &lengths, &plan);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                ours.assert_approx_eq::<f32>(theirs, Tolerance::rel_abs(2e-4, 2e-4));
            }
        }
    }

    #[test]
    fn three_axes_are_four_with_a_single_bin() {
        let device = Default::default();
        let x = Tensor::<Kernels, 3>::random([3, 10, 4], Distribution::Default, &device);
        let [gamma, beta] = [Tensor::ones([4], &device), Tensor::zeros([4], &device)];
        let (lengths, plan) = ([10, 7, 3], NormPool::relu(1e-5, [3, 1]));
        let (flat, _) = norm_pool_training(x.clone(), &lengths, gamma.clone(), beta.clone(), &plan);
        let image = x.unsqueeze_dim::<4>(2);
        let (image, _) = norm_pool_training(image, &lengths, gamma, beta, &plan);
        flat.into_data()
            .assert_eq(&image.squeeze_dim::<3>(2).into_data(), true);
    }
}
