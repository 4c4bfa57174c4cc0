//! Error rates of transcripts against jiwer. `transcripts.py` beside this file wrote the values.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use serde::Deserialize;
use sori::metric::TranscriptErrors;

#[derive(Deserialize)]
struct Case {
    references: Vec<String>,
    hypotheses: Vec<String>,
    wer: f64,
    cer: f64,
}

#[test]
fn error_rates_equal_jiwers() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("transcripts.json")).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let mut errors = TranscriptErrors::default();
        for (reference, hypothesis) in case.references.iter().zip(&case.hypotheses) {
            errors.add("", reference, hypothesis);
        }
        for (name, ours, theirs) in [
            ("wer", errors.words().rate(), case.wer),
            ("cer", errors.characters().rate(), case.cer),
        ] {
            assert!(
                (ours - theirs).abs() < 1e-12,
                "{name}: {ours}, not {theirs}"
            );
        }
    }
}
