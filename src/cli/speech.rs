//! `sori predict` of a run that finds speech.

use burn::tensor::backend::AutodiffBackend;
use serde_json::json;

use super::answers::{Form, Table};
use super::each::each;
use super::given::Recording;
use super::options::Common;
use super::output::{print, print_json};
use crate::backend::{BackendName, Job, run_on};
use crate::infer::{Predictor, Speech};
use crate::task::{Answer, Prediction};
use crate::{Result, RunFolder};

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) common: &'a Common,
    pub(super) run: &'a RunFolder,
    pub(super) recordings: Vec<Recording>,
    /// The probability from which on there is speech.
    pub(super) threshold: Option<f32>,
    pub(super) tables: Vec<Table>,
    /// Whether a table goes to standard output.
    pub(super) taken: bool,
}

pub(super) fn run(backend: BackendName, asked: Asked<'_>) -> Result<()> {
    run_on(backend, asked)?
}

impl Job for Asked<'_> {
    type Output = Result<()>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<()> {
        let mut predictor = Predictor::<B::InnerBackend>::open(self.run, device)?;
        if let Some(threshold) = self.threshold {
            predictor = predictor.with_threshold(threshold);
        }
        let form = Form {
            labels: predictor.labels().to_vec(),
            thresholds: predictor.thresholds(),
            top: None,
            times: false,
            windows: false,
        };
        let mut tables = self.tables;
        let find = |recording: &Recording, on_progress: &mut dyn FnMut(f64)| {
            predictor.speech_file(recording.path(), on_progress)
        };
        let tell = |recording: &Recording, speech: Speech| {
            let name = recording.name();
            match (self.common.json, self.taken) {
                (true, _) => print_json(&json!({
                    "audio": name, "duration_s": speech.duration_s, "speech_s": speech.speech_s(),
                    "speech": speech.stretches,
                }))?,
                (false, false) => print(&text(&name, &speech))?,
                (false, true) => {}
            }
            let prediction = prediction(speech);
            for table in &mut tables {
                table.add(&form, &name, &prediction)?;
            }
            Ok(())
        };
        each(self.common, &self.recordings, find, tell)
    }
}

/// The speech as an answer of tags, for tables.
fn prediction(speech: Speech) -> Prediction {
    let tags = match speech.stretches.is_empty() {
        true => Vec::new(),
        false => vec!["speech".to_string()],
    };
    let largest = speech.probabilities.iter().copied().fold(0.0, f32::max);
    Prediction {
        scores: vec![largest],
        events: speech.stretches,
        ..Prediction::new(Answer::Tags(tags))
    }
}

/// The speech as lines for a person.
fn text(name: &str, speech: &Speech) -> String {
    let mut text = format!(
        "{name}: {:.1} s of speech in {:.1} s",
        speech.speech_s(),
        speech.duration_s
    );
    for it in &speech.stretches {
        text.push_str(&format!(
            "\n  {:>8.2} – {:>8.2} s  {:.3}",
            it.start_s, it.end_s, it.score
        ));
    }
    text
}
