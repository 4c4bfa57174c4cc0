//! From a recogniser's outputs to transcripts, by one switch: greedy decoding, beam search, or the
//! decoding of a speller.

use std::ops::AddAssign;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use sori_datasets::Alphabet;
use sori_models::las::Listened;
use sori_models::loss::BLANK;
use sori_models::ops::in_pool;
use sori_models::{Emissions, Emitter, Speller};

use super::beam::Hypothesis;
use super::ctc::{Symbol, greedy};
use super::options::{Beam, Decoding};
use super::spell::spell;
use crate::Result;
use crate::numbers::{argmax, check_finite, host, log_softmax};

/// A network that writes transcripts.
pub enum Recogniser<'a, B: Backend> {
    /// Trained by CTC.
    Emitter(&'a dyn Emitter<B>),
    /// Listen, Attend and Spell.
    Speller(&'a dyn Speller<B>),
}

impl<B: Backend> Clone for Recogniser<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Recogniser<'_, B> {}

/// The outputs of a recogniser for a batch.
pub enum Hearing<'a, B: Backend> {
    /// The scores of each symbol at each step.
    Emitted(&'a Emissions<B>),
    /// The states of a speller's listener.
    Listened {
        /// The speller.
        speller: &'a dyn Speller<B>,
        /// The states.
        listened: &'a Listened<B>,
        /// The scores of its CTC head, if it has one.
        ctc_logits: Option<Tensor<B, 3>>,
    },
}

/// The transcript of one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recognised {
    /// The symbols of the best transcript, by index into the alphabet.
    pub symbols: Vec<usize>,
    /// The same with their steps. A speller has no steps.
    pub timed: Vec<Symbol>,
    /// The number of blank steps.
    pub blanks: Blanks,
    /// The best transcripts of a search and their scores, best first.
    pub nbest: Vec<(Vec<usize>, f64)>,
    /// Attention weights of a speller, `[symbols][steps]`.
    pub attention: Vec<Vec<f32>>,
}

/// Decodes each row as `decoding` specifies. A search also returns its `most` best transcripts.
///
/// # Errors
/// When the search's options are invalid or do not fit the recogniser, or its scores of a search over steps are not finite.
pub fn recognise<B: Backend>(
    hearing: Hearing<'_, B>,
    decoding: &Decoding,
    alphabet: &Alphabet,
    most: usize,
) -> Result<Vec<Recognised>> {
    match (hearing, &decoding.beam) {
        (Hearing::Emitted(emissions), None) => {
            let paths = best_paths(emissions);
            Ok(paths.iter().map(|path| of_path(path)).collect())
        }
        (Hearing::Emitted(emissions), Some(beam)) => {
            let rows = log_probs(emissions);
            let found = rows.par_iter().map(|row| search(row, beam, alphabet, most));
            let found: Vec<Vec<Hypothesis>> = found.collect::<Result<_>>()?;
            let paths = best_paths(emissions);
            let rows = found.into_iter().zip(&paths);
            Ok(rows.map(|(found, path)| of_search(found, path)).collect())
        }
        (
            Hearing::Listened {
                speller, listened, ..
            },
            None,
        ) => {
            let found = in_pool::<B, _>(|| {
                let spelling = speller.spelling(listened);
                spelling.greedy(&listened.lengths, decoding.end)
            });
            Ok(found
                .into_iter()
                .map(|found| Recognised {
                    symbols: found.symbols,
                    attention: found.alignment,
                    ..Recognised::default()
                })
                .collect())
        }
        (
            Hearing::Listened {
                speller,
                listened,
                ctc_logits,
            },
            Some(beam),
        ) => {
            let fusion = beam.fusion.as_deref();
            let found = in_pool::<B, _>(|| {
                spell(
                    speller,
                    listened,
                    ctc_logits,
                    decoding.end,
                    &beam.options,
                    fusion,
                )
            })?;
            Ok(found
                .into_iter()
                .map(|all| {
                    let nbest = all.iter().take(most);
                    let nbest = nbest.map(|each| (each.symbols.clone(), each.score));
                    let nbest = nbest.collect();
                    let best = all.into_iter().next().unwrap_or_default();
                    Recognised {
                        symbols: best.symbols,
                        attention: best.alignment,
                        nbest,
                        ..Recognised::default()
                    }
                })
                .collect())
        }
    }
}

fn of_path(path: &[usize]) -> Recognised {
    let timed = greedy(path);
    Recognised {
        symbols: indices(&timed),
        timed,
        blanks: Blanks::of(path),
        ..Recognised::default()
    }
}

fn of_search(found: Vec<Hypothesis>, path: &[usize]) -> Recognised {
    let nbest = found
        .iter()
        .map(|each| (indices(&each.symbols), each.score))
        .collect();
    let best = found.into_iter().next();
    let timed = best.map_or_else(Vec::new, |best| best.symbols);
    Recognised {
        symbols: indices(&timed),
        timed,
        blanks: Blanks::of(path),
        nbest,
        ..Recognised::default()
    }
}

/// The `most` best transcripts, given the log-probability of each symbol at each step. There is
/// always one.
fn search(
    log_probs: &[Vec<f32>],
    beam: &Beam,
    alphabet: &Alphabet,
    most: usize,
) -> Result<Vec<Hypothesis>> {
    check_finite(log_probs.iter().flatten())?;
    let mut search = beam.search(alphabet)?;
    log_probs.iter().for_each(|step| search.push(step));
    Ok(search.finish(most))
}

/// The indices of symbols.
pub(crate) fn indices(symbols: &[Symbol]) -> Vec<usize> {
    symbols.iter().map(|symbol| symbol.index).collect()
}

/// The log-probability of each symbol at each valid step, row by row.
pub(crate) fn log_probs<B: Backend>(emissions: &Emissions<B>) -> Vec<Vec<Vec<f32>>> {
    let [_, steps, symbols] = emissions.logits.dims();
    let logits = host(emissions.logits.clone());
    let rows = logits.chunks_exact((steps * symbols).max(1));
    rows.zip(&emissions.lengths)
        .map(|(row, &length)| {
            let valid = row.chunks_exact(symbols).take(length);
            valid.map(log_softmax).collect()
        })
        .collect()
}

/// The most probable symbol of each step, row by row.
pub fn best_paths<B: Backend>(emissions: &Emissions<B>) -> Vec<Vec<usize>> {
    let [_, steps, symbols] = emissions.logits.dims();
    let scores = host(emissions.logits.clone());
    paths(&scores, &emissions.lengths, [steps, symbols])
}

/// [`best_paths`] of scores on the host, `[batch, steps, symbols]`.
pub(crate) fn paths(
    scores: &[f32],
    lengths: &[usize],
    [steps, symbols]: [usize; 2],
) -> Vec<Vec<usize>> {
    let rows = scores.chunks_exact((steps * symbols).max(1));
    rows.zip(lengths)
        .map(|(row, &length)| {
            let valid = row.chunks_exact(symbols).take(length);
            valid.map(argmax).collect()
        })
        .collect()
}

/// The text of symbols, without spaces at the ends and with single spaces between words.
pub(crate) fn text_of(alphabet: &Alphabet, symbols: &[usize]) -> String {
    let text = alphabet.decode(symbols);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The number of blank steps: nearly all, if a network has learned only the blank.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Blanks {
    /// Steps whose most probable symbol is the blank.
    pub blanks: usize,
    /// All steps.
    pub steps: usize,
}

impl Blanks {
    /// The blanks of a path of one symbol for each step.
    pub fn of(path: &[usize]) -> Self {
        Self {
            blanks: path.iter().filter(|&&symbol| symbol == BLANK).count(),
            steps: path.len(),
        }
    }

    /// The share of blanks, or 0 without steps.
    pub fn share(&self) -> f64 {
        self.blanks as f64 / self.steps.max(1) as f64
    }
}

impl AddAssign for Blanks {
    fn add_assign(&mut self, other: Self) {
        self.blanks += other.blanks;
        self.steps += other.steps;
    }
}
