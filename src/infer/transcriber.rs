//! The best checkpoint of a run on live sound.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use sori_datasets::Alphabet;
use sori_datasets::audio::ResampleStream;
use sori_datasets::features::{FeatureStream, Features};
use sori_models::{Architecture, Contract, EmissionStream, Network, Role};

use crate::data::pipeline::pipeline;
use crate::decode::{self, Beam, Greedy, StreamDecoder, Symbol, Word, indices, text_of};
use crate::numbers::{check_finite, host};
use crate::run::folder::RunFolder;
use crate::{Error, Result};

/// Seconds of sound that go through features and model at once, however much arrives.
const PIECE_S: u32 = 1;

/// The best checkpoint of a run, transcribing sound while it arrives.
///
/// The final transcript equals that of [`Predictor`](crate::Predictor) for the whole recording,
/// on the CPU backend from bit-identical logits, however the sound is cut. Only the last moments of
/// the sound are kept.
///
/// It needs a `deep_speech2` that reads forward only, with features that do not need the whole
/// recording: `model.bidirectional=false`, `model.lookahead=N`, `features.normalize=corpus`.
pub struct Transcriber<B: Backend> {
    resampler: Option<ResampleStream>,
    features: FeatureStream,
    network: Box<dyn EmissionStream<B>>,
    decoder: StreamDecoder,
    alphabet: Arc<Alphabet>,
    rate_hz: u32,
    step_s: f64,
    look_ahead_frames: usize,
    samples: u64,
    device: B::Device,
}

/// The transcript of the sound so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// The text.
    pub text: String,
    /// The words and their times.
    pub words: Vec<Word>,
}

impl<B: Backend> Transcriber<B> {
    /// Loads the best checkpoint of `run`. The sound must arrive at [`rate_hz`](Self::rate_hz).
    ///
    /// # Errors
    /// When the run has none yet, it cannot be read, or needs whole recordings.
    pub fn open<A: Architecture>(run: &RunFolder<A>, device: &B::Device) -> Result<Self> {
        let (settings, info) = (run.settings(), run.info());
        let needs_whole = |reason: String| {
            Error::run(
                run.path(),
                format!(
                    "it cannot write down sound that is still arriving: {reason}. Train deep_speech2 \
                     with model.bidirectional=false, model.lookahead=8 and \
                     features.normalize=corpus"
                ),
            )
        };
        let Some(alphabet) = run.task().alphabet() else {
            let reason = format!("its model, {}, writes no transcripts", info.model);
            return Err(needs_whole(reason));
        };
        if settings.model.role() != Role::Emitter {
            return Err(needs_whole(format!(
                "its model, {}, reads a recording to its end before it writes",
                info.model
            )));
        }
        let features = pipeline(&settings.features, info.stats.as_ref())?
            .stream()
            .map_err(|error| needs_whole(error.to_string()))?;
        let best = run.best::<B>(device)?;
        let Contract::Emitter(network) = best.network.contract() else {
            return Err(needs_whole(format!("its model is {}", info.model)));
        };
        let network = network
            .stream()
            .map_err(|error| needs_whole(error.to_string()))?;
        let frames_per_step = settings.model.frames_per_step();
        Ok(Self {
            resampler: None,
            look_ahead_frames: network.look_ahead_frames(),
            network,
            features,
            decoder: StreamDecoder::Greedy(Greedy::default()),
            alphabet: alphabet.clone(),
            rate_hz: settings.features.sample_rate_hz,
            step_s: frames_per_step as f64 * settings.features.frame_period_s(),
            samples: 0,
            device: device.clone(),
        })
    }

    /// Sets another sample rate. The sound is resampled as a file is.
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

    /// Sets the beam search for transcripts.
    ///
    /// # Errors
    /// When the beam's width is invalid.
    pub fn with_beam(mut self, beam: &Beam) -> Result<Self> {
        self.decoder = StreamDecoder::Beam(Box::new(beam.search(&self.alphabet)?));
        Ok(self)
    }

    /// The sample rate of the sound.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Seconds of sound so far.
    pub fn heard_s(&self) -> f64 {
        self.samples as f64 / f64::from(self.rate_hz)
    }

    /// The start of the last symbol so far, in seconds from the beginning of the sound. It is
    /// approximate, as CTC times are.
    pub fn last_said_s(&self) -> Option<f64> {
        Some(self.decoder.last_start()? as f64 * self.step_s)
    }

    /// The time from the start of a step until it is decoded, in seconds of sound: the resampler's
    /// block, the rest of a frame's window, and the model's look-ahead, which is half of each kernel
    /// plus its lookahead.
    pub fn latency_s(&self) -> f64 {
        let config = self.features.config();
        let resampled = self.resampler.as_ref();
        let resampled = resampled.map_or(0, ResampleStream::latency_samples);
        let samples = resampled + self.features.latency_samples();
        let ahead_s = self.look_ahead_frames as f64 * config.frame_period_s();
        samples as f64 / f64::from(config.sample_rate_hz) + ahead_s
    }

    /// Takes more sound. Returns the logits of the steps it completes, `[steps, symbols]`, which the
    /// [`transcript`](Self::transcript) then includes.
    ///
    /// # Errors
    /// When a sample or a logit is not finite. The transcript before it stays.
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

    /// The transcript so far.
    pub fn transcript(&self) -> Transcript {
        let symbols = self.decoder.best();
        transcript_of(&symbols, &self.alphabet, self.step_s, self.heard_s())
    }

    /// The text of the transcript so far.
    pub fn text(&self) -> String {
        text_of(&self.alphabet, &indices(&self.decoder.best()))
    }

    /// Ends the sound. Returns the logits of the last steps, and the final transcript.
    ///
    /// # Errors
    /// When the sound is too short for one frame, or as [`push`](Self::push).
    pub fn finish(mut self) -> Result<(Vec<f32>, Transcript)> {
        let heard_s = self.heard_s();
        let mut logits = Vec::new();
        if let Some(resampler) = self.resampler.take() {
            let features = self.features.push(&resampler.finish()?)?;
            logits.extend(self.hear(features)?);
        }
        let features = self.features.clone().finish()?;
        logits.extend(self.hear(features)?);
        let last = decode_steps(&mut self.decoder, self.network.finish())?;
        logits.extend(last);
        let symbols = self.decoder.finish();
        let transcript = transcript_of(&symbols, &self.alphabet, self.step_s, heard_s);
        Ok((logits, transcript))
    }

    fn hear(&mut self, features: Features) -> Result<Vec<f32>> {
        if features.frames == 0 {
            return Ok(Vec::new());
        }
        let shape = [1, features.frames, features.bins];
        let features = Tensor::from_data(TensorData::new(features.values, shape), &self.device);
        let logits = self.network.push(features);
        decode_steps(&mut self.decoder, logits)
    }
}

/// Decodes the logits of further steps, `[1, steps, symbols]`, and returns them.
fn decode_steps<B: Backend>(
    decoder: &mut StreamDecoder,
    logits: Option<Tensor<B, 3>>,
) -> Result<Vec<f32>> {
    let Some(logits) = logits else {
        return Ok(Vec::new());
    };
    let [_, _, symbols] = logits.dims();
    let logits = host(logits);
    check_finite(logits.iter())?;
    for step in logits.chunks_exact(symbols) {
        decoder.push(step);
    }
    Ok(logits)
}

fn transcript_of(
    symbols: &[Symbol],
    alphabet: &Alphabet,
    step_s: f64,
    duration_s: f64,
) -> Transcript {
    Transcript {
        text: text_of(alphabet, &indices(symbols)),
        words: decode::words(symbols, alphabet, step_s, duration_s),
    }
}
