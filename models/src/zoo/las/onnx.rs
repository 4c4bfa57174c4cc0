//! The speller in ONNX: what it attends to, and one of its steps.

use burn::tensor::backend::Backend;

use super::attend_and_spell::AttendAndSpell;
use crate::layers::Direction;
use crate::onnx::{Axis, Element, OnnxGraph, OnnxValue, Padded, Time};

const BATCH: Axis = Axis::Named("batch");
const STEPS: Axis = Axis::Named("steps");

impl<B: Backend> AttendAndSpell<B> {
    /// Features of a key, and of a value.
    fn sizes(&self) -> [usize; 2] {
        let [d_hidden, _] = self.layers[0].weight_state.dims();
        let [d_output, _] = self.output.weight.dims();
        let query = self.attention.query.as_ref();
        let d_attention = query.map_or(d_hidden, |query| query.weight.dims()[1]);
        [d_attention, d_output - d_hidden]
    }

    /// Outputs the keys and values of the listener's states, and the valid steps of each row.
    pub(super) fn onnx_attended(&self, graph: &mut OnnxGraph, states: Padded) {
        let attention = &self.attention;
        let [keys, values] = [&attention.key, &attention.value].map(|matrix| match matrix {
            Some(matrix) => {
                let matrix = graph.tensor(matrix.val());
                graph.matmul(states.values, matrix)
            }
            None => states.values,
        });
        let [d_attention, d_context] = self.sizes().map(Axis::Fixed);
        graph.output("keys", keys, Element::Float, &[BATCH, STEPS, d_attention]);
        graph.output("values", values, Element::Float, &[BATCH, STEPS, d_context]);
        graph.output("steps", states.time.lengths, Element::Integer, &[BATCH]);
    }

    /// One step of a [`Spelling`](super::Spelling). Before the first symbol, which is
    /// [`SENTENCE_END`](super::SENTENCE_END), all of the state is zero.
    pub(super) fn onnx_step(&self, graph: &mut OnnxGraph) {
        let [symbols, _] = self.embedding.dims();
        let [d_hidden, _] = self.layers[0].weight_state.dims();
        let [d_attention, d_context] = self.sizes().map(Axis::Fixed);
        let layers = [Axis::Fixed(self.layers.len()), BATCH, Axis::Fixed(d_hidden)];
        let heads = [BATCH, Axis::Fixed(self.attention.num_heads), STEPS];
        let float = Element::Float;

        let keys = graph.input("keys", float, &[BATCH, STEPS, d_attention]);
        let values = graph.input("values", float, &[BATCH, STEPS, d_context]);
        let lengths = graph.input("steps", Element::Integer, &[BATCH]);
        let symbol = graph.input("symbols", Element::Integer, &[BATCH]);
        let context = graph.input("context", float, &[BATCH, d_context]);
        let hidden = graph.input("hidden", float, &layers);
        let memory = graph.input("memory", float, &layers);
        let alignment = graph.input("alignment", float, &heads);

        let embedding = graph.tensor(self.embedding.val());
        let embedded = graph.node("Gather", &[embedding, symbol], &[]); // [batch, d_embedding]
        let mut x = graph.concat(&[embedded, context], 1);
        let mut after = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().map(Direction::weights).enumerate() {
            let index = index as i64;
            let before = [hidden, memory].map(|it| graph.slice(it, 0, index, index + 1));
            let state = graph.lstm_step(x, layer, before); // each [1, batch, d_hidden]
            x = graph.squeeze(state[0], 0); // [batch, d_hidden]
            after.push(state);
        }
        let [hidden, memory] = [0, 1].map(|part| {
            let parts: Vec<OnnxValue> = after.iter().map(|state| state[part]).collect();
            graph.concat(&parts, 0)
        });
        let frames = graph.size(keys, 1);
        let time = Time { lengths, frames };
        let (context, alignment) = self
            .attention
            .onnx(graph, x, [keys, values], time, alignment);
        let outputs = graph.concat(&[x, context], 1); // [batch, d_hidden + d_context]
        let logits = self.output.onnx(graph, outputs);
        let log_probs = graph.log_softmax(logits);

        graph.output(
            "log_probs",
            log_probs,
            float,
            &[BATCH, Axis::Fixed(symbols)],
        );
        graph.output("next_context", context, float, &[BATCH, d_context]);
        graph.output("next_hidden", hidden, float, &layers);
        graph.output("next_memory", memory, float, &layers);
        graph.output("next_alignment", alignment, float, &heads);
    }
}
