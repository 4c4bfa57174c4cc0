//! What the CPU kernels promise, operator by operator, on random shapes: the outputs and gradients of
//! the portable expressions, whatever the layout of their inputs, and the same bits on any number of
//! threads. Equality with PyTorch is in `tests/golden/operators.rs`.
#![cfg(feature = "ndarray")]

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use proptest::prelude::*;
use sori_models::loss::{binary_cross_entropy, cross_entropy, soft_cross_entropy};
use sori_models::ops::{
    self, Activation, Attended, Cell, ConvOptions, DirectionWeights, NormPool, Score,
    SpellerWeights, path_counts,
};

/// The backend with kernels, and one that differs from it in a type nothing here uses, so that the
/// operators leave it to their portable expressions.
type Kernels = Autodiff<NdArray<f32>>;
type Portable = Autodiff<NdArray<f32, i32>>;

/// How a tensor lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Plain,
    /// All axes in the opposite order.
    Turned,
    /// A part of a longer tensor.
    Cut,
}

fn any_layout() -> impl Strategy<Value = Layout> {
    prop_oneof![
        2 => Just(Layout::Plain),
        1 => Just(Layout::Turned),
        1 => Just(Layout::Cut),
    ]
}

/// Finds the gradient of an input.
type Gradient<B> = Box<dyn Fn(&<B as AutodiffBackend>::Gradients) -> TensorData>;

/// The inputs of one operator: the same numbers for every backend.
struct Inputs<B: AutodiffBackend> {
    layout: Layout,
    seed: u64,
    gradients: Vec<Gradient<B>>,
}

impl<B: AutodiffBackend> Inputs<B> {
    fn new(layout: Layout, seed: u64) -> Self {
        Self {
            layout,
            seed,
            gradients: Vec::new(),
        }
    }

    /// Numbers between −1 and 1.
    fn numbers(&mut self, count: usize) -> Vec<f32> {
        let mut state = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        self.seed += 1;
        (0..count)
            .map(|_| {
                // xorshift
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn constant<const D: usize>(&mut self, dims: [usize; D]) -> Tensor<B, D> {
        let values = self.numbers(dims.iter().product());
        Tensor::from_data(TensorData::new(values, dims), &Default::default())
    }

    /// A tensor whose gradient is wanted.
    fn tensor<const D: usize>(&mut self, dims: [usize; D]) -> Tensor<B, D> {
        let mut stored = dims;
        match self.layout {
            Layout::Plain => {}
            Layout::Turned => stored.reverse(),
            Layout::Cut => stored[0] += 2,
        }
        let leaf = self.constant(stored).require_grad();
        let kept = leaf.clone();
        self.gradients.push(Box::new(move |gradients| {
            let gradient = kept.grad(gradients).expect("every input has a gradient");
            gradient.into_data().convert::<f32>()
        }));
        match self.layout {
            Layout::Plain => leaf,
            Layout::Turned => {
                let axes: [isize; D] = std::array::from_fn(|axis| (D - 1 - axis) as isize);
                leaf.permute(axes)
            }
            Layout::Cut => leaf.narrow(0, 1, dims[0]),
        }
    }

    /// The output, and the gradients of all inputs of a loss that weighs each output differently.
    fn results<const D: usize>(mut self, output: Tensor<B, D>) -> Vec<TensorData> {
        let weights = self.constant(output.dims());
        let mut results = vec![output.to_data().convert::<f32>()];
        let gradients = (output * weights).sum().backward();
        results.extend(self.gradients.iter().map(|gradient| gradient(&gradients)));
        results
    }
}

/// Runs a case on both backends and compares: `$case::<B>(…) -> Vec<TensorData>`.
macro_rules! same_as_portable {
    ($tolerance:expr, $case:ident($($argument:expr),*)) => {{
        let before = path_counts();
        let ours = $case::<Kernels>($($argument),*);
        let after = path_counts();
        prop_assert!(after.kernels > before.kernels, "no kernel ran");
        prop_assert_eq!(after.portable, before.portable, "a portable expression ran");
        let theirs = $case::<Portable>($($argument),*);
        prop_assert_eq!(path_counts().kernels, after.kernels, "the portable side ran a kernel");
        prop_assert_eq!(ours.len(), theirs.len());
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            prop_assert_eq!(&ours.shape, &theirs.shape);
            let theirs: Vec<f32> = theirs.iter().collect();
            // Sums are rounded in proportion to their largest terms.
            let size = theirs.iter().fold(1.0f32, |max, x| max.max(x.abs()));
            for (a, b) in ours.iter::<f32>().zip(theirs) {
                prop_assert!(
                    (a - b).abs() <= $tolerance * size,
                    "result {}: {} and {} where the largest is {}", index, a, b, size
                );
            }
        }
    }};
}

/// Rounding of sums of some hundred terms of single precision.
const ROUNDING: f32 = 2e-5;

#[derive(Clone, Debug)]
struct Convolution {
    batch: usize,
    size: [usize; 2],
    channels: [usize; 2],
    kernel: [usize; 2],
    bias: bool,
    options: ConvOptions<2>,
}

fn any_convolution() -> impl Strategy<Value = Convolution> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    (
        (
            1usize..4,
            pair(1..20),
            pair(1..12),
            1usize..4,
            any::<bool>(),
        ),
        (
            pair(1..6),
            pair(1..4),
            pair(0..4),
            pair(1..3),
            any::<bool>(),
        ),
    )
        .prop_map(
            |(
                (batch, size, channels, groups, depthwise),
                (kernel, stride, padding, dilation, bias),
            )| {
                let (channels, groups) = if depthwise {
                    ([1, 1], channels[0])
                } else {
                    (channels, groups)
                };
                Convolution {
                    batch,
                    size,
                    channels: channels.map(|c| c * groups),
                    kernel,
                    bias,
                    options: ConvOptions {
                        stride,
                        padding,
                        dilation,
                        groups,
                    },
                }
            },
        )
        .prop_filter("the kernel must fit", |c| {
            let ConvOptions {
                padding, dilation, ..
            } = c.options;
            (0..2).all(|a| c.size[a] + 2 * padding[a] > dilation[a] * (c.kernel[a] - 1))
        })
}

fn conv2d<B: AutodiffBackend>(c: &Convolution, layout: Layout, seed: u64) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let [channels_in, channels_out] = c.channels;
    let x = inputs.tensor([c.batch, c.size[0], c.size[1], channels_in]);
    let per_group = channels_in / c.options.groups;
    let weight = inputs.tensor([c.kernel[0], c.kernel[1], per_group, channels_out]);
    let bias = c.bias.then(|| inputs.tensor([channels_out]));
    inputs.results(ops::conv2d(x, weight, bias, c.options))
}

fn conv1d<B: AutodiffBackend>(c: &Convolution, layout: Layout, seed: u64) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let [channels_in, channels_out] = c.channels;
    let x = inputs.tensor([c.batch, c.size[0], channels_in]);
    let weight = inputs.tensor([c.kernel[0], channels_in / c.options.groups, channels_out]);
    let bias = c.bias.then(|| inputs.tensor([channels_out]));
    let options = ConvOptions {
        stride: [c.options.stride[0]],
        padding: [c.options.padding[0]],
        dilation: [c.options.dilation[0]],
        groups: c.options.groups,
    };
    inputs.results(ops::conv1d(x, weight, bias, options))
}

fn linear<B: AutodiffBackend>(
    [batch, frames, d_input, d_output]: [usize; 4],
    bias: bool,
    layout: Layout,
    seed: u64,
) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let x = inputs.tensor([batch, frames, d_input]);
    let weight = inputs.tensor([d_input, d_output]);
    let bias = bias.then(|| inputs.tensor([d_output]));
    inputs.results(ops::linear(x, weight, bias))
}

/// An image and the valid frames of its rows.
#[derive(Clone, Debug)]
struct Image {
    size: [usize; 4],
    lengths: Vec<usize>,
    pool: [usize; 2],
}

/// Rows of any length, 0 and 1 among them.
fn any_image() -> impl Strategy<Value = Image> {
    (
        1usize..4,
        1usize..24,
        1usize..9,
        1usize..40,
        [1usize..4, 1..4],
    )
        .prop_flat_map(|(batch, frames, bins, channels, pool)| {
            let lengths = proptest::collection::vec(0..=frames, batch);
            lengths.prop_map(move |lengths| Image {
                size: [batch, frames, bins, channels],
                lengths,
                pool: [pool[0].min(frames), pool[1].min(bins)],
            })
        })
}

fn norm_pool<B: AutodiffBackend>(
    image: &Image,
    range: [f64; 2],
    layout: Layout,
    seed: u64,
) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let channels = image.size[3];
    let x = inputs.tensor(image.size);
    let (gamma, beta) = (inputs.tensor([channels]), inputs.tensor([channels]));
    let plan = NormPool {
        epsilon: 1e-3,
        range,
        pool: image.pool,
    };
    let (y, statistics) = ops::norm_pool_training(
        x.clone(),
        &image.lengths,
        gamma.clone(),
        beta.clone(),
        &plan,
    );
    let inference = ops::norm_pool_inference(
        x.inner(),
        &image.lengths,
        ops::BatchStatistics {
            mean: statistics.mean.clone().inner(),
            variance: statistics.variance.clone().inner(),
        },
        gamma.inner(),
        beta.inner(),
        &plan,
    );
    let mut results = inputs.results(y);
    results.extend([
        statistics.mean.into_data(),
        statistics.variance.into_data(),
        inference.into_data(),
    ]);
    results
}

fn pools<B: AutodiffBackend>(
    image: &Image,
    max: bool,
    layout: Layout,
    seed: u64,
) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let x = inputs.tensor(image.size);
    inputs.results(if max {
        ops::max_pool2d(x, image.pool)
    } else {
        ops::average_pool2d(x, image.pool)
    })
}

fn masked<B: AutodiffBackend>(image: &Image, layout: Layout, seed: u64) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let [batch, frames, _, channels] = image.size;
    let x = inputs.tensor([batch, frames, channels]);
    // A mean of nothing is the caller's mistake, padding of everything is not.
    let some: Vec<usize> = image.lengths.iter().map(|&length| length.max(1)).collect();
    let mean = ops::masked_mean(x.clone(), &some).unsqueeze_dim::<3>(1);
    let largest = ops::masked_max(x.clone(), &some).unsqueeze_dim::<3>(1);
    let kept = ops::zero_padding(x, &image.lengths);
    inputs.results(Tensor::cat(vec![mean, largest, kept], 1))
}

#[derive(Clone, Debug)]
struct Sequence {
    frames: usize,
    lengths: Vec<usize>,
    d_input: usize,
    d_hidden: usize,
    both_ways: bool,
}

fn any_sequence() -> impl Strategy<Value = Sequence> {
    (
        1usize..12,
        1usize..12,
        1usize..10,
        1usize..40,
        any::<bool>(),
    )
        .prop_flat_map(|(batch, frames, d_input, d_hidden, both_ways)| {
            let lengths = proptest::collection::vec(0..=frames, batch);
            lengths.prop_map(move |lengths| Sequence {
                frames,
                lengths,
                d_input,
                d_hidden,
                both_ways,
            })
        })
}

fn recurrent<B: AutodiffBackend>(
    cell: Cell,
    case: &Sequence,
    layout: Layout,
    seed: u64,
) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let x = inputs.tensor([case.lengths.len(), case.frames, case.d_input]);
    let width = cell.num_gates() * case.d_hidden;
    let directions = (0..1 + usize::from(case.both_ways))
        .map(|_| DirectionWeights {
            input: inputs.tensor([case.d_input, width]),
            // Small enough that the states do not run into the ends of tanh.
            state: inputs.tensor([case.d_hidden, width]) * 0.3,
            bias_input: inputs.tensor([width]),
            bias_state: inputs.tensor([width]),
        })
        .collect();
    let sequence = ops::recurrent(cell, x, directions, &case.lengths);
    let last = sequence.last.unsqueeze_dim::<3>(1);
    inputs.results(Tensor::cat(vec![sequence.outputs, last], 1))
}

const ACTIVATIONS: [Activation; 6] = [
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Elu,
    Activation::Gelu,
];

fn activation<B: AutodiffBackend>(
    function: Activation,
    dims: [usize; 3],
    layout: Layout,
    seed: u64,
) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let x = inputs.tensor(dims) * 8.0;
    inputs.results(ops::activate(x, function))
}

fn gated_unit<B: AutodiffBackend>(image: &Image, layout: Layout, seed: u64) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let [batch, frames, _, channels] = image.size;
    let x = inputs.tensor([batch, frames, 2 * channels]) * 4.0;
    inputs.results(ops::gated_unit(x, &image.lengths))
}

fn scale_channels<B: AutodiffBackend>(image: &Image, layout: Layout, seed: u64) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let [batch, frames, _, channels] = image.size;
    let x = inputs.tensor([batch, frames, channels]);
    let scale = inputs.tensor([batch, channels]);
    inputs.results(ops::scale_channels(x, scale))
}

fn gated_sum<B: AutodiffBackend>(
    count: usize,
    image: &Image,
    layout: Layout,
    seed: u64,
) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let [batch, frames, _, channels] = image.size;
    let weights = inputs.tensor([count]) * 4.0;
    let terms = (0..count).map(|_| inputs.tensor([batch, frames, channels]));
    let terms = terms.collect();
    inputs.results(ops::gated_sum(terms, weights))
}

fn attention<B: AutodiffBackend>(image: &Image, layout: Layout, seed: u64) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let [batch, frames, _, channels] = image.size;
    let scores = inputs.tensor([batch, frames]) * 4.0;
    let some: Vec<usize> = image.lengths.iter().map(|&length| length.max(1)).collect();
    let weights = ops::masked_softmax(scores, &some);
    let x = inputs.tensor([batch, frames, channels]);
    let free = inputs.tensor([batch, frames]);
    let one = ops::weighted_sum(weights.clone(), x.clone());
    let other = ops::weighted_sum(free, x);
    inputs.results(Tensor::cat(vec![one, other, weights], 1))
}

fn losses<B: AutodiffBackend>(
    [rows, classes]: [usize; 2],
    layout: Layout,
    seed: u64,
) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let logits = inputs.tensor([rows, classes]) * 20.0;
    let targets: Vec<i64> = (0..rows).map(|row| (row * 7 % classes) as i64).collect();
    let targets =
        Tensor::<B, 1, Int>::from_data(TensorData::from(&targets[..]), &Default::default());
    let tags = inputs.constant([rows, classes]) * 0.5 + 0.5;
    let one = cross_entropy(logits.clone(), targets);
    let positive = inputs.constant([classes]) + 1.5;
    let soft = soft_cross_entropy(logits.clone(), tags.clone());
    let many = binary_cross_entropy(logits.clone(), tags.clone(), None);
    let weighted = binary_cross_entropy(logits, tags, Some(positive));
    inputs.results(Tensor::cat(vec![one, soft, many, weighted], 0))
}

fn optimizers<B: AutodiffBackend>(
    dims: [usize; 2],
    decoupled: bool,
    layout: Layout,
    seed: u64,
) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let mut next = || inputs.tensor(dims).inner();
    let (parameter, gradient, first, second) = (next(), next(), next(), next().abs());
    let scale = Tensor::from_floats([0.3], &Default::default());
    let squares = ops::sum_of_squares(gradient.clone());
    let step = ops::AdamStep {
        rate: 1e-2,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        steps: 3,
        decay: 0.1,
        decoupled,
    };
    let moments = Some([first.clone(), second.clone()]);
    let adam = ops::adam_step(
        &step,
        parameter.clone(),
        gradient.clone(),
        moments,
        Some(scale.clone()),
    );
    let mut results = vec![squares.into_data()];
    results.extend(adam.map(Tensor::into_data));
    for nesterov in [false, true] {
        let step = ops::SgdStep {
            rate: 1e-2,
            momentum: 0.9,
            nesterov,
            decay: 0.1,
        };
        let (parameter, gradient) = (parameter.clone(), gradient.clone());
        let past = Some(first.clone());
        let sgd = ops::sgd_step(&step, parameter, gradient, past, Some(scale.clone()));
        results.extend(sgd.map(Tensor::into_data));
    }
    for average in [Some(0.99), None] {
        let step = ops::RmsStep {
            rate: 1e-2,
            average,
            epsilon: 1e-8,
            decay: 0.1,
        };
        let (parameter, gradient) = (parameter.clone(), gradient.clone());
        let past = Some(second.clone());
        let rms = ops::rms_step(&step, parameter, gradient, past, Some(scale.clone()));
        results.extend(rms.map(Tensor::into_data));
    }
    results.push(ops::moving_average(first, parameter, 0.9).into_data());
    results
}

/// How a decoder's attention scores.
#[derive(Clone, Copy, Debug)]
enum Scores {
    /// Of the state itself, or of a query.
    Dot {
        projected: bool,
    },
    Additive,
    Location {
        kernel: usize,
        filters: usize,
    },
}

#[derive(Clone, Debug)]
struct Speller {
    scores: Scores,
    /// Valid steps of what each row attends to, and the symbols it reads.
    rows: Vec<(usize, Vec<usize>)>,
    steps: usize,
    heads: usize,
    /// Features of a head's key and value.
    width: [usize; 2],
    d_embedding: usize,
    d_hidden: usize,
    layers: usize,
}

const SYMBOLS: usize = 7;

fn any_speller() -> impl Strategy<Value = Speller> {
    let scores = prop_oneof![
        any::<bool>().prop_map(|projected| Scores::Dot { projected }),
        Just(Scores::Additive),
        (0usize..4, 1usize..4).prop_map(|(half, filters)| Scores::Location {
            kernel: 2 * half + 1,
            filters,
        }),
    ];
    let row = (1usize..9, prop::collection::vec(0..SYMBOLS, 1..6));
    (
        scores,
        prop::collection::vec(row, 1..10),
        0usize..3,
        [1usize..4, 1..40, 1..8, 1..6, 1..20, 1..4],
    )
        .prop_map(|(scores, rows, padding, sizes)| {
            let [heads, key, value, d_embedding, d_hidden, layers] = sizes;
            let longest = rows.iter().map(|(length, _)| *length).max();
            Speller {
                scores,
                steps: longest.unwrap_or(1) + padding,
                rows,
                heads,
                width: [key, value],
                d_embedding,
                d_hidden,
                layers,
            }
        })
}

fn speller<B: AutodiffBackend>(case: &Speller, layout: Layout, seed: u64) -> Vec<TensorData> {
    let mut inputs = Inputs::<B>::new(layout, seed);
    let [key, value] = case.width.map(|width| case.heads * width);
    let projected = !matches!(case.scores, Scores::Dot { projected: false });
    let hidden = if projected { case.d_hidden } else { key };
    let mut below = case.d_embedding + value;
    let weights = SpellerWeights {
        embedding: inputs.tensor([SYMBOLS, case.d_embedding]),
        layers: (0..case.layers)
            .map(|_| DirectionWeights {
                input: inputs.tensor([std::mem::replace(&mut below, hidden), 4 * hidden]),
                state: inputs.tensor([hidden, 4 * hidden]),
                bias_input: inputs.tensor([4 * hidden]),
                bias_state: inputs.tensor([4 * hidden]),
            })
            .collect(),
        query: projected.then(|| (inputs.tensor([hidden, key]), inputs.tensor([key]))),
        score: match case.scores {
            Scores::Dot { .. } => Score::Dot,
            Scores::Additive => Score::Additive {
                vector: inputs.tensor([key]),
            },
            Scores::Location { kernel, filters } => Score::Location {
                vector: inputs.tensor([key]),
                filters: inputs.tensor([kernel, filters]),
                projection: inputs.tensor([filters, key]),
            },
        },
        num_heads: case.heads,
    };
    let batch = case.rows.len();
    let (lengths, symbols): (Vec<usize>, Vec<Vec<usize>>) = case.rows.iter().cloned().unzip();
    let attended = Attended {
        keys: inputs.tensor([batch, case.steps, key]),
        values: inputs.tensor([batch, case.steps, value]),
        lengths,
    };
    inputs.results(ops::spell(&weights, &attended, &symbols))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn convolutions_are_the_portable_ones(
        c in any_convolution(), layout in any_layout(), seed in any::<u32>(),
    ) {
        let seed = u64::from(seed);
        same_as_portable!(ROUNDING, conv2d(&c, layout, seed));
        same_as_portable!(ROUNDING, conv1d(&c, layout, seed));
    }

    #[test]
    fn linear_layers_are_the_portable_ones(
        sizes in [1usize..5, 1..9, 1..300, 1..70],
        bias in any::<bool>(), layout in any_layout(), seed in any::<u32>(),
    ) {
        same_as_portable!(ROUNDING, linear(sizes, bias, layout, u64::from(seed)));
    }

    #[test]
    fn batch_norm_activation_and_pooling_are_the_portable_ones(
        image in any_image(), clamps in any::<bool>(), layout in any_layout(), seed in any::<u32>(),
    ) {
        prop_assume!(image.lengths.iter().any(|&length| length > 0));
        let range = if clamps { [0.0, 0.7] } else { [f64::NEG_INFINITY, f64::INFINITY] };
        // Gradients are divided by deviations down to √ε.
        same_as_portable!(5e-4, norm_pool(&image, range, layout, u64::from(seed)));
    }

    #[test]
    fn pooling_means_maxima_and_padding_are_the_portable_ones(
        image in any_image(), max in any::<bool>(), layout in any_layout(), seed in any::<u32>(),
    ) {
        let seed = u64::from(seed);
        same_as_portable!(ROUNDING, pools(&image, max, layout, seed));
        same_as_portable!(ROUNDING, masked(&image, layout, seed));
    }

    #[test]
    fn recurrent_layers_are_the_portable_ones(
        case in any_sequence(), layout in any_layout(), seed in any::<u32>(),
    ) {
        for cell in [Cell::Elman, Cell::Lstm, Cell::Gru] {
            same_as_portable!(1e-4, recurrent(cell, &case, layout, u64::from(seed)));
        }
    }

    #[test]
    fn decoders_with_attention_are_the_portable_ones(
        case in any_speller(), layout in any_layout(), seed in any::<u32>(),
    ) {
        same_as_portable!(1e-4, speller(&case, layout, u64::from(seed)));
    }

    #[test]
    fn activations_and_attention_are_the_portable_ones(
        image in any_image(), sizes in [1usize..4, 1..40, 1..40],
        layout in any_layout(), seed in any::<u32>(),
    ) {
        let seed = u64::from(seed);
        for function in ACTIVATIONS {
            same_as_portable!(ROUNDING, activation(function, sizes, layout, seed));
        }
        same_as_portable!(ROUNDING, gated_unit(&image, layout, seed));
        same_as_portable!(ROUNDING, scale_channels(&image, layout, seed));
        same_as_portable!(ROUNDING, gated_sum(sizes[0], &image, layout, seed));
        same_as_portable!(ROUNDING, attention(&image, layout, seed));
    }

    #[test]
    fn losses_and_optimizers_are_the_portable_ones(
        sizes in [1usize..40, 1..60],
        decoupled in any::<bool>(), layout in any_layout(), seed in any::<u32>(),
    ) {
        let seed = u64::from(seed);
        same_as_portable!(ROUNDING, losses(sizes, layout, seed));
        same_as_portable!(ROUNDING, optimizers(sizes, decoupled, layout, seed));
    }
}

/// The bits of all results, in pools of so many threads.
fn on_threads(threads: usize) -> Vec<TensorData> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a pool of threads").install(|| {
        let wide = Convolution {
            batch: 3,
            size: [300, 17],
            channels: [20, 50],
            kernel: [3, 3],
            bias: true,
            options: ConvOptions::same([3, 3]),
        };
        let few_channels = Convolution {
            channels: [2, 50],
            ..wide.clone()
        };
        let depthwise = Convolution {
            batch: 5,
            size: [90, 3],
            channels: [70, 70],
            kernel: [5, 2],
            bias: true,
            options: ConvOptions {
                padding: [4, 1],
                dilation: [2, 1],
                groups: 70,
                ..Default::default()
            },
        };
        let image = Image {
            size: [3, 900, 7, 33],
            lengths: vec![900, 0, 651],
            pool: [2, 3],
        };
        let sequence = Sequence {
            frames: 40,
            lengths: (0..21).map(|row| row * 2).collect(),
            d_input: 50,
            d_hidden: 70,
            both_ways: true,
        };
        let plain = Layout::Plain;
        let relu = [0.0, f64::INFINITY];
        let mut results = conv2d::<Kernels>(&wide, plain, 1);
        results.extend(conv2d::<Kernels>(&few_channels, plain, 1));
        results.extend(conv2d::<Kernels>(&depthwise, plain, 9));
        results.extend(linear::<Kernels>([4, 300, 700, 90], true, plain, 2));
        results.extend(norm_pool::<Kernels>(&image, relu, plain, 3));
        results.extend(pools::<Kernels>(&image, true, plain, 4));
        results.extend(masked::<Kernels>(&image, plain, 5));
        results.extend(gated_unit::<Kernels>(&image, plain, 12));
        results.extend(scale_channels::<Kernels>(&image, plain, 13));
        results.extend(gated_sum::<Kernels>(3, &image, plain, 14));
        for cell in [Cell::Elman, Cell::Lstm, Cell::Gru] {
            results.extend(recurrent::<Kernels>(cell, &sequence, plain, 6));
        }
        for scores in [
            Scores::Dot { projected: false },
            Scores::Location {
                kernel: 5,
                filters: 3,
            },
        ] {
            let decoder = Speller {
                scores,
                rows: (1..12).map(|row| (row, vec![row % SYMBOLS; row])).collect(),
                steps: 13,
                heads: 2,
                width: [40, 35],
                d_embedding: 20,
                d_hidden: 75,
                layers: 2,
            };
            results.extend(speller::<Kernels>(&decoder, plain, 11));
        }
        for function in ACTIVATIONS {
            results.extend(activation::<Kernels>(function, [3, 300, 70], plain, 9));
        }
        results.extend(attention::<Kernels>(&image, plain, 10));
        results.extend(losses::<Kernels>([64, 50], plain, 7));
        results.extend(optimizers::<Kernels>([300, 400], true, plain, 8));
        results
    })
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let alone = on_threads(1);
    for threads in [2, 3, 8] {
        for (ours, alone) in on_threads(threads).iter().zip(&alone) {
            assert_eq!(ours.as_bytes(), alone.as_bytes(), "{threads} threads");
        }
    }
}

#[test]
fn other_precisions_and_backends_are_left_to_the_portable_expressions() {
    fn portable_only<B: Backend>() {
        let device = Default::default();
        let before = path_counts();
        let x = Tensor::<B, 2>::ones([3, 4], &device);
        let y = ops::linear(x, Tensor::ones([4, 5], &device), None);
        assert_eq!(y.into_data().iter::<f64>().next(), Some(4.0));
        assert_eq!(path_counts().kernels, before.kernels);
        assert_eq!(path_counts().portable, before.portable + 1);
    }
    portable_only::<NdArray<f64>>();
    portable_only::<Autodiff<NdArray<f64>>>();
    portable_only::<NdArray<f32, i32>>();
}
