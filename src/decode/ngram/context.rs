//! Contexts: the nodes of a model's tree of n-grams.

/// The context of no tokens.
pub(super) const ROOT: u32 = 0;

/// The state of a model after a history: the longest suffix of the history that affects the
/// probabilities of the tokens to come. It is valid for the model it came from only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Context(pub(super) u32);

/// A context as the model stores it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContextNode {
    /// Base-10 logarithm of the back-off weight.
    pub(super) backoff: f32,
    /// The next shorter context.
    pub(super) suffix: u32,
    /// A Bloom filter of the tokens that continue this context. Where a token's bit is not set, no
    /// look-up in the table is needed.
    pub(super) filter: u32,
}

impl ContextNode {
    pub(super) fn new(backoff: f32, suffix: u32) -> Self {
        Self {
            backoff,
            suffix,
            filter: 0,
        }
    }

    pub(super) fn bit(token: u32) -> u32 {
        1 << (token.wrapping_mul(0x9E37_79B9) >> 27)
    }

    /// Whether the model may have an n-gram of this context and `token`.
    pub(super) fn may_have(self, token: u32) -> bool {
        self.filter & Self::bit(token) != 0
    }
}
