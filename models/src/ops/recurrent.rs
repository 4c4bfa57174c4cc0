//! Recurrent layers: Elman, LSTM and GRU.

use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use serde::{Deserialize, Serialize};

use super::{linear, zero_padding};

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "gpu")]
mod gpu_step;

/// The computation of one step of a recurrent layer.
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

/// The output of a recurrent layer.
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
    let x = zero_padding(x, lengths);
    #[cfg(feature = "ndarray")]
    if let Some(sequence) = cpu::recurrent(cell, &x, &directions, lengths) {
        return sequence;
    }
    #[cfg(feature = "gpu")]
    if let Some(sequence) = gpu::recurrent(cell, &x, &directions, lengths) {
        return sequence;
    }
    // Frames first, so that the gates of one frame lie together.
    let x = x.swap_dims(0, 1); // [frames, batch, d_input]
    let (outputs, last): (Vec<_>, Vec<_>) = directions
        .into_iter()
        .enumerate()
        .map(|(index, weights)| {
            let backward = index == 1;
            let (outputs, state) = one_direction(cell, x.clone(), weights, lengths, backward, None);
            (outputs, state.hidden)
        })
        .unzip();
    Sequence {
        outputs: zero_padding(Tensor::cat(outputs, 2), lengths),
        last: Tensor::cat(last, 1),
    }
}

/// A stretch of one sequence through a recurrent layer that reads forward, from the state the stretch
/// before it ended with; of the first, from zero.
///
/// On the CPU backend the outputs of all stretches are bit by bit those of [`recurrent`] over the
/// whole. For inference: there the CPU kernel runs, and with autodiff the portable expression.
///
/// # Shapes
/// - `x`: `[1, frames, d_input]`, at least one frame
/// - output: `[1, frames, d_hidden]`
///
/// # Panics
/// If there is more than one row, no frame, or shapes do not agree.
pub fn recurrent_stretch<B: Backend>(
    cell: Cell,
    x: Tensor<B, 3>,
    weights: DirectionWeights<B>,
    before: Option<State<B>>,
) -> (Tensor<B, 3>, State<B>) {
    let [batch, frames, _] = x.dims();
    assert!(batch == 1 && frames > 0, "a stretch of one sequence");
    #[cfg(feature = "ndarray")]
    if let Some(found) = cpu::stretch(cell, &x, &weights, before.as_ref()) {
        return found;
    }
    let x = x.swap_dims(0, 1); // [frames, 1, d_input]
    one_direction(cell, x, weights, &[frames], false, before)
}

/// One direction from `before`, or zero: outputs `[batch, frames, d_hidden]`, with the frozen state in
/// the padding, and the last state.
fn one_direction<B: Backend>(
    cell: Cell,
    x: Tensor<B, 3>,
    weights: DirectionWeights<B>,
    lengths: &[usize],
    backward: bool,
    before: Option<State<B>>,
) -> (Tensor<B, 3>, State<B>) {
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

    let mut state = before.unwrap_or_else(|| State::zeros(cell, [batch, d_hidden], &device));
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
    (Tensor::stack(outputs, 1), state)
}

/// The state between two steps, `[batch, d_hidden]` each.
#[derive(Debug, Clone)]
pub struct State<B: Backend> {
    pub(super) cell: Cell,
    pub(super) hidden: Tensor<B, 2>,
    /// The cell state of an LSTM.
    pub(super) memory: Option<Tensor<B, 2>>,
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
    pub(super) fn step(self, input: Tensor<B, 2>, recurred: Tensor<B, 2>) -> Self {
        #[cfg(feature = "gpu")]
        if let (Cell::Lstm, Some(memory)) = (self.cell, &self.memory)
            && let Some([hidden, memory]) = gpu_step::lstm(&input, &recurred, memory)
        {
            return Self {
                cell: self.cell,
                hidden,
                memory: Some(memory),
            };
        }
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

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::buffer;
    use crate::kernels::recurrent::{self as kernel, Layer, Saved, Weights};
    use crate::ops::seam::{Array, Inputs, Operator, plain, primitive};

    pub(super) fn recurrent<B: Backend>(
        cell: Cell,
        x: &Tensor<B, 3>,
        directions: &[DirectionWeights<B>],
        lengths: &[usize],
    ) -> Option<Sequence<B>> {
        let [batch, frames, d_input] = x.dims();
        let [d_hidden, width] = directions[0].state.dims();
        assert_eq!(lengths.len(), batch, "one length for each row of the batch");
        assert_eq!(
            width,
            cell.num_gates() * d_hidden,
            "the columns of a weight"
        );
        for weights in directions {
            assert_eq!(weights.input.dims(), [d_input, width], "the input's weight");
            assert_eq!(
                weights.state.dims(),
                [d_hidden, width],
                "the state's weight"
            );
        }
        let layer = Layer {
            cell: kernel_cell(cell),
            frames,
            d_input,
            d_hidden,
            directions: directions.len(),
            lengths: lengths.iter().map(|&length| length.min(frames)).collect(),
        };
        let outputs = match directions {
            [one] => {
                let [a, b, c, d] = parts(one);
                run::<B, 5>(&layer, [primitive(x), a, b, c, d])
            }
            [one, two] => {
                let ([a, b, c, d], [e, f, g, h]) = (parts(one), parts(two));
                run::<B, 9>(&layer, [primitive(x), a, b, c, d, e, f, g, h])
            }
            _ => unreachable!("one direction or two"),
        }?;
        let ends = Ends(layer.lengths);
        let sizes = [frames, directions.len(), d_hidden];
        let inputs = Inputs::<B, 1>::recognise([primitive(&outputs)])?;
        let [values] = inputs.values();
        let last = kernel::ends(values, sizes, &ends.0);
        let last = inputs.finish(ends, last, [batch, directions.len() * d_hidden], |_| sizes);
        Some(Sequence { outputs, last })
    }

    fn kernel_cell(cell: Cell) -> kernel::Cell {
        match cell {
            Cell::Elman => kernel::Cell::Elman,
            Cell::Lstm => kernel::Cell::Lstm,
            Cell::Gru => kernel::Cell::Gru,
        }
    }

    fn parts<B: Backend>(d: &DirectionWeights<B>) -> [Option<B::FloatTensorPrimitive>; 4] {
        [
            primitive(&d.input),
            primitive(&d.state),
            primitive(&d.bias_input),
            primitive(&d.bias_state),
        ]
    }

    pub(super) fn stretch<B: Backend>(
        cell: Cell,
        x: &Tensor<B, 3>,
        weights: &DirectionWeights<B>,
        before: Option<&State<B>>,
    ) -> Option<(Tensor<B, 3>, State<B>)> {
        let [_, frames, d_input] = x.dims();
        let [d_hidden, width] = weights.state.dims();
        assert_eq!(
            width,
            cell.num_gates() * d_hidden,
            "the columns of a weight"
        );
        assert_eq!(weights.input.dims(), [d_input, width], "the input's weight");
        // What was before stands in the place of a frame more.
        let offset = usize::from(before.is_some());
        let x = match before {
            None => x.clone(),
            Some(_) => Tensor::cat(
                vec![Tensor::zeros([1, 1, d_input], &x.device()), x.clone()],
                1,
            ),
        };
        let layer = Layer {
            cell: kernel_cell(cell),
            frames: frames + offset,
            d_input,
            d_hidden,
            directions: 1,
            lengths: vec![frames + offset],
        };
        let zeros = || Tensor::zeros([1, d_hidden], &x.device());
        let hidden = before.map_or_else(zeros, |state| state.hidden.clone());
        let memory = before.and_then(|state| state.memory.clone());
        let memory = memory.unwrap_or_else(zeros);
        let [a, b, c, d] = parts(weights);
        let inputs = [
            primitive(&x),
            a,
            b,
            c,
            d,
            primitive(&hidden),
            primitive(&memory),
        ];
        let inputs = Inputs::<B, 7>::recognise_plain(inputs)?;
        let [x, input, state, bias_input, bias_state, hidden, memory] = inputs.values();
        let weights = Weights {
            input,
            state,
            bias_input,
            bias_state,
        };
        let before = before.map(|_| [hidden, memory]);
        let [mut states, inner] = layer.resume(x, weights, before);
        let last = |values: &[f32]| {
            let values = values[values.len() - d_hidden..].to_vec();
            plain(values, [1, d_hidden])
        };
        let state = State {
            cell,
            hidden: last(&states),
            memory: (cell == Cell::Lstm).then(|| last(&inner)),
        };
        buffer::give(inner);
        states.drain(..offset * d_hidden);
        Some((plain(states, [1, frames, d_hidden]), state))
    }

    fn weights<const N: usize>(values: [&[f32]; N]) -> Vec<Weights<'_, f32>> {
        values[1..]
            .chunks_exact(4)
            .map(|part| Weights {
                input: part[0],
                state: part[1],
                bias_input: part[2],
                bias_state: part[3],
            })
            .collect()
    }

    fn run<B: Backend, const N: usize>(
        layer: &Layer,
        inputs: [Option<B::FloatTensorPrimitive>; N],
    ) -> Option<Tensor<B, 3>> {
        let inputs = Inputs::<B, N>::recognise(inputs)?;
        let values = inputs.values();
        let keep = inputs.is_tracked();
        let (outputs, saved) = layer.forward(values[0], &weights(values), keep);
        let dims = [
            layer.lengths.len(),
            layer.frames,
            layer.directions * layer.d_hidden,
        ];
        Some(inputs.finish(layer.clone(), outputs, dims, |arrays| (arrays, saved)))
    }

    impl<const N: usize> Operator<N> for Layer {
        type Saved = ([Array; N], Option<Saved<f32>>);

        fn backward(
            self,
            (arrays, saved): Self::Saved,
            gradient: Array,
            wanted: [bool; N],
        ) -> [Option<Vec<f32>>; N] {
            let saved = saved.expect("kept wherever a gradient is tracked");
            let values = arrays.each_ref().map(Array::values);
            let weights = weights(values);
            let (x, found) = Layer::backward(
                &self,
                values[0],
                &weights,
                saved,
                gradient.values(),
                wanted[0],
            );
            gradient.give();
            let mut all = found
                .into_iter()
                .flat_map(|g| [g.input, g.state, g.bias_input, g.bias_state]);
            let mut x = Some(x);
            let mut gradients = wanted.map(|_| match x.take() {
                Some(x) => x,
                None => all.next(),
            });
            for (gradient, wanted) in gradients.iter_mut().zip(wanted) {
                if !wanted && let Some(unwanted) = gradient.take() {
                    buffer::give(unwanted);
                }
            }
            gradients
        }
    }

    /// The state each direction ends with; the lengths of the rows.
    #[derive(Debug)]
    struct Ends(Vec<usize>);

    impl Operator<1> for Ends {
        /// `[frames, directions, d_hidden]`
        type Saved = [usize; 3];

        fn backward(
            self,
            sizes: [usize; 3],
            gradient: Array,
            _: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            [Some(kernel::ends_backward(
                gradient.values(),
                sizes,
                &self.0,
            ))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::backend::AutodiffBackend;
    use burn::tensor::{Distribution, TensorData, Tolerance};
    use burn_autodiff::Autodiff;
    use burn_ndarray::NdArray;

    /// The kernels' backend, and one that they leave to the portable expressions.
    type Kernels = Autodiff<NdArray<f32>>;
    type Portable = Autodiff<NdArray<f32, i32>>;

    /// Outputs, last states and every gradient.
    fn results<B: AutodiffBackend>(
        cell: Cell,
        data: &[TensorData],
        lengths: &[usize],
        weigh: &[TensorData; 2],
    ) -> Vec<TensorData> {
        let device = Default::default();
        let x = Tensor::<B, 3>::from_data(data[0].clone(), &device).require_grad();
        let matrix = |i: usize| Tensor::<B, 2>::from_data(data[i].clone(), &device).require_grad();
        let vector = |i: usize| Tensor::<B, 1>::from_data(data[i].clone(), &device).require_grad();
        let directions: Vec<DirectionWeights<B>> = (0..(data.len() - 1) / 4)
            .map(|d| DirectionWeights {
                input: matrix(4 * d + 1),
                state: matrix(4 * d + 2),
                bias_input: vector(4 * d + 3),
                bias_state: vector(4 * d + 4),
            })
            .collect();
        let sequence = recurrent(cell, x.clone(), directions.clone(), lengths);
        let mut all = vec![sequence.outputs.to_data(), sequence.last.to_data()];
        let weigh_outputs = Tensor::from_data(weigh[0].clone(), &device);
        let weigh_last = Tensor::from_data(weigh[1].clone(), &device);
        let loss = (sequence.outputs * weigh_outputs).sum() + (sequence.last * weigh_last).sum();
        let gradients = loss.backward();
        let missing = "every input has a gradient";
        all.push(x.grad(&gradients).expect(missing).into_data());
        for weights in directions {
            for matrix in [weights.input, weights.state] {
                all.push(matrix.grad(&gradients).expect(missing).into_data());
            }
            for vector in [weights.bias_input, weights.bias_state] {
                all.push(vector.grad(&gradients).expect(missing).into_data());
            }
        }
        all
    }

    #[test]
    fn the_kernel_and_the_portable_expression_agree_in_outputs_and_gradients() {
        let random = |dims: &[usize]| {
            let len: usize = dims.iter().product();
            let uniform = Distribution::Uniform(-0.4, 0.4);
            let flat = Tensor::<NdArray<f32>, 1>::random([len], uniform, &Default::default());
            let values = flat.into_data().into_vec::<f32>().expect("of f32");
            TensorData::new(values, dims.to_vec())
        };
        for cell in [Cell::Elman, Cell::Lstm, Cell::Gru] {
            for (directions, lengths, d_hidden) in [
                (1, vec![6, 1, 0, 4], 5),
                (2, vec![7, 7], 33),
                (2, (0..11).map(|row| row % 7 + 1).collect(), 8),
            ] {
                let (batch, frames, d_input) = (lengths.len(), 7, 3);
                let width = cell.num_gates() * d_hidden;
                let mut data = vec![random(&[batch, frames, d_input])];
                for _ in 0..directions {
                    data.push(random(&[d_input, width]));
                    data.push(random(&[d_hidden, width]));
                    data.push(random(&[width]));
                    data.push(random(&[width]));
                }
                let weigh = [
                    random(&[batch, frames, directions * d_hidden]),
                    random(&[batch, directions * d_hidden]),
                ];
                let before = crate::ops::path_counts();
                let ours = results::<Kernels>(cell, &data, &lengths, &weigh);
                let after = crate::ops::path_counts();
                assert!(after.kernels > before.kernels && after.portable == before.portable);
                let theirs = results::<Portable>(cell, &data, &lengths, &weigh);
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    ours.assert_approx_eq::<f32>(theirs, Tolerance::absolute(2e-5));
                }
            }
        }
    }
}
