//! A recurrent decoder with attention over whole transcripts: the symbols' share of the first
//! layer's gates is looked up in a table, each step is one product for each layer, and on the way
//! back each weight's gradient is one large product.
//!
//! A step is cut into panels of a product's columns and into rows of the batch, so that threads
//! share the reading of the weights, which a step needs all of.

mod attend;

use rayon::prelude::*;

pub(crate) use attend::{Attention, Kind, Score};

use super::Real;
use super::buffer::{self, Scratch};
use super::product::{
    Packed, Right, Rows, Start, add_parts, product, spread_rows_times_packed, transposed_product,
    transposed_product_of_rows,
};
use super::recurrent::cell::{lstm, lstm_back};
use super::recurrent::{WeightGradients, Weights as LayerWeights};
use super::tasks::Tasks;
use attend::Found;

/// The sizes.
#[derive(Debug, Clone)]
pub(crate) struct Speller {
    pub(crate) symbols: usize,
    pub(crate) d_embedding: usize,
    pub(crate) d_hidden: usize,
    pub(crate) num_layers: usize,
    pub(crate) attention: Attention,
}

/// The weights.
#[derive(Clone)]
pub(crate) struct Weights<'a, T> {
    /// `[symbols, d_embedding]`
    pub(crate) embedding: &'a [T],
    /// LSTM layers; the input of the first is the embedding and the context.
    pub(crate) layers: Vec<LayerWeights<'a, T>>,
    /// `[d_hidden, d_attention]` and `[d_attention]`, from the topmost state to the query; without
    /// them the state is the query.
    pub(crate) query: Option<[&'a [T]; 2]>,
    pub(crate) score: Score<'a, T>,
}

/// The states that are attended to, `[batch, steps, ...]`.
#[derive(Clone, Copy)]
pub(crate) struct Attended<'a, T> {
    pub(crate) keys: &'a [T],
    pub(crate) values: &'a [T],
    /// Valid steps of each row, at least one.
    pub(crate) lengths: &'a [usize],
}

/// The weights as the steps need them.
pub(crate) struct Prepared<T: Real> {
    /// The share of each symbol in the first layer's gates, biases included.
    table: Scratch<T>,
    /// What is below a layer, then its own state, to its gates.
    layers: Vec<Packed<T>>,
    /// Of the layers above the first.
    biases: Vec<Vec<T>>,
    query: Option<Packed<T>>,
}

/// The states of every step.
#[derive(Debug, Clone)]
pub(crate) struct Trace<T> {
    rows: usize,
    steps: usize,
    /// Context and each layer's state, before the first step and after each: `[rows, steps + 1,
    /// d_context + layers·d_hidden]`.
    pub(crate) states: Vec<T>,
    /// Each layer's memory, `[rows, steps + 1, layers·d_hidden]`.
    pub(crate) memory: Vec<T>,
    /// The weights of the attended steps, `[rows, steps + 1, heads·attended]`.
    pub(crate) weights: Vec<T>,
    /// Each layer's gates after their activations, `[rows, steps, 4·d_hidden]`.
    gates: Vec<Vec<T>>,
    /// The queries where they are not the state itself, `[rows, steps, d_attention]`.
    queries: Vec<T>,
}

/// The gradients, shaped as what they are of.
pub(crate) struct Gradients<T> {
    pub(crate) keys: Vec<T>,
    pub(crate) values: Vec<T>,
    pub(crate) embedding: Vec<T>,
    pub(crate) layers: Vec<WeightGradients<T>>,
    pub(crate) query: Option<[Vec<T>; 2]>,
    /// Vector, filters and projection of [`Score`].
    pub(crate) score: [Vec<T>; 3],
}

/// What flows from one step to the one before, and what every step adds to.
struct Flow<T: Real> {
    /// `[rows, d_context]`
    context: Scratch<T>,
    /// Each layer's, `[rows, d_hidden]`.
    states: Vec<Scratch<T>>,
    memory: Vec<Scratch<T>>,
    /// `[rows, heads·attended]`
    weights: Scratch<T>,
    /// Of [`Attended`].
    keys: Vec<T>,
    values: Vec<T>,
    /// Of [`Score`], for each row.
    score: Scratch<T>,
}

fn zeros<T: Real>(len: usize) -> Scratch<T> {
    let mut zeros = Scratch::new(len);
    zeros.fill(T::ZERO);
    zeros
}

impl<T: Real> Prepared<T> {
    /// With a table of these symbols.
    pub(crate) fn new(speller: &Speller, weights: &Weights<'_, T>, symbols: &[usize]) -> Self {
        let width = speller.width();
        let both = |layer: &LayerWeights<'_, T>| -> Vec<T> {
            let pairs = layer.bias_input.iter().zip(layer.bias_state);
            pairs.map(|(&a, &b)| a + b).collect()
        };
        let mut table = Scratch::new(symbols.len() * width);
        product(
            &speller.embedded(weights, symbols),
            Right::Plain(&weights.layers[0].input[..speller.d_embedding * width]),
            [symbols.len(), speller.d_embedding, width],
            Start::Bias(&both(&weights.layers[0])),
            &mut table,
        );
        let packed = |layer| {
            let matrix = speller.stacked(weights, layer);
            Packed::new(&matrix, matrix.len() / width, width, width)
        };
        let d_attention = speller.attention.d_attention;
        Self {
            table,
            layers: (0..speller.num_layers).map(packed).collect(),
            biases: weights.layers[1..].iter().map(both).collect(),
            query: weights
                .query
                .map(|[weight, _]| Packed::new(weight, speller.d_hidden, d_attention, d_attention)),
        }
    }
}

impl<T: Real> Trace<T> {
    /// So many steps from states of zero.
    pub(crate) fn new(speller: &Speller, rows: usize, steps: usize, has_query: bool) -> Self {
        let d_query = if has_query {
            speller.attention.d_attention
        } else {
            0
        };
        let with_start = rows * (steps + 1);
        let mut trace = Self {
            rows,
            steps,
            states: buffer::take(with_start * speller.line()),
            memory: buffer::take(with_start * speller.memory_line()),
            weights: buffer::take(with_start * speller.weights_line()),
            gates: (0..speller.num_layers)
                .map(|_| buffer::take(rows * steps * speller.width()))
                .collect(),
            queries: buffer::take(rows * steps * d_query),
        };
        for (values, line) in [
            (&mut trace.states, speller.line()),
            (&mut trace.memory, speller.memory_line()),
            (&mut trace.weights, speller.weights_line()),
        ] {
            for row in values.chunks_exact_mut((steps + 1) * line) {
                row[..line].fill(T::ZERO);
            }
        }
        trace
    }

    /// Gives the memory back.
    pub(crate) fn give(self) {
        for values in [self.states, self.memory, self.weights, self.queries] {
            buffer::give(values);
        }
        for values in self.gates {
            buffer::give(values);
        }
    }
}

impl Speller {
    /// Columns of a layer's weight.
    fn width(&self) -> usize {
        4 * self.d_hidden
    }

    /// Values of [`Trace::states`] after a step.
    pub(crate) fn line(&self) -> usize {
        self.attention.d_context + self.memory_line()
    }

    /// Values of [`Trace::memory`] after a step.
    pub(crate) fn memory_line(&self) -> usize {
        self.num_layers * self.d_hidden
    }

    /// Values of [`Trace::weights`] after a step.
    pub(crate) fn weights_line(&self) -> usize {
        self.attention.heads * self.attention.steps
    }

    /// Start of a layer's state in a line.
    fn state_at(&self, layer: usize) -> usize {
        self.attention.d_context + layer * self.d_hidden
    }

    /// Features that a layer reads beside the embedding and its own state.
    fn d_below(&self, layer: usize) -> usize {
        if layer == 0 {
            self.attention.d_context
        } else {
            self.d_hidden
        }
    }

    /// The embeddings of these symbols, one after the other.
    fn embedded<T: Real>(&self, weights: &Weights<'_, T>, symbols: &[usize]) -> Scratch<T> {
        let size = self.d_embedding;
        let mut rows = Scratch::new(symbols.len() * size);
        for (row, symbol) in rows.chunks_exact_mut(size).zip(symbols) {
            row.copy_from_slice(&weights.embedding[symbol * size..][..size]);
        }
        rows
    }

    /// The weights of what is below a layer and of its state as one matrix.
    fn stacked<T: Real>(&self, weights: &Weights<'_, T>, layer: usize) -> Scratch<T> {
        let LayerWeights { input, state, .. } = weights.layers[layer];
        let below = &input[input.len() - self.d_below(layer) * self.width()..];
        let mut matrix = Scratch::new(below.len() + state.len());
        matrix[..below.len()].copy_from_slice(below);
        matrix[below.len()..].copy_from_slice(state);
        matrix
    }

    /// The step after each line of a trace that is already there: `inputs` has, for each row and as
    /// many steps as it takes, the symbol's row in the table; `sources` says which row of what is
    /// attended to each reads. Past a row's steps there are zeros.
    pub(crate) fn forward<T: Real>(
        &self,
        weights: &Weights<'_, T>,
        prepared: &Prepared<T>,
        attended: Attended<'_, T>,
        sources: &[usize],
        inputs: &[Vec<usize>],
        trace: &mut Trace<T>,
    ) {
        assert_eq!(inputs.len(), trace.rows);
        assert_eq!(sources.len(), trace.rows);
        for step in 0..trace.steps {
            let active: Vec<usize> = (0..trace.rows)
                .filter(|&row| step < inputs[row].len())
                .collect();
            for layer in 0..self.num_layers {
                self.gates(prepared, inputs, &active, step, layer, trace);
                self.cells(inputs, step, layer, trace);
            }
            if let (Some(packed), Some([_, bias])) = (&prepared.query, weights.query) {
                self.queries(packed, bias, &active, step, trace);
            }
            self.attend(weights, attended, sources, inputs, step, trace);
        }
        self.clear_padding(inputs, trace);
    }

    fn gates<T: Real>(
        &self,
        prepared: &Prepared<T>,
        inputs: &[Vec<usize>],
        active: &[usize],
        step: usize,
        layer: usize,
        trace: &mut Trace<T>,
    ) {
        let (line, width) = (self.line(), self.width());
        let gates = &mut trace.gates[layer];
        let out_rows = positions(active, trace.steps, step, width);
        let start = if layer == 0 {
            for (&row, &at) in active.iter().zip(&out_rows) {
                let share = &prepared.table[inputs[row][step] * width..][..width];
                gates[at..at + width].copy_from_slice(share);
            }
            Start::Output
        } else {
            Start::Bias(&prepared.biases[layer - 1])
        };
        let rows = positions(active, trace.steps + 1, step, line);
        // The context and the first state lie side by side; above, the state below is of this step.
        let above = [
            line + self.state_at(layer - layer.min(1)),
            self.state_at(layer),
        ];
        let (runs, run_len): (&[usize], usize) = if layer == 0 {
            (&[0], self.attention.d_context + self.d_hidden)
        } else {
            (&above, self.d_hidden)
        };
        let a = Rows {
            data: &trace.states,
            rows: &rows,
            runs,
            run_len,
        };
        spread_rows_times_packed(a, &prepared.layers[layer], start, gates, &out_rows);
    }

    fn cells<T: Real>(
        &self,
        inputs: &[Vec<usize>],
        step: usize,
        layer: usize,
        trace: &mut Trace<T>,
    ) {
        let (line, memory_line, width) = (self.line(), self.memory_line(), self.width());
        let (at, in_memory) = (self.state_at(layer), layer * self.d_hidden);
        let states = trace.states.par_chunks_mut((trace.steps + 1) * line);
        let memory = trace.memory.par_chunks_mut((trace.steps + 1) * memory_line);
        let gates = trace.gates[layer].par_chunks_mut(trace.steps * width);
        states
            .zip(memory)
            .zip(gates)
            .zip(inputs)
            .run(|(((states, memory), gates), inputs)| {
                if step >= inputs.len() {
                    return;
                }
                let gates = &mut gates[step * width..][..width];
                let (before, now) = memory.split_at_mut((step + 1) * memory_line);
                let before = &before[step * memory_line + in_memory..][..self.d_hidden];
                let now = &mut now[in_memory..][..self.d_hidden];
                let state = &mut states[(step + 1) * line + at..][..self.d_hidden];
                lstm(gates, before, now, state);
            });
    }

    fn queries<T: Real>(
        &self,
        packed: &Packed<T>,
        bias: &[T],
        active: &[usize],
        step: usize,
        trace: &mut Trace<T>,
    ) {
        let a = Rows {
            data: &trace.states,
            rows: &positions(active, trace.steps + 1, step + 1, self.line()),
            runs: &[self.state_at(self.num_layers - 1)],
            run_len: self.d_hidden,
        };
        let out_rows = positions(active, trace.steps, step, self.attention.d_attention);
        let start = Start::Bias(bias);
        spread_rows_times_packed(a, packed, start, &mut trace.queries, &out_rows);
    }

    fn attend<T: Real>(
        &self,
        weights: &Weights<'_, T>,
        attended: Attended<'_, T>,
        sources: &[usize],
        inputs: &[Vec<usize>],
        step: usize,
        trace: &mut Trace<T>,
    ) {
        let (line, weights_line) = (self.line(), self.weights_line());
        let Attention {
            d_attention,
            d_context,
            ..
        } = self.attention;
        let top = (self.num_layers - 1) * self.d_hidden;
        let (steps, queries) = (trace.steps, &trace.queries);
        let states = trace.states.par_chunks_mut((steps + 1) * line);
        let aligned = trace.weights.par_chunks_mut((steps + 1) * weights_line);
        states
            .zip(aligned)
            .zip(inputs)
            .enumerate()
            .run(|(row, ((states, aligned), inputs))| {
                if step >= inputs.len() {
                    return;
                }
                let now = &mut states[(step + 1) * line..][..line];
                let (context, states) = now.split_at_mut(d_context);
                let query = match weights.query {
                    Some(_) => &queries[(row * steps + step) * d_attention..][..d_attention],
                    None => &states[top..],
                };
                let (before, now) = aligned.split_at_mut((step + 1) * weights_line);
                self.attention.forward(
                    weights.score,
                    query,
                    &before[step * weights_line..],
                    self.source(attended, sources[row]),
                    &mut now[..weights_line],
                    context,
                );
            });
    }

    /// The valid keys and values of a row.
    fn source<'a, T: Real>(&self, attended: Attended<'a, T>, row: usize) -> [&'a [T]; 2] {
        let part = |of: &'a [T], size: usize| {
            &of[row * self.attention.steps * size..][..attended.lengths[row] * size]
        };
        [
            part(attended.keys, self.attention.d_attention),
            part(attended.values, self.attention.d_context),
        ]
    }

    /// Zeros past each row's steps, which the products over all steps rely on.
    fn clear_padding<T: Real>(&self, inputs: &[Vec<usize>], trace: &mut Trace<T>) {
        let steps = trace.steps;
        let clear = |values: &mut [T], with_start: usize| {
            let line = values.len() / (trace.rows * (steps + with_start)).max(1);
            for (row, inputs) in inputs.iter().enumerate() {
                let row = row * (steps + with_start);
                let past = row + with_start + inputs.len()..row + with_start + steps;
                values[past.start * line..past.end * line].fill(T::ZERO);
            }
        };
        clear(&mut trace.states, 1);
        clear(&mut trace.queries, 0);
        for gates in &mut trace.gates {
            clear(gates, 0);
        }
    }

    /// The topmost state and the context after each step, `[rows, steps, d_hidden + d_context]`.
    pub(crate) fn outputs<T: Real>(&self, trace: &Trace<T>) -> Vec<T> {
        let d_context = self.attention.d_context;
        let mut outputs = buffer::take(trace.rows * trace.steps * (self.d_hidden + d_context));
        let lines = trace.states.chunks_exact(self.line()).enumerate();
        let lines = lines.filter(|(index, _)| index % (trace.steps + 1) > 0);
        for (output, (_, line)) in outputs
            .chunks_exact_mut(self.d_hidden + d_context)
            .zip(lines)
        {
            let (state, context) = output.split_at_mut(self.d_hidden);
            state.copy_from_slice(&line[line.len() - self.d_hidden..]);
            context.copy_from_slice(&line[..d_context]);
        }
        outputs
    }

    /// The gradients, from those of the outputs: `inputs` and what was prepared as in the forward
    /// pass, with a table of `symbols`, each row attending to its own.
    pub(crate) fn backward<T: Real>(
        &self,
        weights: &Weights<'_, T>,
        symbols: &[usize],
        attended: Attended<'_, T>,
        inputs: &[Vec<usize>],
        mut trace: Trace<T>,
        gradient: &[T],
    ) -> Gradients<T> {
        let (rows, width) = (trace.rows, self.width());
        let Attention {
            d_attention,
            d_context,
            ..
        } = self.attention;
        let layers: Vec<Packed<T>> = (0..self.num_layers)
            .map(|layer| {
                let matrix = self.stacked(weights, layer);
                Packed::transposed(&matrix, width, matrix.len() / width, width)
            })
            .collect();
        let query = weights
            .query
            .map(|[weight, _]| Packed::transposed(weight, d_attention, self.d_hidden, d_attention));
        let of_layers = || (0..self.num_layers).map(|_| zeros(rows * self.d_hidden));
        let score_len: usize = self.attention.score_lens().iter().sum();
        let mut flow = Flow {
            context: zeros(rows * d_context),
            states: of_layers().collect(),
            memory: of_layers().collect(),
            weights: zeros(rows * self.weights_line()),
            keys: buffer::take_zeroed(attended.keys.len()),
            values: buffer::take_zeroed(attended.values.len()),
            score: zeros(rows * score_len),
        };
        for step in (0..trace.steps).rev() {
            let active: Vec<usize> = (0..rows).filter(|&row| step < inputs[row].len()).collect();
            self.outputs_back(gradient, &active, trace.steps, step, &mut flow);
            self.attend_back(weights, attended, &active, step, &mut trace, &mut flow);
            if let Some(packed) = &query {
                self.queries_back(packed, &active, step, &trace, &mut flow);
            }
            for (layer, packed) in layers.iter().enumerate().rev() {
                self.cells_back(inputs, step, layer, &mut trace, &mut flow);
                self.gates_back(packed, &active, step, layer, &trace, &mut flow);
            }
        }

        let mut layers: Vec<_> = (0..self.num_layers)
            .map(|layer| self.layer_gradients(weights, layer, &trace))
            .collect();
        let of_symbols = &mut layers[0].input[..self.d_embedding * width];
        let embedding = self.symbol_gradients(weights, symbols, inputs, &trace, of_symbols);
        let query = weights.query.map(|_| {
            let mut weight = buffer::take(self.d_hidden * d_attention);
            let mut bias = buffer::take(d_attention);
            transposed_product_of_rows(
                &trace.states,
                &self.origins(&trace, 1, self.state_at(self.num_layers - 1)),
                [self.d_hidden, d_attention],
                &trace.queries,
                &mut weight,
                Some(&mut bias),
            );
            [weight, bias]
        });
        trace.give();
        let mut score = buffer::take(score_len);
        add_parts(&flow.score, &mut score);
        let mut parts = score.as_slice();
        let score = self.attention.score_lens().map(|len| {
            let (part, rest) = parts.split_at(len);
            parts = rest;
            part.to_vec()
        });
        Gradients {
            keys: flow.keys,
            values: flow.values,
            embedding,
            layers,
            query,
            score,
        }
    }

    /// Adds the gradient of a step's outputs.
    fn outputs_back<T: Real>(
        &self,
        gradient: &[T],
        active: &[usize],
        steps: usize,
        step: usize,
        flow: &mut Flow<T>,
    ) {
        let (hidden, d_context) = (self.d_hidden, self.attention.d_context);
        let top = &mut flow.states[self.num_layers - 1];
        let from = positions(active, steps, step, hidden + d_context);
        for (&row, from) in active.iter().zip(from) {
            let (state, context) = gradient[from..][..hidden + d_context].split_at(hidden);
            add(state, &mut top[row * hidden..][..hidden]);
            add(context, &mut flow.context[row * d_context..][..d_context]);
        }
    }

    /// The context's gradient to those of queries, keys, values and scores. The query's goes to the
    /// state, or into the query's place.
    fn attend_back<T: Real>(
        &self,
        weights: &Weights<'_, T>,
        attended: Attended<'_, T>,
        active: &[usize],
        step: usize,
        trace: &mut Trace<T>,
        flow: &mut Flow<T>,
    ) {
        let (rows, steps, hidden) = (trace.rows, trace.steps, self.d_hidden);
        let (d_attention, d_context) = (self.attention.d_attention, self.attention.d_context);
        let has_query = weights.query.is_some();
        let (source, places) = if has_query {
            (&trace.queries, positions(active, steps, step, d_attention))
        } else {
            let lines = positions(active, steps + 1, step + 1, self.line());
            let top = self.state_at(self.num_layers - 1);
            let places = lines.into_iter().map(|at| at + top);
            (&trace.states, places.collect())
        };
        let mut queries = Scratch::new(active.len() * d_attention);
        for (query, &from) in queries.chunks_exact_mut(d_attention).zip(&places) {
            query.copy_from_slice(&source[from..from + d_attention]);
        }

        let weights_line = self.weights_line();
        let context = &flow.context;
        let mut found: Vec<Option<Found<'_, T>>> = split_rows(&mut flow.weights, rows)
            .into_iter()
            .zip(split_rows(&mut flow.keys, rows))
            .zip(split_rows(&mut flow.values, rows))
            .zip(split_rows(&mut flow.score, rows))
            .map(|(((weights, keys), values), score)| {
                Some(Found {
                    weights,
                    keys,
                    values,
                    score,
                })
            })
            .collect();
        let tasks: Vec<_> = active.iter().map(|&row| (row, found[row].take())).collect();
        tasks
            .into_par_iter()
            .zip(queries.par_chunks_mut(d_attention))
            .run(|((row, found), query)| {
                let at = (row * (steps + 1) + step) * weights_line;
                let [before, now] =
                    [at, at + weights_line].map(|at| &trace.weights[at..at + weights_line]);
                if let Some(found) = found {
                    self.attention.backward(
                        weights.score,
                        query,
                        [before, now],
                        self.source(attended, row),
                        &context[row * d_context..][..d_context],
                        found,
                    );
                }
            });

        let gradients = queries.chunks_exact(d_attention);
        for ((gradient, &row), at) in gradients.zip(active).zip(places) {
            if has_query {
                trace.queries[at..at + d_attention].copy_from_slice(gradient);
            } else {
                let top = &mut flow.states[self.num_layers - 1];
                add(gradient, &mut top[row * hidden..][..hidden]);
            }
        }
    }

    /// Adds the queries' gradient to that of the topmost states.
    fn queries_back<T: Real>(
        &self,
        packed: &Packed<T>,
        active: &[usize],
        step: usize,
        trace: &Trace<T>,
        flow: &mut Flow<T>,
    ) {
        let (hidden, d_attention) = (self.d_hidden, self.attention.d_attention);
        let a = Rows {
            data: &trace.queries,
            rows: &positions(active, trace.steps, step, d_attention),
            runs: &[0],
            run_len: d_attention,
        };
        let out_rows: Vec<usize> = active.iter().map(|row| row * hidden).collect();
        let top = &mut flow.states[self.num_layers - 1];
        spread_rows_times_packed(a, packed, Start::Output, top, &out_rows);
    }

    /// A layer's gates become the gradients of their sums.
    fn cells_back<T: Real>(
        &self,
        inputs: &[Vec<usize>],
        step: usize,
        layer: usize,
        trace: &mut Trace<T>,
        flow: &mut Flow<T>,
    ) {
        let (hidden, width, line) = (self.d_hidden, self.width(), self.memory_line());
        let at = step * line + layer * hidden;
        let nothing = zeros(hidden);
        trace.gates[layer]
            .par_chunks_mut(trace.steps * width)
            .zip(trace.memory.par_chunks((trace.steps + 1) * line))
            .zip(flow.states[layer].par_chunks(hidden))
            .zip(flow.memory[layer].par_chunks_mut(hidden))
            .zip(inputs)
            .run(|((((gates, memory), state), flow), inputs)| {
                if step >= inputs.len() {
                    return;
                }
                let gates = &mut gates[step * width..][..width];
                let [before, now] = [at, at + line].map(|at| &memory[at..at + hidden]);
                lstm_back(gates, before, now, &nothing, state, flow);
            });
    }

    /// From a layer's gates to its own state before and to what is below it.
    fn gates_back<T: Real>(
        &self,
        packed: &Packed<T>,
        active: &[usize],
        step: usize,
        layer: usize,
        trace: &Trace<T>,
        flow: &mut Flow<T>,
    ) {
        if step == 0 && layer == 0 {
            return;
        }
        let (hidden, width, d_below) = (self.d_hidden, self.width(), self.d_below(layer));
        let columns = d_below + hidden;
        let a = Rows {
            data: &trace.gates[layer],
            rows: &positions(active, trace.steps, step, width),
            runs: &[0],
            run_len: width,
        };
        let mut through = Scratch::new(active.len() * columns);
        let out_rows: Vec<usize> = (0..active.len()).map(|index| index * columns).collect();
        spread_rows_times_packed(a, packed, Start::Zero, &mut through, &out_rows);
        for (&row, through) in active.iter().zip(through.chunks_exact(columns)) {
            let (below, state) = through.split_at(d_below);
            flow.states[layer][row * hidden..][..hidden].copy_from_slice(state);
            if layer == 0 {
                flow.context[row * d_below..][..d_below].copy_from_slice(below);
            } else {
                add(
                    below,
                    &mut flow.states[layer - 1][row * d_below..][..d_below],
                );
            }
        }
    }

    /// The gradients of a layer's weights, but for the embedding's part of the first.
    fn layer_gradients<T: Real>(
        &self,
        weights: &Weights<'_, T>,
        layer: usize,
        trace: &Trace<T>,
    ) -> WeightGradients<T> {
        let (width, d_below) = (self.width(), self.d_below(layer));
        let mut input = buffer::take(weights.layers[layer].input.len());
        let mut state = buffer::take(self.d_hidden * width);
        let mut bias = buffer::take(width);
        let below = input.len() - d_below * width;
        // The context of the step before, or the state below of this step.
        let origins = match layer {
            0 => self.origins(trace, 0, 0),
            _ => self.origins(trace, 1, self.state_at(layer - 1)),
        };
        let (states, gates) = (&trace.states, &trace.gates[layer]);
        let sizes = [d_below, width];
        transposed_product_of_rows(states, &origins, sizes, gates, &mut input[below..], None);
        let origins = self.origins(trace, 0, self.state_at(layer));
        let sizes = [self.d_hidden, width];
        let sums = Some(&mut bias[..]);
        transposed_product_of_rows(states, &origins, sizes, gates, &mut state, sums);
        WeightGradients {
            input,
            state,
            bias_state: bias.clone(),
            bias_input: bias,
        }
    }

    /// The gradients of the embedding, returned, and of its part of the first layer's weight.
    fn symbol_gradients<T: Real>(
        &self,
        weights: &Weights<'_, T>,
        symbols: &[usize],
        inputs: &[Vec<usize>],
        trace: &Trace<T>,
        of_weight: &mut [T],
    ) -> Vec<T> {
        let (width, size) = (self.width(), self.d_embedding);
        let mut table = zeros(symbols.len() * width);
        for (inputs, gates) in inputs
            .iter()
            .zip(trace.gates[0].chunks_exact(trace.steps * width))
        {
            for (symbol, gates) in inputs.iter().zip(gates.chunks_exact(width)) {
                add(gates, &mut table[symbol * width..][..width]);
            }
        }
        let embedded = self.embedded(weights, symbols);
        let sizes = [symbols.len(), size, width];
        transposed_product(&embedded, &table, sizes, of_weight, None);

        let mut rows = Scratch::new(symbols.len() * size);
        let turned = Right::Transposed(&weights.layers[0].input[..size * width]);
        let sizes = [symbols.len(), width, size];
        product(&table, turned, sizes, Start::Zero, &mut rows);
        let mut embedding = buffer::take_zeroed(self.symbols * size);
        for (row, symbol) in rows.chunks_exact(size).zip(symbols) {
            embedding[symbol * size..][..size].copy_from_slice(row);
        }
        embedding
    }

    /// Where the line before every step of every row begins, or, with `after` one, the line after
    /// it; and `at` values further on.
    fn origins<T>(&self, trace: &Trace<T>, after: usize, at: usize) -> Vec<usize> {
        (0..trace.rows * trace.steps)
            .map(|index| {
                let (row, step) = (index / trace.steps, index % trace.steps);
                (row * (trace.steps + 1) + step + after) * self.line() + at
            })
            .collect()
    }
}

/// Where the lines of one of `steps` begin, for some rows.
fn positions(rows: &[usize], steps: usize, step: usize, line: usize) -> Vec<usize> {
    rows.iter().map(|row| (row * steps + step) * line).collect()
}

fn add<T: Real>(x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// The parts of `rows` rows, which may be empty.
fn split_rows<T>(values: &mut [T], rows: usize) -> Vec<&mut [T]> {
    let len = values.len() / rows.max(1);
    let mut rest = values;
    (0..rows)
        .map(|_| {
            let (row, others) = std::mem::take(&mut rest).split_at_mut(len);
            rest = others;
            row
        })
        .collect()
}
