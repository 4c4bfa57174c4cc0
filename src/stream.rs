//! A trained run at work on sound that is still arriving.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use sori_datasets::Alphabet;
use sori_datasets::audio::ResampleStream;
use sori_datasets::features::{FeatureStream, Features};
use sori_models::deep_speech2::DeepSpeech2Stream;
use sori_models::{Model, ModelConfig};

use crate::batch::Coding;
use crate::decode::{self, Beam, Greedy, StreamDecoder, Symbol, Word};
use crate::predict::check_finite;
use crate::task::{host, indices, written};
use crate::train::{Checkpoint, RunFolder, pipeline};
use crate::{Error, Result};

/// Seconds of sound that go through features and model at once, however much is given.
const PIECE_S: u32 = 1;

/// The best checkpoint of a run, writing down sound while it arrives.
///
/// What it has written at the end is what [`Predictor`](crate::Predictor) writes of the whole, on the
/// CPU backend from the same logits bit by bit, however the sound is cut. Of the sound itself only
/// the last moments are kept.
///
/// It takes a `deep_speech2` that reads forward alone, with features that need no more than a part
/// of a recording: `model.bidirectional=false`, `model.lookahead=N`, `features.normalize=corpus`.
pub struct Transcriber<B: Backend> {
    resampler: Option<ResampleStream>,
    features: FeatureStream,
    model: DeepSpeech2Stream<B>,
    decoder: StreamDecoder,
    alphabet: Arc<Alphabet>,
    rate_hz: u32,
    step_s: f64,
    look_ahead_frames: usize,
    samples: u64,
    device: B::Device,
}

/// What is said in the sound so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// All of it.
    pub text: String,
    /// Its words, and when each is said.
    pub words: Vec<Word>,
}

impl<B: Backend> Transcriber<B> {
    /// Loads the best checkpoint of `run`. The sound is to come at [`rate_hz`](Self::rate_hz).
    ///
    /// # Errors
    /// When the run has none yet, it cannot be read, or needs whole recordings.
    pub fn open(run: &RunFolder, device: &B::Device) -> Result<Self> {
        let settings = run.settings()?;
        let info = run.info()?;
        let needs_whole = |reason: String| {
            Error::run(
                run.path(),
                format!(
                    "it cannot write down sound that is still arriving: {reason}. Train deep_speech2 \
                     with --set model.bidirectional=false --set model.lookahead=8 --set \
                     features.normalize=corpus"
                ),
            )
        };
        let ModelConfig::DeepSpeech2(config) = &settings.model else {
            let what = if settings.model.transcribes() {
                "reads a recording to its end before it writes"
            } else {
                "writes no transcripts"
            };
            return Err(needs_whole(format!("its model, {}, {what}", info.model)));
        };
        let Coding::Symbols(alphabet) = run.coding(&info)? else {
            return Err(needs_whole("it has no alphabet".to_string()));
        };
        let features = pipeline(&settings.features, info.stats.as_ref())?
            .stream()
            .map_err(|error| needs_whole(error.to_string()))?;
        let checkpoint = Checkpoint::read(&run.best_checkpoint()?)?;
        let model = checkpoint.load_model(settings.model.init::<B>(device)?)?;
        let Model::DeepSpeech2(model) = model else {
            return Err(needs_whole(format!("its model is {}", info.model)));
        };
        let frames_per_step = settings.model.frames_per_step();
        Ok(Self {
            resampler: None,
            model: model
                .stream()
                .map_err(|error| needs_whole(error.to_string()))?,
            features,
            decoder: StreamDecoder::Greedy(Greedy::default()),
            alphabet,
            rate_hz: settings.features.sample_rate_hz,
            step_s: frames_per_step as f64 * settings.features.frame_period_s(),
            look_ahead_frames: config.look_ahead_frames(),
            samples: 0,
            device: device.clone(),
        })
    }

    /// For sound at another sample rate, which is resampled as that of a file is.
    ///
    /// # Errors
    /// When the rate is 0.
    pub fn with_rate(mut self, rate_hz: u32) -> Result<Self> {
        let own_hz = self.features.config().sample_rate_hz;
        let resampler = ResampleStream::new(rate_hz, own_hz)?;
        self.resampler = (rate_hz != own_hz).then_some(resampler);
        self.rate_hz = rate_hz;
        Ok(self)
    }

    /// The same, which searches for the best transcript.
    ///
    /// # Errors
    /// When the search's width is wrong.
    pub fn with_beam(mut self, beam: &Beam) -> Result<Self> {
        self.decoder = StreamDecoder::Beam(Box::new(beam.search(&self.alphabet)?));
        Ok(self)
    }

    /// The sample rate of the sound it takes.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Seconds of sound it was given.
    pub fn heard_s(&self) -> f64 {
        self.samples as f64 / f64::from(self.rate_hz)
    }

    /// When the last symbol so far begins, in seconds from the beginning of the sound: about when it
    /// is said, as far as CTC tells.
    pub fn last_said_s(&self) -> Option<f64> {
        Some(self.decoder.last_start()? as f64 * self.step_s)
    }

    /// How long after the moment a step begins it is decoded, in seconds of sound: the resampler's
    /// block, the rest of a frame's window, and what the model looks ahead, by half of each
    /// kernel and its lookahead.
    pub fn latency_s(&self) -> f64 {
        let config = self.features.config();
        let resampled = self.resampler.as_ref();
        let resampled = resampled.map_or(0, ResampleStream::latency_samples);
        let samples = resampled + self.features.latency_samples();
        let ahead_s = self.look_ahead_frames as f64 * config.frame_period_s();
        samples as f64 / f64::from(config.sample_rate_hz) + ahead_s
    }

    /// Hears more of the sound. The logits of the steps that become complete, `[steps, symbols]`,
    /// which the [`transcript`](Self::transcript) has by then.
    ///
    /// # Errors
    /// When a sample or what the model says of it is not finite. What was said before stays.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        let mut logits = Vec::new();
        for piece in samples.chunks((self.rate_hz * PIECE_S) as usize) {
            let features = match &mut self.resampler {
                None => self.features.push(piece)?,
                Some(resampler) => self.features.push(&resampler.push(piece)?)?,
            };
            self.samples += piece.len() as u64;
            logits.extend(self.hear(features)?);
        }
        Ok(logits)
    }

    /// What is said so far.
    pub fn transcript(&self) -> Transcript {
        self.transcript_of(&self.decoder.best())
    }

    /// The text of what is said so far.
    pub fn text(&self) -> String {
        written(&self.alphabet, &indices(&self.decoder.best()))
    }

    fn transcript_of(&self, symbols: &[Symbol]) -> Transcript {
        Transcript {
            text: written(&self.alphabet, &indices(symbols)),
            words: decode::words(symbols, &self.alphabet, self.step_s),
        }
    }

    /// Ends the sound: the logits of the last steps, and all that is said.
    ///
    /// # Errors
    /// When the sound is too short for one frame, or as [`push`](Self::push).
    pub fn finish(mut self) -> Result<(Vec<f32>, Transcript)> {
        let mut logits = Vec::new();
        if let Some(resampler) = self.resampler.take() {
            let features = self.features.push(&resampler.finish()?)?;
            logits.extend(self.hear(features)?);
        }
        let features = self.features.clone().finish()?;
        logits.extend(self.hear(features)?);
        let last = self.model.clone().finish();
        logits.extend(self.decode(last)?);
        Ok((logits, self.transcript_of(&self.decoder.finish())))
    }

    fn hear(&mut self, features: Features) -> Result<Vec<f32>> {
        if features.frames == 0 {
            return Ok(Vec::new());
        }
        let shape = [1, features.frames, features.bins];
        let features = Tensor::from_data(TensorData::new(features.values, shape), &self.device);
        let logits = self.model.push(features);
        self.decode(logits)
    }

    fn decode(&mut self, logits: Option<Tensor<B, 3>>) -> Result<Vec<f32>> {
        let Some(logits) = logits else {
            return Ok(Vec::new());
        };
        let [_, _, symbols] = logits.dims();
        let logits = host(logits);
        check_finite(logits.iter())?;
        for step in logits.chunks_exact(symbols) {
            self.decoder.push(step);
        }
        Ok(logits)
    }
}
