//! Greedy search: the likeliest symbol at each step.

use burn::tensor::backend::Backend;

use super::attend_and_spell::Spelling;
use super::config::SENTENCE_END;

/// When a transcript ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecodeOptions {
    /// The end is taken where it is the likeliest symbol, and also where its probability exceeds
    /// this.
    pub end_threshold: f64,
    /// The most symbols for each of the listener's steps; the product is rounded up.
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

/// A transcript that a speller wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpelledTranscript {
    /// The symbols, without the end.
    pub symbols: Vec<usize>,
    /// Attention weights of the row's valid steps of the listener at each symbol, the mean over the
    /// heads: `[symbols][steps]`. Each row adds up to one.
    pub alignment: Vec<Vec<f32>>,
    /// Log-probability of the symbols and, where it was reached, of the end, in nats.
    pub score: f64,
    /// Whether the end was reached before the largest length.
    pub ended: bool,
}

impl<B: Backend> Spelling<B> {
    /// The transcript of each row by greedy search: always the likeliest symbol. `lengths` are the
    /// valid steps of the rows that were listened to,
    /// [`Listened::lengths`](super::Listened::lengths).
    pub fn greedy(&self, lengths: &[usize], options: DecodeOptions) -> Vec<SpelledTranscript> {
        let longest = |steps: usize| (options.max_symbols_per_step * steps as f64).ceil() as usize;
        let mut found = vec![SpelledTranscript::default(); lengths.len()];
        let mut rows: Vec<usize> = (0..found.len()).collect();
        let mut state = self.start(&rows);
        let mut symbols = vec![SENTENCE_END; rows.len()];
        while !rows.is_empty() {
            let step = self.step(&state, &symbols);
            let [_, count] = step.log_probs.dims();
            let log_probs: Vec<f32> = step.log_probs.into_data().iter().collect();
            let mut weights = step.state.weights(lengths);
            let mut going = Vec::with_capacity(rows.len());
            symbols.clear();
            for (index, log_probs) in log_probs.chunks(count).enumerate() {
                let row = rows[index];
                let transcript = &mut found[row];
                let best = likeliest(log_probs);
                let end = f64::from(log_probs[SENTENCE_END]);
                if best == SENTENCE_END || end.exp() > options.end_threshold {
                    transcript.score += end;
                    transcript.ended = true;
                    continue;
                }
                if transcript.symbols.len() == longest(lengths[row]) {
                    continue;
                }
                transcript.symbols.push(best);
                transcript
                    .alignment
                    .push(std::mem::take(&mut weights[index]));
                transcript.score += f64::from(log_probs[best]);
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
