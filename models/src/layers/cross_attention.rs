//! Attention of a decoder to a sequence of states.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::{Init, Linear};
use crate::config::{ConfigError, check_odd, check_size};
use crate::onnx::{OnnxGraph, OnnxValue, Time};
use crate::ops::{self, Activation, Attended, ConvOptions, Score};

/// The score of a key `k`, given a query `q`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// `q · k`, without a scale ([Luong et al. 2015](https://arxiv.org/abs/1508.04025)).
    Dot,
    /// `v · tanh(q + k)` ([Bahdanau et al. 2014](https://arxiv.org/abs/1409.0473)).
    Additive,
    /// `v · tanh(q + k + U f)` with `f = F ∗ α` a convolution of the weights of the step before, which
    /// tell attention its last location ([Chorowski et al.
    /// 2015](https://arxiv.org/abs/1506.07503)). Before the first step these are zero.
    Location,
}

/// Attention of a decoder's states, one at a time, to a sequence of other states.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossAttentionConfig {
    /// Features of a decoder's state.
    pub d_query: usize,
    /// Features of a state that is attended to.
    pub d_states: usize,
    /// The score of a key, given a query.
    pub kind: AttentionKind,
    /// Heads, each with weights of its own.
    pub num_heads: usize,
    /// Features of query and key, of all heads together; with 0 the states themselves are compared,
    /// which requires a single head, the dot product and states of the same size.
    pub d_attention: usize,
    /// Steps that the convolution of [`AttentionKind::Location`] spans.
    pub location_kernel: usize,
    /// Features of that convolution.
    pub location_filters: usize,
}

impl CrossAttentionConfig {
    /// Checks every field but the sizes of the states.
    ///
    /// # Errors
    /// Names the first field that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_size("num_heads", self.num_heads)?;
        check_odd("location_kernel", self.location_kernel)?;
        check_size("location_filters", self.location_filters)?;
        let heads = self.num_heads;
        let d_attention = self.d_attention;
        if d_attention == 0 {
            let alike = self.d_query == self.d_states;
            if alike && heads == 1 && self.kind == AttentionKind::Dot {
                return Ok(());
            }
            let expected = format!(
                "above 0: only the dot product with one head compares the states themselves, and only \
                 states of the same size (here {} and {})",
                self.d_query, self.d_states
            );
            return Err(ConfigError::field("d_attention", d_attention, expected));
        }
        check_size("d_attention", d_attention)?;
        if !(d_attention.is_multiple_of(heads) && self.d_states.is_multiple_of(heads)) {
            let expected = format!(
                "a divisor of {d_attention} and {}, the features that the heads share",
                self.d_states
            );
            return Err(ConfigError::field("num_heads", heads, expected));
        }
        Ok(())
    }

    /// A layer with random weights; all start as those of PyTorch's linear layers do.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<CrossAttention<B>, ConfigError> {
        self.check()?;
        let matrix = |dims: [usize; 2]| Init::Default.weight(dims[0], dims[1]).init(dims, device);
        let d_attention = (self.d_attention > 0).then_some(self.d_attention);
        let located = d_attention.filter(|_| self.kind == AttentionKind::Location);
        let [kernel, filters] = [self.location_kernel, self.location_filters];
        let vector = |size: usize| -> Initializer { Init::Default.weight(size, 1) };
        Ok(CrossAttention {
            query: d_attention.map(|size| Linear::new(self.d_query, size, device)),
            key: d_attention.map(|size| matrix([self.d_states, size])),
            value: (self.num_heads > 1).then(|| matrix([self.d_states; 2])),
            vector: d_attention
                .filter(|_| self.kind != AttentionKind::Dot)
                .map(|size| vector(size / self.num_heads).init([size], device)),
            filters: located.map(|_| matrix([kernel, filters])),
            projection: located.map(|size| matrix([filters, size])),
            num_heads: self.num_heads,
        })
    }
}

/// Attention to a sequence of states. See [`AttentionKind`] for its scores; the softmax of a query's
/// scores over the valid steps weighs the values, whose sum is the context.
///
/// The query is `W s + b`, a key `V h`, and a value the state `h` itself. With several heads
/// ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)) each has a part of the features of
/// query, key and value, and a value is `Z h`.
#[derive(Module, Debug)]
pub struct CrossAttention<B: Backend> {
    /// `W` and `b`, `[d_query, d_attention]`; none where the states themselves are compared.
    pub query: Option<Linear<B>>,
    /// `V`, `[d_states, d_attention]`; none where the states themselves are compared.
    pub key: Option<Param<Tensor<B, 2>>>,
    /// `Z`, `[d_states, d_states]`, with several heads.
    pub value: Option<Param<Tensor<B, 2>>>,
    /// `v`, `[d_attention]`, except with the dot product.
    pub vector: Option<Param<Tensor<B, 1>>>,
    /// `F`, `[kernel, filters]`, with location.
    pub filters: Option<Param<Tensor<B, 2>>>,
    /// `U`, `[filters, d_attention]`, with location.
    pub projection: Option<Param<Tensor<B, 2>>>,
    /// Heads, each with weights of its own.
    pub num_heads: usize,
}

impl<B: Backend> CrossAttention<B> {
    /// Keys and values of states `[batch, steps, d_states]`, finite past `lengths`.
    pub fn attended(&self, states: Tensor<B, 3>, lengths: &[usize]) -> Attended<B> {
        let project = |matrix: &Option<Param<Tensor<B, 2>>>| match matrix {
            Some(matrix) => ops::linear(states.clone(), matrix.val(), None),
            None => states.clone(),
        };
        Attended {
            keys: project(&self.key),
            values: project(&self.value),
            lengths: lengths.to_vec(),
        }
    }

    /// From a decoder's state to the query, for [`ops::SpellerWeights`].
    pub(crate) fn query_weights(&self) -> Option<(Tensor<B, 2>, Tensor<B, 1>)> {
        let query = self.query.as_ref();
        query.map(|query| (query.weight.val(), query.bias.val()))
    }

    /// The parameters of the score, for [`ops::SpellerWeights`].
    pub(crate) fn score(&self) -> Score<B> {
        match (&self.vector, &self.filters, &self.projection) {
            (Some(vector), Some(filters), Some(projection)) => Score::Location {
                vector: vector.val(),
                filters: filters.val(),
                projection: projection.val(),
            },
            (Some(vector), _, _) => Score::Additive {
                vector: vector.val(),
            },
            (None, _, _) => Score::Dot,
        }
    }

    /// The context `[batch, d_states]` and the weights `[batch, heads, steps]` of a decoder's state `[batch,
    /// d_query]` in ONNX, from keys and values `[batch, steps, …]` and the weights of the step before.
    pub fn onnx(
        &self,
        graph: &mut OnnxGraph,
        state: OnnxValue,
        [keys, values]: [OnnxValue; 2],
        time: Time,
        before: OnnxValue,
    ) -> (OnnxValue, OnnxValue) {
        let heads = self.num_heads as i64;
        let query = match &self.query {
            Some(query) => query.onnx(graph, state),
            None => state,
        };
        let query = graph.reshape(query, &[0, heads, 1, -1]); // [batch, heads, 1, width]
        let [keys, values] = [keys, values].map(|x| {
            let x = graph.reshape(x, &[0, 0, heads, -1]);
            graph.transpose(x, &[0, 2, 1, 3]) // [batch, heads, steps, width]
        });
        let scores = match self.score() {
            Score::Dot => {
                let query = graph.transpose(query, &[0, 1, 3, 2]);
                let scores = graph.matmul(keys, query);
                graph.squeeze(scores, 3)
            }
            Score::Additive { vector } => {
                let sum = graph.add(keys, query);
                self.onnx_hidden(graph, sum, vector)
            }
            Score::Location {
                vector,
                filters,
                projection,
            } => {
                let [kernel, count] = filters.dims();
                let [_, d_attention] = projection.dims();
                let width = d_attention / self.num_heads;
                let projection = projection.reshape([count, self.num_heads, width]);
                let projection = graph.tensor(projection.swap_dims(0, 1)); // [heads, filters, width]
                let filters = filters.reshape([kernel, 1, count]);
                let options = ConvOptions::same([kernel]);
                let lines = graph.transpose(before, &[0, 2, 1]); // [batch, steps, heads]
                let each = (0..heads).map(|head| {
                    let line = graph.slice(lines, 2, head, head + 1); // [batch, steps, 1]
                    let located = graph.conv1d(line, filters.clone(), None, options);
                    graph.unsqueeze(located, &[1]) // [batch, 1, steps, filters]
                });
                let each: Vec<OnnxValue> = each.collect();
                let located = graph.concat(&each, 1); // [batch, heads, steps, filters]
                let located = graph.matmul(located, projection); // [batch, heads, steps, width]
                let sum = graph.add(keys, query);
                let sum = graph.add(sum, located);
                self.onnx_hidden(graph, sum, vector)
            }
        }; // [batch, heads, steps]
        let valid = time.valid(graph);
        let valid = graph.unsqueeze(valid, &[1]);
        let least = graph.number(f64::NEG_INFINITY);
        let scores = graph.choose(valid, scores, least);
        let weights = graph.softmax(scores); // [batch, heads, steps]
        let rows = graph.unsqueeze(weights, &[2]);
        let context = graph.matmul(rows, values); // [batch, heads, 1, d_value]
        (graph.reshape(context, &[0, -1]), weights)
    }

    /// `v · tanh(sum)` of each head in ONNX: `[batch, heads, steps, width]` to `[batch, heads, steps]`.
    fn onnx_hidden(
        &self,
        graph: &mut OnnxGraph,
        sum: OnnxValue,
        vector: Tensor<B, 1>,
    ) -> OnnxValue {
        let width = vector.dims()[0] / self.num_heads;
        let vector = graph.tensor(vector.reshape([1, self.num_heads, 1, width]));
        let hidden = graph.activate(sum, Activation::Tanh);
        let products = graph.mul(hidden, vector);
        graph.sum(products, 3)
    }
}
