//! The best checkpoint of a run on one recording: a label, tags, a transcript or a value.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use burn::tensor::backend::Backend;
use sori_datasets::{FeatureLoader, Features, Pipeline, Target, Waveform};
use sori_models::ops::in_pool;
use sori_models::{Architecture, Classifier, ModelConfig, Network, Role};

use super::pieces::{Cut, Piece, Pieces};
use super::sound::Sound;
use super::windows::Windows;
use crate::data::batch::{Batch, FrameLimits, HostBatch};
use crate::data::pipeline::pipeline;
use crate::decode::{Beam, Decoding};
use crate::run::folder::RunFolder;
use crate::run::info::RunInfo;
use crate::settings::schema::Settings;
use crate::task::answer::{Answer, Prediction};
use crate::task::any::AnyTask;
use crate::task::contract::Windowed;
use crate::task::reading::Reading;
use crate::{Error, Result};

/// Windows of a long recording that go through the network at once.
pub(super) const WINDOWS_AT_ONCE: usize = 32;

/// The time from one pitch to the next, in seconds.
const PITCH_HOP_S: f64 = 0.01;

/// Samples of a waveform that are handed on at once.
const BLOCK_SAMPLES: usize = 1 << 16;

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
    pub(super) network: A::Network<B>,
    pub(super) task: AnyTask,
    labels: Vec<String>,
    pub(super) info: RunInfo,
    pub(super) settings: Settings<A>,
    pipeline: Pipeline,
    /// Feature loaders, one for each thread that predicts at the same time.
    loaders: Mutex<Vec<FeatureLoader>>,
    pub(super) decoding: Decoding,
    pub(super) device: B::Device,
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

    /// What the run gives besides the answer of its task, if anything.
    pub fn reading(&self) -> Option<Reading> {
        self.info.reading
    }

    /// The default windows: as long as the run's longest recording, half overlapping, or side by side where
    /// their mean is taken; for pitch one every 10 ms.
    pub fn default_windows(&self) -> Windows {
        let window_s = self.info.window_s;
        let hop_s = match (self.info.reading, self.info.mean_over_windows) {
            (Some(Reading::Pitch), _) => PITCH_HOP_S,
            (_, true) => window_s,
            (_, false) => window_s / 2.0,
        };
        Windows { window_s, hop_s }
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
        on_progress: impl FnMut(f64),
    ) -> Result<Prediction> {
        let sound = self.sound(path, on_progress)?;
        self.predict_blocks(sound, windows).map_err(|e| at(path, e))
    }

    /// The blocks of an audio file at the run's sample rate.
    pub(super) fn sound(
        &self,
        path: &Path,
        mut on_progress: impl FnMut(f64),
    ) -> Result<impl Iterator<Item = Result<Vec<f32>>>> {
        let sound = Sound::open(path, self.sample_rate_hz())?;
        let expected_s = sound.expected_s();
        let rate = f64::from(self.sample_rate_hz());
        let mut read_s = 0.0;
        Ok(sound.inspect(move |block| {
            let Ok(block) = block else { return };
            read_s += block.len() as f64 / rate;
            if let Some(expected_s) = expected_s {
                on_progress((read_s / expected_s).min(1.0));
            }
        }))
    }

    /// The prediction for a waveform at the run's sample rate. For labels and values, a waveform
    /// longer than a window is predicted window by window. For a transcript, one longer than
    /// [`longest_piece_s`](Self::longest_piece_s) is cut at quiet places.
    ///
    /// # Errors
    /// When the waveform is too short for one frame, or not finite.
    pub fn predict(&self, waveform: &Waveform, windows: Windows) -> Result<Prediction> {
        self.predict_blocks(self.blocks(waveform)?, windows)
    }

    /// The blocks of a waveform.
    ///
    /// # Errors
    /// When it has another sample rate than the run's.
    pub(super) fn blocks<'a>(
        &self,
        waveform: &'a Waveform,
    ) -> Result<impl Iterator<Item = Result<Vec<f32>>> + use<'a, B, A>> {
        if waveform.sample_rate_hz != self.sample_rate_hz() {
            return Err(sori_datasets::Error::SampleRate {
                found_hz: waveform.sample_rate_hz,
                expected_hz: self.sample_rate_hz(),
            }
            .into());
        }
        let blocks = waveform.samples.chunks(BLOCK_SAMPLES);
        Ok(blocks.map(|block| Ok(block.to_vec())))
    }

    /// The prediction for sound at the run's sample rate that arrives in blocks, of which little more
    /// than a piece is held.
    fn predict_blocks(
        &self,
        blocks: impl Iterator<Item = Result<Vec<f32>>>,
        windows: Windows,
    ) -> Result<Prediction> {
        let by_windows = self.window_cut(windows);
        match &self.task {
            AnyTask::Classify(task) => self.by_windows(task, Pieces::new(blocks, by_windows)),
            AnyTask::Tag(task) => self.by_windows(task, Pieces::new(blocks, by_windows)),
            AnyTask::Regress(task) => self.by_windows(task, Pieces::new(blocks, by_windows)),
            AnyTask::Transcribe(task) => {
                self.transcribe(task, Pieces::new(blocks, self.quiet_cut()))
            }
            AnyTask::Autoencode(_) | AnyTask::Generate(_) => {
                Err(says_nothing(&self.path, &self.info))
            }
        }
    }

    /// So many seconds in samples.
    pub(super) fn samples(&self, seconds: f64) -> usize {
        let samples = (seconds * f64::from(self.sample_rate_hz())).round();
        (samples as usize).max(1)
    }

    pub(super) fn window_cut(&self, windows: Windows) -> Cut {
        Cut::Windows {
            window: self.samples(windows.window_s),
            hop: self.samples(windows.hop_s),
        }
    }

    /// The network if it classifies.
    ///
    /// # Errors
    /// When it has another role: it has no `what`.
    pub(super) fn classifier(&self, what: &str) -> Result<&dyn Classifier<B>> {
        self.network.contract().classifier().ok_or_else(|| {
            Error::run(
                &self.path,
                format!("its {} has no {what}; classifiers have", self.info.model),
            )
        })
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
    pub(super) fn span(&self, piece: &Piece) -> (f64, f64) {
        let seconds = |samples: usize| samples as f64 / f64::from(self.sample_rate_hz());
        let end = piece.start + piece.samples.len();
        (seconds(piece.start), seconds(end))
    }

    pub(super) fn waveform(&self, piece: Piece) -> Waveform {
        Waveform {
            samples: piece.samples,
            sample_rate_hz: self.sample_rate_hz(),
        }
    }

    /// A right answer in the form of a prediction.
    ///
    /// # Errors
    /// When it is of another kind than the run's.
    pub fn truth(&self, target: &Target) -> Result<Answer> {
        self.task.truth(target)
    }

    /// The features of waveforms at the run's sample rate, as a batch.
    pub(super) fn batch(&self, waveforms: &[Waveform]) -> Result<Batch<B>> {
        Ok(self.batch_of(&self.features(waveforms)?))
    }

    /// The features of waveforms at the run's sample rate.
    pub(super) fn features(&self, waveforms: &[Waveform]) -> Result<Vec<Features>> {
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
        Ok(rows?)
    }

    /// Features as a batch.
    pub(super) fn batch_of(&self, rows: &[Features]) -> Batch<B> {
        let limits = FrameLimits::of(&self.settings.model);
        let batch = HostBatch::collate(&rows.iter().collect::<Vec<_>>(), limits);
        batch.to_device::<B>(&self.device)
    }

    fn loaders(&self) -> std::sync::MutexGuard<'_, Vec<FeatureLoader>> {
        self.loaders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error of the file `path`.
pub(super) fn at(path: &Path, error: Error) -> Error {
    match error {
        Error::Data(error) => Error::Data(error.at(path.display().to_string())),
        error => Error::Input(format!("{}: {error}", path.display())),
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
