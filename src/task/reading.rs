//! What a run gives besides the answer of its task.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use super::name::TaskName;

/// What the outputs or the embedding of a network are read as. Only imported weights have one: no corpus
/// that Sori knows has such answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reading {
    /// The pitch over time, from a score for each pitch.
    Pitch,
    /// The stretches of speech, from its score over time.
    Speech,
    /// The vector of a voice, the embedding.
    Voice,
}

/// Pitches that a network of pitch has a score for.
pub(crate) const NUM_PITCHES: usize = 360;
/// Cents from one of them to the next.
const CENTS: f64 = 20.0;
/// Cents of the lowest above 10 Hz, as in CREPE's code.
const LOWEST_CENTS: f64 = 1_997.379_408_437_619;

/// The frequency of a place on the scale of pitches, of which 0 is the lowest and 1 the next.
pub(crate) fn hz_of_pitch(place: f64) -> f64 {
    10.0 * 2f64.powf((LOWEST_CENTS + CENTS * place) / 1200.0)
}

impl Reading {
    /// The task of a network that is so read.
    pub(crate) fn task(self) -> TaskName {
        match self {
            // Scores by themselves, of which none or several may be high.
            Self::Pitch | Self::Speech => TaskName::Tag,
            Self::Voice => TaskName::Classify,
        }
    }

    /// The labels of its outputs. A network for voices needs none.
    pub(crate) fn labels(self) -> Vec<String> {
        let pitch = |index| format!("{:.2} Hz", hz_of_pitch(index as f64));
        match self {
            Self::Pitch => (0..NUM_PITCHES).map(pitch).collect(),
            Self::Speech => vec!["speech".to_string()],
            Self::Voice => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pitches_are_crepes() {
        let labels = Reading::Pitch.labels();
        assert_eq!(labels[0], "31.70 Hz");
        assert_eq!(labels[359], "2005.50 Hz");
        let distinct: std::collections::BTreeSet<&String> = labels.iter().collect();
        assert_eq!(distinct.len(), NUM_PITCHES);
    }
}
