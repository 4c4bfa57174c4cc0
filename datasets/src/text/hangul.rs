//! Korean syllables and the letters (jamo) they are made of, by the arithmetic of the Unicode
//! Standard, section 3.12 (<https://www.unicode.org/versions/latest/core-spec/chapter-3/#G24646>):
//! a syllable is its leading consonant, vowel and trailing consonant counted as digits.
//!
//! The functions here take apart and put together the 11,172 modern syllables (U+AC00 to U+D7A3) and the
//! conjoining jamo they consist of; a jamo without the company it needs stays as it is.

const SYLLABLES: u32 = 0xac00;
const LEADING: u32 = 0x1100;
const VOWELS: u32 = 0x1161;
/// The trailing consonant that stands for none, one before the first.
const TRAILING: u32 = 0x11a7;
const NUM_LEADING: u32 = 19;
const NUM_VOWELS: u32 = 21;
const NUM_TRAILING: u32 = 28;
const NUM_SYLLABLES: u32 = NUM_LEADING * NUM_VOWELS * NUM_TRAILING;

/// The two or three conjoining jamo of a syllable; any other character alone.
///
/// ```
/// use sori_datasets::text::hangul::decompose;
///
/// assert!(decompose('한').eq(['\u{1112}', '\u{1161}', '\u{11ab}']));
/// assert!(decompose('a').eq(['a']));
/// ```
pub fn decompose(character: char) -> impl Iterator<Item = char> {
    let parts = match place(character, SYLLABLES, NUM_SYLLABLES) {
        None => [Some(character), None, None],
        Some(syllable) => {
            let (block, trailing) = (syllable / NUM_TRAILING, syllable % NUM_TRAILING);
            [
                char::from_u32(LEADING + block / NUM_VOWELS),
                char::from_u32(VOWELS + block % NUM_VOWELS),
                (trailing > 0)
                    .then(|| char::from_u32(TRAILING + trailing))
                    .flatten(),
            ]
        }
    };
    parts.into_iter().flatten()
}

/// Text with its conjoining jamo put together to syllables.
///
/// ```
/// use sori_datasets::text::hangul::compose;
///
/// assert_eq!(compose("\u{1112}\u{1161}\u{11ab}a"), "한a");
/// ```
#[must_use]
pub fn compose(text: &str) -> String {
    let mut composed = String::with_capacity(text.len());
    for character in text.chars() {
        match composed
            .chars()
            .last()
            .and_then(|last| joined(last, character))
        {
            Some(syllable) => {
                composed.pop();
                composed.push(syllable);
            }
            None => composed.push(character),
        }
    }
    composed
}

/// The syllable of a leading consonant and a vowel, or of a syllable that ends in its vowel and a
/// trailing consonant.
fn joined(first: char, second: char) -> Option<char> {
    if let Some(leading) = place(first, LEADING, NUM_LEADING) {
        let vowel = place(second, VOWELS, NUM_VOWELS)?;
        return char::from_u32(SYLLABLES + (leading * NUM_VOWELS + vowel) * NUM_TRAILING);
    }
    let syllable = place(first, SYLLABLES, NUM_SYLLABLES)?;
    let trailing = place(second, TRAILING, NUM_TRAILING).filter(|&trailing| trailing > 0)?;
    (syllable % NUM_TRAILING == 0)
        .then(|| char::from_u32(SYLLABLES + syllable + trailing))
        .flatten()
}

/// The position of a character within a range.
fn place(character: char, first: u32, count: u32) -> Option<u32> {
    u32::from(character)
        .checked_sub(first)
        .filter(|&place| place < count)
}

/// Whether a character is one of the 11,172 syllables.
#[must_use]
pub fn is_syllable(character: char) -> bool {
    place(character, SYLLABLES, NUM_SYLLABLES).is_some()
}

/// Whether a character is Korean: a syllable, or a jamo, conjoining or not.
#[must_use]
pub fn is_hangul(character: char) -> bool {
    is_syllable(character)
        || matches!(
            character,
            '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{a960}'..='\u{a97f}' | '\u{d7b0}'..='\u{d7ff}'
        )
}
