//! The best checkpoint of a run on one recording: a label, tags, a transcript or a value.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use burn::tensor::backend::Backend;
use sori_datasets::{FeatureLoader, Features, Pipeline, Target, Waveform, audio};
use sori_models::ops::in_pool;
use sori_models::{Architecture, ModelConfig, Network, Role};

use super::windows::{Windows, cuts};
use crate::data::batch::{Batch, FrameLimits, HostBatch};
use crate::data::pipeline::pipeline;
use crate::decode::{self, Alignment, Beam, Decoding, Hearing, Recogniser, recognise, text_of};
use crate::numbers::{check_finite, host};
use crate::run::folder::RunFolder;
use crate::run::info::RunInfo;
use crate::settings::schema::Settings;
use crate::task::answer::{Answer, Prediction, ScoredTranscript};
use crate::task::any::AnyTask;
use crate::task::contract::{Task, Windowed};
use crate::task::transcribe::Transcribe;
use crate::{Error, Result};

/// Windows of a long recording that go through the network at once.
const WINDOWS_AT_ONCE: usize = 32;

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

    /// Names of the labels, in the order of the scores.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether it predicts transcripts.
    pub fn transcribes(&self) -> bool {
        matches!(self.task, AnyTask::Transcribe(_))
    }

    /// Whether it knows the time of each word. A speller does not.
    pub fn times_words(&self) -> bool {
        self.settings.model.role() == Role::Emitter
    }

    /// The sample rate of the waveforms it takes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.settings.features.sample_rate_hz
    }

    /// The default windows: as long as the run's longest training recording, half overlapping.
    pub fn default_windows(&self) -> Windows {
        Windows {
            window_s: self.info.window_s,
            hop_s: self.info.window_s / 2.0,
        }
    }

    /// The shortest allowed window in seconds: 0.01, or the features' minimum.
    pub fn least_window_s(&self) -> f64 {
        let features = &self.settings.features;
        let needed = features.min_samples() as f64 / f64::from(features.sample_rate_hz);
        needed.max(0.01)
    }

    /// The prediction for the audio file `path`.
    ///
    /// # Errors
    /// When the file cannot be read as audio.
    pub fn predict_file(&self, path: &Path, windows: Windows) -> Result<Prediction> {
        let waveform = audio::load(path, self.sample_rate_hz())?;
        self.predict(&waveform, windows)
            .map_err(|e| Error::Input(format!("{}: {e}", path.display())))
    }

    /// The prediction for a waveform at the run's sample rate. For labels and values, a waveform
    /// longer than a window is predicted window by window. A transcript is of the whole.
    ///
    /// # Errors
    /// When the waveform is too short for one frame, or not finite.
    pub fn predict(&self, waveform: &Waveform, windows: Windows) -> Result<Prediction> {
        match &self.task {
            AnyTask::Classify(task) => self.by_windows(task, waveform, windows),
            AnyTask::Tag(task) => self.by_windows(task, waveform, windows),
            AnyTask::Regress(task) => self.by_windows(task, waveform, windows),
            AnyTask::Transcribe(task) => self.transcribe(task, waveform),
            AnyTask::Autoencode(_) | AnyTask::Generate(_) => {
                Err(says_nothing(&self.path, &self.info))
            }
        }
    }

    fn by_windows<T: Windowed>(
        &self,
        task: &T,
        waveform: &Waveform,
        windows: Windows,
    ) -> Result<Prediction> {
        let network = T::network(self.network.contract())?;
        let rate = f64::from(waveform.sample_rate_hz);
        let cuts = cuts(
            waveform.samples.len(),
            (windows.window_s * rate).round() as usize,
            (windows.hop_s * rate).round() as usize,
        );
        let mut scores = Vec::with_capacity(cuts.len());
        for group in cuts.chunks(WINDOWS_AT_ONCE) {
            let part = |&(start, end): &(usize, usize)| Waveform {
                samples: waveform.samples[start..end].to_vec(),
                sample_rate_hz: waveform.sample_rate_hz,
            };
            let parts: Vec<Waveform> = group.iter().map(part).collect();
            let batch = self.batch(&parts)?;
            scores.extend(in_pool::<B, _>(|| task.scores(network, &batch)));
        }
        let span = |(start, end): (usize, usize)| (start as f64 / rate, end as f64 / rate);
        let spans: Vec<(f64, f64)> = cuts.into_iter().map(span).collect();
        task.predict(&scores, &spans)
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

    fn transcribe(&self, task: &Transcribe, waveform: &Waveform) -> Result<Prediction> {
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
        let settings = &self.settings;
        let step_s = settings.model.frames_per_step() as f64 * settings.features.frame_period_s();
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
            words: decode::words(&found.timed, alphabet, step_s),
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
