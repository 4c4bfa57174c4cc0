//! Recurrent layers. ONNX has the gates of a cell in another order.

use burn::tensor::{Tensor, backend::Backend};

use super::graph::{OnnxAttribute, OnnxGraph, OnnxValue};
use super::padded::Padded;
use crate::ops::{Cell, DirectionWeights};

impl Cell {
    fn operator(self) -> &'static str {
        match self {
            Self::Elman => "RNN",
            Self::Lstm => "LSTM",
            Self::Gru => "GRU",
        }
    }

    /// The gates in ONNX's order: of an LSTM i, o, f, g, of a GRU z, r, n.
    fn gates(self) -> &'static [usize] {
        match self {
            Self::Elman => &[0],
            Self::Lstm => &[0, 3, 1, 2],
            Self::Gru => &[1, 0, 2],
        }
    }

    /// The columns of `weight`, which lie along the last axis, by gates in ONNX's order.
    fn reordered<B: Backend, const D: usize>(self, weight: Tensor<B, D>) -> Tensor<B, D> {
        let parts = weight.chunk(self.num_gates(), D - 1);
        let parts = self.gates().iter().map(|&gate| parts[gate].clone());
        Tensor::cat(parts.collect(), D - 1)
    }
}

impl OnnxGraph {
    /// A recurrent layer over whole sequences; see [`recurrent`](crate::ops::recurrent). Returns the outputs and
    /// the state each direction ends with, `[batch, directions·d_hidden]`.
    pub fn recurrent<B: Backend>(
        &mut self,
        cell: Cell,
        x: Padded,
        directions: &[DirectionWeights<B>],
    ) -> (Padded, OnnxValue) {
        let x = x.zeroed(self);
        let lengths = self.cast_int32(x.time.lengths);
        let frames_first = self.transpose(x.values, &[1, 0, 2]); // [frames, batch, d_input]
        let found = self.run_cell(cell, frames_first, directions, Some(lengths), &[]);
        let outputs = self.transpose(found[0], &[2, 0, 1, 3]); // [batch, frames, directions, d_hidden]
        let outputs = self.reshape(outputs, &[0, 0, -1]); // [batch, frames, directions·d_hidden]
        let last = self.transpose(found[1], &[1, 0, 2]); // [batch, directions, d_hidden]
        let last = self.reshape(last, &[0, -1]); // [batch, directions·d_hidden]
        (x.with(outputs).zeroed(self), last)
    }

    /// One step of an LSTM layer: `x` `[batch, d_input]`, state and memory `[1, batch, d_hidden]` to the next
    /// ones.
    pub(crate) fn lstm_step<B: Backend>(
        &mut self,
        x: OnnxValue,
        weights: DirectionWeights<B>,
        [hidden, memory]: [OnnxValue; 2],
    ) -> [OnnxValue; 2] {
        let frame = self.unsqueeze(x, &[0]); // [1, batch, d_input]
        let before = [Some(hidden), Some(memory)];
        let found = self.run_cell(Cell::Lstm, frame, &[weights], None, &before);
        [found[1], found[2]]
    }

    fn run_cell<B: Backend>(
        &mut self,
        cell: Cell,
        x: OnnxValue,
        directions: &[DirectionWeights<B>],
        lengths: Option<OnnxValue>,
        before: &[Option<OnnxValue>],
    ) -> Vec<OnnxValue> {
        let matrix = |of: fn(&DirectionWeights<B>) -> &Tensor<B, 2>| {
            let each = directions
                .iter()
                .map(|weights| cell.reordered(of(weights).clone()));
            Tensor::stack::<3>(each.map(Tensor::transpose).collect(), 0) // [directions, gates·d_hidden, d_input]
        };
        let [input, state] = [matrix(|it| &it.input), matrix(|it| &it.state)];
        let biases = directions.iter().map(|weights| {
            let both = [&weights.bias_input, &weights.bias_state];
            Tensor::cat(both.map(|bias| cell.reordered(bias.clone())).to_vec(), 0)
        });
        let biases: Tensor<B, 2> = Tensor::stack(biases.collect(), 0); // [directions, 2·gates·d_hidden]
        let [_, _, d_hidden] = state.dims();
        let mut attributes = vec![
            ("hidden_size", OnnxAttribute::Int(d_hidden as i64)),
            (
                "direction",
                OnnxAttribute::Text(match directions.len() {
                    1 => "forward",
                    _ => "bidirectional",
                }),
            ),
        ];
        if cell == Cell::Gru {
            attributes.push(("linear_before_reset", OnnxAttribute::Int(1)));
        }
        let mut inputs = vec![
            Some(x),
            Some(self.tensor(input)),
            Some(self.tensor(state)),
            Some(self.tensor(biases)),
            lengths,
        ];
        inputs.extend(before);
        let num_outputs = if cell == Cell::Lstm { 3 } else { 2 };
        self.node_of(cell.operator(), &inputs, &attributes, num_outputs)
    }

    /// The sum of the two directions of a recurrent layer; see [`sum_directions`](crate::ops::sum_directions).
    pub(crate) fn sum_directions(&mut self, x: OnnxValue, d_hidden: usize) -> OnnxValue {
        let pairs = self.reshape(x, &[0, 0, 2, d_hidden as i64]);
        self.sum(pairs, 2)
    }
}
