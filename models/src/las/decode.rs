use burn::tensor::{Tensor, backend::Backend};

use super::{Las, Listened, SENTENCE_END};

/// When a transcript ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecodeOptions {
    /// The end is taken where it is the likeliest symbol, and also where its probability exceeds
    /// this.
    pub end_threshold: f64,
    /// At the most so many symbols for each of the listener's steps, rounded up.
    pub max_symbols_per_step: f64,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            end_threshold: 0.5,
            max_symbols_per_step: 3.0,
        }
    }
}

/// A transcript that was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hypothesis {
    /// Without the end.
    pub symbols: Vec<usize>,
    /// For each symbol how much it rests on each of the row's valid steps of the listener, the mean
    /// over the heads: `[symbols][steps]`, each row adding up to one.
    pub alignment: Vec<Vec<f32>>,
    /// Log-probability of the symbols and, where it was reached, of the end, in nats.
    pub score: f64,
    /// Whether it ended by itself, and not for its length.
    pub ended: bool,
}

impl<B: Backend> Las<B> {
    /// The transcript of each row, greedily: always the likeliest symbol.
    ///
    /// # Panics
    /// As [`Self::encode`].
    pub fn transcribe(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        options: DecodeOptions,
    ) -> Vec<Hypothesis> {
        self.spell(&self.encode(features, lengths), options)
    }

    /// The transcript of each row of what was listened to, greedily: always the likeliest symbol.
    pub fn spell(&self, listened: &Listened<B>, options: DecodeOptions) -> Vec<Hypothesis> {
        let spelling = self.spelling(listened);
        let longest = |steps: usize| (options.max_symbols_per_step * steps as f64).ceil() as usize;
        let mut found = vec![Hypothesis::default(); listened.lengths.len()];
        let mut rows: Vec<usize> = (0..found.len()).collect();
        let mut state = spelling.start(&rows);
        let mut symbols = vec![SENTENCE_END; rows.len()];
        while !rows.is_empty() {
            let step = spelling.step(&state, &symbols);
            let [_, count] = step.log_probs.dims();
            let log_probs: Vec<f32> = step.log_probs.into_data().iter().collect();
            let mut weights = step.state.weights(&listened.lengths);
            let mut going = Vec::with_capacity(rows.len());
            symbols.clear();
            for (index, log_probs) in log_probs.chunks(count).enumerate() {
                let row = rows[index];
                let hypothesis = &mut found[row];
                let best = likeliest(log_probs);
                let end = f64::from(log_probs[SENTENCE_END]);
                if best == SENTENCE_END || end.exp() > options.end_threshold {
                    hypothesis.score += end;
                    hypothesis.ended = true;
                    continue;
                }
                if hypothesis.symbols.len() == longest(listened.lengths[row]) {
                    continue;
                }
                hypothesis.symbols.push(best);
                hypothesis
                    .alignment
                    .push(std::mem::take(&mut weights[index]));
                hypothesis.score += f64::from(log_probs[best]);
                going.push(index);
                symbols.push(best);
            }
            state = if going.len() == rows.len() || going.is_empty() {
                step.state
            } else {
                step.state.select(&going)
            };
            rows = going.into_iter().map(|index| rows[index]).collect();
        }
        found
    }
}

/// The first of the largest values.
fn likeliest(log_probs: &[f32]) -> usize {
    let mut best = 0;
    for (symbol, value) in log_probs.iter().enumerate() {
        if *value > log_probs[best] {
            best = symbol;
        }
    }
    best
}
