//! The best checkpoint of a run on one recording: a label, tags, a transcript or a value.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use burn::tensor::backend::Backend;
use sori_datasets::{FeatureLoader, Features, Pipeline, Target, Waveform};
use sori_models::ops::in_pool;
use sori_models::{Architecture, Emissions, ModelConfig, Network, Role};

use super::pieces::{Cut, Piece, Pieces};
use super::sound::Sound;
use super::windows::Windows;
use crate::data::batch::{Batch, FrameLimits, HostBatch};
use crate::data::pipeline::pipeline;
use crate::decode::{
    self, Alignment, Beam, Decoding, Hearing, Recogniser, StepProbabilities, log_probs, recognise,
    text_of,
};
use crate::numbers::{check_finite, host};
use crate::run::folder::RunFolder;
use crate::run::info::RunInfo;
use crate::settings::schema::Settings;
use crate::task::answer::{Answer, Prediction, ScoredTranscript, Window};
use crate::task::any::AnyTask;
use crate::task::contract::{Task, Windowed};
use crate::task::transcribe::Transcribe;
use crate::{Error, Result};

/// Windows of a long recording that go through the network at once.
const WINDOWS_AT_ONCE: usize = 32;

/// Samples of a waveform that are handed on at once.
const BLOCK_SAMPLES: usize = 1 << 16;

/// The stretch by whose energy a place counts as quiet, in seconds.
const QUIET_S: f64 = 0.1;

/// Number of a search's transcripts that are kept.
const MOST_TRANSCRIPTS: usize = 100;

/// The best checkpoint of a run, ready to predict. It can be shared between threads.
///
/// ```no_run
/// use burn_ndarray::NdArray;
/// use sori::{Predictor, RunFolder};
///
/// let run = RunFolder::open("runs/mine".as_ref())?;
/// let predictor = Predictor::<NdArray>::open(&run, &Default::default())?;
/// let prediction = predictor.predict_file("new.wav".as_ref(), predictor.default_windows())?;
/// println!("{}", prediction.answer);
/// # Ok::<(), sori::Error>(())
/// ```
pub struct Predictor<B: Backend, A: Architecture = ModelConfig> {
    path: PathBuf,
    network: A::Network<B>,
    task: AnyTask,
    labels: Vec<String>,
    info: RunInfo,
    settings: Settings<A>,
    pipeline: Pipeline,
    /// Feature loaders, one for each thread that predicts at the same time.
    loaders: Mutex<Vec<FeatureLoader>>,
    decoding: Decoding,
    device: B::Device,
}

impl<B: Backend, A: Architecture> Predictor<B, A> {
    /// Loads the best checkpoint of `run`.
    ///
    /// # Errors
    /// When the run has none yet, it cannot be read, or its network generates patches.
    pub fn open(run: &RunFolder<A>, device: &B::Device) -> Result<Self> {
        let (settings, info) = (run.settings(), run.info());
        if run.task().generates() {
            return Err(says_nothing(run.path(), info));
        }
        let best = run.best::<B>(device)?;
        let pipeline = pipeline(&settings.features, info.stats.as_ref())?;
        Ok(Self {
            path: run.path().to_path_buf(),
            network: best.network,
            task: best.task,
            labels: info.labels.clone(),
            info: info.clone(),
            decoding: settings.decoding(),
            settings: settings.clone(),
            loaders: Mutex::new(vec![pipeline.loader()?]),
            pipeline,
            device: device.clone(),
        })
    }

    /// Sets the beam search for transcripts.
    #[must_use]
    pub fn with_beam(mut self, beam: Beam) -> Self {
        self.decoding.beam = Some(beam);
        self
    }

    /// Sets one threshold for the scores of all tags, in place of those that were chosen on the
    /// validation part. Other tasks have none.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f32) -> Self {
        let thresholds = vec![threshold; self.labels.len()];
        self.task = self.task.with_thresholds(thresholds);
        self
    }

    /// The threshold of each tag's score, in the order of the labels; none for other tasks.
    pub fn thresholds(&self) -> Option<Vec<f32>> {
        match &self.task {
            AnyTask::Tag(task) => Some(
                (0..task.labels.len())
                    .map(|it| task.threshold(it))
                    .collect(),
            ),
            _ => None,
        }
    }

    /// Names of the labels, in the order of the scores.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether it predicts transcripts.
    pub fn transcribes(&self) -> bool {
        matches!(self.task, AnyTask::Transcribe(_))
    }

    /// Whether it predicts classes or tags, whose events a prediction holds.
    pub fn finds_events(&self) -> bool {
        matches!(self.task, AnyTask::Classify(_) | AnyTask::Tag(_))
    }

    /// Whether it knows the time of each word. A speller does not.
    pub fn times_words(&self) -> bool {
        self.settings.model.role() == Role::Emitter
    }

    /// The sample rate of the waveforms it takes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.settings.features.sample_rate_hz
    }

    /// The default windows: as long as the run's longest recording, half overlapping, or side by side where
    /// their mean is taken.
    pub fn default_windows(&self) -> Windows {
        let overlap = match self.info.mean_over_windows {
            true => 1.0,
            false => 2.0,
        };
        Windows {
            window_s: self.info.window_s,
            hop_s: self.info.window_s / overlap,
        }
    }

    /// The shortest allowed window in seconds: 0.01, or the features' minimum.
    pub fn least_window_s(&self) -> f64 {
        let features = &self.settings.features;
        let needed = features.min_samples() as f64 / f64::from(features.sample_rate_hz);
        needed.max(0.01)
    }

    /// The prediction for the audio file `path`, which is read as it is used: an hour of sound takes no
    /// more memory than a piece.
    ///
    /// # Errors
    /// When the file cannot be read as audio, or as [`predict`](Self::predict).
    pub fn predict_file(&self, path: &Path, windows: Windows) -> Result<Prediction> {
        self.predict_file_with(path, windows, |_| ())
    }

    /// As [`predict_file`](Self::predict_file). `on_progress` is told the share of the file that has been
    /// read, where its header tells its length.
    ///
    /// # Errors
    /// Those of [`predict_file`](Self::predict_file).
    pub fn predict_file_with(
        &self,
        path: &Path,
        windows: Windows,
        mut on_progress: impl FnMut(f64),
    ) -> Result<Prediction> {
        let sound = Sound::open(path, self.sample_rate_hz())?;
        let expected_s = sound.expected_s();
        let mut read_s = 0.0;
        let sound = sound.inspect(|block| {
            let Ok(block) = block else { return };
            read_s += block.len() as f64 / f64::from(self.sample_rate_hz());
            if let Some(expected_s) = expected_s {
                on_progress((read_s / expected_s).min(1.0));
            }
        });
        self.predict_blocks(sound, windows)
            .map_err(|error| match error {
                Error::Data(error) => Error::Data(error.at(path.display().to_string())),
                error => Error::Input(format!("{}: {error}", path.display())),
            })
    }

    /// The prediction for a waveform at the run's sample rate. For labels and values, a waveform
    /// longer than a window is predicted window by window. For a transcript, one longer than
    /// [`longest_piece_s`](Self::longest_piece_s) is cut at quiet places.
    ///
    /// # Errors
    /// When the waveform is too short for one frame, or not finite.
    pub fn predict(&self, waveform: &Waveform, windows: Windows) -> Result<Prediction> {
        if waveform.sample_rate_hz != self.sample_rate_hz() {
            return Err(sori_datasets::Error::SampleRate {
                found_hz: waveform.sample_rate_hz,
                expected_hz: self.sample_rate_hz(),
            }
            .into());
        }
        let blocks = waveform.samples.chunks(BLOCK_SAMPLES);
        self.predict_blocks(blocks.map(|block| Ok(block.to_vec())), windows)
    }

    /// The prediction for sound at the run's sample rate that arrives in blocks, of which little more
    /// than a piece is held.
    fn predict_blocks(
        &self,
        blocks: impl Iterator<Item = Result<Vec<f32>>>,
        windows: Windows,
    ) -> Result<Prediction> {
        let samples = |seconds: f64| {
            let samples = (seconds * f64::from(self.sample_rate_hz())).round();
            (samples as usize).max(1)
        };
        let by_windows = Cut::Windows {
            window: samples(windows.window_s),
            hop: samples(windows.hop_s),
        };
        match &self.task {
            AnyTask::Classify(task) => self.by_windows(task, Pieces::new(blocks, by_windows)),
            AnyTask::Tag(task) => self.by_windows(task, Pieces::new(blocks, by_windows)),
            AnyTask::Regress(task) => self.by_windows(task, Pieces::new(blocks, by_windows)),
            AnyTask::Transcribe(task) => {
                let cut = Cut::Quiet {
                    longest: samples(self.longest_piece_s()),
                    stretch: samples(QUIET_S),
                };
                self.transcribe(task, Pieces::new(blocks, cut))
            }
            AnyTask::Autoencode(_) | AnyTask::Generate(_) => {
                Err(says_nothing(&self.path, &self.info))
            }
        }
    }

    fn by_windows<T: Windowed>(
        &self,
        task: &T,
        mut pieces: impl Iterator<Item = Result<Piece>>,
    ) -> Result<Prediction> {
        let network = T::network(self.network.contract())?;
        let (mut scores, mut spans) = (Vec::new(), Vec::new());
        loop {
            let group = pieces.by_ref().take(WINDOWS_AT_ONCE);
            let group = group.collect::<Result<Vec<Piece>>>()?;
            if group.is_empty() {
                return task.predict(&scores, &spans);
            }
            spans.extend(group.iter().map(|piece| self.span(piece)));
            let parts: Vec<Waveform> = group.into_iter().map(|it| self.waveform(it)).collect();
            let batch = self.batch(&parts)?;
            scores.extend(in_pool::<B, _>(|| task.scores(network, &batch)));
        }
    }

    /// Start and end of a piece in seconds.
    fn span(&self, piece: &Piece) -> (f64, f64) {
        let seconds = |samples: usize| samples as f64 / f64::from(self.sample_rate_hz());
        let end = piece.start + piece.samples.len();
        (seconds(piece.start), seconds(end))
    }

    fn waveform(&self, piece: Piece) -> Waveform {
        Waveform {
            samples: piece.samples,
            sample_rate_hz: self.sample_rate_hz(),
        }
    }

    /// The longest sound that is transcribed in one piece: a minute, or 20 seconds by a speller, whose work
    /// grows with the square of it; and at least the longest recording of the run.
    pub fn longest_piece_s(&self) -> f64 {
        let longest_s = match self.times_words() {
            true => 60.0,
            false => 20.0,
        };
        self.info.window_s.max(longest_s)
    }

    /// A right answer in the form of a prediction.
    ///
    /// # Errors
    /// When it is of another kind than the run's.
    pub fn truth(&self, target: &Target) -> Result<Answer> {
        self.task.truth(target)
    }

    /// The features of waveforms at the run's sample rate, as a batch.
    fn batch(&self, waveforms: &[Waveform]) -> Result<Batch<B>> {
        let idle = self.loaders().pop();
        let mut loader = match idle {
            Some(loader) => loader,
            None => self.pipeline.loader()?,
        };
        let rows = waveforms
            .iter()
            .map(|waveform| loader.load_waveform(waveform));
        let rows = rows.collect::<std::result::Result<Vec<Features>, _>>();
        self.loaders().push(loader);
        let rows = rows?;
        let limits = FrameLimits::of(&self.settings.model);
        let batch = HostBatch::collate(&rows.iter().collect::<Vec<_>>(), limits);
        Ok(batch.to_device::<B>(&self.device))
    }

    fn loaders(&self) -> std::sync::MutexGuard<'_, Vec<FeatureLoader>> {
        self.loaders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The logits `[steps, symbols]` of a waveform at the run's sample rate, before decoding.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and when the network has no such logits. `deep_speech2` has.
    pub fn logits(&self, waveform: &Waveform) -> Result<Vec<f32>> {
        let Ok(Recogniser::Emitter(network)) = Transcribe::network(self.network.contract()) else {
            return Err(Error::Input(format!(
                "{} gives no symbol at each step; deep_speech2 does",
                self.info.model
            )));
        };
        let batch = self.batch(std::slice::from_ref(waveform))?;
        let emissions = in_pool::<B, _>(|| network.emit(batch.features, &batch.lengths));
        let logits = host(emissions.logits);
        check_finite(logits.iter())?;
        Ok(logits)
    }

    /// The probability of each symbol at each step in a waveform at the run's sample rate.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and when the network has no such probabilities: `deep_speech2` has,
    /// and `las` with a CTC head.
    pub fn step_probabilities(&self, waveform: &Waveform) -> Result<StepProbabilities> {
        let none = || {
            Error::Input(format!(
                "{} gives no probability of each symbol at each step; deep_speech2 does, and las with \
                 model.ctc_weight above 0",
                self.info.model
            ))
        };
        let AnyTask::Transcribe(task) = &self.task else {
            return Err(none());
        };
        let Batch { features, lengths } = self.batch(std::slice::from_ref(waveform))?;
        let emissions = match Transcribe::network(self.network.contract())? {
            Recogniser::Emitter(network) => in_pool::<B, _>(|| network.emit(features, &lengths)),
            Recogniser::Speller(speller) => {
                let listened = in_pool::<B, _>(|| speller.listen(features, &lengths));
                Emissions {
                    logits: speller.ctc_logits(&listened).ok_or_else(none)?,
                    lengths: listened.lengths,
                }
            }
        };
        let rows: Vec<Vec<f32>> = log_probs(&emissions).into_iter().flatten().collect();
        check_finite(rows.iter().flatten())?;
        let probability = |row: Vec<f32>| row.into_iter().map(f32::exp).collect();
        Ok(StepProbabilities {
            symbols: task.alphabet.symbols().to_vec(),
            rows: rows.into_iter().map(probability).collect(),
            step_s: self.step_s(),
        })
    }

    /// The time from one step of a recogniser to the next, in seconds.
    fn step_s(&self) -> f64 {
        let settings = &self.settings;
        settings.model.frames_per_step() as f64 * settings.features.frame_period_s()
    }

    /// The transcript of a recording, piece by piece.
    fn transcribe(
        &self,
        task: &Transcribe,
        pieces: impl Iterator<Item = Result<Piece>>,
    ) -> Result<Prediction> {
        let (mut found, mut spans) = (Vec::new(), Vec::new());
        for piece in pieces {
            let piece = piece?;
            let span = self.span(&piece);
            let mut prediction = self.transcribe_piece(task, &self.waveform(piece))?;
            for word in &mut prediction.words {
                word.start_s += span.0;
                word.end_s += span.0;
            }
            spans.push(span);
            found.push(prediction);
        }
        if found.len() == 1 {
            return Ok(found.remove(0));
        }
        let answers = found.iter().map(|piece| (piece.answer.clone(), None));
        let windows = Window::several(&spans, answers);
        let texts = found.iter().filter_map(|piece| match &piece.answer {
            Answer::Text(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        });
        let text = texts.collect::<Vec<_>>().join(" ");
        Ok(Prediction {
            windows,
            words: found.iter().flat_map(|piece| piece.words.clone()).collect(),
            ..Prediction::new(Answer::Text(text))
        })
    }

    fn transcribe_piece(&self, task: &Transcribe, waveform: &Waveform) -> Result<Prediction> {
        let alphabet = &task.alphabet;
        let network = Transcribe::network(self.network.contract())?;
        let Batch { features, lengths } = self.batch(std::slice::from_ref(waveform))?;
        let (emissions, listened);
        let hearing = match network {
            Recogniser::Emitter(network) => {
                emissions = in_pool::<B, _>(|| network.emit(features, &lengths));
                check_finite(host(emissions.logits.clone()).iter())?;
                Hearing::Emitted(&emissions)
            }
            Recogniser::Speller(speller) => {
                listened = in_pool::<B, _>(|| speller.listen(features, &lengths));
                Hearing::Listened {
                    speller,
                    listened: &listened,
                    ctc_logits: speller.ctc_logits(&listened),
                }
            }
        };
        let found = recognise(hearing, &self.decoding, alphabet, MOST_TRANSCRIPTS)?;
        let found = found.into_iter().next().unwrap_or_default();
        check_finite(found.attention.iter().flatten())?;
        let step_s = self.step_s();
        let alignment = match network {
            Recogniser::Emitter(_) => None,
            Recogniser::Speller(_) => Some(Alignment {
                symbols: found
                    .symbols
                    .iter()
                    .filter_map(|&index| alphabet.symbol(index))
                    .collect(),
                weights: found.attention,
                step_s,
            }),
        };
        let nbest = found.nbest.iter().map(|(symbols, score)| ScoredTranscript {
            text: text_of(alphabet, symbols),
            score: *score,
        });
        Ok(Prediction {
            words: decode::words(&found.timed, alphabet, step_s, waveform.duration_s()),
            alignment,
            nbest: nbest.collect(),
            ..Prediction::new(Answer::Text(text_of(alphabet, &found.symbols)))
        })
    }
}

/// The error of a run whose network generates patches and does not predict.
fn says_nothing(run: &Path, info: &RunInfo) -> Error {
    Error::run(
        run,
        format!(
            "its {} says nothing of a recording; `sori generate` shows what it makes",
            info.model
        ),
    )
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;

    use super::*;

    #[test]
    fn a_run_and_its_predictor_are_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<RunFolder>();
        shared::<Predictor<NdArray>>();
    }
}
