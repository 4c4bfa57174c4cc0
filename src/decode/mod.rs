//! Decoding: from the scores of a recogniser to transcripts.

pub(crate) mod alignment;
pub(crate) mod beam;
pub(crate) mod ctc;
mod ctc_prefix;
pub(crate) mod fusion;
pub(crate) mod ngram;
pub(crate) mod options;
mod probabilities;
pub(crate) mod recognise;
pub(crate) mod spell;
pub(crate) mod stream;
mod tree;

pub use alignment::Alignment;
pub use beam::{BeamOptions, BeamSearch, Hypothesis};
pub use ctc::{Greedy, Symbol, Word, greedy, words};
pub use fusion::{Fusion, FusionOptions, FusionState};
pub use ngram::{
    Context, Discounts, HIGHEST_ORDER, NgramCounts, NgramEstimate, NgramModel, SPACE_TOKEN,
    TokenId, TokenKind,
};
pub use options::{Beam, Decoding};
pub use probabilities::StepProbabilities;
pub(crate) use recognise::paths;
pub use recognise::{Blanks, Hearing, Recognised, Recogniser, best_paths, recognise};
pub(crate) use recognise::{indices, log_probs, text_of};
pub use spell::{SpellOptions, spell};
pub use stream::StreamDecoder;
