//! The card of an architecture: its names, its paper, the settings it is trained with and the shape it
//! is timed on.

use crate::purpose::Purpose;
use crate::recipe::{Recipe, classifier, plain, recogniser};

/// The entry of an architecture in the catalogue.
#[derive(Debug, Clone, Copy)]
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
    /// The settings of its paper beside those of the configuration's defaults, as TOML in the form of a
    /// run's `config.toml`; what it leaves out keeps the general default.
    pub paper_settings: &'static str,
    /// The settings it is trained with by default, over those of its paper.
    pub recipe: Recipe,
    /// The input its training step is timed on, if it is timed.
    pub bench: Option<BenchShape>,
}

impl Card {
    /// A card with a name and a purpose, for a module outside the zoo: its recipe is that of a
    /// [`classifier`] or a [`recogniser`], or [`plain`] if it generates.
    ///
    /// ```
    /// use sori_models::{Card, Purpose};
    ///
    /// const CARD: Card = Card::new("two_towers", "Two towers", Purpose::Classify);
    /// assert!(CARD.paper_settings.is_empty());
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
            paper_settings: "",
            recipe: match purpose {
                Purpose::Classify | Purpose::Tag => classifier,
                Purpose::Transcribe => recogniser,
                Purpose::Autoencode | Purpose::Generate => plain,
            },
            bench: None,
        }
    }
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
