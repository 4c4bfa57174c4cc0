//! Greedy decoding of connectionist temporal classification ([Graves et al.
//! 2006](https://www.cs.toronto.edu/~graves/icml_2006.pdf)): the best path.

use serde::Serialize;
use sori_datasets::Alphabet;
use sori_models::loss::BLANK;

/// A symbol of a transcript and its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The index of the symbol in the alphabet, counted from 1.
    pub index: usize,
    /// The first step.
    pub start: usize,
    /// The step after the last.
    pub end: usize,
}

/// A word of a transcript and its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Word {
    /// The word.
    pub word: String,
    /// The start of its first symbol, in seconds.
    pub start_s: f64,
    /// The end of its last symbol, in seconds.
    pub end_s: f64,
}

/// Collapses a path of one symbol per step: merges repetitions, then removes blanks.
pub fn greedy(path: &[usize]) -> Vec<Symbol> {
    let mut found = Greedy::default();
    path.iter().for_each(|&symbol| found.push(symbol));
    found.symbols
}

/// [`greedy`] decoding of a path whose steps arrive one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Greedy {
    symbols: Vec<Symbol>,
    /// The symbol of the last step, or the blank before the first step.
    last: usize,
    steps: usize,
}

impl Greedy {
    /// Takes the symbol of the next step.
    pub fn push(&mut self, symbol: usize) {
        let start = self.steps;
        self.steps += 1;
        let repeated = symbol == self.last;
        self.last = symbol;
        if symbol == BLANK {
            return;
        }
        match self.symbols.last_mut().filter(|_| repeated) {
            Some(open) => open.end = self.steps,
            None => self.symbols.push(Symbol {
                index: symbol,
                start,
                end: self.steps,
            }),
        }
    }

    /// The transcript of the steps so far.
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }
}

/// The words of `symbols` and their times, where a step takes `step_s` seconds and the recording
/// `duration_s`. The times are rough,
/// because CTC training fixes the order of the symbols but not the step of a sound that emits its
/// symbol.
///
/// # Panics
/// If a symbol is not in the alphabet.
pub fn words(symbols: &[Symbol], alphabet: &Alphabet, step_s: f64, duration_s: f64) -> Vec<Word> {
    let is_space = |symbol: &Symbol| alphabet.symbol(symbol.index) == Some(' ');
    symbols
        .split(is_space)
        .filter_map(|symbols| {
            let indices: Vec<usize> = symbols.iter().map(|symbol| symbol.index).collect();
            Some(Word {
                word: alphabet.decode(&indices),
                start_s: (symbols.first()?.start as f64 * step_s).min(duration_s),
                end_s: (symbols.last()?.end as f64 * step_s).min(duration_s),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sori_datasets::{AlphabetKind, Normalization};

    fn indices(path: &[usize]) -> Vec<usize> {
        greedy(path).iter().map(|symbol| symbol.index).collect()
    }

    #[test]
    fn repetitions_collapse_unless_a_blank_parts_them() {
        assert_eq!(indices(&[0, 1, 1, 0, 1, 2, 2, 0]), [1, 1, 2]);
        assert_eq!(indices(&[0, 0]), [0; 0]);
        assert_eq!(indices(&[]), [0; 0]);
    }

    #[test]
    fn symbols_have_the_steps_that_say_them() {
        let symbol = |index, start, end| Symbol { index, start, end };
        let found = greedy(&[0, 1, 1, 0, 1, 2]);
        assert_eq!(found, [symbol(1, 1, 3), symbol(1, 4, 5), symbol(2, 5, 6)]);
    }

    #[test]
    fn words_have_the_times_of_their_ends() {
        let kind = AlphabetKind::Characters;
        let alphabet = Alphabet::build(kind, Normalization::default(), ["ab c"]).unwrap();
        let code = |text: &str| alphabet.encode(text).unwrap()[0];
        let space = alphabet.encode("a b").unwrap()[1];
        let path = [0, code("a"), code("a"), 0, code("b"), space, 0, code("c")];
        let found = words(&greedy(&path), &alphabet, 0.5, 3.9);
        let word = |word: &str, start_s, end_s| Word {
            word: word.to_string(),
            start_s,
            end_s,
        };
        // The last step goes beyond the end of the recording.
        assert_eq!(found, [word("ab", 0.5, 2.5), word("c", 3.5, 3.9)]);
    }

    proptest! {
        #[test]
        fn a_transcript_is_read_from_any_path_that_spells_it(
            labels in proptest::collection::vec((1usize..5, 1usize..4, 0usize..3), 0..12),
        ) {
            let mut path = Vec::new();
            for (at, &(label, times, blanks)) in labels.iter().enumerate() {
                let repeats = at > 0 && labels[at - 1].0 == label;
                path.extend(std::iter::repeat_n(BLANK, blanks + usize::from(repeats)));
                path.extend(std::iter::repeat_n(label, times));
            }
            let expected: Vec<usize> = labels.iter().map(|&(label, ..)| label).collect();
            prop_assert_eq!(indices(&path), expected);
        }
    }
}
