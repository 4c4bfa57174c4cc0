//! Normalisation of transcripts.

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::hangul::is_hangul;
use crate::named::named;

named! {
    /// The case of letters.
    Case, "case" {
        /// As written.
        Keep = "keep",
        /// All small.
        Lower = "lower",
        /// All capital.
        Upper = "upper",
    }
}

named! {
    /// The treatment of punctuation: everything that is neither letter, mark, digit nor blank, so
    /// symbols such as `%` count too.
    Punctuation, "punctuation" {
        /// It stays.
        Keep = "keep",
        /// It goes. Quotation marks, brackets and the comma within a number leave nothing, the rest
        /// a space, so that `well-known` is two words. An apostrophe within a word that is not
        /// Korean stays, as `'`.
        Remove = "remove",
    }
}

named! {
    /// The treatment of spaces beside Korean.
    KoreanSpacing, "korean_spacing" {
        /// They stay.
        Keep = "keep",
        /// They go, because Korean is often written without some of them, or with more: error rates
        /// of syllables are then about the syllables alone. Spaces between words of other
        /// scripts stay.
        Remove = "remove",
    }
}

/// Normalisation of transcripts, before a model learns them and before its answer is compared with
/// them.
///
/// The result is always in Unicode's normalisation form C, without blanks at its ends
/// and with single spaces between words; digits stay digits. In a file a field may be missing,
/// which gives its default; an unknown one is an error.
///
/// ```
/// use sori_datasets::text::{KoreanSpacing, Normalization};
///
/// let mut normalization = Normalization::default();
/// assert_eq!(normalization.apply("It’s  10 o'clock -- \"already\"!"), "it's 10 o'clock already");
/// normalization.korean_spacing = KoreanSpacing::Remove;
/// assert_eq!(normalization.apply("8년 동안, New York 에서"), "8년동안new york에서");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Normalization {
    /// The case of letters. Default `lower`.
    pub case: Case,
    /// The treatment of punctuation. Default `remove`.
    pub punctuation: Punctuation,
    /// The treatment of spaces beside Korean. Default `keep`.
    pub korean_spacing: KoreanSpacing,
}

impl Default for Normalization {
    fn default() -> Self {
        Self {
            case: Case::Lower,
            punctuation: Punctuation::Remove,
            korean_spacing: KoreanSpacing::Keep,
        }
    }
}

impl Normalization {
    /// The text so written; applied once more it changes nothing.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let text: String = text.nfc().collect();
        let mut text = match self.case {
            Case::Keep => text,
            Case::Lower => text.to_lowercase(),
            Case::Upper => text.to_uppercase(),
        };
        if self.punctuation == Punctuation::Remove {
            text = without_punctuation(&text);
        }
        let mut spaced = String::with_capacity(text.len());
        for word in text.split_whitespace() {
            let beside_korean = || {
                let ends = [spaced.chars().last(), word.chars().next()];
                ends.into_iter().flatten().any(is_hangul)
            };
            let joins = self.korean_spacing == KoreanSpacing::Remove && beside_korean();
            if !spaced.is_empty() && !joins {
                spaced.push(' ');
            }
            spaced.push_str(word);
        }
        spaced.nfc().collect()
    }
}

fn without_punctuation(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut plain = String::with_capacity(text.len());
    for (index, &character) in characters.iter().enumerate() {
        let between = |is: fn(char) -> bool| {
            let before = index.checked_sub(1).map(|before| characters[before]);
            let after = characters.get(index + 1).copied();
            before.is_some_and(is) && after.is_some_and(is)
        };
        match character {
            _ if is_of_a_word(character) => plain.push(character),
            '\'' | '’' if between(|it| is_of_a_word(it) && !is_hangul(it)) => plain.push('\''),
            ',' if between(|it| it.is_ascii_digit()) => {}
            _ if encloses(character) => {}
            _ => plain.push(' '),
        }
    }
    plain
}

fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character)
}

/// Quotation marks and brackets; and what has no width, for the same reason: there is nothing
/// between what stands before and behind.
fn encloses(character: char) -> bool {
    matches!(
        character,
        '\'' | '"' | '`' | '´' | '‘'..='‟' | '«' | '»' | '‹' | '›' | '(' | ')' | '[' | ']' | '{' | '}'
            | '<' | '>' | '〈'..='】' | '〔'..='〟' | '＂' | '＇' | '（' | '）' | '［' | '］'
            | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}
