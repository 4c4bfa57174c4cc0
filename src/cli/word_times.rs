//! The times of words, below a transcript.

use crate::decode::Word;

/// A line for each word and its time.
pub(super) fn times_of(words: &[Word]) -> String {
    let line = |word: &Word| {
        format!(
            "\n  {:>8.2} – {:>8.2} s  {}",
            word.start_s, word.end_s, word.word
        )
    };
    words.iter().map(line).collect()
}
