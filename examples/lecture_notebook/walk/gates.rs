//! LSTM and GRU against their equations: every gate of every step.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use sori_models::layers::{Cell, RecurrentConfig};

use super::matrix::Matrix;
use super::{Figure, SINGLE, rows, values};

const STEPS: usize = 5;
const BINS: usize = 3;
const HIDDEN: usize = 2;

/// The weights of one direction, row by row; the gates lie side by side in the columns.
struct Weights {
    input: Matrix,
    state: Matrix,
    bias_input: Vec<f64>,
    bias_state: Vec<f64>,
}

impl Weights {
    /// The input's share of unit `j` of a gate, `W_x x + b`.
    fn of_input(&self, x: &[f64], gate: usize, j: usize) -> f64 {
        let column = gate * HIDDEN + j;
        weighted(&self.input, x, column) + self.bias_input[column]
    }

    /// The state's share of it, `W_h h + b'`.
    fn of_state(&self, h: &[f64], gate: usize, j: usize) -> f64 {
        let column = gate * HIDDEN + j;
        weighted(&self.state, h, column) + self.bias_state[column]
    }
}

pub(super) fn gates<B: Backend>(device: &B::Device) -> Vec<Figure> {
    B::seed(device, 0);
    let x: Matrix = (0..STEPS)
        .map(|t| (0..BINS).map(|bin| ((3 * t + bin) as f64).sin()).collect())
        .collect();
    vec![
        figure::<B>("h⟨1⟩ … h⟨5⟩ of the LSTM", Cell::Lstm, &x, lstm, device),
        figure::<B>("h⟨1⟩ … h⟨5⟩ of the GRU", Cell::Gru, &x, gru, device),
    ]
}

fn figure<B: Backend>(
    name: &str,
    cell: Cell,
    x: &Matrix,
    by_hand: impl Fn(&Weights, &Matrix) -> Vec<f64>,
    device: &B::Device,
) -> Figure {
    let config = RecurrentConfig {
        cell,
        d_input: BINS,
        d_hidden: HIDDEN,
        num_layers: 1,
        bidirectional: false,
        dropout: 0.0,
    };
    let stack = config.init::<B>(device).expect("a recurrent layer");
    let data = TensorData::new(x.concat(), [1, STEPS, BINS]);
    let states = stack.forward(Tensor::from_data(data, device), &[STEPS]);
    let direction = &stack.layers[0].forward;
    let weights = Weights {
        input: rows(direction.weight_input.val()),
        state: rows(direction.weight_state.val()),
        bias_input: values(direction.bias_input.val()),
        bias_state: values(direction.bias_state.val()),
    };
    Figure::by_hand(name, by_hand(&weights, x), values(states.outputs)).within(SINGLE)
}

/// `c⟨t⟩ = f ∘ c⟨t−1⟩ + i ∘ g` and `h⟨t⟩ = o ∘ tanh(c⟨t⟩)`.
fn lstm(weights: &Weights, x: &Matrix) -> Vec<f64> {
    let (mut h, mut c) = (vec![0.0; HIDDEN], vec![0.0; HIDDEN]);
    let mut states = Vec::new();
    for x in x {
        let sum = |gate, j| weights.of_input(x, gate, j) + weights.of_state(&h, gate, j);
        let (mut next_h, mut next_c) = (Vec::new(), Vec::new());
        for (j, before) in c.iter().enumerate() {
            let [i, f, o] = [0, 1, 3].map(|gate| sigmoid(sum(gate, j)));
            let g = sum(2, j).tanh();
            let cell = f * before + i * g;
            next_c.push(cell);
            next_h.push(o * cell.tanh());
        }
        (h, c) = (next_h, next_c);
        states.extend(&h);
    }
    states
}

/// `n = tanh(W_nx x + b_n + r ∘ (W_nh h⟨t−1⟩ + b'_n))` and `h⟨t⟩ = (1 − z) ∘ n + z ∘ h⟨t−1⟩`.
fn gru(weights: &Weights, x: &Matrix) -> Vec<f64> {
    let mut h = vec![0.0; HIDDEN];
    let mut states = Vec::new();
    for x in x {
        let unit = |(j, before): (usize, &f64)| {
            let [of_input, of_state] = [
                [0, 1, 2].map(|gate| weights.of_input(x, gate, j)),
                [0, 1, 2].map(|gate| weights.of_state(&h, gate, j)),
            ];
            let [r, z] = [0, 1].map(|gate| sigmoid(of_input[gate] + of_state[gate]));
            let n = (of_input[2] + r * of_state[2]).tanh();
            (1.0 - z) * n + z * before
        };
        h = h.iter().enumerate().map(unit).collect();
        states.extend(&h);
    }
    states
}

/// A column of a weight, times the values.
fn weighted(weight: &Matrix, values: &[f64], column: usize) -> f64 {
    let rows = weight.iter().zip(values);
    rows.map(|(row, value)| row[column] * value).sum()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
