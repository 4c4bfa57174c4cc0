//! Recurrent layers, masked pooling and masked batch norm against their equations, written as loops
//! over numbers.

use burn::module::Param;
use burn::tensor::{Distribution, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use proptest::prelude::*;
use sori_models::layers::{
    Cell, Direction, MaskedBatchNorm, Recurrent, RecurrentConfig, masked_mean,
};

type B = NdArray<f32>;

/// Rows of numbers: a matrix, or a sequence of feature vectors.
type Rows = Vec<Vec<f64>>;

fn values<const D: usize>(tensor: &Tensor<B, D>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

fn rows(tensor: &Tensor<B, 2>) -> Rows {
    let [_, columns] = tensor.dims();
    values(tensor)
        .chunks(columns)
        .map(<[f64]>::to_vec)
        .collect()
}

/// `x · matrix + bias`.
fn affine(x: &[f64], matrix: &Rows, bias: &[f64]) -> Vec<f64> {
    let mut y = bias.to_vec();
    for (x, row) in x.iter().zip(matrix) {
        for (y, weight) in y.iter_mut().zip(row) {
            *y += x * weight;
        }
    }
    y
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The state after each frame, frame by frame and value by value.
fn states(cell: Cell, x: &Rows, weights: &Direction<B>) -> Rows {
    let [d_hidden, _] = weights.weight_state.dims();
    let w_input = rows(&weights.weight_input.val());
    let w_state = rows(&weights.weight_state.val());
    let b_input = values(&weights.bias_input.val());
    let b_state = values(&weights.bias_state.val());
    let mut h = vec![0.0; d_hidden];
    let mut c = vec![0.0; d_hidden];
    let mut outputs = Vec::new();
    for x in x {
        let from_x = affine(x, &w_input, &b_input);
        let from_h = affine(&h, &w_state, &b_state);
        let sum = |gate: usize, j: usize| from_x[gate * d_hidden + j] + from_h[gate * d_hidden + j];
        for j in 0..d_hidden {
            h[j] = match cell {
                Cell::Elman => sum(0, j).tanh(),
                Cell::Lstm => {
                    c[j] = sigmoid(sum(1, j)) * c[j] + sigmoid(sum(0, j)) * sum(2, j).tanh();
                    sigmoid(sum(3, j)) * c[j].tanh()
                }
                Cell::Gru => {
                    let [r, z] = [sigmoid(sum(0, j)), sigmoid(sum(1, j))];
                    let new = 2 * d_hidden + j;
                    let n = (from_x[new] + r * from_h[new]).tanh();
                    (1.0 - z) * n + z * h[j]
                }
            };
        }
        outputs.push(h.clone());
    }
    outputs
}

/// A row alone through the whole stack: its outputs and the last states of the top layer.
fn stack(model: &Recurrent<B>, mut x: Rows) -> (Rows, Vec<f64>) {
    let mut last = Vec::new();
    for layer in &model.layers {
        let mut outputs = states(layer.cell, &x, &layer.forward);
        last = outputs.last().cloned().unwrap_or_default();
        if let Some(backward) = &layer.backward {
            x.reverse();
            let reversed = states(layer.cell, &x, backward);
            last.extend(reversed.last().into_iter().flatten());
            for (output, state) in outputs.iter_mut().zip(reversed.iter().rev()) {
                output.extend(state);
            }
        }
        x = outputs;
    }
    (x, last)
}

fn assert_close(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        // Sums of a few dozen terms of size one, in single precision.
        assert!(
            (actual - expected).abs() < 1e-5,
            "{actual} instead of {expected}"
        );
    }
}

fn lengths_of(batch: usize, frames: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..=frames, batch)
}

prop_compose! {
    fn ragged()(batch in 1..5usize, frames in 1..9usize)
        (lengths in lengths_of(batch, frames), frames in Just(frames)) -> (usize, Vec<usize>) {
        (frames, lengths)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn recurrent_layers_are_their_equations_row_by_row(
        (frames, lengths) in ragged(),
        cell in prop::sample::select(vec![Cell::Elman, Cell::Lstm, Cell::Gru]),
        d_input in 1..6usize,
        d_hidden in 1..6usize,
        num_layers in 1..3usize,
        bidirectional: bool,
    ) {
        let device = Default::default();
        let config = RecurrentConfig { cell, d_input, d_hidden, num_layers, bidirectional, dropout: 0.5 };
        let model = config.init::<B>(&device).expect("a valid configuration");
        let x = Tensor::<B, 3>::random([lengths.len(), frames, d_input], Distribution::Default, &device);
        let sequence = model.forward(x.clone(), &lengths);
        prop_assert_eq!(sequence.outputs.dims(), [lengths.len(), frames, config.d_output()]);
        for (row, &length) in lengths.iter().enumerate() {
            let alone = rows(&x.clone().narrow(0, row, 1).squeeze_dim(0))[..length].to_vec();
            let (outputs, last) = stack(&model, alone);
            let mut expected = outputs.concat();
            expected.resize(frames * config.d_output(), 0.0);
            assert_close(&values(&sequence.outputs.clone().narrow(0, row, 1)), &expected);
            assert_close(&values(&sequence.last.clone().narrow(0, row, 1)), &last);
        }
    }

    #[test]
    fn the_masked_mean_is_the_mean_of_the_valid_frames((frames, lengths) in ragged(), channels in 1..5usize) {
        let x = Tensor::<B, 3>::random([lengths.len(), frames, channels], Distribution::Default, &Default::default());
        let mean = masked_mean(x.clone(), &lengths);
        for (row, &length) in lengths.iter().enumerate() {
            let alone = rows(&x.clone().narrow(0, row, 1).squeeze_dim(0));
            let expected: Vec<f64> = (0..channels)
                .map(|channel| alone[..length].iter().map(|frame| frame[channel]).sum::<f64>() / length as f64)
                .collect();
            assert_close(&values(&mean.clone().narrow(0, row, 1)), &expected);
        }
    }

    #[test]
    fn masked_batch_norm_sees_the_valid_positions_alone((frames, lengths) in ragged()) {
        let device = Default::default();
        let norm = MaskedBatchNorm::<Autodiff<B>>::new(1, &device);
        let x = Tensor::<B, 3>::random([lengths.len(), frames, 1], Distribution::Default, &device);
        let y = norm.forward(Tensor::from_inner(x.clone()), &lengths).inner();

        let valid = |of: &Tensor<B, 3>| -> Vec<f64> {
            let of = values(of);
            let row = |(row, &length): (usize, &usize)| of[row * frames..][..length].to_vec();
            lengths.iter().enumerate().flat_map(row).collect()
        };
        let seen = valid(&x);
        let count = seen.len() as f64;
        let mean = seen.iter().sum::<f64>() / count;
        let squares: f64 = seen.iter().map(|x| (x - mean).powi(2)).sum();
        // Normalised by the biased variance; kept is the unbiased one, zero for a single position.
        let expected: Vec<f64> = seen.iter().map(|x| (x - mean) / (squares / count + 1e-5).sqrt()).collect();
        for (actual, expected) in valid(&y).iter().zip(&expected) {
            // Where the values hardly differ, the division by √ε alone costs two digits.
            prop_assert!((actual - expected).abs() < 2e-4, "{actual} instead of {expected}");
        }
        assert_close(&values(&norm.running_mean.value().inner()), &[0.1 * mean]);
        assert_close(&values(&norm.running_var.value().inner()), &[0.9 + 0.1 * squares / (count - 1.0).max(1.0)]);
    }
}

/// The lecture's network by hand: two features, two hidden values, three steps.
#[test]
fn elman_is_the_lectures_equation_unrolled() {
    let device = Default::default();
    let config = RecurrentConfig {
        cell: Cell::Elman,
        d_input: 2,
        d_hidden: 2,
        num_layers: 1,
        bidirectional: false,
        dropout: 0.0,
    };
    let mut model = config.init::<B>(&device).expect("a valid configuration");
    // a⟨t⟩ = tanh(W_ax x⟨t⟩ + W_aa a⟨t−1⟩ + b_a), with a⟨0⟩ = 0 and b_a the sum of the two biases.
    let forward = &mut model.layers[0].forward;
    forward.weight_input = param([[0.5, -1.5], [0.25, 2.0]]); // transposed: W_ax = [[0.5, 0.25], [−1.5, 2]]
    forward.weight_state = param([[0.1, 0.3], [-0.2, 0.4]]); // transposed: W_aa = [[0.1, −0.2], [0.3, 0.4]]
    forward.bias_input = Param::from_data([0.05, 0.0], &device);
    forward.bias_state = Param::from_data([0.0, -0.1], &device);

    let a1 = [
        (0.5 * 1.0 + 0.25 * 2.0 + 0.05_f64).tanh(),
        (-1.5 * 1.0 + 2.0 * 2.0 - 0.1_f64).tanh(),
    ];
    let a2 = [
        (0.5 * -2.0 + 0.25 * 0.5 + 0.1 * a1[0] - 0.2 * a1[1] + 0.05).tanh(),
        (-1.5 * -2.0 + 2.0 * 0.5 + 0.3 * a1[0] + 0.4 * a1[1] - 0.1).tanh(),
    ];
    let a3 = [
        (0.5 * 3.0 + 0.25 * -2.0 + 0.1 * a2[0] - 0.2 * a2[1] + 0.05).tanh(),
        (-1.5 * 3.0 + 2.0 * -2.0 + 0.3 * a2[0] + 0.4 * a2[1] - 0.1).tanh(),
    ];

    let x = Tensor::<B, 3>::from_floats([[[1.0, 2.0], [-2.0, 0.5], [3.0, -2.0]]], &device);
    let sequence = model.forward(x, &[3]);
    assert_close(&values(&sequence.outputs), &[a1, a2, a3].concat());
    assert_close(&values(&sequence.last), &a3);
}

fn param(matrix: [[f32; 2]; 2]) -> Param<Tensor<B, 2>> {
    Param::from_data(TensorData::from(matrix), &Default::default())
}
