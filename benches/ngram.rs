//! Time of a query of an n-gram model, and the model's memory:
//! `cargo bench --bench ngram -- FILE.arpa TEXT`, with one sentence of words a line.
//!
//! Words are looked up in the vocabulary beforehand, as in `kenlm_benchmark --query`. Without
//! arguments, it uses a small model of generated sentences.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed bench")]
#![allow(clippy::print_stdout, reason = "the result")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use sori::decode::{NgramCounts, NgramModel, TokenId};

const ROUNDS: usize = 7;

fn main() {
    let mut paths = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let (model, text) = match (paths.next(), paths.next()) {
        (Some(model), Some(text)) => (model, std::fs::read_to_string(text).unwrap()),
        _ => {
            let text = sentences();
            let mut counts = NgramCounts::new(4).unwrap();
            for line in text.lines() {
                counts.add(line.split(' ')).unwrap();
            }
            let path = folder.path().join("small.arpa");
            counts.estimate().unwrap().write(&path).unwrap();
            (path, text)
        }
    };
    let started = Instant::now();
    let model = NgramModel::read(&model).unwrap();
    let read_s = started.elapsed().as_secs_f64();
    let sentences: Vec<Vec<TokenId>> = text
        .lines()
        .map(|line| {
            let tokens = line.split_whitespace();
            tokens
                .map(|text| model.token(text).unwrap_or(model.unknown()))
                .collect()
        })
        .collect();
    let queries: usize = sentences.iter().map(|sentence| sentence.len() + 1).sum();
    let mut total = 0.0;
    let mut ns: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            total = 0.0;
            for sentence in &sentences {
                let mut context = model.start();
                for &token in sentence {
                    let (log10, next) = model.score(black_box(context), token);
                    total += log10;
                    context = next;
                }
                total += model.end(context);
            }
            started.elapsed().as_nanos() as f64 / queries as f64
        })
        .collect();
    ns.sort_by(f64::total_cmp);
    println!(
        "{:.1} ns a query ({queries} queries, sum {total:.1}), read in {read_s:.2} s, {:.1} MiB",
        ns[ROUNDS / 2],
        model.size_bytes() as f64 / f64::from(1 << 20)
    );
}

/// Sentences of words, which are rarer the higher their numbers.
fn sentences() -> String {
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut text = String::new();
    for _ in 0..20_000 {
        for _ in 0..10 {
            text += &format!("w{} ", (1.0 / (draw() + 1e-4)) as usize);
        }
        text += "w0\n";
    }
    text
}
