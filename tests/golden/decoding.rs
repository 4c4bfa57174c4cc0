//! Beam search against pyctcdecode with KenLM. `decoding.py` beside this file wrote the values.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod utterances;

use sori::decode::{BeamOptions, BeamSearch, Hypothesis};
use utterances::{Found, USUAL, Utterances, fusion};

/// Almost without pruning.
const WIDE: BeamOptions = BeamOptions {
    beam_size: 1000,
    symbol_threshold: -12.0,
    beam_threshold: 25.0,
};

/// The ten best transcripts of a recording and their texts.
type Ours = Vec<(Hypothesis, String)>;

/// The transcripts found for each recording, beside pyctcdecode's three best.
fn beside(name: &str, options: BeamOptions) -> Vec<(Ours, Vec<Found>)> {
    let Utterances {
        alphabet,
        log_probs,
        mut found,
    } = Utterances::read();
    let fusion = name.starts_with("words").then(|| fusion(&alphabet));
    let expected = found.remove(name).unwrap();
    assert!(expected.len() >= 100 && expected.len() == log_probs.len());
    let found = log_probs.iter().map(|log_probs| {
        let mut search = BeamSearch::new(options, alphabet.index(' '), fusion.clone()).unwrap();
        for step in log_probs {
            search.push(step);
        }
        let found = search.finish(10).into_iter();
        let with_text = found.map(|found| {
            let symbols: Vec<usize> = found.symbols.iter().map(|symbol| symbol.index).collect();
            let text = alphabet.decode(&symbols);
            (found, text)
        });
        with_text.collect()
    });
    found.zip(expected).collect()
}

#[test]
fn the_best_transcripts_and_their_scores_equal_pyctcdecodes() {
    for (found, expected) in beside("none, wide", WIDE) {
        assert_eq!(found[0].1, expected[0].text);
        for expected in expected {
            // The next best may be so close that pruning decides their order.
            let Some((found, text)) = found.iter().find(|(_, text)| *text == expected.text) else {
                panic!("{} is not among the ten best", expected.text);
            };
            // A thousand beams are full, so both searches prune some paths.
            let difference = (found.acoustic - expected.acoustic).abs();
            assert!(difference < 0.01, "{text}: {difference}");
        }
    }
}

#[test]
fn the_best_transcript_equals_pyctcdecodes_by_the_usual_beam() {
    for name in ["none, usual", "words, usual"] {
        let mut equal = 0;
        for (found, expected) in beside(name, USUAL) {
            let ((found, text), expected) = (&found[0], &expected[0]);
            assert_eq!(*text, expected.text);
            // The two searches prune different paths.
            let difference = (found.acoustic - expected.acoustic).abs();
            assert!(difference < 0.5, "{text}: {difference}");
            // If one of its beams ends in a space, pyctcdecode scores the empty word after it as
            // unknown. With a wide beam that is nearly always the case.
            let language = expected.score - expected.acoustic;
            equal += usize::from((found.language - language).abs() < 1e-4);
        }
        assert!(equal >= 100, "{name}: {equal}");
    }
}
