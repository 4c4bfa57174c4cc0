//! CTC prefix scores of transcripts that are written symbol by symbol ([Watanabe et al.
//! 2017](https://doi.org/10.1109/JSTSP.2017.2763455), algorithm 2).

use std::rc::Rc;

use sori_models::loss::BLANK;

use super::beam::log_add;

/// A CTC head's log-probabilities of one recording, `[steps, symbols]`.
#[derive(Clone, Debug)]
pub(super) struct CtcPrefix {
    log_probs: Vec<f32>,
    symbols: usize,
}

/// The CTC paths of an unfinished transcript, up to each step.
#[derive(Clone, Debug)]
pub(super) struct CtcState {
    /// Log-probability of the paths that end in the blank, and of the others, before the first step
    /// and after each step.
    paths: Rc<[[f64; 2]]>,
    last: usize,
    /// Log-probability of all paths that begin with the transcript.
    pub(super) score: f64,
}

impl CtcPrefix {
    pub(super) fn new(log_probs: Vec<f32>, symbols: usize) -> Self {
        Self { log_probs, symbols }
    }

    /// The state of the empty transcript.
    pub(super) fn start(&self) -> CtcState {
        let mut blank = 0.0;
        let rows = self.log_probs.chunks_exact(self.symbols);
        let later = rows.map(|row| {
            blank += f64::from(row[BLANK]);
            [blank, f64::NEG_INFINITY]
        });
        let first = [[0.0, f64::NEG_INFINITY]].into_iter();
        CtcState {
            paths: first.chain(later).collect(),
            last: BLANK,
            score: 0.0,
        }
    }

    /// The state of the transcript with one more symbol.
    pub(super) fn next(&self, state: &CtcState, symbol: usize) -> CtcState {
        let mut paths = Vec::with_capacity(state.paths.len());
        let (mut blank, mut said) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        let mut score = f64::NEG_INFINITY;
        paths.push([blank, said]);
        let rows = self.log_probs.chunks_exact(self.symbols);
        for (row, &[before_blank, before_said]) in rows.zip(state.paths.iter()) {
            // Paths of the shorter transcript after which this symbol counts as new.
            let ready = if symbol == state.last {
                before_blank
            } else {
                log_add(before_blank, before_said)
            };
            let symbol = f64::from(row[symbol]);
            score = log_add(score, ready + symbol);
            (blank, said) = (
                log_add(blank, said) + f64::from(row[BLANK]),
                log_add(said, ready) + symbol,
            );
            paths.push([blank, said]);
        }
        CtcState {
            paths: paths.into(),
            last: symbol,
            score,
        }
    }

    /// Log-probability of a transcript that ends here.
    pub(super) fn end(&self, state: &CtcState) -> f64 {
        let [blank, said] = state.paths[state.paths.len() - 1];
        log_add(blank, said)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ctc::greedy;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_prefix_has_the_probability_of_all_paths_that_begin_so(
            scores in proptest::collection::vec(-3.0f32..0.0, 3..=15),
            prefix in proptest::collection::vec(1usize..3, 0..4),
        ) {
            let steps = scores.len() / 3;
            let head = CtcPrefix::new(scores[..3 * steps].to_vec(), 3);
            let state = prefix.iter().fold(head.start(), |state, &symbol| head.next(&state, symbol));
            let (mut begins, mut is) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
            for code in 0..3usize.pow(steps as u32) {
                let path: Vec<usize> = (0..steps).map(|step| code / 3usize.pow(step as u32) % 3).collect();
                let log_prob: f64 = (0..steps).map(|step| f64::from(scores[3 * step + path[step]])).sum();
                let read: Vec<usize> = greedy(&path).iter().map(|symbol| symbol.index).collect();
                if read == prefix {
                    is = log_add(is, log_prob);
                }
                // The prefix is complete at the step its last symbol begins. Later scores are left out,
                // because for probabilities they sum to one.
                let reaches = (1..=steps).find(|&end| {
                    let read = greedy(&path[..end]);
                    read.iter().map(|symbol| symbol.index).eq(prefix.iter().copied())
                });
                if let Some(end) = reaches.filter(|&end| path[end..].iter().all(|&symbol| symbol == 0)) {
                    let until: f64 = (0..end).map(|step| f64::from(scores[3 * step + path[step]])).sum();
                    begins = log_add(begins, until);
                }
            }
            let close = |a: f64, b: f64| a == b || (a - b).abs() < 1e-9;
            prop_assert!(close(head.end(&state), is), "{} {is}", head.end(&state));
            if !prefix.is_empty() {
                prop_assert!(close(state.score, begins), "{} {begins}", state.score);
            }
        }
    }
}
