//! Recurrent layers over whole sequences: one product for the inputs of all steps, one product and
//! one fused pass over the gates for each step, and on the way back one large product for each
//! weight matrix.
//!
//! Rows of a batch know nothing of one another, so a block of them goes through all its steps on one
//! thread without waiting for another.

pub(super) mod cell;

use rayon::prelude::*;

pub(crate) use cell::Cell;

use super::buffer::{self, Scratch};
use super::product::{
    Packed, Right, Rows, Start, product_of_rows, rows_times_packed, rows_times_packed_into,
    transposed_product_of_some,
};
use super::tasks::Tasks;
use super::tile::{Real, TILE_ROWS};

/// The weights of one direction.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, T> {
    /// `[d_input, gates·d_hidden]`
    pub(crate) input: &'a [T],
    /// `[d_hidden, gates·d_hidden]`
    pub(crate) state: &'a [T],
    /// `[gates·d_hidden]`
    pub(crate) bias_input: &'a [T],
    /// `[gates·d_hidden]`
    pub(crate) bias_state: &'a [T],
}

/// The sizes of a layer and the valid frames of each row.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) cell: Cell,
    pub(crate) frames: usize,
    pub(crate) d_input: usize,
    pub(crate) d_hidden: usize,
    pub(crate) directions: usize,
    pub(crate) lengths: Vec<usize>,
}

/// Values of one direction that the gradient needs, each `[batch, frames, …]`.
#[derive(Debug, Clone)]
struct Kept<T> {
    /// The gates after their activations, `gates·d_hidden` wide.
    gates: Vec<T>,
    /// The state after each frame.
    states: Vec<T>,
    /// An LSTM's memory, or a GRU's share of the state in its new gate; otherwise empty.
    inner: Vec<T>,
}

/// Values that the gradient needs.
#[derive(Debug, Clone)]
pub(crate) struct Saved<T>(Vec<Kept<T>>);

/// The gradients of one direction's weights, shaped as those are.
pub(crate) struct WeightGradients<T> {
    pub(crate) input: Vec<T>,
    pub(crate) state: Vec<T>,
    pub(crate) bias_input: Vec<T>,
    pub(crate) bias_state: Vec<T>,
}

impl Layer {
    fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Columns of a weight.
    fn width(&self) -> usize {
        self.cell.num_gates() * self.d_hidden
    }

    fn positions(&self) -> usize {
        self.batch() * self.frames
    }

    /// The positions of valid frames, as indices over all rows.
    fn valid(&self) -> Vec<usize> {
        let rows = self.lengths.iter().enumerate();
        rows.flat_map(|(row, &valid)| row * self.frames..row * self.frames + valid)
            .collect()
    }

    /// The frame that a row reads at a step: backward from its last valid one in the second
    /// direction. As an index over all rows.
    fn position(&self, direction: usize, row: usize, step: usize) -> usize {
        let frame = if direction == 0 {
            step
        } else {
            self.lengths[row] - 1 - step
        };
        row * self.frames + frame
    }

    /// The blocks of rows that go through time together: a layer of those rows alone, and their
    /// part of each of the buffers, which hold all rows.
    fn blocks<'a, T, const N: usize>(
        &'a self,
        buffers: [&'a mut [T]; N],
    ) -> impl Iterator<Item = (Layer, [&'a mut [T]; N])> {
        let mut rest = buffers.map(|all| (all.len() / self.batch().max(1), all));
        self.lengths.chunks(TILE_ROWS).map(move |lengths| {
            let block = Layer {
                lengths: lengths.to_vec(),
                ..*self
            };
            let parts = rest.each_mut().map(|(row_len, rest)| {
                let (part, others) = std::mem::take(rest).split_at_mut(lengths.len() * *row_len);
                *rest = others;
                part
            });
            (block, parts)
        })
    }

    /// `x` `[batch, frames, d_input]`, zero past each length, to the states `[batch, frames,
    /// directions·d_hidden]`, zero past each length too.
    pub(crate) fn forward<T: Real>(
        &self,
        x: &[T],
        weights: &[Weights<'_, T>],
        keep: bool,
    ) -> (Vec<T>, Option<Saved<T>>) {
        let kept = self.states(x, weights, None);
        let hidden = self.d_hidden;
        let mut output = buffer::take(self.positions() * self.directions * hidden);
        let line = self.directions * hidden;
        for (direction, kept) in kept.iter().enumerate() {
            let lines = output.chunks_exact_mut(line.max(1));
            for (line, state) in lines.zip(kept.states.chunks_exact(hidden.max(1))) {
                line[direction * hidden..][..hidden].copy_from_slice(state);
            }
        }
        if keep {
            return (output, Some(Saved(kept)));
        }
        for kept in kept {
            kept.give();
        }
        (output, None)
    }

    /// One direction of one row, from `before`, its state and an LSTM's memory: the states and the
    /// memories after each frame. The first frame of `x` is then none, but stands in the place of
    /// what was before, which is also the first of what is returned.
    pub(crate) fn resume<T: Real>(
        &self,
        x: &[T],
        weights: Weights<'_, T>,
        before: Option<[&[T]; 2]>,
    ) -> [Vec<T>; 2] {
        assert!(self.directions == 1 && self.batch() == 1, "one row forward");
        let mut kept = self.states(x, &[weights], before);
        let Some(Kept {
            gates,
            states,
            inner,
        }) = kept.pop()
        else {
            unreachable!("one for each direction")
        };
        buffer::give(gates);
        [states, inner]
    }

    /// What each direction makes of all rows, from zero states or, where there is one, from that
    /// `before` in the place of the first frame.
    // Called from two places, and a tenth slower where it is not compiled into each.
    #[inline]
    fn states<T: Real>(
        &self,
        x: &[T],
        weights: &[Weights<'_, T>],
        before: Option<[&[T]; 2]>,
    ) -> Vec<Kept<T>> {
        assert_eq!(x.len(), self.positions() * self.d_input);
        assert_eq!(weights.len(), self.directions);
        let (hidden, width) = (self.d_hidden, self.width());
        let valid = self.valid();
        let mut kept: Vec<Kept<T>> = weights
            .iter()
            .map(|weights| {
                let mut gates = buffer::take(self.positions() * width);
                let sizes = [self.d_input, width];
                // Where both biases simply add up, the second is added here as well.
                let both: Vec<T> = if self.cell.sums_biases() {
                    let pairs = weights.bias_input.iter().zip(weights.bias_state);
                    pairs.map(|(&a, &b)| a + b).collect()
                } else {
                    weights.bias_input.to_vec()
                };
                let start = Start::Bias(&both);
                let right = Right::Plain(weights.input);
                product_of_rows(x, &valid, right, sizes, start, &mut gates);
                let inner = if self.cell.has_inner() {
                    self.positions() * hidden
                } else {
                    0
                };
                Kept {
                    gates,
                    states: buffer::take(self.positions() * hidden),
                    inner: buffer::take(inner),
                }
            })
            .collect();
        let first_step = usize::from(before.is_some());
        if let (Some([state, memory]), Some(kept)) = (before, kept.first_mut()) {
            kept.states[..hidden].copy_from_slice(state);
            if self.cell == Cell::Lstm {
                kept.inner[..hidden].copy_from_slice(memory);
            }
        }
        let packed: Vec<Packed<T>> = weights
            .iter()
            .map(|weights| Packed::new(weights.state, hidden, width, width))
            .collect();

        let tasks: Vec<_> = kept
            .iter_mut()
            .enumerate()
            .flat_map(|(direction, kept)| {
                self.blocks([&mut kept.gates, &mut kept.states, &mut kept.inner])
                    .map(move |(block, to)| (direction, block, to))
            })
            .collect();
        tasks.into_par_iter().run(|(direction, block, to)| {
            let (packed, bias) = (&packed[direction], weights[direction].bias_state);
            block.run(direction, first_step, packed, bias, to);
        });
        kept
    }

    /// A block of rows through its steps from `first_step` on.
    #[inline]
    fn run<T: Real>(
        &self,
        direction: usize,
        first_step: usize,
        packed: &Packed<T>,
        bias: &[T],
        [gates, states, inner]: [&mut [T]; 3],
    ) {
        let (hidden, width) = (self.d_hidden, self.width());
        let steps = self.longest();
        // The share of the states in the gates, where it must be kept apart from the inputs'.
        let mut recurred = Scratch::new(if self.cell.sums_biases() {
            0
        } else {
            TILE_ROWS * width
        });
        let mut zeros = Scratch::new(hidden);
        zeros.fill(T::ZERO);
        for step in first_step..steps {
            let active: Vec<usize> = self.active(step).collect();
            let at: Vec<usize> = active
                .iter()
                .map(|&row| self.position(direction, row, step))
                .collect();
            if step > 0 {
                let before: Vec<usize> = active
                    .iter()
                    .map(|&row| self.position(direction, row, step - 1) * hidden)
                    .collect();
                let a = Rows {
                    data: &*states,
                    rows: &before,
                    runs: &[0],
                    run_len: hidden,
                };
                if self.cell.sums_biases() {
                    assert!(at.iter().all(|at| (at + 1) * width <= gates.len()));
                    let gates = gates.as_mut_ptr();
                    rows_times_packed_into(a, packed, Start::Output, |i, first| {
                        gates.wrapping_add(at[i] * width + first)
                    });
                } else {
                    rows_times_packed(a, packed, Start::Bias(bias), &mut recurred, width);
                }
            } else if !self.cell.sums_biases() {
                for row in recurred.chunks_exact_mut(width) {
                    row.copy_from_slice(bias);
                }
            }
            for (index, (&row, &at)) in active.iter().zip(&at).enumerate() {
                let gates = &mut gates[at * width..][..width];
                let before = step.checked_sub(1);
                let before = before.map(|before| self.position(direction, row, before));
                match self.cell {
                    Cell::Elman => cell::elman(gates, &mut states[at * hidden..][..hidden]),
                    Cell::Lstm => {
                        let (memory, before) = now_and_before(inner, at, before, &zeros);
                        let state = &mut states[at * hidden..][..hidden];
                        cell::lstm(gates, before, memory, state);
                    }
                    Cell::Gru => {
                        let (state, before) = now_and_before(states, at, before, &zeros);
                        let share = &mut inner[at * hidden..][..hidden];
                        let recurred = &recurred[index * width..][..width];
                        cell::gru(gates, recurred, before, share, state);
                    }
                }
            }
        }
        // Past its length a row's states are zeros; nobody reads the others there.
        for (row, &valid) in self.lengths.iter().enumerate() {
            states[(row * self.frames + valid) * hidden..(row + 1) * self.frames * hidden]
                .fill(T::ZERO);
        }
    }

    fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// The rows that have a frame at this step.
    fn active(&self, step: usize) -> impl Iterator<Item = usize> {
        (0..self.batch()).filter(move |&row| step < self.lengths[row])
    }

    /// The gradients of the input and of the weights, from that of the output.
    pub(crate) fn backward<T: Real>(
        &self,
        x: &[T],
        weights: &[Weights<'_, T>],
        saved: Saved<T>,
        gradient: &[T],
        want_x: bool,
    ) -> (Option<Vec<T>>, Vec<WeightGradients<T>>) {
        let (hidden, width) = (self.d_hidden, self.width());
        assert_eq!(gradient.len(), self.positions() * self.directions * hidden);
        let packed: Vec<Packed<T>> = weights
            .iter()
            .map(|weights| Packed::transposed(weights.state, width, hidden, width))
            .collect();
        // The gradient of the states' share of the gates, where it is another than the inputs'.
        let apart = if self.cell.sums_biases() {
            0
        } else {
            self.positions() * width
        };
        let mut kept: Vec<(Kept<T>, Vec<T>)> = saved
            .0
            .into_iter()
            .map(|kept| (kept, buffer::take(apart)))
            .collect();
        let block_len = TILE_ROWS * self.frames * self.directions * hidden;
        let tasks: Vec<_> = kept
            .iter_mut()
            .enumerate()
            .flat_map(|(direction, (kept, recurred))| {
                let Kept {
                    gates,
                    states,
                    inner,
                } = kept;
                self.blocks([gates, recurred, states, inner])
                    .zip(gradient.chunks(block_len.max(1)))
                    .map(move |((block, buffers), gradient)| (direction, block, buffers, gradient))
            })
            .collect();
        tasks
            .into_par_iter()
            .run(|(direction, block, buffers, gradient)| {
                block.run_back(direction, &packed[direction], buffers, gradient);
            });

        let valid = self.valid();
        let mut found_x = want_x.then(|| {
            let mut found_x = buffer::take(self.positions() * self.d_input);
            for (row, &valid) in self.lengths.iter().enumerate() {
                let padding = row * self.frames + valid..(row + 1) * self.frames;
                found_x[padding.start * self.d_input..padding.end * self.d_input].fill(T::ZERO);
            }
            found_x
        });
        let mut found = Vec::with_capacity(self.directions);
        for (direction, ((kept, recurred), weights)) in kept.into_iter().zip(weights).enumerate() {
            let gates = &kept.gates;
            if let Some(found_x) = &mut found_x {
                let start = if direction == 0 {
                    Start::Zero
                } else {
                    Start::Output
                };
                let (right, sizes) = (Right::Transposed(weights.input), [width, self.d_input]);
                product_of_rows(gates, &valid, right, sizes, start, found_x);
            }
            let mut input = buffer::take(self.d_input * width);
            let mut bias_input = buffer::take(width);
            let origins: Vec<usize> = valid.iter().map(|at| at * self.d_input).collect();
            transposed_product_of_some(
                x,
                &origins,
                [self.d_input, width],
                gates,
                &valid,
                &mut input,
                Some(&mut bias_input),
            );

            // The state before each frame; before the first, a row of zeros at the end.
            let mut states = kept.states;
            let zeros = states.len();
            states.resize(zeros + hidden, T::ZERO);
            let before: Vec<usize> = valid
                .iter()
                .map(|&at| {
                    let (row, frame) = (at / self.frames, at % self.frames);
                    let first = if direction == 0 {
                        frame == 0
                    } else {
                        frame + 1 == self.lengths[row]
                    };
                    match direction {
                        _ if first => zeros,
                        0 => (at - 1) * hidden,
                        _ => (at + 1) * hidden,
                    }
                })
                .collect();
            let mut state = buffer::take(hidden * width);
            let mut bias_state = buffer::take(width);
            let gates_of_state = if recurred.is_empty() {
                gates
            } else {
                &recurred
            };
            transposed_product_of_some(
                &states,
                &before,
                [hidden, width],
                gates_of_state,
                &valid,
                &mut state,
                Some(&mut bias_state),
            );
            buffer::give(recurred);
            Kept { states, ..kept }.give();
            found.push(WeightGradients {
                input,
                state,
                bias_input,
                bias_state,
            });
        }
        (found_x, found)
    }

    /// A block of rows back through all its steps: the gates become their own gradients.
    fn run_back<T: Real>(
        &self,
        direction: usize,
        packed: &Packed<T>,
        [gates, recurred, states, inner]: [&mut [T]; 4],
        gradient: &[T],
    ) {
        let (hidden, width) = (self.d_hidden, self.width());
        // The gradients of state and memory that flow from one step to the one before.
        let mut flow = Scratch::new(self.batch() * hidden);
        let mut memory = Scratch::new(self.batch() * hidden);
        flow.fill(T::ZERO);
        memory.fill(T::ZERO);
        let mut through = Scratch::new(TILE_ROWS * hidden);
        let mut zeros = Scratch::new(hidden);
        zeros.fill(T::ZERO);
        for step in (0..self.longest()).rev() {
            let active: Vec<usize> = self.active(step).collect();
            let at: Vec<usize> = active
                .iter()
                .map(|&row| self.position(direction, row, step))
                .collect();
            for (&row, &at) in active.iter().zip(&at) {
                let flow = &mut flow[row * hidden..][..hidden];
                let memory = &mut memory[row * hidden..][..hidden];
                let from = (at * self.directions + direction) * hidden;
                let gradient = &gradient[from..from + hidden];
                let gates = &mut gates[at * width..][..width];
                let state = &states[at * hidden..][..hidden];
                let before = step.checked_sub(1);
                let before = before.map(|before| self.position(direction, row, before) * hidden);
                match self.cell {
                    Cell::Elman => cell::elman_back(gates, state, gradient, flow),
                    Cell::Lstm => {
                        let old = before.map_or(&zeros[..], |from| &inner[from..][..hidden]);
                        let now = &inner[at * hidden..][..hidden];
                        cell::lstm_back(gates, old, now, gradient, flow, memory);
                    }
                    Cell::Gru => {
                        let old = before.map_or(&zeros[..], |from| &states[from..][..hidden]);
                        let recurred = &mut recurred[at * width..][..width];
                        let share = &inner[at * hidden..][..hidden];
                        cell::gru_back(gates, recurred, old, share, gradient, flow, memory);
                    }
                }
            }
            if step == 0 {
                break;
            }
            let source = if self.cell.sums_biases() {
                &*gates
            } else {
                &*recurred
            };
            let origins: Vec<usize> = at.iter().map(|at| at * width).collect();
            let a = Rows {
                data: source,
                rows: &origins,
                runs: &[0],
                run_len: width,
            };
            rows_times_packed(a, packed, Start::Zero, &mut through, hidden);
            for (through, &row) in through.chunks_exact(hidden.max(1)).zip(&active) {
                let flow = &mut flow[row * hidden..][..hidden];
                let direct = &memory[row * hidden..][..hidden];
                if self.cell == Cell::Gru {
                    // What reached the state before without passing a product.
                    for ((flow, &through), &direct) in flow.iter_mut().zip(through).zip(direct) {
                        *flow = through + direct;
                    }
                } else {
                    flow.copy_from_slice(through);
                }
            }
        }
    }
}

/// What is at `at`, to be written, and what is at the step before; zeros before the first.
fn now_and_before<'a, T>(
    values: &'a mut [T],
    at: usize,
    before: Option<usize>,
    zeros: &'a [T],
) -> (&'a mut [T], &'a [T]) {
    let hidden = zeros.len();
    let Some(before) = before else {
        return (&mut values[at * hidden..][..hidden], zeros);
    };
    let (low, high) = values.split_at_mut(at.max(before) * hidden);
    if before < at {
        (&mut high[..hidden], &low[before * hidden..][..hidden])
    } else {
        (&mut low[at * hidden..][..hidden], &high[..hidden])
    }
}

impl<T: Real> Kept<T> {
    fn give(self) {
        for buffer in [self.gates, self.states, self.inner] {
            buffer::give(buffer);
        }
    }
}

/// The states that each direction ends with, `[batch, directions·d_hidden]`, from those of all
/// frames: a row's last going forward, its first going backward, zero where it has none.
pub(crate) fn ends<T: Real>(
    outputs: &[T],
    [frames, directions, hidden]: [usize; 3],
    lengths: &[usize],
) -> Vec<T> {
    let line = directions * hidden;
    let mut last = buffer::take_zeroed(lengths.len() * line);
    for (row, &length) in lengths
        .iter()
        .enumerate()
        .filter(|(_, length)| **length > 0)
    {
        for direction in 0..directions {
            let frame = if direction == 0 { length - 1 } else { 0 };
            let from = (row * frames + frame) * line + direction * hidden;
            let to = row * line + direction * hidden;
            last[to..to + hidden].copy_from_slice(&outputs[from..from + hidden]);
        }
    }
    last
}

/// The gradient of the input of [`ends`].
pub(crate) fn ends_backward<T: Real>(
    gradient: &[T],
    [frames, directions, hidden]: [usize; 3],
    lengths: &[usize],
) -> Vec<T> {
    let line = directions * hidden;
    let mut outputs = buffer::take_zeroed(lengths.len() * frames * line);
    for (row, &length) in lengths
        .iter()
        .enumerate()
        .filter(|(_, length)| **length > 0)
    {
        for direction in 0..directions {
            let frame = if direction == 0 { length - 1 } else { 0 };
            let to = (row * frames + frame) * line + direction * hidden;
            let from = row * line + direction * hidden;
            outputs[to..to + hidden].copy_from_slice(&gradient[from..from + hidden]);
        }
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(len: usize, seed: usize) -> Vec<f64> {
        (0..len)
            .map(|i| ((i * 7919 + seed * 104_729 + 13) % 1009) as f64 / 1009.0 - 0.5)
            .collect()
    }

    struct Parameters<T>(Vec<[Vec<T>; 4]>);

    impl<T: Real> Parameters<T> {
        fn weights(&self) -> Vec<Weights<'_, T>> {
            self.0
                .iter()
                .map(|[input, state, bias_input, bias_state]| Weights {
                    input,
                    state,
                    bias_input,
                    bias_state,
                })
                .collect()
        }
    }

    fn parameters(layer: &Layer) -> Parameters<f64> {
        let (input, hidden, width) = (layer.d_input, layer.d_hidden, layer.width());
        let one = |d: usize| {
            [
                values(input * width, 10 * d + 1),
                values(hidden * width, 10 * d + 2),
                values(width, 10 * d + 3),
                values(width, 10 * d + 4),
            ]
        };
        Parameters((0..layer.directions).map(one).collect())
    }

    /// Values, and past each length what nobody is to read.
    fn input(layer: &Layer) -> Vec<f64> {
        let mut x = values(layer.positions() * layer.d_input, 7);
        let rows = x.chunks_exact_mut(layer.frames * layer.d_input);
        for (row, valid) in rows.zip(&layer.lengths) {
            row[valid * layer.d_input..].fill(f64::NAN);
        }
        x
    }

    fn layers() -> Vec<Layer> {
        let mut layers = Vec::new();
        for cell in [Cell::Elman, Cell::Lstm, Cell::Gru] {
            for directions in [1, 2] {
                for lengths in [
                    vec![5, 3, 1, 0],
                    vec![4],
                    vec![2, 5, 5, 1, 4, 3, 5, 2, 5, 1],
                ] {
                    layers.push(Layer {
                        cell,
                        frames: 5,
                        d_input: 3,
                        d_hidden: 5,
                        directions,
                        lengths,
                    });
                }
            }
        }
        layers
    }

    /// The equations, one number at a time.
    fn by_hand(layer: &Layer, x: &[f64], parameters: &Parameters<f64>) -> Vec<f64> {
        let (hidden, width) = (layer.d_hidden, layer.width());
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut out = vec![0.0; layer.positions() * layer.directions * hidden];
        for (direction, [w, u, b, c]) in parameters.0.iter().enumerate() {
            for row in 0..layer.batch() {
                let (mut h, mut memory) = (vec![0.0; hidden], vec![0.0; hidden]);
                for step in 0..layer.lengths[row] {
                    let at = layer.position(direction, row, step);
                    let gate = |j: usize| -> [f64; 2] {
                        let p: f64 = (0..layer.d_input)
                            .map(|i| x[at * layer.d_input + i] * w[i * width + j])
                            .sum();
                        let q: f64 = (0..hidden).map(|i| h[i] * u[i * width + j]).sum();
                        [p + b[j], q + c[j]]
                    };
                    let new: Vec<[f64; 2]> = (0..hidden)
                        .map(|j| {
                            let sum = |k: usize| gate(k * hidden + j).iter().sum::<f64>();
                            match layer.cell {
                                Cell::Elman => [sum(0).tanh(), 0.0],
                                Cell::Lstm => {
                                    let kept = sigmoid(sum(1)) * memory[j]
                                        + sigmoid(sum(0)) * sum(2).tanh();
                                    [sigmoid(sum(3)) * kept.tanh(), kept]
                                }
                                Cell::Gru => {
                                    let [p, q] = gate(2 * hidden + j);
                                    let n = (p + sigmoid(sum(0)) * q).tanh();
                                    let z = sigmoid(sum(1));
                                    [(1.0 - z) * n + z * h[j], 0.0]
                                }
                            }
                        })
                        .collect();
                    for (j, [state, kept]) in new.into_iter().enumerate() {
                        h[j] = state;
                        memory[j] = kept;
                        out[(at * layer.directions + direction) * hidden + j] = state;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn states_are_those_of_the_equations() {
        for layer in layers() {
            let (x, parameters) = (input(&layer), parameters(&layer));
            let (found, saved) = layer.forward(&x, &parameters.weights(), false);
            assert!(saved.is_none());
            for (a, b) in found.iter().zip(&by_hand(&layer, &x, &parameters)) {
                assert!((a - b).abs() < 1e-12, "{a} and {b}: {layer:?}");
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for layer in layers() {
            let (mut x, mut parameters) = (input(&layer), parameters(&layer));
            let weight = values(layer.positions() * layer.directions * layer.d_hidden, 9);
            let (_, saved) = layer.forward(&x, &parameters.weights(), true);
            let saved = saved.expect("asked for");
            let (found_x, found) = layer.backward(&x, &parameters.weights(), saved, &weight, true);
            let loss = |x: &[f64], parameters: &Parameters<f64>| -> f64 {
                let out = by_hand(&layer, x, parameters);
                out.iter().zip(&weight).map(|(y, w)| y * w).sum()
            };
            let h = 1e-5;
            let near = |found: f64, up: f64, down: f64| {
                let expected = (up - down) / (2.0 * h);
                assert!(
                    (found - expected).abs() < 1e-8,
                    "{found}, {expected}: {layer:?}"
                );
            };
            let found_x = found_x.expect("asked for");
            for i in 0..x.len() {
                let old = x[i];
                x[i] = old + h;
                let up = loss(&x, &parameters);
                x[i] = old - h;
                let down = loss(&x, &parameters);
                x[i] = old;
                near(found_x[i], up, down);
            }
            for (direction, found) in found.iter().enumerate() {
                let parts = [
                    &found.input,
                    &found.state,
                    &found.bias_input,
                    &found.bias_state,
                ];
                for (part, found) in parts.into_iter().enumerate() {
                    for (i, &found) in found.iter().enumerate() {
                        let old = parameters.0[direction][part][i];
                        parameters.0[direction][part][i] = old + h;
                        let up = loss(&x, &parameters);
                        parameters.0[direction][part][i] = old - h;
                        let down = loss(&x, &parameters);
                        parameters.0[direction][part][i] = old;
                        near(found, up, down);
                    }
                }
            }
        }
    }

    #[test]
    fn single_precision_is_near_double_and_the_same_on_any_number_of_threads() {
        let narrow = |values: &[f64]| -> Vec<f32> { values.iter().map(|&v| v as f32).collect() };
        for cell in [Cell::Elman, Cell::Lstm, Cell::Gru] {
            let layer = Layer {
                cell,
                frames: 23,
                d_input: 37,
                d_hidden: 41,
                directions: 2,
                lengths: (0..19).map(|row| (row * 7) % 24).collect(),
            };
            let (x, parameters) = (input(&layer), parameters(&layer));
            let weight = values(layer.positions() * layer.directions * layer.d_hidden, 9);
            let (wide, saved) = layer.forward(&x, &parameters.weights(), true);
            let saved = saved.expect("asked for");
            let (_, wide_found) = layer.backward(&x, &parameters.weights(), saved, &weight, false);
            let small = Parameters(
                parameters
                    .0
                    .iter()
                    .map(|p| p.each_ref().map(|v| narrow(v)))
                    .collect(),
            );
            let (x, weight) = (narrow(&x), narrow(&weight));
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                pool.expect("threads").install(|| {
                    let (y, saved) = layer.forward(&x, &small.weights(), true);
                    let saved = saved.expect("asked for");
                    let (dx, found) = layer.backward(&x, &small.weights(), saved, &weight, true);
                    let mut all = vec![y, dx.expect("asked for")];
                    for found in found {
                        all.extend([found.input, found.state, found.bias_input, found.bias_state]);
                    }
                    all
                })
            };
            let one = run(1);
            for (a, b) in one[0].iter().zip(&wide) {
                assert!((f64::from(*a) - b).abs() < 2e-6, "{a} and {b}");
            }
            for (a, b) in one[3].iter().zip(&wide_found[0].state) {
                assert!((f64::from(*a) - b).abs() < 2e-4, "{a} and {b}");
            }
            for threads in [2, 3] {
                assert!(run(threads) == one, "{cell:?} with {threads} threads");
            }
        }
    }

    #[test]
    fn the_ends_are_the_last_frames_of_both_directions() {
        let outputs: Vec<f64> = (0..2 * 3 * 2).map(f64::from).collect();
        let sizes = [3, 2, 1];
        assert_eq!(ends(&outputs, sizes, &[2, 0]), [2.0, 1.0, 0.0, 0.0]);
        let back = ends_backward(&[5.0, 6.0, 7.0, 8.0], sizes, &[2, 0]);
        assert_eq!(back[..4], [0.0, 6.0, 5.0, 0.0]);
        assert!(back[4..].iter().all(|&x| x == 0.0));
    }
}
