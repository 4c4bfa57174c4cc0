//! Prefix beam search of connectionist temporal classification ([Graves
//! 2012](https://link.springer.com/book/10.1007/978-3-642-24797-2), [Hannun et al.
//! 2014](https://arxiv.org/abs/1408.2873)).
//!
//! A path emits one symbol or the blank at each step, and many paths collapse to the same transcript.
//! For the most probable transcripts so far the search sums the probabilities of their paths. Paths
//! that end in the blank are summed separately, because a repeated symbol is new only after a blank:
//!
//! ```text
//! b⟨t⟩(y)   = (b⟨t-1⟩(y) + s⟨t-1⟩(y)) p⟨t⟩(blank)
//! s⟨t⟩(y)   = s⟨t-1⟩(y) p⟨t⟩(last of y)                      continued
//! s⟨t⟩(y c) += (b⟨t-1⟩(y) + [c ≠ last of y] s⟨t-1⟩(y)) p⟨t⟩(c)   new
//! ```
//!
//! Leading, trailing and repeated spaces are ignored, as between words.

use std::sync::Arc;

use sori_models::loss::BLANK;

use super::ctc::Symbol;
use super::fusion::{Fusion, FusionState};
use super::tree::{ROOT, Tree};
use crate::error::{Error, Result};

/// The width of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BeamOptions {
    /// The number of transcripts kept at each step.
    pub beam_size: usize,
    /// The lowest log-probability, in nats, at which a symbol is followed in a step. The most probable
    /// symbol is always followed.
    pub symbol_threshold: f64,
    /// The largest gap to the best score, in nats, at which a transcript is kept.
    pub beam_threshold: f64,
}

impl Default for BeamOptions {
    fn default() -> Self {
        Self {
            beam_size: 100,
            symbol_threshold: -5.0,
            beam_threshold: 10.0,
        }
    }
}

/// The largest beam.
const MAX_BEAM: usize = 10_000;

impl BeamOptions {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first invalid value.
    pub fn check(&self) -> Result<()> {
        if !(1..=MAX_BEAM).contains(&self.beam_size) {
            let expected = format!("it must be from 1 to {MAX_BEAM} transcripts, such as 100");
            return Err(Error::setting("beam_size", self.beam_size, expected));
        }
        if self.symbol_threshold.is_nan() || self.symbol_threshold > 0.0 {
            let (value, expected) = (
                self.symbol_threshold,
                "it must be 0 nats or less, such as -5",
            );
            return Err(Error::setting("symbol_threshold", value, expected));
        }
        if self.beam_threshold.is_nan() || self.beam_threshold < 0.0 {
            let (value, expected) = (self.beam_threshold, "it must be 0 nats or more, such as 10");
            return Err(Error::setting("beam_threshold", value, expected));
        }
        Ok(())
    }
}

/// A transcript found by a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its symbols, with their steps along the best path.
    pub symbols: Vec<Symbol>,
    /// The score by which it is ranked, in nats: `acoustic + language`.
    pub score: f64,
    /// The log-probability summed over all paths that were followed.
    pub acoustic: f64,
    /// The score of the language model.
    pub language: f64,
}

/// A prefix beam search over the steps of one recording, which are pushed one by one. The best
/// transcripts are available at any time. It takes the memory of the live
/// transcripts alone, whatever the length of the recording.
#[derive(Clone, Debug)]
pub struct BeamSearch {
    options: BeamOptions,
    fusion: Option<Arc<Fusion>>,
    space: Option<usize>,
    prefixes: Tree<Prefix>,
    /// The times of each symbol of a path.
    times: Tree<Said>,
    live: Vec<Live>,
    next: Vec<Live>,
    followed: Vec<(usize, f64)>,
    steps: u32,
}

/// A symbol of a transcript, as a node of the tree of all transcripts.
#[derive(Clone, Copy, Debug)]
struct Prefix {
    symbol: usize,
    /// The first child found, and the next child of the same parent.
    first_child: u32,
    next_sibling: u32,
    /// Index of the transcript that ends here among the live ones.
    live: u32,
    /// None without a language model.
    language: Option<FusionState>,
}

/// Marks a missing node or transcript.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, Default)]
struct Said {
    start: u32,
    /// The end of the previous symbol.
    previous_end: u32,
}

/// A transcript and its paths.
#[derive(Clone, Copy, Debug)]
struct Live {
    prefix: u32,
    /// Log-probability of the paths that end in the blank, and of the others.
    blank: f64,
    symbol: f64,
    /// The best path of each kind.
    best_blank: Path,
    best_symbol: Path,
    acoustic: f64,
    score: f64,
}

/// The best of several paths.
#[derive(Clone, Copy, Debug)]
struct Path {
    log_prob: f64,
    /// Its last symbol in the times, and that symbol's end.
    said: u32,
    end: u32,
    /// Set if its last symbol begins in this step and is not in the times yet. Then `said` and this
    /// belong to the symbol before.
    previous_end: Option<u32>,
}

const IMPOSSIBLE: Path = Path {
    log_prob: f64::NEG_INFINITY,
    said: ROOT,
    end: 0,
    previous_end: None,
};

impl Path {
    fn with(self, log_prob: f64) -> Self {
        Self {
            log_prob: self.log_prob + log_prob,
            ..self
        }
    }

    fn or(self, other: Self) -> Self {
        if other.log_prob > self.log_prob {
            other
        } else {
            self
        }
    }
}

impl Live {
    fn new(prefix: u32) -> Self {
        Self {
            prefix,
            blank: f64::NEG_INFINITY,
            symbol: f64::NEG_INFINITY,
            best_blank: IMPOSSIBLE,
            best_symbol: IMPOSSIBLE,
            acoustic: f64::NEG_INFINITY,
            score: f64::NEG_INFINITY,
        }
    }

    fn best(&self) -> Path {
        self.best_blank.or(self.best_symbol)
    }

    fn add_symbol(&mut self, log_prob: f64, path: Path) {
        self.symbol = log_add(self.symbol, log_prob);
        self.best_symbol = self.best_symbol.or(path);
    }
}

impl BeamSearch {
    /// A search before the first step. `space` is the symbol between words, if there is one.
    ///
    /// # Errors
    /// As [`BeamOptions::check`].
    pub fn new(
        options: BeamOptions,
        space: Option<usize>,
        fusion: Option<Arc<Fusion>>,
    ) -> Result<Self> {
        options.check()?;
        let root = Prefix {
            symbol: BLANK,
            first_child: NONE,
            next_sibling: NONE,
            live: 0,
            language: fusion.as_deref().map(Fusion::start),
        };
        let mut nothing = Live::new(ROOT);
        nothing.blank = 0.0;
        nothing.acoustic = 0.0;
        nothing.score = 0.0;
        nothing.best_blank.log_prob = 0.0;
        Ok(Self {
            options,
            fusion,
            space,
            prefixes: Tree::new(root),
            times: Tree::new(Said::default()),
            live: vec![nothing],
            next: Vec::new(),
            followed: Vec::new(),
            steps: 0,
        })
    }

    /// Takes one step, in which each symbol has this log-probability, in nats.
    ///
    /// # Panics
    /// If no value is above minus infinity.
    pub fn push(&mut self, log_probs: &[f32]) {
        let likeliest = log_probs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!(
            likeliest > f32::NEG_INFINITY,
            "a step has no symbol that is possible"
        );
        let threshold = self.options.symbol_threshold.min(f64::from(likeliest));
        self.followed.clear();
        let symbols = log_probs
            .iter()
            .map(|&log_prob| f64::from(log_prob))
            .enumerate();
        self.followed
            .extend(symbols.filter(|&(_, log_prob)| log_prob >= threshold));

        self.next.clear();
        self.next
            .extend(self.live.iter().map(|live| Live::new(live.prefix)));
        for index in 0..self.live.len() {
            self.extend(index);
        }
        self.keep_best();
        self.steps += 1;
        if self.prefixes.is_large() || self.times.is_large() {
            self.clear_up();
        }
    }

    /// Adds all continuations of one live transcript.
    fn extend(&mut self, index: usize) {
        let live = self.live[index];
        let last = self.prefixes.get(live.prefix).symbol;
        let now = self.steps;
        // The start of a recording counts as a space.
        let after_space = self.space.is_some() && (live.prefix == ROOT || Some(last) == self.space);
        for followed in 0..self.followed.len() {
            let (symbol, log_prob) = self.followed[followed];
            let stays = &mut self.next[index];
            if symbol == BLANK {
                stays.blank = live.acoustic + log_prob;
                stays.best_blank = live.best().with(log_prob);
                continue;
            }
            if after_space && Some(symbol) == self.space {
                stays.add_symbol(live.acoustic + log_prob, live.best().with(log_prob));
                continue;
            }
            let (before, path) = if symbol == last && live.prefix != ROOT {
                let said_on = Path {
                    end: now + 1,
                    ..live.best_symbol.with(log_prob)
                };
                stays.add_symbol(live.symbol + log_prob, said_on);
                (live.blank, live.best_blank)
            } else {
                (live.acoustic, live.best())
            };
            if before == f64::NEG_INFINITY {
                continue;
            }
            let said_anew = Path {
                end: now + 1,
                previous_end: Some(path.end),
                ..path.with(log_prob)
            };
            let child = self.child(live.prefix, symbol);
            let prefix = self.prefixes.get_mut(child);
            if prefix.live == NONE {
                prefix.live = self.next.len() as u32;
                self.next.push(Live::new(child));
            }
            self.next[prefix.live as usize].add_symbol(before + log_prob, said_anew);
        }
    }

    /// The node of `symbol` after `parent`.
    fn child(&mut self, parent: u32, symbol: usize) -> u32 {
        let before = *self.prefixes.get(parent);
        let mut child = before.first_child;
        while child != NONE {
            let prefix = self.prefixes.get(child);
            if prefix.symbol == symbol {
                return child;
            }
            child = prefix.next_sibling;
        }
        let next = |fusion: &Fusion| Some(fusion.next(before.language?, symbol));
        let child = Prefix {
            symbol,
            first_child: NONE,
            next_sibling: before.first_child,
            live: NONE,
            language: self.fusion.as_deref().and_then(next),
        };
        let child = self.prefixes.push(parent, child);
        self.prefixes.get_mut(parent).first_child = child;
        child
    }

    /// Keeps the best of the continuations.
    fn keep_best(&mut self) {
        let mut best = f64::NEG_INFINITY;
        for next in &mut self.next {
            let prefix = self.prefixes.get_mut(next.prefix);
            prefix.live = NONE;
            next.acoustic = log_add(next.blank, next.symbol);
            next.score = next.acoustic + prefix.language.map_or(0.0, |language| language.score());
            best = best.max(next.score);
        }
        let threshold = best - self.options.beam_threshold;
        self.next.retain(|next| next.score >= threshold);
        let size = self.options.beam_size;
        if self.next.len() > size {
            let by_score = |a: &Live, b: &Live| b.score.total_cmp(&a.score);
            self.next.select_nth_unstable_by(size - 1, by_score);
            self.next.truncate(size);
        }
        std::mem::swap(&mut self.live, &mut self.next);
        for (index, live) in self.live.iter_mut().enumerate() {
            self.prefixes.get_mut(live.prefix).live = index as u32;
            let path = &mut live.best_symbol;
            if let Some(previous_end) = path.previous_end.take() {
                let start = self.steps;
                let said = Said {
                    start,
                    previous_end,
                };
                path.said = self.times.push(path.said, said);
            }
        }
    }

    fn clear_up(&mut self) {
        let prefixes = self.live.iter().map(|live| live.prefix);
        let places = self.prefixes.clear_up(prefixes);
        for live in &mut self.live {
            live.prefix = places[live.prefix as usize];
        }
        for node in 0..self.prefixes.len() as u32 {
            let prefix = self.prefixes.get_mut(node);
            (prefix.first_child, prefix.next_sibling) = (NONE, NONE);
        }
        for node in 1..self.prefixes.len() as u32 {
            let parent = self.prefixes.parent(node);
            let parent = self.prefixes.get_mut(parent);
            let sibling = std::mem::replace(&mut parent.first_child, node);
            self.prefixes.get_mut(node).next_sibling = sibling;
        }
        let paths = |live: &Live| [live.best_blank.said, live.best_symbol.said];
        let places = self.times.clear_up(self.live.iter().flat_map(paths));
        for live in &mut self.live {
            for path in [&mut live.best_blank, &mut live.best_symbol] {
                path.said = places[path.said as usize];
            }
        }
    }

    /// The symbols of the best transcript so far, if the recording continues.
    pub fn best(&self) -> Vec<Symbol> {
        let best = self.live.iter().max_by(|a, b| a.score.total_cmp(&b.score));
        best.map_or_else(Vec::new, |best| self.symbols(best.prefix, best.best()))
    }

    /// The `most` best transcripts of a recording that ends here, best first.
    pub fn finish(&self, most: usize) -> Vec<Hypothesis> {
        let mut found: Vec<(u32, f64, Path)> = Vec::with_capacity(self.live.len());
        for live in &self.live {
            let (mut prefix, mut path) = (live.prefix, live.best());
            // A trailing space is ignored.
            if prefix != ROOT && Some(self.prefixes.get(prefix).symbol) == self.space {
                prefix = self.prefixes.parent(prefix);
                path.end = self.times.get(path.said).previous_end;
                path.said = self.times.parent(path.said);
            }
            found.push((prefix, live.acoustic, path));
        }
        found.sort_by_key(|&(prefix, ..)| prefix);
        found.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = log_add(kept.1, next.1);
                kept.2 = kept.2.or(next.2);
            }
            same
        });
        let score = |prefix: u32, acoustic: f64| {
            let end = |fusion: &Fusion| Some(fusion.end(self.prefixes.get(prefix).language?));
            let language = self.fusion.as_deref().and_then(end).unwrap_or(0.0);
            (acoustic + language, language)
        };
        let mut found: Vec<_> = found
            .into_iter()
            .map(|(prefix, acoustic, path)| (score(prefix, acoustic), acoustic, prefix, path))
            .collect();
        found.sort_by(|a, b| b.0.0.total_cmp(&a.0.0));
        found.truncate(most);
        found
            .into_iter()
            .map(|((score, language), acoustic, prefix, path)| Hypothesis {
                symbols: self.symbols(prefix, path),
                score,
                acoustic,
                language,
            })
            .collect()
    }

    fn symbols(&self, prefix: u32, path: Path) -> Vec<Symbol> {
        let prefixes = self.prefixes.upwards(prefix);
        let mut end = path.end;
        let mut symbols: Vec<Symbol> = prefixes
            .zip(self.times.upwards(path.said))
            .map(|(prefix, said)| Symbol {
                index: prefix.symbol,
                start: said.start as usize,
                end: std::mem::replace(&mut end, said.previous_end) as usize,
            })
            .collect();
        symbols.reverse();
        symbols
    }
}

/// `ln(exp a + exp b)`.
pub(super) fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY {
        high
    } else {
        high + (low - high).exp().ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proptest::test_runner::TestCaseError;

    use super::super::ctc::greedy;
    use super::*;
    use crate::decode::fusion::tests::{language_score, of_abc};

    /// Options without pruning.
    const EVERYTHING: BeamOptions = BeamOptions {
        beam_size: MAX_BEAM,
        symbol_threshold: f64::NEG_INFINITY,
        beam_threshold: f64::INFINITY,
    };

    /// `[steps][symbols]` of random distributions.
    fn log_probs(
        symbols: usize,
        steps: impl Into<proptest::collection::SizeRange>,
    ) -> impl Strategy<Value = Vec<Vec<f32>>> {
        let step = proptest::collection::vec(-4.0f32..4.0, symbols).prop_map(|scores| {
            let total = scores.iter().map(|score| score.exp()).sum::<f32>().ln();
            scores.iter().map(|score| score - total).collect()
        });
        proptest::collection::vec(step, steps)
    }

    fn search(
        log_probs: &[Vec<f32>],
        options: BeamOptions,
        space: Option<usize>,
        fusion: Option<Arc<Fusion>>,
    ) -> BeamSearch {
        let mut search = BeamSearch::new(options, space, fusion).unwrap();
        for step in log_probs {
            search.push(step);
        }
        search
    }

    fn indices(symbols: &[Symbol]) -> Vec<usize> {
        symbols.iter().map(|symbol| symbol.index).collect()
    }

    /// The symbols of a path, with spaces as between words.
    fn reads_as(path: &[usize], space: Option<usize>) -> Vec<Symbol> {
        let mut read: Vec<Symbol> = Vec::new();
        for symbol in greedy(path) {
            let after_space = read.last().is_none_or(|last| Some(last.index) == space);
            if !(after_space && Some(symbol.index) == space) {
                read.push(symbol);
            }
        }
        if space.is_some() && read.last().map(|last| last.index) == space {
            read.pop();
        }
        read
    }

    /// Each transcript with its log-probability and its best path, by enumeration of all paths.
    fn by_brute_force(
        log_probs: &[Vec<f32>],
        space: Option<usize>,
    ) -> BTreeMap<Vec<usize>, (f64, f64, Vec<Symbol>)> {
        let symbols = log_probs[0].len();
        let mut found = BTreeMap::new();
        for code in 0..symbols.pow(log_probs.len() as u32) {
            let digit = |step: usize| code / symbols.pow(step as u32) % symbols;
            let path: Vec<usize> = (0..log_probs.len()).map(digit).collect();
            let steps = path.iter().zip(log_probs);
            let log_prob = steps
                .map(|(&symbol, step)| f64::from(step[symbol]))
                .sum::<f64>();
            let read = reads_as(&path, space);
            let entry = found.entry(indices(&read));
            let nothing = (f64::NEG_INFINITY, f64::NEG_INFINITY, Vec::new());
            let (total, best, symbols) = entry.or_insert(nothing);
            *total = log_add(*total, log_prob);
            if log_prob > *best {
                (*best, *symbols) = (log_prob, read);
            }
        }
        found
    }

    fn equals_brute_force(
        log_probs: &[Vec<f32>],
        space: Option<usize>,
        fusion: Option<Arc<Fusion>>,
    ) -> std::result::Result<(), TestCaseError> {
        let expected = by_brute_force(log_probs, space);
        let found = search(log_probs, EVERYTHING, space, fusion.clone()).finish(MAX_BEAM);
        prop_assert_eq!(found.len(), expected.len());
        for pair in found.windows(2) {
            prop_assert!(pair[0].score >= pair[1].score);
        }
        for hypothesis in found {
            let (total, _, symbols) = &expected[&indices(&hypothesis.symbols)];
            prop_assert!((hypothesis.acoustic - total).abs() < 1e-9);
            let language = fusion
                .as_ref()
                .map_or(0.0, |_| language_score(&indices(symbols)));
            // The model keeps its numbers in 32 bits.
            prop_assert!((hypothesis.language - language).abs() < 1e-6);
            prop_assert!((hypothesis.score - total - hypothesis.language).abs() < 1e-9);
            // The times are those of the single best path. Times of ignored spaces are undefined.
            if space.is_none() {
                prop_assert_eq!(&hypothesis.symbols, symbols);
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_search_that_gives_nothing_up_finds_what_all_paths_add_up_to(log_probs in log_probs(3, 1..8)) {
            equals_brute_force(&log_probs, None, None)?;
        }

        #[test]
        fn spaces_count_between_words_only(log_probs in log_probs(4, 1..6)) {
            equals_brute_force(&log_probs, Some(3), None)?;
        }

        #[test]
        fn a_language_model_adds_what_it_gives_to_the_whole_text(log_probs in log_probs(4, 1..6)) {
            // a, b and the space.
            equals_brute_force(&log_probs, Some(1), Some(Arc::new(of_abc())))?;
        }

        #[test]
        fn clearing_up_changes_nothing(log_probs in log_probs(6, 1..60)) {
            let options = BeamOptions { beam_size: 7, ..BeamOptions::default() };
            let expected = search(&log_probs, options, Some(5), None);
            let mut search = BeamSearch::new(options, Some(5), None).unwrap();
            for step in &log_probs {
                search.push(step);
                search.clear_up();
            }
            prop_assert_eq!(search.best(), expected.best());
            prop_assert_eq!(search.finish(9), expected.finish(9));
        }

        #[test]
        fn a_beam_of_one_without_repetitions_is_the_best_path(path in proptest::collection::vec(0usize..5, 1..30)) {
            // One symbol is so probable in each step that no other path matters.
            let step = |&said: &usize| (0..5).map(|symbol| if symbol == said { -1e-6 } else { -20.0 }).collect();
            let log_probs: Vec<Vec<f32>> = path.iter().map(step).collect();
            let options = BeamOptions { beam_size: 1, ..BeamOptions::default() };
            let found = search(&log_probs, options, None, None).finish(1);
            prop_assert_eq!(&found[0].symbols, &greedy(&path));
        }
    }

    #[test]
    fn memory_is_bounded_however_long_it_goes_on() {
        let mut seed = 1u32;
        let mut draw = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 24) as f32
        };
        let options = BeamOptions {
            beam_size: 16,
            ..BeamOptions::default()
        };
        let mut search = BeamSearch::new(options, None, None).unwrap();
        let mut largest = 0;
        for _ in 0..30_000 {
            // Mostly blanks. Ten times as many nodes are created as are kept.
            let blank = if draw() < 0.8 { 1e-4 } else { 0.9 };
            let mut step = [(1.0f32 - blank).ln(); 8];
            for symbol in &mut step[1..] {
                *symbol = (blank / 7.0 * (0.5 + draw())).ln();
            }
            search.push(&step);
            largest = largest.max(search.prefixes.len()).max(search.times.len());
        }
        assert!(largest < 2 << 16, "{largest} nodes");
        assert!(search.best().len() > 100);
    }

    #[test]
    fn an_absurd_beam_is_refused_by_name() {
        let wrong = |change: fn(&mut BeamOptions)| {
            let mut options = BeamOptions::default();
            change(&mut options);
            BeamSearch::new(options, None, None)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            wrong(|options| options.beam_size = 0),
            "setting `beam_size` is 0; it must be from 1 to 10000 transcripts, such as 100"
        );
        assert!(wrong(|options| options.beam_size = 1_000_000).contains("`beam_size` is 1000000;"));
        assert!(
            wrong(|options| options.symbol_threshold = 1.0).contains("`symbol_threshold` is 1;")
        );
        assert!(
            wrong(|options| options.beam_threshold = f64::NAN).contains("`beam_threshold` is NaN;")
        );
    }
}
