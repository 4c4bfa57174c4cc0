//! Stacks of recurrent layers.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use crate::config::{ConfigError, check_probability, check_size};
use crate::layers::Dropout;
use crate::onnx::{OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Cell, DirectionWeights, Sequence, State};

/// A stack of recurrent layers.
#[derive(Debug, Clone, PartialEq)]
pub struct RecurrentConfig {
    /// The computation of one step.
    pub cell: Cell,
    /// Features of the input.
    pub d_input: usize,
    /// Features of the state of one direction.
    pub d_hidden: usize,
    /// Layers on top of one another.
    pub num_layers: usize,
    /// Whether each layer also reads backward in time.
    pub bidirectional: bool,
    /// Probability with which an output is dropped between two layers, in training.
    pub dropout: f64,
}

impl RecurrentConfig {
    /// Features of the output: `d_hidden` for each direction.
    pub fn d_output(&self) -> usize {
        self.d_hidden * if self.bidirectional { 2 } else { 1 }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_size("d_input", self.d_input)?;
        check_size("d_hidden", self.d_hidden)?;
        check_size("num_layers", self.num_layers)?;
        check_probability("dropout", self.dropout)
    }

    /// Weights and biases start uniform in ±1/√d_hidden, as in PyTorch.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Recurrent<B>, ConfigError> {
        self.check()?;
        let layers = (0..self.num_layers)
            .map(|index| {
                let d_input = if index == 0 {
                    self.d_input
                } else {
                    self.d_output()
                };
                RecurrentLayer::new(
                    self.cell,
                    d_input,
                    self.d_hidden,
                    self.bidirectional,
                    device,
                )
            })
            .collect();
        Ok(Recurrent {
            layers,
            dropout: Dropout::new(self.dropout),
        })
    }
}

/// The parameters of one direction of one layer.
///
/// All gates of the cell lie side by side in the columns, in PyTorch's order (LSTM: i, f, g, o;
/// GRU: r, z, n). PyTorch keeps the same matrices transposed: `weight_input = weight_ih_l{k}.T`,
/// `weight_state = weight_hh_l{k}.T`, `bias_input = bias_ih_l{k}`, `bias_state = bias_hh_l{k}`,
/// with the suffix `_reverse` for the backward direction.
#[derive(Module, Debug)]
pub struct Direction<B: Backend> {
    /// `[d_input, gates·d_hidden]`
    pub weight_input: Param<Tensor<B, 2>>,
    /// `[d_hidden, gates·d_hidden]`
    pub weight_state: Param<Tensor<B, 2>>,
    /// `[gates·d_hidden]`
    pub bias_input: Param<Tensor<B, 1>>,
    /// `[gates·d_hidden]`. Except in the new gate of a GRU, only its sum with `bias_input` matters;
    /// both are kept, as in PyTorch, so that weights and parameter counts agree.
    pub bias_state: Param<Tensor<B, 1>>,
}

impl<B: Backend> Direction<B> {
    pub(crate) fn new(cell: Cell, d_input: usize, d_hidden: usize, device: &B::Device) -> Self {
        let bound = 1.0 / (d_hidden as f64).sqrt();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let columns = cell.num_gates() * d_hidden;
        Self {
            weight_input: uniform.init([d_input, columns], device),
            weight_state: uniform.init([d_hidden, columns], device),
            bias_input: uniform.init([columns], device),
            bias_state: uniform.init([columns], device),
        }
    }

    pub(crate) fn weights(&self) -> DirectionWeights<B> {
        DirectionWeights {
            input: self.weight_input.val(),
            state: self.weight_state.val(),
            bias_input: self.bias_input.val(),
            bias_state: self.bias_state.val(),
        }
    }
}

/// One recurrent layer, forward in time or both ways.
#[derive(Module, Debug)]
pub struct RecurrentLayer<B: Backend> {
    /// The direction that reads from the first frame.
    pub forward: Direction<B>,
    /// The direction that reads from a row's last valid frame.
    pub backward: Option<Direction<B>>,
    /// The computation of one step.
    pub cell: Cell,
}

impl<B: Backend> RecurrentLayer<B> {
    /// A layer from `d_input` features to `d_hidden` of each direction. Weights and biases start
    /// uniform in ±1/√d_hidden, as in PyTorch.
    pub fn new(
        cell: Cell,
        d_input: usize,
        d_hidden: usize,
        bidirectional: bool,
        device: &B::Device,
    ) -> Self {
        let direction = || Direction::new(cell, d_input, d_hidden, device);
        Self {
            forward: direction(),
            backward: bidirectional.then(direction),
            cell,
        }
    }

    /// `[batch, frames, d_input]` and the valid frames of each row to a [`Sequence`].
    ///
    /// # Panics
    /// If there is not one length for each row.
    pub fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Sequence<B> {
        let directions = [Some(&self.forward), self.backward.as_ref()];
        let weights = directions.into_iter().flatten().map(Direction::weights);
        ops::recurrent(self.cell, x, weights.collect(), lengths)
    }

    /// [`Self::forward`] in ONNX: the outputs, and the state each direction ends with.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> (Padded, OnnxValue) {
        let directions = [Some(&self.forward), self.backward.as_ref()];
        let weights = directions.into_iter().flatten().map(Direction::weights);
        graph.recurrent(self.cell, x, &weights.collect::<Vec<_>>())
    }

    /// A stretch `[1, frames, d_input]` of a sequence, from the state the stretch before it ended
    /// with, to `[1, frames, d_hidden]` and the state it ends with. Forward in time alone.
    pub(crate) fn forward_stretch(
        &self,
        x: Tensor<B, 3>,
        before: Option<State<B>>,
    ) -> (Tensor<B, 3>, State<B>) {
        ops::recurrent_stretch(self.cell, x, self.forward.weights(), before)
    }
}

/// A stack of recurrent layers with dropout between them. See [`RecurrentConfig`].
#[derive(Module, Debug)]
pub struct Recurrent<B: Backend> {
    /// From the input upwards; at least one.
    pub layers: Vec<RecurrentLayer<B>>,
    /// Acts on the outputs of every layer but the last.
    pub dropout: Dropout,
}

impl<B: Backend> Recurrent<B> {
    /// Runs the stack from zero states; lengths are respected in both directions.
    ///
    /// # Shapes
    /// - `x`: `[batch, frames, d_input]`
    /// - outputs: `[batch, frames, directions·d_hidden]`, zero past a row's length
    /// - last state: `[batch, directions·d_hidden]`, of the topmost layer
    ///
    /// # Panics
    /// If there is not one length for each row, or a length is not in `1..=frames`.
    pub fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> Sequence<B> {
        let [batch, frames, _] = x.dims();
        super::assert_lengths(lengths, batch, frames, 1);
        let Some((first, above)) = self.layers.split_first() else {
            unreachable!("RecurrentConfig::check asks for a layer")
        };
        above
            .iter()
            .fold(first.forward(x, lengths), |below, layer| {
                layer.forward(self.dropout.forward(below.outputs), lengths)
            })
    }

    /// [`Self::forward`] in ONNX: the outputs, and the last state of the topmost layer.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> (Padded, OnnxValue) {
        let Some((first, above)) = self.layers.split_first() else {
            unreachable!("RecurrentConfig::check asks for a layer")
        };
        above
            .iter()
            .fold(first.onnx(graph, x), |(below, _), layer| {
                layer.onnx(graph, below)
            })
    }
}
