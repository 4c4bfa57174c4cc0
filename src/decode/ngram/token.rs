//! Tokens of an n-gram model: words or characters, and the special tokens.

use serde::Serialize;

/// The token before a sentence.
pub(super) const BEGIN: &str = "<s>";
/// The token after a sentence.
pub(super) const END: &str = "</s>";
/// The token of everything outside the vocabulary.
pub(super) const UNKNOWN: &str = "<unk>";

/// The space as a token of a model of characters.
pub const SPACE_TOKEN: &str = "<space>";

/// What the tokens of a model are. An ARPA file does not record it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Words, separated by white space.
    Words,
    /// Characters; the space is the token `<space>`.
    Characters,
}

impl TokenKind {
    /// The tokens of a text.
    ///
    /// ```
    /// use sori::decode::TokenKind;
    ///
    /// assert_eq!(TokenKind::Words.tokens("소리 on"), ["소리", "on"]);
    /// assert_eq!(TokenKind::Characters.tokens("소리 on"), ["소", "리", "<space>", "o", "n"]);
    /// ```
    pub fn tokens(self, text: &str) -> Vec<&str> {
        match self {
            Self::Words => text.split_whitespace().collect(),
            Self::Characters => text
                .char_indices()
                .map(|(at, character)| match character {
                    ' ' => SPACE_TOKEN,
                    _ => &text[at..at + character.len_utf8()],
                })
                .collect(),
        }
    }
}

/// A token of a model's vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(pub(super) u32);
