use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use serde::{Deserialize, Serialize};

use super::{linear, zero_padding};

/// What a recurrent layer does at each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Elman's network ([1990](https://doi.org/10.1207/s15516709cog1402_1)):
    /// `a⟨t⟩ = tanh(W_ax x⟨t⟩ + W_aa a⟨t−1⟩ + b_a)`.
    Elman,
    /// Long short-term memory ([Hochreiter and Schmidhuber
    /// 1997](https://doi.org/10.1162/neco.1997.9.8.1735)), with forget gate and without peepholes;
    /// gates in the order i, f, g, o.
    Lstm,
    /// Gated recurrent unit ([Cho et al. 2014](https://arxiv.org/abs/1406.1078)), in the variant of
    /// cuDNN and PyTorch that applies the reset gate after the product; gates in the order r, z, n.
    Gru,
}

impl Cell {
    /// The number of gates, each of which has `d_hidden` columns in every weight.
    pub fn num_gates(self) -> usize {
        match self {
            Cell::Elman => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }
}

/// The weights of one direction of a recurrent layer. With `gates` the cell's number of gates:
#[derive(Debug, Clone)]
pub struct DirectionWeights<B: Backend> {
    /// Input to gates, `[d_input, gates·d_hidden]`.
    pub input: Tensor<B, 2>,
    /// State to gates, `[d_hidden, gates·d_hidden]`.
    pub state: Tensor<B, 2>,
    /// Bias of the input product, `[gates·d_hidden]`.
    pub bias_input: Tensor<B, 1>,
    /// Bias of the state product, `[gates·d_hidden]`.
    pub bias_state: Tensor<B, 1>,
}

/// What a recurrent layer returns.
#[derive(Debug, Clone)]
pub struct Sequence<B: Backend> {
    /// The state after each frame, `[batch, frames, directions·d_hidden]`; zero past a row's
    /// length.
    pub outputs: Tensor<B, 3>,
    /// The state each direction ends with, `[batch, directions·d_hidden]`: after a row's last valid
    /// frame going forward, after its first going backward.
    pub last: Tensor<B, 2>,
}

/// A recurrent layer over whole sequences, from a zero state.
///
/// The first of `directions` runs forward in time. The second, if there is one, runs backward, each
/// row from its own last valid frame. Frames past a row's length change nothing.
///
/// # Shapes
/// - `x`: `[batch, frames, d_input]`
/// - `lengths`: valid frames of each row
///
/// # Panics
/// If there is not one length for each row, no direction or more than two, or shapes do not agree.
pub fn recurrent<B: Backend>(
    cell: Cell,
    x: Tensor<B, 3>,
    directions: Vec<DirectionWeights<B>>,
    lengths: &[usize],
) -> Sequence<B> {
    assert!(matches!(directions.len(), 1 | 2), "one direction or two");
    // Frames first, so that the gates of one frame lie together.
    let x = zero_padding(x, lengths).swap_dims(0, 1); // [frames, batch, d_input]
    let (outputs, last) = directions
        .into_iter()
        .enumerate()
        .map(|(index, weights)| one_direction(cell, x.clone(), weights, lengths, index == 1))
        .unzip();
    Sequence {
        outputs: zero_padding(Tensor::cat(outputs, 2), lengths),
        last: Tensor::cat(last, 1),
    }
}

/// One direction: outputs `[batch, frames, d_hidden]`, with the frozen state in the padding, and the
/// last state `[batch, d_hidden]`.
fn one_direction<B: Backend>(
    cell: Cell,
    x: Tensor<B, 3>,
    weights: DirectionWeights<B>,
    lengths: &[usize],
    backward: bool,
) -> (Tensor<B, 3>, Tensor<B, 2>) {
    let device = x.device();
    let [frames, batch, _] = x.dims();
    let [d_hidden, _] = weights.state.dims();
    // The reset gate of a GRU sits between the two biases; elsewhere their sum is all that counts.
    let (bias_input, bias_state) = match cell {
        Cell::Gru => (weights.bias_input, Some(weights.bias_state)),
        Cell::Elman | Cell::Lstm => (weights.bias_input + weights.bias_state, None),
    };
    let projected = linear(x, weights.input, Some(bias_input)); // [frames, batch, gates·d_hidden]

    let data = lengths.iter().map(|&length| length as i64).collect();
    let length = Tensor::<B, 2, Int>::from_data(TensorData::new(data, [batch, 1]), &device)
        .expand([batch, d_hidden]);
    let shortest = lengths.iter().copied().min().unwrap_or(frames);

    let mut state = State::zeros(cell, [batch, d_hidden], &device);
    let mut outputs = Vec::with_capacity(frames);
    let mut steps: Vec<(usize, Tensor<B, 2>)> =
        unstack(projected).into_iter().enumerate().collect();
    if backward {
        steps.reverse();
    }
    for (frame, gates) in steps {
        let before = state.clone();
        let recurred = linear(
            state.hidden.clone(),
            weights.state.clone(),
            bias_state.clone(),
        );
        state = state.step(gates, recurred);
        if frame >= shortest {
            // Past its length a row keeps its state: the last one forward, zero backward.
            let ended = length.clone().lower_equal_elem(frame as i64); // [batch, d_hidden]
            state.hidden = state.hidden.mask_where(ended.clone(), before.hidden);
            state.memory = state
                .memory
                .zip(before.memory)
                .map(|(new, old)| new.mask_where(ended, old));
        }
        outputs.push(state.hidden.clone());
    }
    if backward {
        outputs.reverse();
    }
    (Tensor::stack(outputs, 1), state.hidden)
}

/// The state between two steps, `[batch, d_hidden]` each.
#[derive(Clone)]
struct State<B: Backend> {
    cell: Cell,
    hidden: Tensor<B, 2>,
    /// The cell state of an LSTM.
    memory: Option<Tensor<B, 2>>,
}

impl<B: Backend> State<B> {
    fn zeros(cell: Cell, dims: [usize; 2], device: &B::Device) -> Self {
        let zeros = Tensor::zeros(dims, device);
        Self {
            cell,
            memory: (cell == Cell::Lstm).then(|| zeros.clone()),
            hidden: zeros,
        }
    }

    /// One step from the input's share of the gates and the state's, both `[batch,
    /// gates·d_hidden]`.
    fn step(self, input: Tensor<B, 2>, recurred: Tensor<B, 2>) -> Self {
        let d_hidden = self.hidden.dims()[1];
        let gate =
            |of: &Tensor<B, 2>, index: usize| of.clone().narrow(1, index * d_hidden, d_hidden);
        let (hidden, memory) = match self.cell {
            Cell::Elman => (tanh(input + recurred), None),
            Cell::Lstm => {
                let gates = input + recurred;
                let i = sigmoid(gate(&gates, 0));
                let f = sigmoid(gate(&gates, 1));
                let g = tanh(gate(&gates, 2));
                let o = sigmoid(gate(&gates, 3));
                let kept = match self.memory {
                    Some(memory) => f * memory + i * g,
                    None => i * g,
                };
                (o * tanh(kept.clone()), Some(kept))
            }
            Cell::Gru => {
                let r = sigmoid(gate(&input, 0) + gate(&recurred, 0));
                let z = sigmoid(gate(&input, 1) + gate(&recurred, 1));
                let n = tanh(gate(&input, 2) + r * gate(&recurred, 2));
                // h' = (1 − z) · n + z · h
                (n.clone() + z * (self.hidden - n), None)
            }
        };
        Self {
            cell: self.cell,
            hidden,
            memory,
        }
    }
}

/// The slices of the first axis, in order.
///
/// By halves: the gradient of a slice is written into zeros of its source's size, so slicing frame
/// by frame would cost the square of the number of frames on the way back.
fn unstack<B: Backend>(x: Tensor<B, 3>) -> Vec<Tensor<B, 2>> {
    let [frames, _, _] = x.dims();
    if frames == 1 {
        return vec![x.squeeze_dim(0)];
    }
    let half = frames / 2;
    let mut slices = unstack(x.clone().narrow(0, 0, half));
    slices.extend(unstack(x.narrow(0, half, frames - half)));
    slices
}
