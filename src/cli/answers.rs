//! The answers of `sori predict`, as text, JSON and CSV.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::output::{print_bytes, require_folder_of};
use super::word_times::times_of;
use crate::metric::csv_cell;
use crate::show::text::rounded;
use crate::task::{Answer, Prediction, SoundEvent, Window};
use crate::{Error, Result};

/// The labels that a text shows where no number is asked for.
const FEW: usize = 3;

/// How answers are written.
pub(super) struct Form {
    /// Names of the labels.
    pub(super) labels: Vec<String>,
    /// The threshold of each tag.
    pub(super) thresholds: Option<Vec<f32>>,
    /// The number of labels to show.
    pub(super) top: Option<usize>,
    /// Whether to show the times of words.
    pub(super) times: bool,
    /// Whether to show each window rather than events.
    pub(super) windows: bool,
}

impl Form {
    /// The labels of a prediction, the most probable first.
    fn ordered(&self, scores: &[f32]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..scores.len().min(self.labels.len())).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        order
    }

    /// The labels that are shown: so many, and all tags that a recording has.
    fn shown(&self, scores: &[f32]) -> Vec<usize> {
        let ordered = self.ordered(scores);
        let top = self.top.unwrap_or(FEW);
        let kept = |(rank, label): &(usize, usize)| {
            let of_tag = self.thresholds.as_ref();
            let is_tag = of_tag.is_some_and(|all| scores[*label] >= all[*label]);
            *rank < top || (is_tag && self.top.is_none())
        };
        let shown = ordered.into_iter().enumerate().filter(kept);
        shown.map(|(_, label)| label).collect()
    }

    /// A prediction as lines for a person.
    pub(super) fn text(&self, name: &str, prediction: &Prediction) -> String {
        let mut text = format!("{name}: {}", prediction.text(&self.labels));
        if !prediction.scores.is_empty() {
            let one = |label: usize| {
                let score = prediction.scores[label];
                let threshold = self.thresholds.as_ref().map(|all| all[label]);
                let reaches = match threshold {
                    Some(threshold) if score >= threshold => format!(" ≥ {threshold:.3}"),
                    Some(threshold) => format!(" < {threshold:.3}"),
                    None => String::new(),
                };
                format!("{} {score:.3}{reaches}", self.labels[label])
            };
            let shown = self.shown(&prediction.scores).into_iter().map(one);
            let shown: Vec<String> = shown.collect();
            text.push_str(&format!(" ({})", shown.join(", ")));
        }
        if self.times {
            text.push_str(&times_of(&prediction.words));
        }
        for transcript in &prediction.nbest {
            text.push_str(&format!(
                "\n  {:>9.3}  {}",
                transcript.score, transcript.text
            ));
        }
        if prediction.windows.is_empty() {
            return text;
        }
        let has_labels = !prediction.scores.is_empty();
        text.push_str(&match has_labels && !self.windows {
            true => events_of(&prediction.events),
            false => windows_of(&prediction.windows),
        });
        text
    }

    /// A prediction as an object of JSON.
    pub(super) fn json(&self, name: &str, prediction: &Prediction) -> Value {
        let mut line = json!(prediction);
        line["audio"] = json!(name);
        let scores = &prediction.scores;
        if scores.is_empty() {
            return line;
        }
        let order = self.ordered(scores).into_iter();
        let shown: Vec<usize> = order.take(self.top.unwrap_or(usize::MAX)).collect();
        let by_label = |values: &[f32]| -> Map<String, Value> {
            let each = shown.iter().copied();
            each.map(|label| (self.labels[label].clone(), json!(values[label])))
                .collect()
        };
        line["scores"] = json!(by_label(scores));
        if let Some(thresholds) = &self.thresholds {
            line["thresholds"] = json!(by_label(thresholds));
        }
        line
    }

    /// The columns of a table with a row for each recording. `first` is a prediction of the run.
    fn columns(&self, first: &Prediction) -> String {
        let ranks = |what: &str, from: usize| -> String {
            let ranks = from..=self.top.unwrap_or(0);
            ranks
                .map(|rank| format!(",{what}_{rank},probability_{rank}"))
                .collect()
        };
        match first.answer {
            Answer::Label(_) => format!("audio,label,probability{}", ranks("label", 2)),
            Answer::Tags(_) => format!("audio,tags,probabilities{}", ranks("tag", 1)),
            Answer::Text(_) => "audio,text".to_string(),
            Answer::Value(_) => "audio,value,deviation".to_string(),
        }
    }

    /// The row of a recording.
    fn row(&self, name: &str, prediction: &Prediction) -> String {
        let scores = &prediction.scores;
        let ordered = self.ordered(scores);
        let ranked = |from: usize| -> Vec<String> {
            let labels = ordered.iter().take(self.top.unwrap_or(0)).skip(from);
            labels
                .flat_map(|&label| [self.labels[label].clone(), format!("{:.4}", scores[label])])
                .collect()
        };
        let mut cells = vec![name.to_string()];
        match &prediction.answer {
            Answer::Label(label) => {
                let of_label = ordered.first().map(|&label| scores[label]);
                cells.push(label.clone());
                cells.push(of_label.map_or_else(String::new, |score| format!("{score:.4}")));
                cells.extend(ranked(1));
            }
            Answer::Tags(tags) => {
                // As many as there are tags, which are the most probable ones only with one threshold.
                let of_tag = |tag: &String| {
                    let label = self.labels.iter().position(|label| label == tag);
                    label.map_or_else(String::new, |label| format!("{:.4}", scores[label]))
                };
                cells.push(tags.join("|"));
                cells.push(tags.iter().map(of_tag).collect::<Vec<_>>().join("|"));
                cells.extend(ranked(0));
            }
            Answer::Text(text) => cells.push(text.clone()),
            Answer::Value(value) => {
                cells.push(rounded(*value));
                cells.push(prediction.deviation.map_or_else(String::new, rounded));
            }
        }
        cells_of(&cells)
    }
}

fn cells_of(cells: &[String]) -> String {
    let cells = cells.iter().map(|cell| csv_cell(cell));
    cells.collect::<Vec<_>>().join(",")
}

fn line_of(start_s: f64, end_s: f64, answer: &str, score: Option<f32>) -> String {
    let score = score.map(|score| format!(" {score:.3}"));
    let score = score.unwrap_or_default();
    format!("\n  {start_s:>8.2} – {end_s:>8.2} s  {answer}{score}")
}

/// A line for each event.
fn events_of(events: &[SoundEvent]) -> String {
    let line = |it: &SoundEvent| line_of(it.start_s, it.end_s, &it.label, Some(it.score));
    events.iter().map(line).collect()
}

/// A line for each window with its answer.
fn windows_of(windows: &[Window]) -> String {
    let line = |it: &Window| line_of(it.start_s, it.end_s, &it.answer.to_string(), it.score);
    windows.iter().map(line).collect()
}

/// A table that grows with the recordings: of their answers, or of their events.
pub(super) struct Table {
    to: Place,
    of: Rows,
    is_begun: bool,
}

enum Place {
    Output,
    File(File, PathBuf),
}

/// What has a row.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Rows {
    Recordings,
    Events,
    /// As events, in the form of Audacity's labels.
    Audacity,
}

impl Table {
    /// Begins a table in this file, or on standard output for `-`.
    pub(super) fn begin(path: &Path, of: Rows) -> Result<Self> {
        let to = if path.as_os_str() == "-" {
            Place::Output
        } else {
            require_folder_of(path)?;
            let file = File::create(path).map_err(Error::io("cannot write", path))?;
            Place::File(file, path.to_path_buf())
        };
        Ok(Self {
            to,
            of,
            is_begun: false,
        })
    }

    /// Adds what is said of a recording. A row is there as soon as it is known.
    pub(super) fn add(&mut self, form: &Form, name: &str, prediction: &Prediction) -> Result<()> {
        let mut text = String::new();
        if !self.is_begun {
            match self.of {
                Rows::Recordings => text.push_str(&format!("{}\n", form.columns(prediction))),
                Rows::Events => text.push_str("audio,start_s,end_s,label,probability\n"),
                Rows::Audacity => {}
            }
            self.is_begun = true;
        }
        match self.of {
            Rows::Recordings => text.push_str(&format!("{}\n", form.row(name, prediction))),
            Rows::Events => prediction.events.iter().for_each(|event| {
                text.push_str(&format!(
                    "{},{:.3},{:.3},{},{:.4}\n",
                    csv_cell(name),
                    event.start_s,
                    event.end_s,
                    csv_cell(&event.label),
                    event.score
                ));
            }),
            Rows::Audacity => prediction.events.iter().for_each(|event| {
                let label = event.label.replace(['\t', '\n', '\r'], " ");
                text.push_str(&format!(
                    "{:.6}\t{:.6}\t{label}\n",
                    event.start_s, event.end_s
                ));
            }),
        }
        match &mut self.to {
            Place::Output => print_bytes(text.as_bytes()),
            Place::File(file, path) => file
                .write_all(text.as_bytes())
                .map_err(Error::io("cannot write", path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(top: Option<usize>, thresholds: Option<Vec<f32>>) -> Form {
        Form {
            labels: ["dog", "rain, wind", "owl", "bee"]
                .map(String::from)
                .to_vec(),
            thresholds,
            top,
            times: false,
            windows: false,
        }
    }

    fn tagged() -> Prediction {
        Prediction {
            scores: vec![0.474, 0.485, 0.9, 0.01],
            ..Prediction::new(Answer::Tags(vec!["owl".into(), "dog".into()]))
        }
    }

    #[test]
    fn tags_are_shown_beside_their_thresholds() {
        let form = form(None, Some(vec![0.4, 0.5, 0.5, 0.5]));
        assert_eq!(
            form.text("a.wav", &tagged()),
            "a.wav: owl, dog (owl 0.900 ≥ 0.500, rain, wind 0.485 < 0.500, dog 0.474 ≥ 0.400)"
        );
        assert_eq!(form.json("a.wav", &tagged())["thresholds"]["owl"], 0.5);
    }

    #[test]
    fn so_many_labels_are_shown_as_are_asked_for() {
        let tags = form(Some(2), Some(vec![0.4, 0.5, 0.5, 0.5]));
        assert_eq!(
            tags.text("a.wav", &tagged()),
            "a.wav: owl, dog (owl 0.900 ≥ 0.500, rain, wind 0.485 < 0.500)"
        );
        let scores = tags.json("a.wav", &tagged());
        assert_eq!(scores["scores"].as_object().map(Map::len), Some(2));
        assert_eq!(
            tags.columns(&tagged()),
            "audio,tags,probabilities,tag_1,probability_1,tag_2,probability_2"
        );
        assert_eq!(
            tags.row("a,b.wav", &tagged()),
            "\"a,b.wav\",owl|dog,0.9000|0.4740,owl,0.9000,\"rain, wind\",0.4850"
        );
        let label = Prediction {
            answer: Answer::Label("owl".into()),
            ..tagged()
        };
        let classes = form(Some(2), None);
        assert_eq!(
            classes.columns(&label),
            "audio,label,probability,label_2,probability_2"
        );
        assert_eq!(
            classes.row("a.wav", &label),
            "a.wav,owl,0.9000,\"rain, wind\",0.4850"
        );
    }
}
