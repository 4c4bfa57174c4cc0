//! The speller: from states to symbols.

use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Tensor, backend::Backend};

use super::config::{LasConfig, SENTENCE_END};
use super::listener::Listened;
use crate::layers::{Cell, CrossAttention, Direction, Dropout, Linear};
use crate::ops::{self, SpellerState, SpellerSteps, SpellerWeights};

/// LSTM layers over the symbols and contexts so far, attention, and the next symbol's layer.
#[derive(Module, Debug)]
pub struct AttendAndSpell<B: Backend> {
    /// The embedding of each symbol, `[symbols, d_embedding]`; initially normal, as in PyTorch.
    pub embedding: Param<Tensor<B, 2>>,
    /// From the one that reads `[embedding; context]` upwards.
    pub layers: Vec<Direction<B>>,
    /// From the topmost state to the context.
    pub attention: CrossAttention<B>,
    /// Acts on state and context before the last layer.
    pub dropout: Dropout,
    /// From `[state; context]` to the symbols.
    pub output: Linear<B>,
}

/// Scheduled sampling ([Bengio et al. 2015](https://arxiv.org/abs/1506.03099)): at a given rate the
/// speller reads a symbol drawn from its own last distribution instead of the transcript's, so that
/// it learns to continue after its mistakes.
///
/// The symbols are drawn in a pass of their own, without dropout; no gradient flows through them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sampling {
    /// Probability with which a symbol is the speller's own; 0.1 in Chan et al. With zero the
    /// first pass is left out.
    pub rate: f64,
    /// The same seed draws the same symbols.
    pub seed: u64,
}

/// The speller over the listener's states, advanced one symbol at a time. No gradient flows through it.
pub struct Spelling<B: Backend> {
    steps: SpellerSteps<B>,
    output: Linear<B>,
}

/// The result of one step of a [`Spelling`].
#[derive(Debug, Clone)]
pub struct SpellingStep<B: Backend> {
    /// Log-probabilities of the next symbol, in nats: `[rows, symbols]`.
    pub log_probs: Tensor<B, 2>,
    /// The state to continue from; it has the alignment of this step.
    pub state: SpellerState<B>,
}

impl<B: Backend> AttendAndSpell<B> {
    pub(super) fn new(
        config: &LasConfig,
        attention: CrossAttention<B>,
        device: &B::Device,
    ) -> Self {
        let d_context = 2 * config.d_listener;
        let d_hidden = config.d_speller;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        let layer = |index| {
            let d_input = match index {
                0 => config.d_embedding + d_context,
                _ => d_hidden,
            };
            Direction::new(Cell::Lstm, d_input, d_hidden, device)
        };
        Self {
            embedding: normal.init([config.num_symbols, config.d_embedding], device),
            layers: (0..config.num_speller_layers).map(layer).collect(),
            attention,
            dropout: Dropout::new(config.dropout),
            output: Linear::new(d_hidden + d_context, config.num_symbols, device),
        }
    }

    /// The logits of every symbol of the transcripts and of their ends, `[batch, longest + 1,
    /// symbols]`, where each is read after the one before, or a guess in its place.
    ///
    /// # Panics
    /// If there is not one transcript for each row, or one has a symbol that is not in
    /// `1..symbols`.
    pub fn forward(
        &self,
        listened: &Listened<B>,
        transcripts: &[Vec<usize>],
        sampling: Sampling,
    ) -> Tensor<B, 3> {
        let [symbols, _] = self.embedding.dims();
        let batch = listened.lengths.len();
        assert_eq!(transcripts.len(), batch, "one transcript for each row");
        for (row, symbol) in transcripts
            .iter()
            .enumerate()
            .flat_map(|(row, transcript)| transcript.iter().map(move |symbol| (row, *symbol)))
        {
            assert!(
                (1..symbols).contains(&symbol),
                "transcript {row} has symbol {symbol}, but symbols are 1 to {}",
                symbols - 1
            );
        }
        let inputs = if sampling.rate > 0.0 {
            self.sampled(listened, transcripts, sampling)
        } else {
            let read = |row: &Vec<usize>| [SENTENCE_END].iter().chain(row).copied().collect();
            transcripts.iter().map(read).collect()
        };
        let attended = self
            .attention
            .attended(listened.states.clone(), &listened.lengths);
        let x = ops::spell(&self.weights(), &attended, &inputs); // [batch, longest + 1, d_speller + d_context]
        self.output.forward(self.dropout.forward(x)) // [batch, longest + 1, symbols]
    }

    /// The start of a sentence and the transcripts, with some symbols replaced.
    fn sampled(
        &self,
        listened: &Listened<B>,
        transcripts: &[Vec<usize>],
        sampling: Sampling,
    ) -> Vec<Vec<usize>> {
        let longest = transcripts.iter().map(Vec::len).max().unwrap_or(0);
        let mut draws = Draws(sampling.seed);
        let mut inputs = vec![vec![SENTENCE_END]; transcripts.len()];
        let spelling = self.spelling(listened);
        let rows: Vec<usize> = (0..transcripts.len()).collect();
        let mut state = spelling.start(&rows);
        for index in 0..longest {
            // Rows that have ended go on with anything.
            let last = |row: &Vec<usize>| row.get(index).copied().unwrap_or(SENTENCE_END);
            let symbols: Vec<usize> = inputs.iter().map(last).collect();
            state = spelling.steps.step(&state, &symbols);
            let probs = softmax(spelling.output.forward(state.outputs()), 1); // [batch, symbols]
            let [_, count] = probs.dims();
            let probs: Vec<f32> = probs.into_data().iter().collect();
            for ((inputs, transcript), probs) in
                inputs.iter_mut().zip(transcripts).zip(probs.chunks(count))
            {
                let [own, which] = [draws.next(), draws.next()];
                let Some(&symbol) = transcript.get(index) else {
                    continue;
                };
                inputs.push(if own < sampling.rate {
                    pick(probs, which)
                } else {
                    symbol
                });
            }
        }
        inputs
    }

    fn weights(&self) -> SpellerWeights<B> {
        SpellerWeights {
            embedding: self.embedding.val(),
            layers: self.layers.iter().map(Direction::weights).collect(),
            query: self.attention.query_weights(),
            score: self.attention.score(),
            num_heads: self.attention.num_heads,
        }
    }

    pub(super) fn spelling(&self, listened: &Listened<B>) -> Spelling<B> {
        let attended = self
            .attention
            .attended(listened.states.clone(), &listened.lengths);
        Spelling {
            steps: SpellerSteps::new(self.weights(), attended),
            output: self.output.clone(),
        }
    }
}

impl<B: Backend> Spelling<B> {
    /// The state before the start of the sentence ([`SENTENCE_END`] is the first symbol to read), for
    /// rows that each attend to one row of the listener.
    ///
    /// # Panics
    /// If a source is not such a row.
    pub fn start(&self, sources: &[usize]) -> SpellerState<B> {
        self.steps.start(sources)
    }

    /// Reads one symbol in each row. A search selects the rows of a state to continue with
    /// [`SpellerState::select`].
    ///
    /// # Panics
    /// If there is not one symbol for each row, or one is not known.
    pub fn step(&self, state: &SpellerState<B>, symbols: &[usize]) -> SpellingStep<B> {
        let state = self.steps.step(state, symbols);
        let logits = self.output.forward(state.outputs()); // [rows, symbols]
        SpellingStep {
            log_probs: log_softmax(logits.detach(), 1),
            state,
        }
    }
}

/// The symbol at which the probabilities added up reach `draw`, from 0 to 1.
fn pick(probs: &[f32], draw: f64) -> usize {
    let mut sum = 0.0;
    let reached = probs.iter().position(|&p| {
        sum += f64::from(p);
        draw < sum
    });
    reached.unwrap_or(probs.len() - 1)
}

/// Numbers from 0 to 1 by SplitMix64 ([Steele et al. 2014](https://doi.org/10.1145/2714064.2660195)).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_drawn_as_often_as_their_probabilities_say() {
        let probs = [0.1f32, 0.0, 0.6, 0.3];
        let mut draws = Draws(3);
        let mut counts = [0; 4];
        for _ in 0..10_000 {
            counts[pick(&probs, draws.next())] += 1;
        }
        for (count, p) in counts.into_iter().zip(probs) {
            // Three deviations of a binomial share of 10,000.
            assert!(
                (f64::from(count) / 1e4 - f64::from(p)).abs() < 0.015,
                "{counts:?}"
            );
        }
        assert_eq!(counts[1], 0);
        assert_eq!(pick(&[0.5, 0.4], 0.99), 1, "rounding leaves the last");
    }
}
