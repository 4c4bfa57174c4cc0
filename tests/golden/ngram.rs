//! N-gram models against KenLM: the estimates of its `lmplz` for a text, and its scores of
//! sentences. `ngram.py` beside this file wrote the values.
//!
//! KenLM computes in single precision, which resolves logarithms to about 1e-6.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sori::decode::{NgramCounts, NgramModel, TokenKind};

const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Case {
    arpa: String,
    kind: String,
    order: usize,
    text: Option<String>,
    discounts: Option<Vec<[f64; 3]>>,
    fallback: Option<Vec<usize>>,
    scores: Vec<Scores>,
}

#[derive(Deserialize)]
struct Scores {
    text: String,
    log10: Vec<f64>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/ngram")
        .join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

fn cases() -> Vec<(Case, TokenKind)> {
    let cases: Vec<Case> = serde_json::from_str(&read("cases.json")).unwrap();
    assert_eq!(cases.len(), 13);
    cases
        .into_iter()
        .map(|case| {
            let kind = match case.kind.as_str() {
                "words" => TokenKind::Words,
                "characters" => TokenKind::Characters,
                other => panic!("{other}"),
            };
            (case, kind)
        })
        .collect()
}

/// The model's scores of each token of a text and of its end.
fn scores(model: &NgramModel, kind: TokenKind, text: &str) -> Vec<f64> {
    let mut context = model.start();
    let mut scores = Vec::new();
    for token in kind.tokens(text) {
        let (log10, next) = model.score(context, model.token(token).unwrap_or(model.unknown()));
        scores.push(log10);
        context = next;
    }
    scores.push(model.end(context));
    scores
}

#[test]
fn scores_equal_kenlms() {
    for (case, kind) in cases() {
        let model = NgramModel::read(&path(&case.arpa)).unwrap();
        assert_eq!(model.order(), case.order);
        for expected in &case.scores {
            let found = scores(&model, kind, &expected.text);
            assert_eq!(found.len(), expected.log10.len());
            for (found, expected_log10) in found.iter().zip(&expected.log10) {
                assert!(
                    (found - expected_log10).abs() < TOLERANCE,
                    "{}, `{}`: {found}, not {expected_log10}",
                    case.arpa,
                    expected.text
                );
            }
        }
    }
}

/// The log10 probability and back-off weight of each n-gram, without the header.
fn grams(arpa: &str) -> BTreeMap<String, (f64, f64)> {
    arpa.lines()
        .filter(|line| line.contains('\t'))
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let number = |at: usize| fields.get(at).map_or(0.0, |f: &&str| f.parse().unwrap());
            (fields[1].to_string(), (number(0), number(2)))
        })
        .collect()
}

#[test]
fn estimates_equal_lmplzs() {
    let mut fallbacks = 0;
    for (case, kind) in cases() {
        let Some(text) = &case.text else { continue };
        let mut counts = NgramCounts::new(case.order).unwrap();
        for line in read(text).lines() {
            counts.add(kind.tokens(line)).unwrap();
        }
        let estimate = counts.estimate().unwrap();
        let expected = case.discounts.unwrap();
        assert_eq!(estimate.discounts().len(), expected.len());
        for (at, (found, expected)) in estimate.discounts().iter().zip(expected).enumerate() {
            let fallback = case.fallback.as_ref().unwrap().contains(&(at + 1));
            fallbacks += usize::from(fallback);
            assert_eq!(found.fallback, fallback, "{}: order {}", case.arpa, at + 1);
            for (found, expected) in found.amounts.iter().zip(expected) {
                assert!((found - expected).abs() < TOLERANCE, "{}", case.arpa);
            }
        }
        let (ours, theirs) = (estimate.to_arpa(), read(&case.arpa));
        let (ours, theirs) = (grams(&ours), grams(&theirs));
        assert_eq!(ours.len(), theirs.len(), "{}", case.arpa);
        for (gram, (log10, backoff)) in theirs {
            let found = ours[&gram];
            assert!(
                (found.0 - log10).abs() < TOLERANCE && (found.1 - backoff).abs() < TOLERANCE,
                "{}, `{gram}`: {found:?}, not {log10} and {backoff}",
                case.arpa
            );
        }
    }
    assert!(fallbacks > 0, "no order has the fallback discounts");
}
