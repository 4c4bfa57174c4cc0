//! Operators against PyTorch on random shapes: outputs and the gradients of every input.
//! `operators.py` beside this file wrote the values and describes them.

use std::path::Path;

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use safetensors::SafeTensors;
use serde::Deserialize;
use sori_models::loss::{binary_cross_entropy, cross_entropy, soft_cross_entropy};
use sori_models::ops::{
    self, Activation, Cell, ConvOptions, DirectionWeights, NormPool, path_counts,
};

/// The backend with kernels, and one with the operators' portable expressions.
type Kernels = Autodiff<NdArray<f32>>;
type Portable = Autodiff<NdArray<f32, i32>>;

/// The tolerance, relative to the largest value of a tensor, or to one if that is
/// larger: PyTorch computed in double precision, and sums in single precision lose some units of
/// 1e-7 each.
const TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
struct Case {
    inputs: usize,
    outputs: usize,
    #[serde(flatten)]
    op: Op,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Op {
    Conv2d {
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        groups: usize,
    },
    NormPool {
        lengths: Vec<usize>,
        pool: [usize; 2],
        high: f64,
    },
    #[serde(rename = "max_pool2d")]
    MaxPool2d {
        pool: [usize; 2],
    },
    #[serde(rename = "average_pool2d")]
    AveragePool2d {
        pool: [usize; 2],
    },
    Linear {},
    CrossEntropy {
        targets: Vec<i64>,
    },
    SoftCrossEntropy {
        targets: Vec<usize>,
        smoothing: f32,
    },
    BinaryCrossEntropy {
        tags: Vec<f32>,
        positive: Vec<f32>,
    },
    Activation {
        function: Activation,
    },
    GatedUnit {
        lengths: Vec<usize>,
    },
    ScaleChannels {},
    GatedSum {},
    Recurrent {
        cell: String,
        lengths: Vec<usize>,
    },
}

struct Golden<'a> {
    tensors: SafeTensors<'a>,
    index: usize,
}

impl Golden<'_> {
    fn read(&self, name: &str) -> TensorData {
        let name = format!("{}.{name}", self.index);
        let view = self.tensors.tensor(&name).expect("a tensor of the case");
        let values: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        TensorData::new(values, view.shape().to_vec())
    }

    fn assert_near(&self, what: &str, ours: &TensorData) {
        let theirs = self.read(what);
        assert_eq!(ours.shape, theirs.shape, "case {} {what}", self.index);
        let largest = theirs.iter::<f32>().fold(1.0f32, |max, x| max.max(x.abs()));
        for (a, b) in ours.iter::<f32>().zip(theirs.iter::<f32>()) {
            let (off, index) = ((a - b).abs() / largest, self.index);
            assert!(off <= TOLERANCE, "case {index} {what}: {a}, PyTorch {b}");
        }
    }
}

/// An input of any rank, and later its gradient.
struct Leaf<B: AutodiffBackend> {
    flat: Tensor<B, 1>,
    shape: Vec<usize>,
}

impl<B: AutodiffBackend> Leaf<B> {
    fn new(data: TensorData) -> Self {
        let shape = data.shape.to_vec();
        let flat = TensorData::new(
            data.iter::<f32>().collect(),
            [shape.iter().product::<usize>()],
        );
        Self {
            flat: Tensor::from_data(flat, &Default::default()).require_grad(),
            shape,
        }
    }

    fn tensor<const D: usize>(&self) -> Tensor<B, D> {
        let dims: [usize; D] = self.shape.clone().try_into().expect("the operator's rank");
        self.flat.clone().reshape(dims)
    }
}

fn check<B: AutodiffBackend>(case: &Case, golden: &Golden<'_>) {
    let leaves: Vec<Leaf<B>> = (0..case.inputs)
        .map(|i| Leaf::new(golden.read(&format!("in.{i}"))))
        .collect();
    let vector = |i: usize| leaves[i].tensor::<1>();
    match &case.op {
        Op::Conv2d {
            stride,
            padding,
            dilation,
            groups,
        } => {
            let options = ConvOptions {
                stride: *stride,
                padding: *padding,
                dilation: *dilation,
                groups: *groups,
            };
            let (x, weight) = (leaves[0].tensor(), leaves[1].tensor());
            let y = ops::conv2d(x, weight, Some(vector(2)), options);
            compare(golden, &leaves, y, &[]);
        }
        Op::NormPool {
            lengths,
            pool,
            high,
        } => {
            let plan = NormPool {
                epsilon: 1e-5,
                range: [0.0, *high],
                pool: *pool,
            };
            let x = leaves[0].tensor::<4>();
            let (y, statistics) = ops::norm_pool_training(x, lengths, vector(1), vector(2), &plan);
            let statistics = [statistics.mean.into_data(), statistics.variance.into_data()];
            compare(golden, &leaves, y, &statistics);
        }
        Op::MaxPool2d { pool } => {
            let y = ops::max_pool2d(leaves[0].tensor(), *pool);
            compare(golden, &leaves, y, &[]);
        }
        Op::AveragePool2d { pool } => {
            let y = ops::average_pool2d(leaves[0].tensor(), *pool);
            compare(golden, &leaves, y, &[]);
        }
        Op::Linear {} => {
            let (x, weight) = (leaves[0].tensor::<2>(), leaves[1].tensor());
            let y = ops::linear(x, weight, Some(vector(2)));
            compare(golden, &leaves, y, &[]);
        }
        Op::CrossEntropy { targets } => {
            let targets = TensorData::from(&targets[..]);
            let targets = Tensor::<B, 1, Int>::from_data(targets, &Default::default());
            let loss = cross_entropy(leaves[0].tensor(), targets);
            compare(golden, &leaves, loss, &[]);
        }
        Op::SoftCrossEntropy { targets, smoothing } => {
            let logits = leaves[0].tensor::<2>();
            let [rows, classes] = logits.dims();
            let mut weights = vec![smoothing / classes as f32; rows * classes];
            for (row, target) in targets.iter().enumerate() {
                weights[row * classes + target] += 1.0 - smoothing;
            }
            let weights = TensorData::new(weights, [rows, classes]);
            let weights = Tensor::from_data(weights, &Default::default());
            compare(golden, &leaves, soft_cross_entropy(logits, weights), &[]);
        }
        Op::BinaryCrossEntropy { tags, positive } => {
            let logits = leaves[0].tensor::<2>();
            let tags = TensorData::new(tags.clone(), logits.dims());
            let tags = Tensor::from_data(tags, &Default::default());
            let positive = Tensor::from_data(TensorData::from(&positive[..]), &Default::default());
            let loss = binary_cross_entropy(logits, tags, Some(positive));
            compare(golden, &leaves, loss, &[]);
        }
        Op::Activation { function } => {
            let y = ops::activate(leaves[0].tensor::<2>(), *function);
            compare(golden, &leaves, y, &[]);
        }
        Op::GatedUnit { lengths } => {
            let y = ops::gated_unit(leaves[0].tensor(), lengths);
            compare(golden, &leaves, y, &[]);
        }
        Op::ScaleChannels {} => {
            let y = ops::scale_channels(leaves[0].tensor(), leaves[1].tensor());
            compare(golden, &leaves, y, &[]);
        }
        Op::GatedSum {} => {
            let terms = leaves[1..].iter().map(Leaf::tensor).collect();
            let y = ops::gated_sum(terms, vector(0));
            compare(golden, &leaves, y, &[]);
        }
        Op::Recurrent { cell, lengths } => {
            let cell = match cell.as_str() {
                "elman" => Cell::Elman,
                "lstm" => Cell::Lstm,
                _ => Cell::Gru,
            };
            let directions = leaves[1..]
                .chunks_exact(4)
                .map(|weights| DirectionWeights {
                    input: weights[0].tensor(),
                    state: weights[1].tensor(),
                    bias_input: weights[2].tensor(),
                    bias_state: weights[3].tensor(),
                })
                .collect();
            let sequence = ops::recurrent(cell, leaves[0].tensor(), directions, lengths);
            let last = sequence.last.unsqueeze_dim::<3>(1);
            let y = Tensor::cat(vec![sequence.outputs, last], 1);
            compare(golden, &leaves, y, &[]);
        }
    }
    assert_eq!(
        case.outputs,
        if matches!(case.op, Op::NormPool { .. }) {
            3
        } else {
            1
        }
    );
}

fn compare<B: AutodiffBackend, const D: usize>(
    golden: &Golden<'_>,
    leaves: &[Leaf<B>],
    output: Tensor<B, D>,
    more: &[TensorData],
) {
    golden.assert_near("out.0", &output.to_data());
    for (index, more) in more.iter().enumerate() {
        golden.assert_near(&format!("out.{}", index + 1), more);
    }
    let weigh = Tensor::from_data(golden.read("weigh"), &Default::default());
    let gradients = (output * weigh).sum().backward();
    for (index, leaf) in leaves.iter().enumerate() {
        let gradient = leaf
            .flat
            .grad(&gradients)
            .expect("every input has a gradient");
        let gradient = TensorData::new(
            gradient.into_data().iter::<f32>().collect(),
            leaf.shape.clone(),
        );
        golden.assert_near(&format!("grad.{index}"), &gradient);
    }
}

fn equals_torch<B: AutodiffBackend>() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/operators.safetensors");
    let bytes = std::fs::read(path).expect("the golden values");
    let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("safetensors");
    let cases = &metadata.metadata().as_ref().expect("metadata")["cases"];
    let cases: Vec<Case> = serde_json::from_str(cases).expect("the cases");
    assert!(cases.len() > 50);
    for (index, case) in cases.iter().enumerate() {
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        check::<B>(case, &Golden { tensors, index });
    }
}

#[test]
fn kernels_equal_torch_on_random_shapes() {
    let before = path_counts();
    equals_torch::<Kernels>();
    assert_eq!(path_counts().portable, before.portable);
}

#[test]
fn portable_expressions_equal_torch_on_random_shapes() {
    let before = path_counts();
    equals_torch::<Portable>();
    assert_eq!(path_counts().kernels, before.kernels);
}
