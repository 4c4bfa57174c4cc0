//! Beam search against pyctcdecode with KenLM. `decoding.py` beside this file wrote the values.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod utterances;

use sori::decode::BeamSearch;
use utterances::{Utterances, fusion, options};

/// What was given up differs a little: pyctcdecode counts a transcript that ends in the blank and the
/// same that does not as two of its beams, Sori as one.
const TOLERANCE: f64 = 1e-3;

fn equals_pyctcdecode(name: &str) {
    let utterances = Utterances::read();
    let fusion = (name == "words").then(|| fusion(&utterances.alphabet));
    let expected = &utterances.found[name];
    assert!(expected.len() >= 100 && expected.len() == utterances.log_probs.len());
    for (log_probs, expected) in utterances.log_probs.iter().zip(expected) {
        let space = utterances.alphabet.index(' ');
        let mut search = BeamSearch::new(options(), space, fusion.clone()).unwrap();
        for step in log_probs {
            search.push(step);
        }
        let found = search.finish(expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let symbols: Vec<usize> = found.symbols.iter().map(|symbol| symbol.index).collect();
            assert_eq!(utterances.alphabet.decode(&symbols), expected.text);
            for (ours, theirs) in [
                (found.acoustic, expected.acoustic),
                (found.score, expected.score),
            ] {
                assert!(
                    (ours - theirs).abs() < TOLERANCE,
                    "{}: {ours}, not {theirs}",
                    expected.text
                );
            }
        }
    }
}

#[test]
fn transcripts_equal_pyctcdecodes() {
    equals_pyctcdecode("none");
}

#[test]
fn transcripts_with_a_language_model_equal_pyctcdecodes() {
    equals_pyctcdecode("words");
}
