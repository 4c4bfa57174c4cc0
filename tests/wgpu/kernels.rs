//! The kernels on a GPU against the portable expressions, in outputs and every gradient.
#![cfg_attr(
    feature = "wgpu",
    allow(dead_code, reason = "some tests are of the plain build alone")
)]

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sori::backend::{BackendName, Job, run_on};
use sori::models::loss::{
    CtcOptions, Reduction, binary_cross_entropy, cross_entropy, ctc, soft_cross_entropy,
};
use sori::models::ops::{
    AdamStep, Cell, ConvOptions, DirectionWeights, NormPool, RmsStep, SgdStep, adam_step,
    clip_factor, conv2d, masked_max, masked_mean, norm_pool_training, recurrent, rms_step,
    sgd_step, sum_of_squares,
};

/// A backend that operators leave to the portable expressions: its whole numbers are not those that
/// the kernels of the CPU know.
type Portable = Autodiff<NdArray<f32, i32>>;

pub(super) fn random(rng: &mut ChaCha8Rng, dims: &[usize], largest: f32) -> TensorData {
    let len = dims.iter().product();
    let values: Vec<f32> = (0..len)
        .map(|_| rng.random_range(-largest..largest))
        .collect();
    TensorData::new(values, dims.to_vec())
}

/// Within 1e-4, of what is larger than one relative to it.
fn assert_same(found: &[TensorData], expected: &[TensorData], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.shape, expected.shape, "{what}, tensor {index}");
        let found = found.to_vec::<f32>().unwrap();
        for (at, (found, expected)) in found.iter().zip(expected.iter::<f32>()).enumerate() {
            let near = *found == expected
                || (found.is_nan() && expected.is_nan())
                || (found - expected).abs() <= 1e-4 * expected.abs().max(1.0);
            assert!(
                near,
                "{what}: value {at} of tensor {index} is {found}, not {expected}"
            );
        }
    }
}

pub(super) fn assert_portable<J: Job<Output = Vec<TensorData>> + Clone>(job: J, what: &str) {
    let found = run_on(BackendName::Wgpu, job.clone()).unwrap();
    let expected = job.run::<Portable>(&Default::default());
    assert_same(&found, &expected, what);
}

/// A recurrent layer: outputs, last states and every gradient.
#[derive(Clone)]
struct Layer {
    cell: Cell,
    lengths: Vec<usize>,
    data: Vec<TensorData>,
    weigh: [TensorData; 2],
}

impl Job for Layer {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let x = Tensor::<B, 3>::from_data(self.data[0].clone(), device).require_grad();
        let weights = self.data[1..].chunks(4).map(|part| DirectionWeights::<B> {
            input: Tensor::from_data(part[0].clone(), device).require_grad(),
            state: Tensor::from_data(part[1].clone(), device).require_grad(),
            bias_input: Tensor::from_data(part[2].clone(), device).require_grad(),
            bias_state: Tensor::from_data(part[3].clone(), device).require_grad(),
        });
        let weights: Vec<_> = weights.collect();
        let sequence = recurrent(self.cell, x.clone(), weights.clone(), &self.lengths);
        let mut all = vec![sequence.outputs.to_data(), sequence.last.to_data()];
        let [of_outputs, of_last] = self.weigh;
        let loss = (sequence.outputs * Tensor::from_data(of_outputs, device)).sum()
            + (sequence.last * Tensor::from_data(of_last, device)).sum();
        let gradients = loss.backward();
        all.push(x.grad(&gradients).unwrap().into_data());
        for part in weights {
            all.push(part.input.grad(&gradients).unwrap().into_data());
            all.push(part.state.grad(&gradients).unwrap().into_data());
            all.push(part.bias_input.grad(&gradients).unwrap().into_data());
            all.push(part.bias_state.grad(&gradients).unwrap().into_data());
        }
        all
    }
}

// Each product of the tuned build is tuned first, for minutes.
#[cfg(not(feature = "wgpu"))]
#[test]
fn recurrent_layers_are_those_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for cell in [Cell::Elman, Cell::Lstm, Cell::Gru] {
        // Rows of no frame and of one, sizes that fill no tile, and, as the last, a weight so large that
        // each frame is a launch.
        let large = 1 + (1_usize << 18).div_ceil(cell.num_gates()).isqrt();
        for (directions, lengths, d_hidden) in [
            (1, vec![6, 1, 0, 4], 5),
            (2, (0..6).map(|row| row % 5).collect(), 70),
            (2, vec![1, 3, 0, 3], large),
        ] {
            let (batch, d_input) = (lengths.len(), 3);
            let frames = 1 + *lengths.iter().max().unwrap();
            let width = cell.num_gates() * d_hidden;
            let scale = (d_hidden as f32).sqrt().recip();
            let mut data = vec![random(&mut rng, &[batch, frames, d_input], 1.0)];
            for _ in 0..directions {
                data.push(random(&mut rng, &[d_input, width], 0.5));
                data.push(random(&mut rng, &[d_hidden, width], scale));
                data.push(random(&mut rng, &[width], 0.5));
                data.push(random(&mut rng, &[width], 0.5));
            }
            let outputs = directions * d_hidden;
            let weigh = [
                random(&mut rng, &[batch, frames, outputs], 0.5),
                random(&mut rng, &[batch, outputs], 0.5),
            ];
            let what = format!("{cell:?}, {directions} × {d_hidden}, {lengths:?}");
            let layer = Layer {
                cell,
                lengths,
                data,
                weigh,
            };
            assert_portable(layer, &what);
        }
    }
}

/// The losses of the rows and the gradient of their weighted sum.
#[derive(Clone)]
struct Transcripts {
    logits: TensorData,
    weigh: TensorData,
    lengths: Vec<usize>,
    targets: Vec<Vec<usize>>,
    zero_infinity: bool,
}

impl Job for Transcripts {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let logits = Tensor::<B, 3>::from_data(self.logits, device).require_grad();
        let options = CtcOptions {
            reduction: Reduction::None,
            zero_infinity: self.zero_infinity,
        };
        let losses = ctc(logits.clone(), &self.lengths, &self.targets, options);
        let mut all = vec![losses.to_data()];
        let loss = (losses * Tensor::from_data(self.weigh, device)).sum();
        let gradients = loss.backward();
        all.push(logits.grad(&gradients).unwrap().into_data());
        all
    }
}

#[test]
fn ctc_is_that_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for (steps, symbols, rows) in [
        // Steps, and the number of labels.
        (9, 4, vec![(9, 3), (0, 0), (1, 1), (1, 0), (5, 4), (8, 0)]),
        (70, 29, vec![(70, 20), (41, 9), (70, 35), (3, 1)]),
        (40, 300, vec![(40, 12), (33, 5)]),
    ] {
        let (lengths, counts): (Vec<_>, Vec<usize>) = rows.into_iter().unzip();
        let mut target = |count| (0..count).map(|_| rng.random_range(1..symbols)).collect();
        let targets: Vec<Vec<usize>> = counts.into_iter().map(&mut target).collect();
        let batch = targets.len();
        let transcripts = Transcripts {
            logits: random(&mut rng, &[batch, steps, symbols], 3.0),
            weigh: random(&mut rng, &[batch], 1.0),
            lengths,
            targets,
            zero_infinity: true,
        };
        assert_portable(transcripts, &format!("{steps} steps of {symbols} symbols"));
    }
    for zero_infinity in [true, false] {
        // No path: no step at all, too few, and too few for a repetition.
        let transcripts = Transcripts {
            logits: random(&mut rng, &[4, 3, 4], 2.0),
            weigh: random(&mut rng, &[4], 1.0),
            lengths: vec![0, 2, 3, 3],
            targets: vec![vec![1], vec![1, 2, 3], vec![2, 2, 2], vec![1, 1]],
            zero_infinity,
        };
        assert_portable(transcripts, &format!("without a path, {zero_infinity}"));
    }
}

/// The cross entropies of the same logits, and the gradient of each.
#[derive(Clone)]
struct Losses {
    logits: TensorData,
    weights: TensorData,
    positive: TensorData,
    classes: Vec<i32>,
}

impl Job for Losses {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let weights = Tensor::<B, 2>::from_data(self.weights, device);
        let positive = Tensor::<B, 1>::from_data(self.positive, device);
        let classes = Tensor::<B, 1, Int>::from_ints(self.classes.as_slice(), device);
        let logits = || Tensor::<B, 2>::from_data(self.logits.clone(), device).require_grad();
        let all = [logits(), logits(), logits(), logits()];
        let losses = [
            cross_entropy(all[0].clone(), classes),
            soft_cross_entropy(all[1].clone(), weights.clone()),
            binary_cross_entropy(all[2].clone(), weights.clone(), None),
            binary_cross_entropy(all[3].clone(), weights, Some(positive)),
        ];
        let mut found = Vec::new();
        for (logits, loss) in all.into_iter().zip(losses) {
            found.push(loss.to_data());
            let gradients = (loss * 3.0).backward();
            found.push(logits.grad(&gradients).unwrap().into_data());
        }
        found
    }
}

#[test]
fn cross_entropies_are_those_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    for (rows, classes, largest) in [(1, 1, 2.0), (3, 10, 4.0), (700, 31, 4.0), (4, 900, 60.0)] {
        let mut draw = |_| rng.random_range(0..classes as i32);
        let classes_of_rows = (0..rows).map(&mut draw).collect();
        let weights: Vec<f32> = (0..rows * classes)
            .map(|_| rng.random_range(0.0..1.0))
            .collect();
        let positive: Vec<f32> = (0..classes).map(|_| rng.random_range(0.5..9.0)).collect();
        let losses = Losses {
            logits: random(&mut rng, &[rows, classes], largest),
            weights: TensorData::new(weights, [rows, classes]),
            positive: TensorData::new(positive, [classes]),
            classes: classes_of_rows,
        };
        assert_portable(losses, &format!("{rows} rows of {classes}"));
    }
}

/// The mean and the largest of the valid frames, and the gradient of both.
#[derive(Clone)]
struct Pooled {
    x: TensorData,
    weigh: TensorData,
    lengths: Vec<usize>,
}

impl Job for Pooled {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let x = Tensor::<B, 3>::from_data(self.x, device).require_grad();
        let mean = masked_mean(x.clone(), &self.lengths);
        let largest = masked_max(x.clone(), &self.lengths);
        let mut found = vec![mean.to_data(), largest.to_data()];
        let weigh = Tensor::from_data(self.weigh, device);
        let gradients = ((mean + largest * 0.5) * weigh).sum().backward();
        found.push(x.grad(&gradients).unwrap().into_data());
        found
    }
}

#[test]
fn pooled_frames_are_those_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(29);
    for (lengths, frames, channels) in [
        (vec![1], 1, 1),
        (vec![7, 1, 4], 7, 5),
        (vec![130, 99], 131, 70),
    ] {
        let batch = lengths.len();
        let pooled = Pooled {
            x: random(&mut rng, &[batch, frames, channels], 2.0),
            weigh: random(&mut rng, &[batch, channels], 1.0),
            lengths,
        };
        assert_portable(pooled, &format!("{frames} frames of {channels} channels"));
    }
}

/// A convolution and every gradient.
#[derive(Clone)]
struct Convolution {
    /// Input, weight, bias, and what the output is weighed by.
    data: [TensorData; 4],
    options: ConvOptions<2>,
}

impl Job for Convolution {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let [x, weight, bias, weigh] = self.data;
        let x = Tensor::<B, 4>::from_data(x, device).require_grad();
        let weight = Tensor::<B, 4>::from_data(weight, device).require_grad();
        let bias = Tensor::<B, 1>::from_data(bias, device).require_grad();
        let y = conv2d(x.clone(), weight.clone(), Some(bias.clone()), self.options);
        let without = conv2d(x.clone(), weight.clone(), None, self.options);
        let mut found = vec![y.to_data(), without.to_data()];
        let weigh = Tensor::from_data(weigh, device);
        let gradients = ((y + without * 0.5) * weigh).sum().backward();
        found.push(x.grad(&gradients).unwrap().into_data());
        found.push(weight.grad(&gradients).unwrap().into_data());
        found.push(bias.grad(&gradients).unwrap().into_data());
        found
    }
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn convolutions_are_those_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let sizes = [
        ([3, 3], [1, 1], [1, 1], [1, 1], 1, [9, 8]),
        ([5, 2], [2, 3], [2, 0], [1, 1], 1, [5, 3]),
        ([3, 1], [1, 1], [4, 0], [4, 1], 1, [9, 8]),
        ([1, 1], [1, 1], [0, 0], [1, 1], 1, [9, 8]),
        ([2, 2], [1, 2], [3, 0], [2, 1], 2, [13, 4]),
        ([3, 2], [2, 1], [1, 0], [1, 2], 4, [5, 6]),
    ];
    for (kernel, stride, padding, dilation, groups, [steps, bands]) in sizes {
        let channels_out = if groups == 4 { 4 } else { 6 };
        let data = [
            random(&mut rng, &[2, 9, 8, 4], 1.0),
            random(
                &mut rng,
                &[kernel[0], kernel[1], 4 / groups, channels_out],
                0.5,
            ),
            random(&mut rng, &[channels_out], 0.5),
            random(&mut rng, &[2, steps, bands, channels_out], 0.5),
        ];
        let options = ConvOptions {
            stride,
            padding,
            dilation,
            groups,
        };
        assert_portable(Convolution { data, options }, &format!("{options:?}"));
    }
}

/// The windows of all positions are too many to lie side by side.
#[cfg(not(feature = "wgpu"))]
#[test]
fn a_large_convolution_in_parts_is_that_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(19);
    let convolution = Convolution {
        data: [
            random(&mut rng, &[2, 35, 30, 1024], 1.0),
            random(&mut rng, &[3, 3, 1024, 3], 0.01),
            random(&mut rng, &[3], 0.5),
            random(&mut rng, &[2, 35, 30, 3], 0.01),
        ],
        options: ConvOptions::same([3, 3]),
    };
    assert_portable(convolution, "19 million values in windows");
}

/// Batch norm with activation and pooling, its statistics and every gradient.
#[derive(Clone)]
struct Normalised {
    /// Input, γ, β, and what the output is weighed by.
    data: [TensorData; 4],
    lengths: Vec<usize>,
    plan: NormPool,
}

impl Job for Normalised {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let [x, gamma, beta, weigh] = self.data;
        let x = Tensor::<B, 4>::from_data(x, device).require_grad();
        let gamma = Tensor::<B, 1>::from_data(gamma, device).require_grad();
        let beta = Tensor::<B, 1>::from_data(beta, device).require_grad();
        let (lengths, plan) = (&self.lengths, &self.plan);
        let (y, statistics) =
            norm_pool_training(x.clone(), lengths, gamma.clone(), beta.clone(), plan);
        let mut found = vec![y.to_data()];
        found.extend([statistics.mean, statistics.variance].map(Tensor::into_data));
        let gradients = (y * Tensor::from_data(weigh, device)).sum().backward();
        found.push(x.grad(&gradients).unwrap().into_data());
        found.push(gamma.grad(&gradients).unwrap().into_data());
        found.push(beta.grad(&gradients).unwrap().into_data());
        found
    }
}

#[test]
fn batch_norm_with_pooling_is_that_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(19);
    let infinite = f64::INFINITY;
    for (size, lengths, pool, range) in [
        ([2, 9, 8, 3], vec![9, 6], [2, 2], [0.0, infinite]),
        ([2, 9, 1, 70], vec![1, 9], [2, 1], [0.0, infinite]),
        ([3, 7, 5, 17], vec![7, 0, 1], [1, 1], [-infinite, infinite]),
        ([2, 40, 11, 5], vec![40, 33], [1, 1], [0.0, 1.0]),
        ([2, 12, 31, 33], vec![12, 5], [3, 5], [0.0, infinite]),
    ] {
        let [batch, frames, bins, channels] = size;
        let out = [batch, frames / pool[0], bins / pool[1], channels];
        let normalised = Normalised {
            data: [
                random(&mut rng, &size, 2.0),
                random(&mut rng, &[channels], 1.0),
                random(&mut rng, &[channels], 1.0),
                random(&mut rng, &out, 1.0),
            ],
            lengths,
            plan: NormPool {
                epsilon: 1e-5,
                range,
                pool,
            },
        };
        assert_portable(normalised, &format!("{size:?} by {pool:?}"));
    }
}

/// Two steps of each optimizer by clipped gradients, and the factor that clips them.
#[derive(Clone)]
struct Updates {
    parameters: Vec<TensorData>,
    gradients: Vec<TensorData>,
}

impl Updates {
    fn of<B: Backend>(&self, device: &B::Device, most: f64) -> Vec<TensorData> {
        let tensors = |data: &[TensorData]| -> Vec<Tensor<B, 1>> {
            data.iter()
                .map(|data| Tensor::from_data(data.clone(), device))
                .collect()
        };
        let (parameters, gradients) = (tensors(&self.parameters), tensors(&self.gradients));
        let all = gradients.iter().cloned();
        let lowered = all.clone().map(|tensor| tensor.into_primitive().tensor());
        let scale = clip_factor::<B>(lowered.collect(), most).unwrap_or_else(|| {
            let norm = Tensor::cat(all.map(sum_of_squares).collect(), 0)
                .sum()
                .sqrt();
            (norm + 1e-6).recip().mul_scalar(most).clamp_max(1.0)
        });
        let mut found = vec![scale.to_data()];
        for (parameter, gradient) in parameters.iter().zip(&gradients) {
            for decoupled in [false, true] {
                let mut moved = parameter.clone();
                let mut moments = None;
                for steps in [1, 2] {
                    let step = AdamStep {
                        rate: 0.01,
                        betas: [0.9, 0.999],
                        epsilon: 1e-8,
                        steps,
                        decay: 0.1,
                        decoupled,
                    };
                    let scale = (steps == 1).then(|| scale.clone());
                    let [next, first, second] =
                        adam_step(&step, moved, gradient.clone(), moments, scale);
                    (moved, moments) = (next, Some([first, second]));
                }
                found.push(moved.into_data());
                found.extend(moments.into_iter().flatten().map(Tensor::into_data));
                let (mut by_momentum, mut momentum) = (parameter.clone(), None);
                let (mut by_squares, mut squares) = (parameter.clone(), None);
                for _ in 0..2 {
                    let step = SgdStep {
                        rate: 0.1,
                        momentum: 0.9,
                        nesterov: decoupled,
                        decay: 0.01,
                    };
                    let scale = || Some(scale.clone());
                    let [next, past] =
                        sgd_step(&step, by_momentum, gradient.clone(), momentum, scale());
                    (by_momentum, momentum) = (next, Some(past));
                    let step = RmsStep {
                        rate: 0.01,
                        average: decoupled.then_some(0.99),
                        epsilon: 1e-8,
                        decay: 0.01,
                    };
                    let [next, past] =
                        rms_step(&step, by_squares, gradient.clone(), squares, scale());
                    (by_squares, squares) = (next, Some(past));
                }
                found.extend([by_momentum, by_squares].map(Tensor::into_data));
                found.extend(
                    [momentum, squares]
                        .into_iter()
                        .flatten()
                        .map(Tensor::into_data),
                );
            }
        }
        found
    }
}

impl Job for Updates {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let mut found = self.of::<B::InnerBackend>(device, 0.5);
        found.extend(self.of::<B::InnerBackend>(device, 1e6));
        found
    }
}

#[test]
fn optimizers_and_the_clipping_factor_are_those_of_the_portable_expressions() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut tensors = || -> Vec<TensorData> {
        let sizes = [1, 7, 300, 5, 64, 2, 9000];
        sizes
            .iter()
            .map(|&size| random(&mut rng, &[size], 1.0))
            .collect()
    };
    let updates = Updates {
        parameters: tensors(),
        gradients: tensors(),
    };
    assert_portable(updates, "optimizers");
}
