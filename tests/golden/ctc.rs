//! The CTC loss against PyTorch's: losses and gradients under every reduction, including rows without
//! a path. `ctc.py` beside this file wrote the values and describes them.

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use serde::Deserialize;
use sori_models::loss::{CtcOptions, Reduction, ctc};

/// The tolerance, relative to the largest value of its kind, or to one if that is larger:
/// PyTorch computed in double precision, and sums over some tens of steps in single
/// precision lose some units of 1e-7 each.
const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    sizes: [usize; 3],
    logits: Vec<Number>,
    lengths: Vec<usize>,
    targets: Vec<Vec<usize>>,
    results: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    reduction: String,
    zero_infinity: bool,
    loss: Vec<Number>,
    gradient: Vec<Number>,
}

/// JSON has no infinity and no NaN.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f32),
    Other(String),
}

impl Number {
    fn value(&self) -> f32 {
        match self {
            Self::Finite(value) => *value,
            Self::Other(name) => name.parse().expect("inf or nan"),
        }
    }
}

fn assert_near(what: &str, ours: TensorData, theirs: &[Number]) {
    let theirs: Vec<f32> = theirs.iter().map(Number::value).collect();
    let finite = theirs.iter().copied().filter(|x| x.is_finite());
    let largest = finite.fold(1.0f32, |max, x| max.max(x.abs()));
    let ours: Vec<f32> = ours.iter().collect();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (a, b) in ours.iter().zip(&theirs) {
        let same = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= TOLERANCE * largest;
        assert!(same, "{what}: {a}, PyTorch {b}");
    }
}

fn equals_torch<B: AutodiffBackend>() {
    let golden: Golden = serde_json::from_str(include_str!("ctc.json")).expect("golden values");
    let mut without_path = 0;
    for (index, case) in golden.cases.iter().enumerate() {
        let logits: Vec<f32> = case.logits.iter().map(Number::value).collect();
        let logits = TensorData::new(logits, case.sizes);
        for expected in &case.results {
            let options = CtcOptions {
                reduction: match expected.reduction.as_str() {
                    "none" => Reduction::None,
                    "sum" => Reduction::Sum,
                    "mean" => Reduction::Mean,
                    other => panic!("PyTorch has no reduction {other}"),
                },
                zero_infinity: expected.zero_infinity,
            };
            let logits = Tensor::<B, 3>::from_data(logits.clone(), &Default::default());
            let logits = logits.require_grad();
            let loss = ctc(logits.clone(), &case.lengths, &case.targets, options);
            let gradients = loss.clone().sum().backward();
            let gradient = logits.grad(&gradients).expect("a gradient of the logits");
            let what = format!("case {index} {options:?}");
            assert_near(&format!("{what} loss"), loss.into_data(), &expected.loss);
            let what = format!("{what} gradient");
            assert_near(&what, gradient.into_data(), &expected.gradient);
            without_path += usize::from(expected.loss.iter().any(|x| x.value().is_infinite()));
        }
    }
    assert!(without_path > 0, "no case without a path");
}

#[test]
fn the_kernel_equals_torch() {
    equals_torch::<Autodiff<NdArray<f32>>>();
}

#[test]
fn the_portable_expression_equals_torch() {
    equals_torch::<Autodiff<NdArray<f32, i32>>>();
}
