//! N-gram language models: read, asked and estimated.
//!
//! A model is a tree of n-grams with a link from each to its longest suffix that is in the model. A
//! [`Context`] is a place in that tree, so that following a token costs one look-up for each order
//! the model backs off by, and two histories that the model cannot tell apart are equal.

mod arpa;
mod estimate;
mod table;
mod vocabulary;

use std::path::Path;

pub use estimate::{Discounts, HIGHEST_ORDER, NgramCounts, NgramEstimate};
use serde::Serialize;
use table::{Gram, Table};
use vocabulary::Vocabulary;

use crate::Result;

/// The tokens before and after a sentence, and the one that stands for those a model does not have.
const BEGIN: &str = "<s>";
const END: &str = "</s>";
const UNKNOWN: &str = "<unk>";

/// The space as a token of a model of characters.
pub const SPACE_TOKEN: &str = "<space>";

/// The context of no tokens.
const ROOT: u32 = 0;

/// What the tokens of a model are. Its file does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Words, which have blanks between them.
    Words,
    /// Characters, among them the space, written `<space>`.
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
pub struct TokenId(u32);

/// What a model remembers of a history: the longest of its ends that changes what the model says of
/// the tokens to come. Of use for the model it is from only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Context(u32);

/// A context as it is stored.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Base-10 logarithm of the weight of going back to the suffix.
    backoff: f32,
    /// The next shorter context.
    suffix: u32,
    /// A bit for each token that goes on from here, shared by tokens: where it is not set, the table
    /// need not be asked.
    filter: u32,
}

impl Node {
    fn new(backoff: f32, suffix: u32) -> Self {
        Self {
            backoff,
            suffix,
            filter: 0,
        }
    }

    fn bit(token: u32) -> u32 {
        1 << (token.wrapping_mul(0x9E37_79B9) >> 27)
    }

    /// Whether an n-gram of this context and `token` may be there.
    fn may_have(self, token: u32) -> bool {
        self.filter & Self::bit(token) != 0
    }
}

/// An n-gram language model with back-off, of any order, as an ARPA file has it.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("digits.arpa");
/// use sori::decode::{NgramCounts, NgramModel};
///
/// let mut counts = NgramCounts::new(2)?;
/// counts.add(["one", "two"])?;
/// counts.add(["one", "three"])?;
/// counts.estimate()?.write(&path)?;
///
/// let model = NgramModel::read(&path)?;
/// let one = model.token("one").unwrap_or(model.unknown());
/// let (first, after_one) = model.score(model.start(), one);
/// let (second, _) = model.score(after_one, one);
/// assert!(first > second);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NgramModel {
    order: usize,
    vocabulary: Vocabulary,
    /// By token.
    unigrams: Vec<Gram>,
    /// All others.
    longer: Table,
    contexts: Vec<Node>,
    start: Context,
    begin: TokenId,
    end: TokenId,
    unknown: TokenId,
}

impl NgramModel {
    /// Reads an ARPA file.
    ///
    /// # Errors
    /// When the file cannot be read or is not an ARPA file, with the line that shows it: counts that
    /// are not those of `\data\`, sections that are missing, what is no number, positive
    /// probabilities, tokens that are not 1-grams, n-grams that are there twice or whose first
    /// tokens are not in the model, no `<s>`, `</s>` or `\end\`.
    pub fn read(path: &Path) -> Result<Self> {
        arpa::read(path)
    }

    /// Tokens of the longest n-grams.
    pub fn order(&self) -> usize {
        self.order
    }

    /// The vocabulary, without `<s>`, `</s>` and `<unk>`.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.vocabulary
            .texts()
            .filter(|text| ![BEGIN, END, UNKNOWN].contains(text))
    }

    /// The token of this text; none where the vocabulary has it not, or it is `<s>`, `</s>` or
    /// `<unk>`.
    pub fn token(&self, text: &str) -> Option<TokenId> {
        let token = TokenId(self.vocabulary.find(text)?);
        (![self.begin, self.end, self.unknown].contains(&token)).then_some(token)
    }

    /// The token `<unk>`, for all the vocabulary does not have.
    pub fn unknown(&self) -> TokenId {
        self.unknown
    }

    /// The context at the begin of a sentence.
    pub fn start(&self) -> Context {
        self.start
    }

    /// The context of no history.
    pub fn no_context(&self) -> Context {
        Context(ROOT)
    }

    /// The base-10 logarithm of the probability of `token` after `context`, and the context after
    /// it.
    ///
    /// # Panics
    /// If one of them is another model's.
    pub fn score(&self, context: Context, token: TokenId) -> (f64, Context) {
        let mut log10 = 0.0;
        let mut context = context.0;
        while context != ROOT {
            let node = self.contexts[context as usize];
            if node.may_have(token.0)
                && let Some(gram) = self.longer.get(context, token.0)
            {
                return (log10 + f64::from(gram.log10), Context(gram.next));
            }
            log10 += f64::from(node.backoff);
            context = node.suffix;
        }
        let gram = self.unigrams[token.0 as usize];
        (log10 + f64::from(gram.log10), Context(gram.next))
    }

    /// The base-10 logarithm of the probability that a sentence ends after `context`.
    pub fn end(&self, context: Context) -> f64 {
        self.score(context, self.end).0
    }

    /// Bytes of memory the model takes.
    pub fn size_bytes(&self) -> usize {
        self.vocabulary.size_bytes()
            + self.unigrams.capacity() * size_of::<Gram>()
            + self.longer.size_bytes()
            + self.contexts.capacity() * size_of::<Node>()
    }
}

#[cfg(test)]
mod tests;
