//! The CTC loss: the kernel against the portable expression, on random batches.
#![cfg(feature = "ndarray")]

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use proptest::prelude::*;
use sori_models::loss::{CtcOptions, Reduction, ctc, ctc::steps_needed};
use sori_models::ops::path_counts;

/// The backend with kernels, and one that the operators leave to their portable expressions.
type Kernels = Autodiff<NdArray<f32>>;
type Portable = Autodiff<NdArray<f32, i32>>;

#[derive(Clone, Debug)]
struct Case {
    sizes: [usize; 3],
    logits: Vec<f32>,
    lengths: Vec<usize>,
    targets: Vec<Vec<usize>>,
}

fn any_case() -> impl Strategy<Value = Case> {
    (1usize..5, 1usize..24, 2usize..7).prop_flat_map(|sizes| {
        let (batch, steps, symbols) = sizes;
        let transcript = proptest::collection::vec(1..symbols, 0..10);
        (
            proptest::collection::vec(-4f32..4.0, batch * steps * symbols),
            proptest::collection::vec(0..=steps, batch),
            proptest::collection::vec(transcript, batch),
        )
            .prop_map(move |(logits, lengths, targets)| Case {
                sizes: [batch, steps, symbols],
                logits,
                lengths,
                targets,
            })
    })
}

fn any_options() -> impl Strategy<Value = CtcOptions> {
    let reduction = prop_oneof![
        Just(Reduction::None),
        Just(Reduction::Sum),
        Just(Reduction::Mean)
    ];
    (reduction, any::<bool>()).prop_map(|(reduction, zero_infinity)| CtcOptions {
        reduction,
        zero_infinity,
    })
}

fn logits<B: Backend>(case: &Case) -> Tensor<B, 3> {
    let data = TensorData::new(case.logits.clone(), case.sizes);
    Tensor::from_data(data, &Default::default())
}

/// The loss, and the gradient of its values added up with different weights.
fn results<B: AutodiffBackend>(case: &Case, options: CtcOptions) -> [Vec<f32>; 2] {
    let leaf = logits::<B>(case).require_grad();
    // Turned round twice, so that it does not lie in memory in the order of its axes.
    let turned = (leaf.clone().swap_dims(0, 2) * 1.0).swap_dims(0, 2);
    let loss = ctc(turned, &case.lengths, &case.targets, options);
    let count = loss.dims()[0];
    let weights: Vec<f32> = (0..count).map(|i| 1.0 + 0.3 * i as f32).collect();
    let weights = Tensor::from_data(TensorData::new(weights, [count]), &Default::default());
    let gradients = (loss.clone() * weights).sum().backward();
    let gradient = leaf.grad(&gradients).expect("a gradient of the logits");
    [loss.into_data(), gradient.into_data()].map(|data| data.iter::<f32>().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_kernel_is_the_portable_expression(case in any_case(), options in any_options()) {
        let before = path_counts();
        let ours = results::<Kernels>(&case, options);
        prop_assert_eq!(path_counts().portable, before.portable, "the portable expression ran");
        let theirs = results::<Portable>(&case, options);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            prop_assert_eq!(ours.len(), theirs.len());
            for (a, b) in ours.iter().zip(theirs) {
                let same = a == b || a.is_nan() && b.is_nan();
                prop_assert!(same || (a - b).abs() < 2e-5 * b.abs().max(1.0), "{} and {}", a, b);
            }
        }
    }

    #[test]
    fn symbols_ruled_out_are_no_harm_to_either(
        mut case in any_case(),
        options in any_options(),
        symbol in 0usize..7,
    ) {
        let [_, _, symbols] = case.sizes;
        let of_symbol = case.logits.iter_mut().skip(symbol % symbols).step_by(symbols);
        of_symbol.for_each(|logit| *logit = f32::NEG_INFINITY);
        // The gradient of an infinite loss means nothing.
        let options = CtcOptions { zero_infinity: true, ..options };
        let ours = results::<Kernels>(&case, options);
        let theirs = results::<Portable>(&case, options);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            for (a, b) in ours.iter().zip(theirs) {
                let same = a == b || a.is_nan() && b.is_nan();
                prop_assert!(same || (a - b).abs() < 2e-5 * b.abs().max(1.0), "{} and {}", a, b);
            }
        }
    }

    #[test]
    fn a_loss_is_infinite_exactly_where_the_steps_are_too_few(case in any_case()) {
        let options = CtcOptions { reduction: Reduction::None, zero_infinity: false };
        let loss = ctc(logits::<NdArray>(&case), &case.lengths, &case.targets, options);
        let loss: Vec<f32> = loss.into_data().iter().collect();
        for ((loss, &length), labels) in loss.iter().zip(&case.lengths).zip(&case.targets) {
            prop_assert_eq!(loss.is_finite(), length >= steps_needed(labels));
            prop_assert!(*loss >= -1e-5);
        }
    }

    #[test]
    fn log_probabilities_have_the_loss_of_their_logits(case in any_case()) {
        let options = CtcOptions { reduction: Reduction::Sum, zero_infinity: true };
        let of = |scores| -> f32 {
            ctc(scores, &case.lengths, &case.targets, options).into_scalar()
        };
        let logits = logits::<NdArray>(&case);
        let log_probs = burn::tensor::activation::log_softmax(logits.clone(), 2);
        let (a, b) = (of(logits), of(log_probs));
        prop_assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{} and {}", a, b);
    }
}

#[test]
#[should_panic(expected = "the transcript of row 1, [2, 0], has symbols beyond 1 to 3")]
fn a_blank_in_a_transcript_is_a_broken_contract() {
    let logits = Tensor::<NdArray, 3>::zeros([2, 5, 4], &Default::default());
    ctc(
        logits,
        &[5, 5],
        &[vec![1], vec![2, 0]],
        CtcOptions::default(),
    );
}
