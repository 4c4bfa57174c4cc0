//! Transcripts of recordings by a run's best checkpoint, piece by piece.

use std::path::Path;

use burn::tensor::backend::Backend;
use sori_datasets::Waveform;
use sori_models::ops::in_pool;
use sori_models::{Architecture, Emissions, Network};

use super::pieces::{Cut, Piece, Pieces};
use super::predictor::{Predictor, at};
use super::stretches::Stretches;
use crate::data::batch::Batch;
use crate::decode::{
    self, Alignment, Hearing, Recogniser, StepProbabilities, log_probs, recognise, text_of,
};
use crate::numbers::{check_finite, host};
use crate::task::answer::{Answer, Prediction, ScoredTranscript, Window};
use crate::task::any::AnyTask;
use crate::task::contract::Task;
use crate::task::transcribe::Transcribe;
use crate::{Error, Result};

/// The stretch by whose energy a place counts as quiet, in seconds.
const QUIET_S: f64 = 0.1;

/// Number of a search's transcripts that are kept.
const MOST_TRANSCRIPTS: usize = 100;

impl<B: Backend, A: Architecture> Predictor<B, A> {
    /// The longest sound that is transcribed in one piece: a minute, or 20 seconds by a speller, whose work
    /// grows with the square of it; and at least the longest recording of the run.
    pub fn longest_piece_s(&self) -> f64 {
        let longest_s = match self.times_words() {
            true => 60.0,
            false => 20.0,
        };
        self.info.window_s.max(longest_s)
    }

    /// The way that long recordings are cut for transcripts.
    pub(super) fn quiet_cut(&self) -> Cut {
        Cut::Quiet {
            longest: self.samples(self.longest_piece_s()),
            stretch: self.samples(QUIET_S),
        }
    }

    /// The transcript of the stretches of an audio file that span these seconds, such as those of speech. What
    /// is between them is not heard. `on_progress` is told the share of the file that has been read.
    ///
    /// # Errors
    /// When the run writes no transcripts, or as [`predict_file`](Self::predict_file).
    pub fn transcribe_stretches(
        &self,
        path: &Path,
        stretches: &[(f64, f64)],
        on_progress: impl FnMut(f64),
    ) -> Result<Prediction> {
        let AnyTask::Transcribe(task) = &self.task else {
            return Err(Error::Input(format!(
                "{} writes no transcripts; deep_speech2 and las do",
                self.info.model
            )));
        };
        let place = |seconds: f64| (seconds * f64::from(self.sample_rate_hz())).round() as usize;
        let spans = stretches
            .iter()
            .map(|&(start, end)| (place(start), place(end)));
        let sound = self.sound(path, on_progress)?;
        let within = |stretch: Result<Piece>| -> Vec<Result<Piece>> {
            let Piece { start, samples } = match stretch {
                Ok(stretch) => stretch,
                Err(error) => return vec![Err(error)],
            };
            let pieces = Pieces::new(std::iter::once(Ok(samples)), self.quiet_cut());
            let moved = |piece: Piece| Piece {
                start: start + piece.start,
                ..piece
            };
            pieces.map(|piece| piece.map(moved)).collect()
        };
        let pieces = Stretches::new(sound, spans.collect()).flat_map(within);
        self.transcribe(task, pieces).map_err(|e| at(path, e))
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
    pub(super) fn transcribe(
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
