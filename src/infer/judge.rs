//! What a run gets right and wrong on its held-out part, recording by recording.

use std::sync::atomic::AtomicBool;

use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_datasets::{Item, Target, Waveform, text::words};

use super::predictor::Predictor;
use crate::Result;
use crate::backend::{BackendName, Job, run_on};
use crate::data::parts::Data;
use crate::decode::StepProbabilities;
use crate::metric::calibration::Calibration;
use crate::metric::confusion::ConfusionMatrix;
use crate::metric::errors::Edits;
use crate::metric::tags::TagScores;
use crate::numbers::argmax;
use crate::run::folder::RunFolder;
use crate::task::answer::{Answer, Prediction};

/// The answers of a run to its held-out part.
pub(crate) struct Judged {
    /// Number of recordings.
    pub(crate) total: usize,
    /// Whether some recordings were predicted window by window.
    pub(crate) by_windows: bool,
    /// What the labels were taken for.
    pub(crate) labels: Vec<String>,
    /// Of a classifier of more than one class.
    pub(crate) classes: Option<Classes>,
    /// Of a tagger.
    pub(crate) tags: Option<Tags>,
    /// The recordings that it did worst on, the worst first.
    pub(crate) worst: Vec<Worst>,
}

/// Which class was taken for which, and how sure of it the classifier was.
pub(crate) struct Classes {
    pub(crate) confusion: ConfusionMatrix,
    pub(crate) calibration: Calibration,
}

/// The scores of each tag, and their thresholds.
pub(crate) struct Tags {
    pub(crate) scores: TagScores,
    pub(crate) thresholds: Vec<f32>,
}

/// A badly predicted recording.
pub(crate) struct Worst {
    pub(crate) id: String,
    pub(crate) truth: Answer,
    pub(crate) prediction: Prediction,
    pub(crate) waveform: Waveform,
    /// What a recogniser trained by CTC emitted, for a recording of one piece.
    pub(crate) emitted: Option<StepProbabilities>,
    badness: f64,
}

impl Judged {
    /// Adds the answers of another run with the same labels, and keeps the `most` worst of both.
    pub(crate) fn merge(&mut self, other: Self, most: usize) {
        self.total += other.total;
        self.by_windows |= other.by_windows;
        if let Some((all, more)) = self.classes.as_mut().zip(other.classes) {
            all.confusion.merge(&more.confusion);
            all.calibration.merge(&more.calibration);
        }
        // Every run has thresholds of its own.
        self.tags = None;
        self.worst.extend(other.worst);
        self.worst.sort_by(|a, b| b.badness.total_cmp(&a.badness));
        self.worst.truncate(most);
    }
}

/// Predicts the test part of `run`, or the validation part if there is none, by its best checkpoint, and
/// keeps the `most` recordings on which it did worst.
///
/// # Errors
/// When the run or its data cannot be read.
pub(crate) fn judge(run: &RunFolder, most: usize, backend: BackendName) -> Result<Judged> {
    run_on(backend, Judge { run, most })?
}

struct Judge<'a> {
    run: &'a RunFolder,
    most: usize,
}

impl Job for Judge<'_> {
    type Output = Result<Judged>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let data = Data::of_run(self.run)?;
        let parts = [data.held_out_part()];
        data.check_unchanged(self.run, &parts, &AtomicBool::new(false), &mut |_, _| ())?;
        let (items, _) = data.held_out();
        let predictor = Predictor::<B::InnerBackend>::open(self.run, device)?;
        let windows = predictor.default_windows();
        let rate = self.run.settings().features.sample_rate_hz;
        let labels = predictor.labels().to_vec();
        let all = |of: fn(&Target) -> bool| items.iter().all(|item| of(&item.target));
        let is_class = all(|target| matches!(target, Target::Class(_)));
        let mut classes = (is_class && labels.len() > 1).then(|| Classes {
            confusion: ConfusionMatrix::new(labels.len()),
            calibration: Calibration::default(),
        });
        let is_tagged = all(|target| matches!(target, Target::Tags(_)));
        let mut tags = (is_tagged && !items.is_empty()).then(|| TagScores::new(labels.len()));
        let mut by_windows = false;
        let mut judged: Vec<(f64, &Item)> = Vec::with_capacity(items.len());
        for item in &items {
            let prediction = predictor.predict(&item.waveform(rate)?, windows)?;
            let scores = &prediction.scores;
            match &item.target {
                Target::Class(truth) => {
                    if let Some(classes) = &mut classes {
                        let found = argmax(scores);
                        classes.confusion.add(*truth, found);
                        classes.calibration.add(scores[found], found == *truth);
                    }
                }
                Target::Tags(truth) => {
                    if let Some(tags) = &mut tags {
                        tags.add(scores, truth);
                    }
                }
                _ => {}
            }
            let badness = badness(&item.target, &prediction, &predictor.truth(&item.target)?);
            by_windows |= !prediction.windows.is_empty();
            judged.push((badness, item));
        }
        // The sort is stable: equally bad ones stay in order.
        judged.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        judged.truncate(self.most);
        let worst = judged.into_iter().map(|(badness, item)| {
            let waveform = item.waveform(rate)?;
            let prediction = predictor.predict(&waveform, windows)?;
            Ok(Worst {
                id: item.id.clone(),
                truth: predictor.truth(&item.target)?,
                emitted: emitted(&predictor, &waveform, &prediction)?,
                prediction,
                waveform,
                badness,
            })
        });
        Ok(Judged {
            total: items.len(),
            worst: worst.collect::<Result<_>>()?,
            by_windows,
            labels,
            classes,
            tags: tags.map(|scores| Tags {
                thresholds: predictor.thresholds().unwrap_or_default(),
                scores,
            }),
        })
    }
}

/// What a recogniser emitted for a waveform of one piece, if it is one that does.
fn emitted<B: Backend>(
    predictor: &Predictor<B>,
    waveform: &Waveform,
    prediction: &Prediction,
) -> Result<Option<StepProbabilities>> {
    match predictor.times_words() && prediction.windows.is_empty() {
        true => predictor.step_probabilities(waveform).map(Some),
        false => Ok(None),
    }
}

/// The distance of an answer from the truth: the cross entropy of its scores, the absolute error of a
/// value, or the word error rate of a transcript.
fn badness(target: &Target, prediction: &Prediction, truth: &Answer) -> f64 {
    let surprise = |probability: f32| -f64::from(probability.max(1e-12)).ln();
    let scores = &prediction.scores;
    match target {
        Target::Class(class) => surprise(scores[*class]),
        Target::Tags(tags) => {
            let each = scores.iter().enumerate().map(|(tag, &score)| {
                surprise(if tags.contains(&tag) {
                    score
                } else {
                    1.0 - score
                })
            });
            each.sum::<f64>() / scores.len().max(1) as f64
        }
        Target::Value(truth) => match prediction.answer {
            Answer::Value(value) => (value - truth).abs(),
            _ => f64::INFINITY,
        },
        Target::Text(_) => {
            let [truth, heard] = [truth, &prediction.answer].map(Answer::to_string);
            Edits::between(&words(&truth), &words(&heard)).rate()
        }
    }
}
