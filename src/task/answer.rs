//! The answer of a run for a recording.

use std::fmt;

use serde::Serialize;

use super::event::SoundEvent;
use crate::decode::{Alignment, Word};
use crate::show::text::rounded;

/// The answer for a recording or a window of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The most probable label.
    Label(String),
    /// The tags whose scores reach their thresholds, most probable first.
    Tags(Vec<String>),
    /// The transcript.
    Text(String),
    /// The quantity.
    Value(f64),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => f.write_str(label),
            Self::Tags(tags) if tags.is_empty() => f.write_str("(no tag)"),
            Self::Tags(tags) => f.write_str(&tags.join(", ")),
            Self::Text(text) if text.is_empty() => f.write_str("(nothing)"),
            Self::Text(text) => f.write_str(text),
            Self::Value(value) => f.write_str(&rounded(*value)),
        }
    }
}

/// The answer for a recording, with its scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The label, the tags, the transcript or the value.
    #[serde(flatten)]
    pub answer: Answer,
    /// The standard deviation of a value, where the model estimates it. For a recording of several
    /// windows the value is the mean over the windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// Probability of each label, in the order of the run's labels. For a recording of several windows
    /// it is the mean for classes and the largest for tags. A transcript has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f32>,
    /// The windows, where the recording is longer than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// The stretches with one label each, where there are classes or tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SoundEvent>,
    /// The words of a transcript and their times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
    /// The attention weights of a speller for each symbol it wrote.
    #[serde(skip)]
    pub alignment: Option<Alignment>,
    /// The best transcripts of a search, including this one, which comes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nbest: Vec<ScoredTranscript>,
}

impl Prediction {
    /// An answer with no other fields set.
    pub fn new(answer: Answer) -> Self {
        Self {
            answer,
            deviation: None,
            scores: Vec::new(),
            windows: Vec::new(),
            events: Vec::new(),
            words: Vec::new(),
            alignment: None,
            nbest: Vec::new(),
        }
    }

    /// The answer as text for a person. A value comes with its deviation and with its quantity, which
    /// `labels` names.
    pub(crate) fn text(&self, labels: &[String]) -> String {
        let mut text = self.answer.to_string();
        if let Answer::Value(_) = self.answer {
            if let Some(deviation) = self.deviation {
                text.push_str(&format!(" ± {}", rounded(deviation)));
            }
            text.push_str(&format!(" {}", labels.join(" ")));
        }
        text
    }
}

/// One of several transcripts, with its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredTranscript {
    /// The transcript.
    pub text: String,
    /// Its log-probability in nats under the recogniser, plus the language model's score where a
    /// search over steps has one.
    pub score: f64,
}

/// A window of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Start of the window in seconds.
    pub start_s: f64,
    /// End of the window in seconds.
    pub end_s: f64,
    /// The label, the tags or the value.
    #[serde(flatten)]
    pub answer: Answer,
    /// The largest label probability. A value has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

impl Window {
    /// The windows over these seconds with their answers and scores. Empty if there is only one
    /// window, which is the whole recording.
    pub(crate) fn several(
        spans: &[(f64, f64)],
        answers: impl Iterator<Item = (Answer, Option<f32>)>,
    ) -> Vec<Self> {
        if spans.len() == 1 {
            return Vec::new();
        }
        spans
            .iter()
            .zip(answers)
            .map(|(&(start_s, end_s), (answer, score))| Self {
                start_s,
                end_s,
                answer,
                score,
            })
            .collect()
    }
}
