//! The units that texts are compared in.

use super::hangul;

/// The words of a text, which are what stands between blanks: the units of a word error rate.
#[must_use]
pub fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// The characters of a text with spaces, in Korean its syllables: the units of a character error
/// rate.
///
/// ```
/// assert_eq!(sori_datasets::text::characters("소리 a"), ['소', '리', ' ', 'a']);
/// ```
#[must_use]
pub fn characters(text: &str) -> Vec<char> {
    hangul::compose(text).chars().collect()
}

/// The characters of a text with its syllables taken apart: the units of an error rate in which a
/// syllable that is right but for its last consonant is not all wrong.
#[must_use]
pub fn jamo(text: &str) -> Vec<char> {
    text.chars().flat_map(hangul::decompose).collect()
}
