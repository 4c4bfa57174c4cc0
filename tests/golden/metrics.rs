//! Metrics of taggers against scikit-learn. `metrics.py` beside this file wrote the values.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use serde::Deserialize;
use sori::metric::TagScores;

#[derive(Deserialize)]
struct Case {
    scores: Vec<Vec<f32>>,
    tags: Vec<Vec<usize>>,
    map: f64,
    map_micro: f64,
    roc_auc: f64,
    roc_auc_micro: f64,
    lwlrap: f64,
    macro_f1: f64,
}

#[test]
fn metrics_of_taggers_equal_scikit_learns() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("metrics.json")).unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let num_tags = case.scores[0].len();
        let mut scores = TagScores::new(num_tags);
        for (row, tags) in case.scores.iter().zip(&case.tags) {
            scores.add(row, tags);
        }
        let found = scores.metrics(&vec![0.5; num_tags]);
        for (name, ours, theirs) in [
            ("map", found.map, case.map),
            ("map_micro", found.map_micro, case.map_micro),
            ("roc_auc", found.roc_auc, case.roc_auc),
            ("roc_auc_micro", found.roc_auc_micro, case.roc_auc_micro),
            ("lwlrap", found.lwlrap, case.lwlrap),
            ("macro_f1", found.macro_f1, case.macro_f1),
        ] {
            assert!((ours - theirs).abs() < 1e-9, "{name}: {ours}, not {theirs}");
        }
    }
}
