//! An n-gram language model, and its probabilities.

use super::context::{Context, ContextNode, ROOT};
use super::table::{Gram, NgramTable};
use super::token::{BEGIN, END, TokenId, UNKNOWN};
use super::vocabulary::Vocabulary;

/// An n-gram language model with back-off, of any order.
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
    pub(super) order: usize,
    pub(super) vocabulary: Vocabulary,
    /// Unigrams, by token.
    pub(super) unigrams: Vec<Gram>,
    /// All longer n-grams.
    pub(super) longer: NgramTable,
    pub(super) contexts: Vec<ContextNode>,
    pub(super) start: Context,
    pub(super) begin: TokenId,
    pub(super) end: TokenId,
    pub(super) unknown: TokenId,
}

impl NgramModel {
    /// The number of tokens in the longest n-grams.
    pub fn order(&self) -> usize {
        self.order
    }

    /// The vocabulary, without `<s>`, `</s>` and `<unk>`.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.vocabulary
            .texts()
            .filter(|text| ![BEGIN, END, UNKNOWN].contains(text))
    }

    /// The token of this text; none if the vocabulary does not have it, or if it is `<s>`, `</s>` or
    /// `<unk>`.
    pub fn token(&self, text: &str) -> Option<TokenId> {
        let token = TokenId(self.vocabulary.find(text)?);
        (![self.begin, self.end, self.unknown].contains(&token)).then_some(token)
    }

    /// The token `<unk>`, which stands for everything outside the vocabulary.
    pub fn unknown(&self) -> TokenId {
        self.unknown
    }

    /// The context at the beginning of a sentence.
    pub fn start(&self) -> Context {
        self.start
    }

    /// The context of an empty history.
    pub fn no_context(&self) -> Context {
        Context(ROOT)
    }

    /// The base-10 logarithm of the probability of `token` after `context`, and the context after
    /// it.
    ///
    /// # Panics
    /// If `context` or `token` belongs to another model.
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

    /// Memory that the model takes, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.vocabulary.size_bytes()
            + self.unigrams.capacity() * size_of::<Gram>()
            + self.longer.size_bytes()
            + self.contexts.capacity() * size_of::<ContextNode>()
    }
}
