//! The steps of a speller: recurrent layers with attention in between.

use burn::tensor::{Int, Tensor, TensorData, activation::tanh, backend::Backend};

use super::recurrent::State;
use super::{Cell, ConvOptions, DirectionWeights, conv1d, linear, masked_softmax, zero_padding};

/// How a query and a key make a score, for each head from its own features of both.
#[derive(Debug, Clone)]
pub enum Score<B: Backend> {
    /// `q · k`
    Dot,
    /// `v · tanh(q + k)`
    Additive {
        /// `v`, `[d_attention]`.
        vector: Tensor<B, 1>,
    },
    /// `v · tanh(q + k + U f)` with `f = F ∗ α`, a convolution of the weights of the step before.
    Location {
        /// `v`, `[d_attention]`.
        vector: Tensor<B, 1>,
        /// `F`, `[kernel, filters]`, with an odd kernel; it sees zeros beyond both ends.
        filters: Tensor<B, 2>,
        /// `U`, `[filters, d_attention]`.
        projection: Tensor<B, 2>,
    },
}

/// The weights of a recurrent decoder with attention.
#[derive(Debug, Clone)]
pub struct SpellerWeights<B: Backend> {
    /// `[symbols, d_embedding]`
    pub embedding: Tensor<B, 2>,
    /// LSTM layers, from the one that reads `d_embedding + d_context` features upwards.
    pub layers: Vec<DirectionWeights<B>>,
    /// `[d_hidden, d_attention]` and `[d_attention]`, from the topmost state to the query; without
    /// them the state is the query.
    pub query: Option<(Tensor<B, 2>, Tensor<B, 1>)>,
    /// How query and key make a score.
    pub score: Score<B>,
    /// Heads, which share the features of keys and values evenly.
    pub num_heads: usize,
}

/// What a decoder attends to.
#[derive(Debug, Clone)]
pub struct Attended<B: Backend> {
    /// What a query is compared with, `[batch, steps, d_attention]`.
    pub keys: Tensor<B, 3>,
    /// What the context is a weighted sum of, `[batch, steps, d_context]`; finite past the lengths.
    pub values: Tensor<B, 3>,
    /// Valid steps of each row, at least one.
    pub lengths: Vec<usize>,
}

/// Where a decoder is, between two symbols.
#[derive(Debug, Clone)]
pub struct SpellerState<B: Backend> {
    /// The context, then each layer's state: `[rows, d_context + layers·d_hidden]`.
    states: Tensor<B, 2>,
    /// Each layer's memory, `[rows, layers·d_hidden]`.
    memory: Tensor<B, 2>,
    /// The weights of the last symbol's attention, `[rows, heads, steps]`.
    alignment: Tensor<B, 3>,
    /// The row of what is attended to that each row reads.
    sources: Vec<usize>,
    /// The first of the topmost layer's features in `states`.
    top: usize,
    d_context: usize,
}

impl<B: Backend> SpellerState<B> {
    /// How many rows there are.
    pub fn num_rows(&self) -> usize {
        self.sources.len()
    }

    /// The topmost state and the context, `[rows, d_hidden + d_context]`.
    pub fn outputs(&self) -> Tensor<B, 2> {
        let [_, line] = self.states.dims();
        let state = self.states.clone().narrow(1, self.top, line - self.top);
        let context = self.states.clone().narrow(1, 0, self.d_context);
        Tensor::cat(vec![state, context], 1)
    }

    /// How much each head attended to each step for the last symbol, `[rows, heads, steps]`: each
    /// head's weights add up to one, zero past the valid steps, and before the first symbol all
    /// are zero.
    pub fn alignment(&self) -> Tensor<B, 3> {
        self.alignment.clone()
    }

    /// How much the last symbol of each row rests on each of the `lengths` valid steps of what the row
    /// attends to, the mean over the heads: each adds up to one.
    ///
    /// # Panics
    /// If a row attends to what has no length.
    pub fn weights(&self, lengths: &[usize]) -> Vec<Vec<f32>> {
        let [_, heads, steps] = self.alignment.dims();
        let weights: Vec<f32> = self.alignment.to_data().iter().collect();
        let rows = weights.chunks_exact((heads * steps).max(1));
        let mean = |row: &[f32], step: usize| {
            row[step..].iter().step_by(steps).sum::<f32>() / heads as f32
        };
        rows.zip(&self.sources)
            .map(|(row, &source)| (0..lengths[source]).map(|step| mean(row, step)).collect())
            .collect()
    }

    /// These rows, in this order and as often as they stand here.
    ///
    /// # Panics
    /// If there are none, or one is not there.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let indices = indices(rows.iter().copied(), &self.states.device());
        Self {
            states: self.states.clone().select(0, indices.clone()),
            memory: self.memory.clone().select(0, indices.clone()),
            alignment: self.alignment.clone().select(0, indices),
            sources: rows.iter().map(|&row| self.sources[row]).collect(),
            ..*self
        }
    }
}

/// A decoder that is moved one symbol at a time. No gradient flows through its steps; what they
/// share is prepared once.
pub struct SpellerSteps<B: Backend> {
    weights: SpellerWeights<B>,
    attended: Attended<B>,
    #[cfg(feature = "ndarray")]
    ready: Option<cpu::Ready<B>>,
}

impl<B: Backend> SpellerSteps<B> {
    /// Ready for the first step.
    ///
    /// # Panics
    /// If shapes do not agree.
    pub fn new(weights: SpellerWeights<B>, attended: Attended<B>) -> Self {
        Sizes::of(&weights, &attended);
        Self {
            #[cfg(feature = "ndarray")]
            ready: cpu::Ready::new(&weights, &attended),
            weights,
            attended,
        }
    }

    /// The state before the first symbol, all zero, of rows that attend to `sources`.
    ///
    /// # Panics
    /// If a source is not a row of what is attended to.
    pub fn start(&self, sources: &[usize]) -> SpellerState<B> {
        let sizes = Sizes::of(&self.weights, &self.attended);
        let device = self.weights.embedding.device();
        let batch = self.attended.lengths.len();
        for source in sources {
            assert!(*source < batch, "source {source} of {batch} rows");
        }
        let (rows, memory) = (sources.len(), sizes.num_layers * sizes.d_hidden);
        SpellerState {
            states: Tensor::zeros([rows, sizes.d_context + memory], &device),
            memory: Tensor::zeros([rows, memory], &device),
            alignment: Tensor::zeros([rows, sizes.num_heads, sizes.steps], &device),
            sources: sources.to_vec(),
            top: sizes.d_context + memory - sizes.d_hidden,
            d_context: sizes.d_context,
        }
    }

    /// The state after these symbols, one for each row.
    ///
    /// # Panics
    /// If there is not one symbol for each row, or a symbol is not known.
    pub fn step(&self, state: &SpellerState<B>, symbols: &[usize]) -> SpellerState<B> {
        assert_eq!(symbols.len(), state.num_rows(), "one symbol for each row");
        let [known, _] = self.weights.embedding.dims();
        for symbol in symbols {
            assert!(*symbol < known, "symbol {symbol} of {known}");
        }
        #[cfg(feature = "ndarray")]
        if let Some(ready) = &self.ready {
            return ready.step(state, symbols);
        }
        let batch = self.attended.lengths.len();
        let attended = if state.sources.iter().copied().eq(0..batch) {
            self.attended.clone()
        } else {
            self.attended.select(&state.sources)
        };
        let step = Step::unpacked(state).next(&self.weights, &attended, symbols);
        step.packed(state)
    }
}

impl<B: Backend> Attended<B> {
    fn select(&self, rows: &[usize]) -> Self {
        let indices = indices(rows.iter().copied(), &self.keys.device());
        Self {
            keys: self.keys.clone().select(0, indices.clone()),
            values: self.values.clone().select(0, indices),
            lengths: rows.iter().map(|&row| self.lengths[row]).collect(),
        }
    }
}

/// A recurrent decoder with attention over whole transcripts, from a state of zeros: at each step
/// the layers read the embedding of the step's input symbol and the context of the step before,
/// `s = LSTM(s', [embedding; c'])`, and the topmost state is the query of the context `c`.
///
/// # Shapes
/// - `inputs`: the symbols that each row reads, at least one; rows may be of different lengths
/// - output: `[batch, longest, d_hidden + d_context]`, the topmost state and the context after each
///   symbol, zero past a row's symbols
///
/// # Panics
/// If there are not as many rows of inputs as of what is attended to, a row is empty, a symbol is
/// not known, or shapes do not agree.
pub fn spell<B: Backend>(
    weights: &SpellerWeights<B>,
    attended: &Attended<B>,
    inputs: &[Vec<usize>],
) -> Tensor<B, 3> {
    let sizes = Sizes::of(weights, attended);
    let batch = attended.lengths.len();
    assert_eq!(inputs.len(), batch, "one row of symbols for each row");
    let lengths: Vec<usize> = inputs.iter().map(Vec::len).collect();
    assert!(lengths.iter().all(|&len| len > 0), "a row without symbols");
    for symbol in inputs.iter().flatten() {
        let known = sizes.symbols;
        assert!(*symbol < known, "symbol {symbol} of {known}");
    }
    #[cfg(feature = "ndarray")]
    if let Some(outputs) = cpu::spell(weights, attended, inputs) {
        return outputs;
    }
    let mut step = Step::zeros(&sizes, batch, &weights.embedding.device());
    let outputs = (0..lengths.iter().copied().max().unwrap_or(0))
        .map(|index| {
            let symbols = inputs.iter().map(|row| row.get(index).copied());
            let symbols: Vec<usize> = symbols.map(Option::unwrap_or_default).collect();
            step = step.clone().next(weights, attended, &symbols);
            step.outputs()
        })
        .collect();
    zero_padding(Tensor::stack(outputs, 1), &lengths)
}

fn indices<B: Backend>(
    rows: impl ExactSizeIterator<Item = usize>,
    device: &B::Device,
) -> Tensor<B, 1, Int> {
    let count = rows.len();
    let rows = rows.map(|row| row as i64).collect();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}

/// The sizes that all shapes agree on.
struct Sizes {
    symbols: usize,
    d_hidden: usize,
    d_context: usize,
    d_attention: usize,
    num_layers: usize,
    num_heads: usize,
    steps: usize,
}

impl Sizes {
    fn of<B: Backend>(weights: &SpellerWeights<B>, attended: &Attended<B>) -> Self {
        let [batch, steps, d_attention] = attended.keys.dims();
        let [symbols, d_embedding] = weights.embedding.dims();
        let values = attended.values.dims();
        let d_context = values[2];
        let heads = weights.num_heads;
        assert_eq!(values[..2], [batch, steps], "a value for each key");
        assert_eq!(attended.lengths.len(), batch, "one length for each row");
        for &length in &attended.lengths {
            assert!((1..=steps).contains(&length), "length {length} of {steps}");
        }
        assert!(
            heads > 0 && d_attention.is_multiple_of(heads) && d_context.is_multiple_of(heads),
            "{heads} heads cannot share {d_attention} and {d_context} features"
        );
        assert!(!weights.layers.is_empty(), "at least one layer");
        let [d_hidden, width] = weights.layers[0].state.dims();
        assert_eq!(width, 4 * d_hidden, "the columns of a weight");
        let mut d_input = d_embedding + d_context;
        for layer in &weights.layers {
            assert_eq!(layer.input.dims(), [d_input, width], "the input's weight");
            assert_eq!(layer.state.dims(), [d_hidden, width], "the state's weight");
            d_input = d_hidden;
        }
        match &weights.query {
            Some((weight, bias)) => {
                assert_eq!(weight.dims(), [d_hidden, d_attention], "the query's weight");
                assert_eq!(bias.dims(), [d_attention], "the query's bias");
            }
            None => assert_eq!(d_hidden, d_attention, "the features of state and key"),
        }
        if let Score::Additive { vector } | Score::Location { vector, .. } = &weights.score {
            assert_eq!(vector.dims(), [d_attention], "the score's vector");
        }
        if let Score::Location {
            filters,
            projection,
            ..
        } = &weights.score
        {
            let [kernel, filters] = filters.dims();
            assert!(kernel % 2 == 1, "a kernel of {kernel} steps is even");
            assert_eq!(projection.dims(), [filters, d_attention], "the projection");
        }
        Self {
            symbols,
            d_hidden,
            d_context,
            d_attention,
            num_layers: weights.layers.len(),
            num_heads: heads,
            steps,
        }
    }
}

/// [`SpellerState`] in its parts.
#[derive(Clone)]
struct Step<B: Backend> {
    /// `[batch, d_context]`
    context: Tensor<B, 2>,
    /// `[batch, d_hidden]` each
    layers: Vec<State<B>>,
    /// `[batch, heads, steps]`
    alignment: Tensor<B, 3>,
}

impl<B: Backend> Step<B> {
    fn zeros(sizes: &Sizes, batch: usize, device: &B::Device) -> Self {
        let state = || Tensor::zeros([batch, sizes.d_hidden], device);
        Self {
            context: Tensor::zeros([batch, sizes.d_context], device),
            layers: (0..sizes.num_layers)
                .map(|_| State {
                    cell: Cell::Lstm,
                    hidden: state(),
                    memory: Some(state()),
                })
                .collect(),
            alignment: Tensor::zeros([batch, sizes.num_heads, sizes.steps], device),
        }
    }

    fn unpacked(state: &SpellerState<B>) -> Self {
        let [_, line] = state.states.dims();
        let d_hidden = line - state.top;
        let layers = (0..(line - state.d_context) / d_hidden).map(|layer| {
            let part = |of: &Tensor<B, 2>, from| of.clone().narrow(1, from, d_hidden);
            State {
                cell: Cell::Lstm,
                hidden: part(&state.states, state.d_context + layer * d_hidden),
                memory: Some(part(&state.memory, layer * d_hidden)),
            }
        });
        Self {
            context: state.states.clone().narrow(1, 0, state.d_context),
            layers: layers.collect(),
            alignment: state.alignment.clone(),
        }
    }

    /// After `before`, of the same rows.
    fn packed(self, before: &SpellerState<B>) -> SpellerState<B> {
        let mut states = vec![self.context];
        states.extend(self.layers.iter().map(|layer| layer.hidden.clone()));
        let memory = self.layers.into_iter().filter_map(|layer| layer.memory);
        SpellerState {
            states: Tensor::cat(states, 1).detach(),
            memory: Tensor::cat(memory.collect(), 1).detach(),
            alignment: self.alignment.detach(),
            sources: before.sources.clone(),
            ..*before
        }
    }

    fn outputs(&self) -> Tensor<B, 2> {
        let top = self.layers.iter().map(|layer| layer.hidden.clone());
        Tensor::cat(
            top.last()
                .into_iter()
                .chain([self.context.clone()])
                .collect(),
            1,
        )
    }

    fn next(self, weights: &SpellerWeights<B>, attended: &Attended<B>, symbols: &[usize]) -> Self {
        let symbols = indices(symbols.iter().copied(), &self.context.device());
        let embedded = weights.embedding.clone().select(0, symbols); // [batch, d_embedding]
        let mut x = Tensor::cat(vec![embedded, self.context], 1);
        let layers = self
            .layers
            .into_iter()
            .zip(&weights.layers)
            .map(|(state, layer)| {
                let bias = |bias: &Tensor<B, 1>| Some(bias.clone());
                let input = linear(x.clone(), layer.input.clone(), bias(&layer.bias_input));
                let recurred = linear(
                    state.hidden.clone(),
                    layer.state.clone(),
                    bias(&layer.bias_state),
                );
                let state = state.step(input, recurred);
                x = state.hidden.clone(); // [batch, d_hidden]
                state
            })
            .collect();
        let query = match &weights.query {
            Some((weight, bias)) => linear(x, weight.clone(), Some(bias.clone())),
            None => x,
        }; // [batch, d_attention]
        let (context, alignment) = attend(weights, attended, query, self.alignment);
        Self {
            context,
            layers,
            alignment,
        }
    }
}

/// Context `[batch, d_context]` and alignment `[batch, heads, steps]` of a query `[batch,
/// d_attention]`, given the alignment before.
fn attend<B: Backend>(
    weights: &SpellerWeights<B>,
    attended: &Attended<B>,
    query: Tensor<B, 2>,
    before: Tensor<B, 3>,
) -> (Tensor<B, 2>, Tensor<B, 3>) {
    let [batch, steps, d_attention] = attended.keys.dims();
    let [_, _, d_context] = attended.values.dims();
    let heads = weights.num_heads;
    let [width, d_value] = [d_attention / heads, d_context / heads];
    let by_head = |x: &Tensor<B, 3>, width| -> Tensor<B, 4> {
        x.clone()
            .reshape([batch, steps, heads, width])
            .swap_dims(1, 2)
    };
    let keys = by_head(&attended.keys, width); // [batch, heads, steps, width]
    let hidden = |vector: &Tensor<B, 1>, sum: Tensor<B, 4>| {
        let vector = vector.clone().reshape([1, heads, 1, width]);
        (tanh(sum) * vector).sum_dim(3) // [batch, heads, steps, 1]
    };
    let scores = match &weights.score {
        Score::Dot => keys.matmul(query.reshape([batch, heads, width, 1])),
        Score::Additive { vector } => {
            hidden(vector, keys + query.reshape([batch, heads, 1, width]))
        }
        Score::Location {
            vector,
            filters,
            projection,
        } => {
            let [kernel, count] = filters.dims();
            let filters = filters.clone().reshape([kernel, 1, count]);
            let before = before.reshape([batch * heads, steps, 1]);
            let located = conv1d(before, filters, None, ConvOptions::same([kernel]));
            let located: Tensor<B, 4> = located.reshape([batch, heads, steps, count]);
            let projection: Tensor<B, 4> = projection
                .clone()
                .reshape([count, heads, width])
                .swap_dims(0, 1)
                .unsqueeze_dim::<4>(0)
                .expand([batch, heads, count, width]);
            let query = query.reshape([batch, heads, 1, width]);
            hidden(vector, keys + query + located.matmul(projection))
        }
    };
    let lengths = attended.lengths.iter();
    let lengths: Vec<usize> = lengths
        .flat_map(|&len| (0..heads).map(move |_| len))
        .collect();
    let weights = masked_softmax(scores.reshape([batch * heads, steps]), &lengths);
    let values = by_head(&attended.values, d_value); // [batch, heads, steps, d_value]
    let context = weights
        .clone()
        .reshape([batch, heads, 1, steps])
        .matmul(values);
    (
        context.reshape([batch, d_context]),
        weights.reshape([batch, heads, steps]),
    )
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::buffer;
    use crate::kernels::recurrent::Weights as LayerWeights;
    use crate::kernels::speller::{self as kernel, Attention, Kind, Prepared, Speller, Trace};
    use crate::ops::seam::{Array, Inputs, Operator, count_kernel, primitive};

    /// The layers that fit into the inputs of one operator; more are left to the portable
    /// expression.
    const MAX_LAYERS: usize = 4;
    /// Keys, values and embedding.
    const BEFORE_LAYERS: usize = 3;
    /// The weight of the query, its bias, and the score's vector, filters and projection.
    const AFTER_LAYERS: usize = 5;
    const INPUTS: usize = BEFORE_LAYERS + 4 * MAX_LAYERS + AFTER_LAYERS;

    type Arrays<B> = Inputs<B, INPUTS>;

    /// The operator: its sizes, and the rows it reads.
    #[derive(Debug, Clone)]
    struct Spell {
        sizes: Speller,
        has_query: bool,
        lengths: Vec<usize>,
    }

    impl Spell {
        fn new<B: Backend>(weights: &SpellerWeights<B>, attended: &Attended<B>) -> Self {
            let sizes = Sizes::of(weights, attended);
            Self {
                sizes: Speller {
                    symbols: sizes.symbols,
                    d_embedding: weights.embedding.dims()[1],
                    d_hidden: sizes.d_hidden,
                    num_layers: sizes.num_layers,
                    attention: Attention {
                        kind: match &weights.score {
                            Score::Dot => Kind::Dot,
                            Score::Additive { .. } => Kind::Additive,
                            Score::Location { filters, .. } => {
                                let [kernel, filters] = filters.dims();
                                Kind::Location { kernel, filters }
                            }
                        },
                        heads: sizes.num_heads,
                        d_attention: sizes.d_attention,
                        d_context: sizes.d_context,
                        steps: sizes.steps,
                    },
                },
                has_query: weights.query.is_some(),
                lengths: attended.lengths.clone(),
            }
        }

        /// Which of the inputs are there; the places of the others hold the first again.
        fn present(&self) -> [bool; INPUTS] {
            let after = BEFORE_LAYERS + 4 * self.sizes.num_layers;
            let score = match self.sizes.attention.kind {
                Kind::Dot => 0,
                Kind::Additive => 1,
                Kind::Location { .. } => 3,
            };
            std::array::from_fn(|index| match index {
                _ if index < after => true,
                _ if index < after + 2 => self.has_query,
                _ => index < after + 2 + score,
            })
        }

        fn inputs<B: Backend>(
            &self,
            weights: &SpellerWeights<B>,
            attended: &Attended<B>,
        ) -> Option<Arrays<B>> {
            if weights.layers.len() > MAX_LAYERS {
                return None;
            }
            let mut all = vec![
                primitive(&attended.keys),
                primitive(&attended.values),
                primitive(&weights.embedding),
            ];
            for layer in &weights.layers {
                all.extend([primitive(&layer.input), primitive(&layer.state)]);
                all.extend([primitive(&layer.bias_input), primitive(&layer.bias_state)]);
            }
            let none = primitive(&attended.keys);
            all.extend(match &weights.query {
                Some((weight, bias)) => [primitive(weight), primitive(bias)],
                None => [none.clone(), none.clone()],
            });
            match &weights.score {
                Score::Dot => {}
                Score::Additive { vector } => all.push(primitive(vector)),
                Score::Location {
                    vector,
                    filters,
                    projection,
                } => all.extend([primitive(vector), primitive(filters), primitive(projection)]),
            }
            all.resize(INPUTS, none);
            Inputs::recognise(all.try_into().ok()?)
        }

        fn weights<'a>(&self, values: [&'a [f32]; INPUTS]) -> kernel::Weights<'a, f32> {
            let present = self.present();
            let after = BEFORE_LAYERS + 4 * self.sizes.num_layers;
            let score = |index: usize| if present[index] { values[index] } else { &[] };
            kernel::Weights {
                embedding: values[2],
                layers: values[BEFORE_LAYERS..after]
                    .chunks_exact(4)
                    .map(|part| LayerWeights {
                        input: part[0],
                        state: part[1],
                        bias_input: part[2],
                        bias_state: part[3],
                    })
                    .collect(),
                query: self.has_query.then(|| [values[after], values[after + 1]]),
                score: kernel::Score {
                    vector: score(after + 2),
                    filters: score(after + 3),
                    projection: score(after + 4),
                },
            }
        }

        fn attended<'a>(&'a self, values: [&'a [f32]; INPUTS]) -> kernel::Attended<'a, f32> {
            kernel::Attended {
                keys: values[0],
                values: values[1],
                lengths: &self.lengths,
            }
        }
    }

    pub(super) fn spell<B: Backend>(
        weights: &SpellerWeights<B>,
        attended: &Attended<B>,
        inputs: &[Vec<usize>],
    ) -> Option<Tensor<B, 3>> {
        let operator = Spell::new(weights, attended);
        let arrays = operator.inputs(weights, attended)?;
        let sizes = &operator.sizes;
        // Only the symbols that are there have a row in the table.
        let mut symbols: Vec<usize> = inputs.iter().flatten().copied().collect();
        symbols.sort_unstable();
        symbols.dedup();
        let place = |symbol: &usize| symbols.binary_search(symbol).unwrap_or_default();
        let inputs: Vec<Vec<usize>> = inputs
            .iter()
            .map(|row| row.iter().map(place).collect())
            .collect();

        let values = arrays.values();
        let weights = operator.weights(values);
        let steps = inputs.iter().map(Vec::len).max().unwrap_or(0);
        let sources: Vec<usize> = (0..inputs.len()).collect();
        let mut trace = Trace::new(sizes, inputs.len(), steps, operator.has_query);
        let prepared = Prepared::new(sizes, &weights, &symbols);
        let attended = operator.attended(values);
        sizes.forward(&weights, &prepared, attended, &sources, &inputs, &mut trace);
        let outputs = sizes.outputs(&trace);
        let d_output = sizes.d_hidden + sizes.attention.d_context;
        let dims = [inputs.len(), steps, d_output];
        let trace = if arrays.is_tracked() {
            Some(trace)
        } else {
            trace.give();
            None
        };
        Some(arrays.finish(operator, outputs, dims, |arrays| {
            (arrays, symbols, inputs, trace)
        }))
    }

    impl Operator<INPUTS> for Spell {
        type Saved = (
            [Array; INPUTS],
            Vec<usize>,
            Vec<Vec<usize>>,
            Option<Trace<f32>>,
        );

        fn backward(
            self,
            (arrays, symbols, inputs, trace): Self::Saved,
            gradient: Array,
            wanted: [bool; INPUTS],
        ) -> [Option<Vec<f32>>; INPUTS] {
            let trace = trace.expect("kept wherever a gradient is tracked");
            let values = arrays.each_ref().map(Array::values);
            let found = self.sizes.backward(
                &self.weights(values),
                &symbols,
                self.attended(values),
                &inputs,
                trace,
                gradient.values(),
            );
            gradient.give();
            let mut all = vec![found.keys, found.values, found.embedding];
            for layer in found.layers {
                all.extend([layer.input, layer.state, layer.bias_input, layer.bias_state]);
            }
            all.extend(found.query.into_iter().flatten());
            all.extend(found.score);
            let mut all = all.into_iter();
            let present = self.present();
            std::array::from_fn(|index| {
                let found = if present[index] { all.next() } else { None };
                match found {
                    Some(unwanted) if !wanted[index] => {
                        buffer::give(unwanted);
                        None
                    }
                    found => found,
                }
            })
        }
    }

    /// A decoder whose weights are laid out for its steps.
    pub(super) struct Ready<B: Backend> {
        operator: Spell,
        arrays: Arrays<B>,
        prepared: Prepared<f32>,
    }

    impl<B: Backend> Ready<B> {
        pub(super) fn new(weights: &SpellerWeights<B>, attended: &Attended<B>) -> Option<Self> {
            let operator = Spell::new(weights, attended);
            let arrays = operator.inputs(weights, attended)?;
            let symbols: Vec<usize> = (0..operator.sizes.symbols).collect();
            let prepared = {
                let weights = operator.weights(arrays.values());
                Prepared::new(&operator.sizes, &weights, &symbols)
            };
            Some(Self {
                operator,
                arrays,
                prepared,
            })
        }

        pub(super) fn step(&self, state: &SpellerState<B>, symbols: &[usize]) -> SpellerState<B> {
            count_kernel();
            let sizes = &self.operator.sizes;
            let values = self.arrays.values();
            let rows = symbols.len();
            let mut trace = Trace::new(sizes, rows, 1, self.operator.has_query);
            load(&state.states, &mut trace.states, sizes.line());
            load(&state.memory, &mut trace.memory, sizes.memory_line());
            load(&state.alignment, &mut trace.weights, sizes.weights_line());
            sizes.forward(
                &self.operator.weights(values),
                &self.prepared,
                self.operator.attended(values),
                &state.sources,
                &symbols
                    .iter()
                    .map(|&symbol| vec![symbol])
                    .collect::<Vec<_>>(),
                &mut trace,
            );
            let next = SpellerState {
                states: store(&state.states, &trace.states, sizes.line()),
                memory: store(&state.memory, &trace.memory, sizes.memory_line()),
                alignment: store(&state.alignment, &trace.weights, sizes.weights_line()),
                sources: state.sources.clone(),
                ..*state
            };
            trace.give();
            next
        }
    }

    /// Copies the rows of a tensor to the first of each two lines.
    fn load<B: Backend, const D: usize>(from: &Tensor<B, D>, to: &mut [f32], line: usize) {
        let values: Vec<f32> = from.to_data().iter().collect();
        let lines = to.chunks_exact_mut(2 * line);
        for (to, from) in lines.zip(values.chunks_exact(line)) {
            to[..line].copy_from_slice(from);
        }
    }

    /// The second of each two lines, as a tensor of the same shape as the one before.
    fn store<B: Backend, const D: usize>(
        before: &Tensor<B, D>,
        from: &[f32],
        line: usize,
    ) -> Tensor<B, D> {
        let lines = from.chunks_exact(2 * line);
        let values: Vec<f32> = lines
            .flat_map(|lines| lines[line..].iter().copied())
            .collect();
        Tensor::from_data(TensorData::new(values, before.dims()), &before.device())
    }
}
