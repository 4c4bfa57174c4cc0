//! Beam search against pyctcdecode with KenLM. `decoding.py` beside this file wrote the values.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod utterances;

use sori::decode::{BeamOptions, BeamSearch, Hypothesis};
use utterances::{Found, USUAL, Utterances, fusion};

/// With next to nothing given up.
const WIDE: BeamOptions = BeamOptions {
    beam_size: 1000,
    symbol_threshold: -12.0,
    beam_threshold: 25.0,
};

/// The `most` best transcripts of each recording, beside pyctcdecode's.
fn beside(name: &str, options: BeamOptions, most: usize) -> Vec<(Hypothesis, String, Found)> {
    let Utterances {
        alphabet,
        log_probs,
        mut found,
    } = Utterances::read();
    let fusion = name.starts_with("words").then(|| fusion(&alphabet));
    let expected = found.remove(name).unwrap();
    assert!(expected.len() >= 100 && expected.len() == log_probs.len());
    let mut pairs = Vec::new();
    for (log_probs, expected) in log_probs.iter().zip(expected) {
        let mut search = BeamSearch::new(options, alphabet.index(' '), fusion.clone()).unwrap();
        for step in log_probs {
            search.push(step);
        }
        let found = search.finish(most);
        assert_eq!(found.len(), most.min(expected.len()));
        for (found, expected) in found.into_iter().zip(expected) {
            let symbols: Vec<usize> = found.symbols.iter().map(|symbol| symbol.index).collect();
            pairs.push((found, alphabet.decode(&symbols), expected));
        }
    }
    pairs
}

#[test]
fn the_three_best_transcripts_and_their_scores_equal_pyctcdecodes() {
    let mut furthest = 0.0f64;
    for name in ["none, wide", "words, wide"] {
        for (found, text, expected) in beside(name, WIDE, 3) {
            assert_eq!(text, expected.text);
            for (ours, theirs) in [
                (found.acoustic, expected.acoustic),
                (found.score, expected.score),
            ] {
                // A thousand beams are full, so that both give up some paths.
                furthest = furthest.max((ours - theirs).abs());
            }
        }
    }
    assert!(furthest < 0.01, "{furthest}");
}

#[test]
fn the_best_transcript_equals_pyctcdecodes_by_the_usual_beam() {
    for name in ["none, usual", "words, usual"] {
        for (found, text, expected) in beside(name, USUAL, 1) {
            assert_eq!(text, expected.text);
            // Of its paths other ones were given up.
            let difference = found.acoustic - expected.acoustic;
            assert!(difference.abs() < 0.5, "{text}: {difference}");
        }
    }
}
