//! Beam search over a speller ([Sutskever et al. 2014](https://arxiv.org/abs/1409.3215)), with the length
//! and coverage penalties of [Wu et al. 2016](https://arxiv.org/abs/1609.08144), section 7, against
//! transcripts that are too short or repeat themselves.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use sori_models::Speller;
use sori_models::las::{DecodeOptions, Listened, SENTENCE_END, SpelledTranscript};

use super::beam::BeamOptions;
use super::ctc_prefix::{CtcPrefix, CtcState};
use super::fusion::{Fusion, FusionState};
use super::tree::{ROOT, Tree};
use crate::error::{Error, Result};
use crate::numbers::{argmax, host};

/// Settings of a search over a speller. Transcripts are ranked by
///
/// ```text
/// [(1 − λ) ln P(y | x) + λ ln P_ctc(y | x) + language] / ((5 + |y|) / 6)^length_penalty
///     + coverage · Σ_u ln min(Σ_i α⟨i,u⟩, 1)
/// ```
///
/// with the end counted in `|y|`, and the language model's share as in [`Fusion`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpellOptions {
    /// The width of the search; symbols and transcripts are pruned as [`BeamOptions`] describes.
    pub beam: BeamOptions,
    /// Exponent of the length that scores are divided by: 0 is the plain probability, which
    /// prefers short transcripts, 1 nearly the mean of the symbols.
    pub length_penalty: f64,
    /// Weight of the penalty for steps of the recording that were not attended to.
    pub coverage: f64,
    /// Share λ of the CTC head in the score; 0 in a model without one.
    pub ctc_weight: f64,
}

impl Default for SpellOptions {
    fn default() -> Self {
        Self {
            beam: BeamOptions {
                beam_size: 8,
                ..BeamOptions::default()
            },
            // Without it a search prefers transcripts that end too soon.
            length_penalty: 1.0,
            coverage: 0.0,
            ctc_weight: 0.0,
        }
    }
}

impl SpellOptions {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first invalid value.
    pub fn check(&self) -> Result<()> {
        self.beam.check()?;
        let in_range = |name: &str, value: f64, most: f64| {
            if (0.0..=most).contains(&value) {
                return Ok(());
            }
            let expected = format!("it must be from 0 to {most}");
            Err(Error::setting(name, value, expected))
        };
        in_range("length_penalty", self.length_penalty, 10.0)?;
        in_range("coverage", self.coverage, 10.0)?;
        in_range("ctc_weight", self.ctc_weight, 1.0)
    }
}

/// An unfinished transcript.
struct Live {
    row: usize,
    /// Its last symbol among the symbols written.
    written: u32,
    length: usize,
    spelled: f64,
    language: Option<FusionState>,
    ctc: Option<CtcState>,
}

/// A finished transcript.
struct Ended {
    written: u32,
    spelled: f64,
    rank: f64,
    by_itself: bool,
}

/// A continuation of a live transcript.
struct Candidate {
    from: usize,
    /// The next symbol, or none if the transcript ends.
    symbol: Option<usize>,
    /// Whether the speller ended it, rather than the length limit.
    by_itself: bool,
    spelled: f64,
    language: Option<FusionState>,
    ctc: Option<CtcState>,
    score: f64,
}

/// A symbol and its attention weights over the steps of the listener.
#[derive(Clone, Default)]
struct Written {
    symbol: usize,
    weights: Vec<f32>,
}

/// Searches the transcripts of each row of `listened`, and returns them best first. There are at most
/// as many as the beam is wide, and the beam of a row narrows by one with each finished transcript.
/// `ctc_logits` are those of the CTC head, `[batch, steps, symbols]`. [`SpelledTranscript::score`] is the
/// log-probability of the speller alone, not the score of the ranking.
///
/// # Errors
/// As [`SpellOptions::check`], and when `ctc_weight` is above 0 without logits.
pub fn spell<B: Backend>(
    model: &dyn Speller<B>,
    listened: &Listened<B>,
    ctc_logits: Option<Tensor<B, 3>>,
    end: DecodeOptions,
    options: &SpellOptions,
    fusion: Option<&Fusion>,
) -> Result<Vec<Vec<SpelledTranscript>>> {
    options.check()?;
    let heads = match (ctc_logits, options.ctc_weight > 0.0) {
        (Some(logits), true) => Some(ctc_heads(logits, &listened.lengths)),
        (None, true) => {
            return Err(Error::setting(
                "ctc_weight",
                options.ctc_weight,
                "it must be 0 for a model without a CTC head; train with model.ctc_weight above 0",
            ));
        }
        (_, false) => None,
    };
    let search = Search {
        listened,
        heads,
        end,
        options,
        fusion,
    };
    Ok(search.run(model))
}

fn ctc_heads<B: Backend>(logits: Tensor<B, 3>, lengths: &[usize]) -> Vec<CtcPrefix> {
    let [_, steps, symbols] = logits.dims();
    let log_probs = host(log_softmax(logits, 2));
    let rows = log_probs.chunks_exact((steps * symbols).max(1));
    rows.zip(lengths)
        .map(|(row, &length)| CtcPrefix::new(row[..length * symbols].to_vec(), symbols))
        .collect()
}

struct Search<'a, B: Backend> {
    listened: &'a Listened<B>,
    heads: Option<Vec<CtcPrefix>>,
    end: DecodeOptions,
    options: &'a SpellOptions,
    fusion: Option<&'a Fusion>,
}

impl<B: Backend> Search<'_, B> {
    fn run(&self, model: &dyn Speller<B>) -> Vec<Vec<SpelledTranscript>> {
        let spelling = model.spelling(self.listened);
        let lengths = &self.listened.lengths;
        let mut written = Tree::new(Written::default());
        let mut ended: Vec<Vec<Ended>> = lengths.iter().map(|_| Vec::new()).collect();
        let rows: Vec<usize> = (0..lengths.len()).collect();
        let mut live: Vec<Live> = rows.iter().map(|&row| self.start(row)).collect();
        let mut state = spelling.start(&rows);
        let mut symbols = vec![SENTENCE_END; rows.len()];
        while !live.is_empty() {
            let step = spelling.step(&state, &symbols);
            let [_, count] = step.log_probs.dims();
            let log_probs = host(step.log_probs);
            let weights = step.state.weights(lengths);
            let mut next = Vec::with_capacity(live.len());
            let mut parents = Vec::with_capacity(live.len());
            let mut first = 0;
            symbols.clear();
            for same_row in live.chunk_by(|a, b| a.row == b.row) {
                let row = same_row[0].row;
                let mut candidates = Vec::new();
                for (live, from) in same_row.iter().zip(first..) {
                    let log_probs = &log_probs[from * count..][..count];
                    self.extend(live, from, log_probs, &mut candidates);
                }
                first += same_row.len();
                let width = self.options.beam.beam_size - ended[row].len();
                for candidate in self.best(candidates, width) {
                    let parent = &live[candidate.from];
                    let Some(symbol) = candidate.symbol else {
                        ended[row].push(Ended {
                            written: parent.written,
                            spelled: candidate.spelled,
                            rank: self.rank(&candidate, parent, &written),
                            by_itself: candidate.by_itself,
                        });
                        continue;
                    };
                    parents.push(candidate.from);
                    symbols.push(symbol);
                    let weights = weights[candidate.from].clone();
                    next.push(Live {
                        row,
                        written: written.push(parent.written, Written { symbol, weights }),
                        length: parent.length + 1,
                        spelled: candidate.spelled,
                        language: candidate.language,
                        ctc: candidate.ctc,
                    });
                }
            }
            if !next.is_empty() {
                state = step.state.select(&parents);
            }
            live = next;
        }
        let found = ended.into_iter();
        found.map(|row| hypotheses(row, &written)).collect()
    }

    fn start(&self, row: usize) -> Live {
        Live {
            row,
            written: ROOT,
            length: 0,
            spelled: 0.0,
            language: self.fusion.map(Fusion::start),
            ctc: self.heads.as_ref().map(|heads| heads[row].start()),
        }
    }

    /// Adds all continuations of a live transcript.
    fn extend(&self, live: &Live, from: usize, log_probs: &[f32], candidates: &mut Vec<Candidate>) {
        let likeliest = argmax(log_probs);
        let steps = self.listened.lengths[live.row];
        let longest = (self.end.max_symbols_per_step * steps as f64).ceil() as usize;
        let too_long = live.length >= longest;
        let end = f64::from(log_probs[SENTENCE_END]);
        let must_end = end.exp() > self.end.end_threshold;
        let threshold = self.options.beam.symbol_threshold;
        let by_itself = must_end || likeliest == SENTENCE_END;
        if by_itself || too_long || end >= threshold {
            let spelled = live.spelled + if by_itself || !too_long { end } else { 0.0 };
            let ctc = live.ctc.as_ref().zip(self.head(live.row));
            let ctc = ctc.map_or(0.0, |(ctc, head)| head.end(ctc));
            let language = live.language.zip(self.fusion);
            let language = language.map_or(0.0, |(language, fusion)| fusion.end(language));
            candidates.push(Candidate {
                from,
                symbol: None,
                by_itself: by_itself || !too_long,
                spelled,
                language: None,
                ctc: None,
                score: self.score(spelled, ctc, language),
            });
        }
        if too_long || must_end {
            return;
        }
        for (symbol, &log_prob) in log_probs.iter().enumerate().skip(1) {
            let log_prob = f64::from(log_prob);
            if log_prob < threshold && symbol != likeliest {
                continue;
            }
            let spelled = live.spelled + log_prob;
            let ctc = live.ctc.as_ref().zip(self.head(live.row));
            let ctc = ctc.map(|(ctc, head)| head.next(ctc, symbol));
            let language = live.language.zip(self.fusion);
            let language = language.map(|(language, fusion)| fusion.next(language, symbol));
            let ctc_score = ctc.as_ref().map_or(0.0, |ctc| ctc.score);
            let language_score = language.map_or(0.0, |language| language.score());
            candidates.push(Candidate {
                from,
                symbol: Some(symbol),
                by_itself: false,
                spelled,
                language,
                ctc,
                score: self.score(spelled, ctc_score, language_score),
            });
        }
    }

    fn head(&self, row: usize) -> Option<&CtcPrefix> {
        Some(&self.heads.as_ref()?[row])
    }

    fn score(&self, spelled: f64, ctc: f64, language: f64) -> f64 {
        let share = self.options.ctc_weight;
        // Zero times minus infinity is not a number.
        let ctc = if share > 0.0 { share * ctc } else { 0.0 };
        (1.0 - share) * spelled + ctc + language
    }

    /// The `width` best candidates, best first.
    fn best(&self, mut candidates: Vec<Candidate>, width: usize) -> Vec<Candidate> {
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        let best = candidates.first().map_or(0.0, |best| best.score);
        let threshold = best - self.options.beam.beam_threshold;
        candidates.truncate(width);
        candidates.retain(|candidate| candidate.score >= threshold);
        candidates
    }

    fn rank(&self, end: &Candidate, parent: &Live, written: &Tree<Written>) -> f64 {
        let length = (parent.length + 1) as f64;
        let rank = end.score / ((5.0 + length) / 6.0).powf(self.options.length_penalty);
        if self.options.coverage == 0.0 {
            return rank;
        }
        let mut attended = vec![0.0; self.listened.lengths[parent.row]];
        for symbol in written.upwards(parent.written) {
            for (attended, &weight) in attended.iter_mut().zip(&symbol.weights) {
                *attended += f64::from(weight);
            }
        }
        let penalty = |attended: f64| attended.clamp(LEAST_ATTENDED, 1.0).ln();
        rank + self.options.coverage * attended.into_iter().map(penalty).sum::<f64>()
    }
}

/// The lower bound on the attention to a step, because the logarithm of zero would decide alone.
const LEAST_ATTENDED: f64 = 1e-3;

/// The finished transcripts. Those the speller ended come before those that became too long.
fn hypotheses(mut ended: Vec<Ended>, written: &Tree<Written>) -> Vec<SpelledTranscript> {
    ended.sort_by(|a, b| {
        let by_itself = b.by_itself.cmp(&a.by_itself);
        by_itself.then(b.rank.total_cmp(&a.rank))
    });
    let found = ended.into_iter();
    found
        .map(|ended| {
            let mut symbols: Vec<Written> = written.upwards(ended.written).cloned().collect();
            symbols.reverse();
            SpelledTranscript {
                symbols: symbols.iter().map(|written| written.symbol).collect(),
                alignment: symbols.into_iter().map(|written| written.weights).collect(),
                score: ended.spelled,
                ended: ended.by_itself,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;
    use sori_models::las::{Las, LasConfig, Sampling};
    use sori_models::loss::{CtcOptions, Reduction};

    use super::*;
    use crate::decode::fusion::tests::{language_score, of_abc};
    use crate::train::begin::random_network;

    type B = NdArray;

    /// The end, the space, a and b.
    const SYMBOLS: usize = 4;

    fn model() -> Las<B> {
        let config = LasConfig {
            num_bins: 3,
            num_symbols: SYMBOLS,
            d_listener: 4,
            num_plain_layers: 1,
            num_pyramid_layers: 1,
            d_embedding: 2,
            d_speller: 8,
            num_speller_layers: 1,
            ctc_weight: 0.5,
            ..LasConfig::default()
        };
        random_network(&config, 1, &Default::default()).unwrap()
    }

    fn features(batch: usize, frames: usize) -> Tensor<B, 3> {
        let value = |i: usize| (i as f32 * 1.7).sin() * 2.0;
        let values: Vec<f32> = (0..batch * frames * 3).map(value).collect();
        Tensor::<B, 1>::from_floats(values.as_slice(), &Default::default())
            .reshape([batch, frames, 3])
    }

    const EVERYTHING: BeamOptions = BeamOptions {
        beam_size: 10_000,
        symbol_threshold: f64::NEG_INFINITY,
        beam_threshold: f64::INFINITY,
    };

    /// All transcripts of at most `most` symbols.
    fn all(most: usize) -> Vec<Vec<usize>> {
        let mut all = vec![Vec::new()];
        let mut first = 0;
        for _ in 0..most {
            let longest = all.len();
            for from in first..longest {
                for symbol in 1..SYMBOLS {
                    let mut next: Vec<usize> = all[from].clone();
                    next.push(symbol);
                    all.push(next);
                }
            }
            first = longest;
        }
        all
    }

    #[test]
    fn a_search_that_gives_nothing_up_ranks_every_transcript_as_the_formula_does() {
        let model = model();
        let (frames, most) = (7, 4);
        let x = features(1, frames);
        let listened = model.listen(x.clone(), &[frames]);
        let fusion = of_abc();
        let options = SpellOptions {
            beam: EVERYTHING,
            length_penalty: 0.7,
            coverage: 0.3,
            ctc_weight: 0.4,
        };
        let end = DecodeOptions {
            end_threshold: 1.0,
            max_symbols_per_step: most as f64 / listened.lengths[0] as f64,
        };
        let logits = model.ctc_logits(&listened);
        let found = spell(&model, &listened, logits, end, &options, Some(&fusion)).unwrap();
        let found = &found[0];
        let all = all(most);
        assert_eq!(found.len(), all.len());
        let mut ranks = Vec::new();
        for hypothesis in found {
            let symbols = &hypothesis.symbols;
            let transcripts = [symbols.clone()];
            let spelled = model.spell(x.clone(), &[frames], &transcripts, Sampling::default());
            let log_probs = host(log_softmax(spelled.logits.clone(), 2));
            let mut rows = log_probs.chunks_exact(SYMBOLS);
            let said = symbols.iter().zip(rows.by_ref());
            let mut score: f64 = said.map(|(&symbol, row)| f64::from(row[symbol])).sum();
            let last = rows.next().unwrap();
            let too_long = symbols.len() == most && argmax(last) != SENTENCE_END;
            assert_eq!(hypothesis.ended, !too_long);
            if !too_long {
                score += f64::from(last[SENTENCE_END]);
            }
            assert!((hypothesis.score - score).abs() < 1e-4, "{symbols:?}");
            let ctc = spelled.ctc_logits.clone().unwrap();
            let options = CtcOptions {
                reduction: Reduction::None,
                zero_infinity: false,
            };
            let ctc = sori_models::loss::ctc(ctc, &listened.lengths, &transcripts, options);
            let ctc = -f64::from(host(ctc)[0]);
            let total = 0.6 * score + 0.4 * ctc + language_score(symbols);
            let length = (symbols.len() + 1) as f64;
            let coverage: f64 = (0..listened.lengths[0])
                .map(|step| {
                    let rows = hypothesis.alignment.iter();
                    let attended: f32 = rows.map(|row| row[step]).sum();
                    f64::from(attended).clamp(1e-3, 1.0).ln()
                })
                .sum();
            ranks.push((
                too_long,
                total / ((5.0 + length) / 6.0).powf(0.7) + 0.3 * coverage,
            ));
        }
        for pair in ranks.windows(2) {
            let ((long, rank), (next_long, next)) = (pair[0], pair[1]);
            assert!((!long && next_long) || (long == next_long && rank >= next - 1e-4));
        }
    }

    #[test]
    fn a_beam_of_one_is_greedy_and_rows_do_not_see_each_other() {
        let model = model();
        let lengths = [9, 4, 7];
        let listened = model.listen(features(3, 9), &lengths);
        let end = DecodeOptions::default();
        let greedy = model.spelling(&listened).greedy(&listened.lengths, end);
        let mut options = SpellOptions::default();
        options.beam.beam_size = 1;
        let found = spell(&model, &listened, None, end, &options, None).unwrap();
        for (row, greedy) in found.iter().zip(&greedy) {
            assert_eq!(row.len(), 1);
            assert_eq!(row[0].symbols, greedy.symbols);
            assert_eq!(row[0].alignment, greedy.alignment);
            assert!((row[0].score - greedy.score).abs() < 1e-6);
        }
        options.beam.beam_size = 3;
        let together = spell(&model, &listened, None, end, &options, None).unwrap();
        for (row, found) in together.iter().enumerate() {
            let x = features(3, 9).narrow(0, row, 1).narrow(1, 0, lengths[row]);
            let alone = model.listen(x, &[lengths[row]]);
            let alone = spell(&model, &alone, None, end, &options, None).unwrap();
            let symbols = |found: &[SpelledTranscript]| -> Vec<Vec<usize>> {
                found.iter().map(|found| found.symbols.clone()).collect()
            };
            assert_eq!(symbols(found), symbols(&alone[0]));
        }
    }

    #[test]
    fn what_cannot_be_weighed_is_refused_by_name() {
        let wrong = |change: fn(&mut SpellOptions)| {
            let mut options = SpellOptions::default();
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert_eq!(
            wrong(|options| options.ctc_weight = 1.5),
            "setting `ctc_weight` is 1.5; it must be from 0 to 1"
        );
        assert!(wrong(|options| options.coverage = f64::NAN).contains("`coverage` is NaN;"));
        let model = model();
        let listened = model.listen(features(1, 4), &[4]);
        let options = SpellOptions {
            ctc_weight: 0.5,
            ..SpellOptions::default()
        };
        let end = DecodeOptions::default();
        let error = spell(&model, &listened, None, end, &options, None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("train with model.ctc_weight above 0")
        );
    }
}
