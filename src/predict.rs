//! A trained run at work: a recording in, a label, tags, a transcript or a number out.

use std::path::Path;

use burn::tensor::backend::Backend;
use serde::Serialize;
use sori_datasets::{Alphabet, FeatureConfig, FeatureExtractor, Item, Target, Waveform, audio};
use sori_models::Model;
use sori_models::las::Las;
use sori_models::ops::in_pool;

use crate::backend::{BackendName, Job, run_on};
use crate::batch::{Batch, Coding, FrameLimits, HostBatch, Row};
use crate::decode::{self, Beam, Decoding, Word};
use crate::picture::draw_alignment;
use crate::task::{
    Estimate, Task, argmax, best_paths, host, indices, log_probs, searched, spelled_best, written,
};
use crate::train::{Checkpoint, Data, RunFolder, RunInfo, Settings, pipeline, thresholds};
use crate::{Error, Result};

/// Windows of a long recording that go through the model together.
const WINDOWS_AT_ONCE: usize = 32;

/// Transcripts of a search that are kept.
const MOST_TRANSCRIPTS: usize = 100;

/// The best checkpoint of a run, ready to label or to write down recordings.
pub struct Predictor<B: Backend> {
    model: Model<B>,
    info: RunInfo,
    settings: Settings,
    coding: Coding,
    loader: sori_datasets::Loader,
    /// From which score on each tag is said to be there.
    thresholds: Vec<f32>,
    decoding: Decoding,
    device: B::Device,
}

/// How a long recording is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Length of a window in seconds.
    pub window_s: f64,
    /// From the start of one window to the next, in seconds.
    pub hop_s: f64,
}

/// What a run says of a recording, and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The label, the tags, the transcript or the value.
    #[serde(flatten)]
    pub answer: Answer,
    /// The standard deviation a value is taken to have, where the model says it. Of a recording of several
    /// windows the value is their mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// Probability of each label, in the order of the run's labels. Of a recording of several
    /// windows it is their mean where one label is said, and their largest where tags are. None of
    /// a transcript.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f32>,
    /// The windows, where the recording is longer than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// The words of a transcript, and when each is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
    /// Where a speller attended while it wrote each symbol.
    #[serde(skip)]
    pub alignment: Option<Alignment>,
    /// The best transcripts of a search, this one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nbest: Vec<ScoredTranscript>,
}

impl Prediction {
    /// The answer as a person reads it: of a value also its deviation, and what it counts, which `labels`
    /// names.
    pub(crate) fn said(&self, labels: &[String]) -> String {
        let mut text = self.answer.to_string();
        if let Answer::Value(_) = self.answer {
            if let Some(deviation) = self.deviation {
                text.push_str(&format!(" ± {}", rounded(deviation)));
            }
            text.push_str(&format!(" {}", labels.join(" ")));
        }
        text
    }

    fn of(answer: Answer) -> Self {
        Self {
            answer,
            deviation: None,
            scores: Vec::new(),
            windows: Vec::new(),
            words: Vec::new(),
            alignment: None,
            nbest: Vec::new(),
        }
    }
}

/// A transcript among several, and how it is ranked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredTranscript {
    /// What is said.
    pub text: String,
    /// Its log-probability in nats by the recogniser, and by the language model where a search over
    /// steps has one.
    pub score: f64,
}

/// Where a speller attended while it wrote each symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// The symbols.
    pub symbols: Vec<char>,
    /// How much each rests on each step of the listener; every row adds up to one.
    pub weights: Vec<Vec<f32>>,
    /// From one step to the next, in seconds.
    pub step_s: f64,
}

/// What is said of a recording or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The most probable label.
    Label(String),
    /// The tags whose scores reach their thresholds, most probable first.
    Tags(Vec<String>),
    /// What is said.
    Text(String),
    /// How much there is.
    Value(f64),
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// To four significant digits, without an exponent.
pub(crate) fn rounded(value: f64) -> String {
    if value == 0.0 {
        return "0".to_string();
    }
    let whole_digits = value.abs().log10().floor().clamp(-9.0, 3.0);
    format!("{value:.0$}", (3.0 - whole_digits) as usize)
}

/// A part of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Where the window starts, in seconds.
    pub start_s: f64,
    /// Where it ends, in seconds.
    pub end_s: f64,
    /// The label, the tags or the value.
    #[serde(flatten)]
    pub answer: Answer,
    /// The largest probability of a label; none of a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

impl<B: Backend> Predictor<B> {
    /// Loads the best checkpoint of `run`.
    ///
    /// # Errors
    /// When the run has none yet, or it cannot be read.
    pub fn open(run: &RunFolder, device: &B::Device) -> Result<Self> {
        let settings = run.settings()?;
        let info = run.info()?;
        if info.task.generates() {
            return Err(Error::run(
                run.path(),
                format!(
                    "its {} says nothing of a recording; `sori generate` shows what it makes",
                    info.model
                ),
            ));
        }
        let checkpoint = Checkpoint::read(&run.best_checkpoint()?)?;
        let model = checkpoint.load_model(settings.model.init::<B>(device)?)?;
        let loader = pipeline(&settings.features, info.stats.as_ref())?.loader()?;
        Ok(Self {
            model,
            coding: run.coding(&info)?,
            info,
            decoding: settings.text.clone().unwrap_or_default().decoding(),
            settings,
            loader,
            thresholds: thresholds(&checkpoint)?,
            device: device.clone(),
        })
    }

    /// The same, which searches for the best transcripts.
    #[must_use]
    pub fn with_beam(mut self, beam: Beam) -> Self {
        self.decoding.beam = Some(beam);
        self
    }

    /// Names of the labels, in the order of the scores.
    pub fn labels(&self) -> &[String] {
        &self.info.labels
    }

    /// Whether it writes down what is said.
    pub fn transcribes(&self) -> bool {
        self.info.task == Task::Transcribe
    }

    /// Whether it knows when each word is said: a speller does not.
    pub fn times_words(&self) -> bool {
        matches!(self.model, Model::DeepSpeech2(_))
    }

    /// Draws the alignment of a prediction over the spectrogram of its recording, as a PNG file.
    ///
    /// # Errors
    /// When the recording or the file cannot be used, or the model does not attend.
    pub fn draw_alignment(&self, audio: &Path, prediction: &Prediction, png: &Path) -> Result<()> {
        let Some(alignment) = &prediction.alignment else {
            return Err(Error::Input(format!(
                "{} does not attend to a recording; las does",
                self.info.model
            )));
        };
        let config = FeatureConfig {
            sample_rate_hz: self.settings.features.sample_rate_hz,
            ..FeatureConfig::default()
        };
        let waveform = audio::load(audio, config.sample_rate_hz)?;
        let features = FeatureExtractor::new(&config)?.extract(&waveform)?;
        draw_alignment(
            &features,
            &config,
            alignment,
            &prediction.answer.to_string(),
            png,
        )
    }

    /// The windows that suit the run: as long as its longest training recording, half overlapping.
    pub fn default_windows(&self) -> Windows {
        Windows {
            window_s: self.info.window_s,
            hop_s: self.info.window_s / 2.0,
        }
    }

    /// The shortest window there can be, in seconds: a hundredth, or what the features need.
    pub fn least_window_s(&self) -> f64 {
        let features = &self.settings.features;
        let needed = features.min_samples() as f64 / f64::from(features.sample_rate_hz);
        needed.max(0.01)
    }

    /// Labels, tags or writes down the audio file `path`.
    ///
    /// # Errors
    /// When the file cannot be read as audio.
    pub fn predict_file(&mut self, path: &Path, windows: Windows) -> Result<Prediction> {
        let waveform = audio::load(path, self.settings.features.sample_rate_hz)?;
        self.predict(&waveform, windows)
            .map_err(|e| Error::Input(format!("{}: {e}", path.display())))
    }

    /// Labels, tags or writes down a waveform at the run's sample rate. For labels, one longer than a
    /// window goes window by window; a transcript is of the whole.
    ///
    /// # Errors
    /// When the waveform is too short for one frame, or not finite.
    pub fn predict(&mut self, waveform: &Waveform, windows: Windows) -> Result<Prediction> {
        if let Coding::Symbols(alphabet) = self.coding.clone() {
            return self.transcribe(waveform, &alphabet);
        }
        let rate = f64::from(waveform.sample_rate_hz);
        let cuts = cuts(
            waveform.samples.len(),
            (windows.window_s * rate).round() as usize,
            (windows.hop_s * rate).round() as usize,
        );
        let mut scores: Vec<Vec<f32>> = Vec::with_capacity(cuts.len());
        let mut estimates = Vec::new();
        for group in cuts.chunks(WINDOWS_AT_ONCE) {
            let rows = group
                .iter()
                .map(|&(start, end)| {
                    let part = Waveform {
                        samples: waveform.samples[start..end].to_vec(),
                        sample_rate_hz: waveform.sample_rate_hz,
                    };
                    // The model does not see the target.
                    let target = match self.coding {
                        Coding::Value(_) => Target::Value(0.0),
                        _ => Target::Tags(Vec::new()),
                    };
                    Ok(Row::new(self.loader.load_waveform(&part)?, target))
                })
                .collect::<Result<Vec<_>>>()?;
            let batch = self.batch(&rows)?;
            let logits = in_pool::<B, _>(|| self.model.forward(batch.features, &batch.lengths));
            match &self.coding {
                Coding::Value(scale) => estimates.extend(scale.estimates(logits)),
                _ => scores.extend(self.info.task.probabilities(logits)),
            }
        }
        let span = |(start, end): (usize, usize)| (start as f64 / rate, end as f64 / rate);
        if !estimates.is_empty() {
            return estimated(&estimates, cuts.iter().copied().map(span));
        }
        check_finite(scores.iter().flatten())?;
        let whole: Vec<f32> = (0..self.info.labels.len())
            .map(|label| {
                let each = scores.iter().map(|row| row[label]);
                match self.info.task {
                    Task::Classify => each.sum::<f32>() / scores.len() as f32,
                    _ => each.fold(0.0, f32::max),
                }
            })
            .collect();
        let windows = if cuts.len() == 1 {
            Vec::new()
        } else {
            cuts.iter()
                .zip(&scores)
                .map(|(&cut, row)| {
                    let (start_s, end_s) = span(cut);
                    Window {
                        start_s,
                        end_s,
                        answer: self.answer(row),
                        score: Some(row[argmax(row)]),
                    }
                })
                .collect()
        };
        let answer = self.answer(&whole);
        Ok(Prediction {
            scores: whole,
            windows,
            ..Prediction::of(answer)
        })
    }

    /// The right answer, as a prediction would say it.
    pub(crate) fn truth(&self, target: &Target) -> Answer {
        let name = |label: &usize| self.labels()[*label].clone();
        match target {
            Target::Class(class) => Answer::Label(name(class)),
            Target::Tags(tags) => Answer::Tags(tags.iter().map(name).collect()),
            Target::Text(text) => Answer::Text(self.normalized(text)),
            Target::Value(value) => Answer::Value(*value),
        }
    }

    /// A transcript as those that were learned are written.
    fn normalized(&self, text: &str) -> String {
        match &self.coding {
            Coding::Symbols(alphabet) => alphabet.normalization().apply(text),
            _ => text.to_string(),
        }
    }

    fn batch(&self, rows: &[Row]) -> Result<Batch<B>> {
        let limits = FrameLimits::from(&self.settings.model);
        let batch = HostBatch::collate(rows, limits, &self.coding)?;
        Ok(batch.to_device::<B>(&self.device))
    }

    /// The logits `[steps, symbols]` from which a waveform at the run's sample rate is written down.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and when the model has no such steps: `deep_speech2` has.
    pub fn logits(&mut self, waveform: &Waveform) -> Result<Vec<f32>> {
        if !self.times_words() {
            return Err(Error::Input(format!(
                "{} does not say a symbol at each step; deep_speech2 does",
                self.info.model
            )));
        }
        let batch = self.alone(waveform)?;
        let emissions = in_pool::<B, _>(|| self.model.emissions(batch.features, &batch.lengths));
        let logits = host(emissions.logits);
        check_finite(logits.iter())?;
        Ok(logits)
    }

    /// A batch of one waveform whose transcript is not known.
    fn alone(&mut self, waveform: &Waveform) -> Result<Batch<B>> {
        // The model does not see the target.
        let nothing = Target::Text(String::new());
        let row = Row::new(self.loader.load_waveform(waveform)?, nothing);
        self.batch(&[row])
    }

    fn transcribe(&mut self, waveform: &Waveform, alphabet: &Alphabet) -> Result<Prediction> {
        let batch = self.alone(waveform)?;
        let frames_per_step = self.settings.model.frames_per_step();
        let step_s = frames_per_step as f64 * self.settings.features.frame_period_s();
        if let Model::Las(model) = &self.model {
            return self.spell(model, batch, alphabet, step_s);
        }
        let emissions = in_pool::<B, _>(|| self.model.emissions(batch.features, &batch.lengths));
        check_finite(host(emissions.logits.clone()).iter())?;
        let mut nbest = Vec::new();
        let symbols = match &self.decoding.beam {
            None => decode::greedy(&best_paths(&emissions).pop().unwrap_or_default()),
            Some(beam) => {
                let steps = log_probs(&emissions).pop().unwrap_or_default();
                let found = searched(&steps, beam, alphabet, MOST_TRANSCRIPTS)?;
                nbest = found
                    .iter()
                    .map(|found| ScoredTranscript {
                        text: written(alphabet, &indices(&found.symbols)),
                        score: found.score,
                    })
                    .collect();
                found
                    .into_iter()
                    .next()
                    .map_or_else(Vec::new, |found| found.symbols)
            }
        };
        let text = written(alphabet, &indices(&symbols));
        Ok(Prediction {
            words: decode::words(&symbols, alphabet, step_s),
            nbest,
            ..Prediction::of(Answer::Text(text))
        })
    }

    fn spell(
        &self,
        model: &Las<B>,
        batch: Batch<B>,
        alphabet: &Alphabet,
        step_s: f64,
    ) -> Result<Prediction> {
        let listened = in_pool::<B, _>(|| model.encode(batch.features, &batch.lengths));
        let ctc_logits = model.ctc_logits(&listened);
        let found = spelled_best(model, &listened, ctc_logits, &self.decoding)?;
        let found = found.into_iter().next().unwrap_or_default();
        let nbest = found.iter().map(|found| ScoredTranscript {
            text: written(alphabet, &found.symbols),
            score: found.score,
        });
        let nbest = match self.decoding.beam {
            Some(_) => nbest.collect(),
            None => Vec::new(),
        };
        let best = found.into_iter().next().unwrap_or_default();
        check_finite(best.alignment.iter().flatten())?;
        let symbol = |&index: &usize| alphabet.symbol(index);
        let text = written(alphabet, &best.symbols);
        Ok(Prediction {
            alignment: Some(Alignment {
                symbols: best.symbols.iter().filter_map(symbol).collect(),
                weights: best.alignment,
                step_s,
            }),
            nbest,
            ..Prediction::of(Answer::Text(text))
        })
    }

    fn answer(&self, scores: &[f32]) -> Answer {
        let labels = &self.info.labels;
        match self.info.task {
            Task::Classify => Answer::Label(labels[argmax(scores)].clone()),
            Task::Tag => {
                let threshold = |tag: usize| self.thresholds.get(tag).copied().unwrap_or(0.5);
                let mut tags: Vec<usize> = (0..scores.len())
                    .filter(|&tag| scores[tag] >= threshold(tag))
                    .collect();
                tags.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
                Answer::Tags(tags.into_iter().map(|tag| labels[tag].clone()).collect())
            }
            _ => Answer::Text(String::new()),
        }
    }
}

/// What a model says of a recording from the number it says of each window, which span these seconds.
fn estimated(
    estimates: &[Estimate],
    spans: impl ExactSizeIterator<Item = (f64, f64)>,
) -> Result<Prediction> {
    let numbers = estimates.iter().flat_map(|each| {
        let deviation = each.deviation.unwrap_or_default();
        [each.value as f32, deviation as f32]
    });
    check_finite(numbers.collect::<Vec<_>>().iter())?;
    let whole = Estimate::mean(estimates);
    let windows = if spans.len() == 1 {
        Vec::new()
    } else {
        spans
            .zip(estimates)
            .map(|((start_s, end_s), estimate)| Window {
                start_s,
                end_s,
                answer: Answer::Value(estimate.value),
                score: None,
            })
            .collect()
    };
    Ok(Prediction {
        deviation: whole.deviation,
        windows,
        ..Prediction::of(Answer::Value(whole.value))
    })
}

/// Refuses what a model says where it is no number.
pub(crate) fn check_finite<'a>(mut scores: impl Iterator<Item = &'a f32>) -> Result<()> {
    if scores.all(|score| score.is_finite()) {
        return Ok(());
    }
    Err(Error::Input(
        "the model's answer is not a number; the recording's level may be far outside of what it was \
         trained on"
            .to_string(),
    ))
}

/// Start and end of the windows over `samples`; the last one ends where the recording does.
fn cuts(samples: usize, window: usize, hop: usize) -> Vec<(usize, usize)> {
    if samples <= window || window == 0 || hop == 0 {
        return vec![(0, samples)];
    }
    let last = samples - window;
    (0..last)
        .step_by(hop)
        .chain([last])
        .map(|start| (start, start + window))
        .collect()
}

/// What a run made of one recording it has not learned from.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The recording.
    pub id: String,
    /// Its label, its tags, what is said in it or its value.
    pub truth: Answer,
    /// What the run says.
    pub prediction: Prediction,
}

/// What the run makes of `most` recordings of its test part, spread over it.
///
/// # Errors
/// When the run or its data cannot be read.
pub fn guesses(run: &RunFolder, most: usize, backend: BackendName) -> Result<Vec<Guess>> {
    struct Guesses<'a>(&'a RunFolder, usize);
    impl Job for Guesses<'_> {
        type Output = Result<Vec<Guess>>;

        fn run<B: burn::tensor::backend::AutodiffBackend>(
            self,
            device: &B::Device,
        ) -> Self::Output {
            let Self(run, most) = self;
            let data = Data::of_run(run)?;
            let (items, _) = data.held_out();
            let mut predictor = Predictor::<B::InnerBackend>::open(run, device)?;
            let windows = predictor.default_windows();
            let rate = predictor.settings.features.sample_rate_hz;
            spread(&items, most)
                .map(|item| {
                    let prediction = predictor.predict(&item.waveform(rate)?, windows)?;
                    Ok(Guess {
                        id: item.id.clone(),
                        truth: predictor.truth(&item.target),
                        prediction,
                    })
                })
                .collect()
        }
    }
    run_on(backend, Guesses(run, most))?
}

pub(crate) fn spread<'a>(items: &'a [&'a Item], most: usize) -> impl Iterator<Item = &'a Item> {
    let most = most.min(items.len());
    // From each of so many stretches one, and one further each time, as labels may come in turn.
    (0..most).map(move |i| {
        let [start, end] = [i, i + 1].map(|i| i * items.len() / most);
        items[start + i % (end - start)]
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::PathBuf;

    use super::{cuts, rounded, spread};
    use proptest::prelude::*;
    use sori_datasets::{Item, Part, Source, Target};

    #[test]
    fn numbers_are_shown_to_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (20.345_67, "20.35"),
            (-0.012_345, "-0.01235"),
            (123_456.7, "123457"),
            (1.0, "1.000"),
        ] {
            assert_eq!(rounded(value), text);
        }
    }

    #[test]
    fn recordings_to_show_are_all_different() {
        let items: Vec<Item> = (0..40)
            .map(|index| Item {
                id: index.to_string(),
                source: Source::File(PathBuf::new()),
                target: Target::Class(0),
                part: Part::Test,
                group: None,
                domain: None,
            })
            .collect();
        let items: Vec<&Item> = items.iter().collect();
        for count in 0..items.len() {
            for most in 0..45 {
                let shown: HashSet<&str> = spread(&items[..count], most)
                    .map(|item| item.id.as_str())
                    .collect();
                assert_eq!(shown.len(), most.min(count), "{most} of {count}");
            }
        }
    }

    #[test]
    fn a_short_recording_is_one_window() {
        assert_eq!(cuts(5, 8, 4), [(0, 5)]);
        assert_eq!(cuts(8, 8, 4), [(0, 8)]);
        assert_eq!(cuts(0, 8, 4), [(0, 0)]);
    }

    #[test]
    fn the_last_window_ends_with_the_recording() {
        assert_eq!(cuts(13, 8, 4), [(0, 8), (4, 12), (5, 13)]);
        assert_eq!(cuts(12, 8, 4), [(0, 8), (4, 12)]);
    }

    proptest! {
        #[test]
        fn windows_cover_every_sample_in_order(
            samples in 0usize..2000, window in 1usize..300, hop in 1usize..300,
        ) {
            let hop = hop.min(window);
            let cuts = cuts(samples, window, hop);
            prop_assert_eq!(cuts[0].0, 0);
            prop_assert_eq!(cuts[cuts.len() - 1].1, samples);
            for pair in cuts.windows(2) {
                prop_assert!(pair[0].0 < pair[1].0);
                prop_assert!(pair[1].0 <= pair[0].1);
                prop_assert_eq!(pair[1].1 - pair[1].0, window);
            }
        }
    }
}
