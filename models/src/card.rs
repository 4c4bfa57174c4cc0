//! The card of an architecture: its names, its paper, the settings it is trained with and the shape it
//! is timed on.

use serde::{Deserialize, Serialize};

/// The entry of an architecture in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card {
    /// The name on the command line and in a configuration.
    pub name: &'static str,
    /// The name in running text.
    pub title: &'static str,
    /// The task of its paper.
    pub purpose: Purpose,
    /// The paper it follows: authors, year, title.
    pub paper: &'static str,
    /// The address of that paper.
    pub paper_url: &'static str,
    /// The architecture in one sentence.
    pub summary: &'static str,
    /// Settings it is trained with by default, which may depend on the corpus.
    pub recipes: &'static [Recipe],
    /// The input its training step is timed on, if it is timed.
    pub bench: Option<BenchShape>,
}

impl Card {
    /// A card with a name and a purpose, for a module outside the zoo.
    ///
    /// ```
    /// use sori_models::{Card, Purpose};
    ///
    /// const CARD: Card = Card::new("two_towers", "Two towers", Purpose::Classify);
    /// assert!(CARD.recipes.is_empty());
    /// ```
    #[must_use]
    pub const fn new(name: &'static str, title: &'static str, purpose: Purpose) -> Self {
        Self {
            name,
            title,
            purpose,
            paper: "",
            paper_url: "",
            summary: "",
            recipes: &[],
            bench: None,
        }
    }

    /// The recipe for a training SPEC such as `synth:morse`: of those whose corpus it begins with, the
    /// one whose corpus is longest.
    #[must_use]
    pub fn recipe(&self, spec: &str) -> Option<&'static Recipe> {
        let matching = self.recipes.iter().filter(|it| spec.starts_with(it.corpus));
        matching.max_by_key(|it| it.corpus.len())
    }
}

/// The task that the paper of an architecture trains it for. A model is trained for it where the data
/// names no task. Any model that classifies can tag and learn numbers, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// One class for each recording.
    Classify,
    /// Any number of tags for each recording.
    Tag,
    /// A transcript for each recording.
    Transcribe,
    /// Encoding and decoding patches of features.
    Autoencode,
    /// Generating patches of features.
    Generate,
}

impl Purpose {
    /// As in data: `classify`, `tag`, `transcribe`, `autoencode` or `generate`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Tag => "tag",
            Self::Transcribe => "transcribe",
            Self::Autoencode => "autoencode",
            Self::Generate => "generate",
        }
    }
}

/// Settings that replace the general defaults of a run.
///
/// Of the recipes of a card whose [`corpus`](Self::corpus) is a prefix of the training SPEC, the one
/// with the longest applies, alone; see [`Card::recipe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// A prefix of the training SPEC: empty for any, or such as `synth:` or `synth:morse`.
    pub corpus: &'static str,
    /// TOML in the form of a run's `config.toml`, with the tables `features`, `augment`, `model` and
    /// `train`; what it leaves out keeps the general default.
    pub settings: &'static str,
}

/// Features of fixed shape, `[batch, frames, bins]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchShape {
    /// Recordings.
    pub batch: usize,
    /// Frames of each.
    pub frames: usize,
    /// Bins of each frame.
    pub bins: usize,
}
