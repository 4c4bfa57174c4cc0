//! Running indices in the names of files: `001`, `take3`, `B`.

use std::collections::BTreeMap;

/// Words in front of numbers that say whose or what a recording is, rather than count recordings.
const OF_SPEAKERS: [&str; 22] = [
    "actor",
    "child",
    "device",
    "mic",
    "p",
    "participant",
    "patient",
    "person",
    "player",
    "recorder",
    "room",
    "s",
    "sess",
    "session",
    "singer",
    "site",
    "speaker",
    "spk",
    "sub",
    "subj",
    "subject",
    "user",
];
/// Of a dense range, this fraction of the numbers occurs.
const DENSE: f64 = 0.5;
/// Numbers that are fewer say too little to be told from an index.
const FEWEST: usize = 4;
/// The fraction of steps to the next number at which the recordings of an index may become more.
const RISES: f64 = 0.25;

/// The fraction of recordings that have a number, where the numbers may be an index.
const MOST: f64 = 0.75;

/// Whether values, each with its number of recordings, are a running index: numbers (or letters, or
/// numbers behind one word) of a dense range, the higher in no more recordings than the lower. Numbers
/// behind a word for a speaker or session are none.
pub(super) fn is_counter(values: &[(&str, usize)]) -> bool {
    let Some(mut numbers) = numbered(values) else {
        return false;
    };
    numbers.sort_unstable();
    let (Some((first, _)), Some((last, _))) = (numbers.first(), numbers.last()) else {
        return false;
    };
    let range = (last - first) as f64 + 1.0;
    if (numbers.len() as f64) < DENSE * range {
        return false;
    }
    let rises = numbers.windows(2).filter(|pair| pair[1].1 > pair[0].1);
    numbers.len() < FEWEST || rises.count() as f64 <= RISES * (numbers.len() - 1) as f64
}

/// The numbers that most values are, all behind the same word or none, with their numbers of
/// recordings; none if too few recordings have one, or it is a word for speakers.
fn numbered(values: &[(&str, usize)]) -> Option<Vec<(u64, usize)>> {
    let mut of_word = BTreeMap::<String, Vec<(u64, usize)>>::new();
    for &(value, count) in values {
        if let Some((word, number)) = word_and_number(value) {
            of_word.entry(word).or_default().push((number, count));
        }
    }
    let recordings =
        |numbers: &[(u64, usize)]| numbers.iter().map(|(_, count)| count).sum::<usize>();
    let all: usize = values.iter().map(|(_, count)| count).sum();
    let (word, numbers) = of_word
        .into_iter()
        .max_by_key(|(_, numbers)| recordings(numbers))?;
    let is_most = recordings(&numbers) as f64 >= MOST * all as f64;
    (is_most && !OF_SPEAKERS.contains(&word.as_str())).then_some(numbers)
}

/// `take` and 3 of `take3`; of a letter alone, a word for letters and its place in the alphabet.
fn word_and_number(value: &str) -> Option<(String, u64)> {
    if let [letter] = value.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return Some(("#letter".into(), u64::from(letter.to_ascii_lowercase())));
    }
    let word = value.trim_end_matches(|character: char| character.is_ascii_digit());
    let number = value[word.len()..].parse().ok()?;
    Some((word.to_lowercase(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(values: &[&str], counts: &[usize]) -> bool {
        let values: Vec<(&str, usize)> =
            values.iter().copied().zip(counts.iter().copied()).collect();
        is_counter(&values)
    }

    #[test]
    fn indices_are_told_from_names() {
        assert!(counter(&["0", "1", "2", "3"], &[60, 60, 60, 60]));
        assert!(counter(&["001", "002", "004", "005"], &[9, 9, 5, 2]));
        assert!(counter(&["A", "B", "C", "D", "E"], &[300, 80, 30, 5, 6]));
        assert!(counter(&["take1", "take2", "Take3"], &[5, 5, 5]));
        assert!(counter(&["0", "1", "2", "3", "noise"], &[9, 9, 9, 9, 1]));
        assert!(!counter(&["spk01", "spk02", "spk03"], &[5, 5, 5]));
        assert!(!counter(&["theo", "lucas", "george"], &[5, 5, 5]));
        // Numbers far apart, and numbers with more and fewer recordings, are names.
        assert!(!counter(&["19", "198", "1034", "27"], &[5, 5, 5, 5]));
        assert!(!counter(&["1", "2", "3", "4", "5"], &[5, 9, 3, 8, 4]));
    }
}
