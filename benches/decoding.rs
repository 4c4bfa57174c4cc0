//! Time to find the transcripts of 120 recordings in what a recogniser said of them, on one thread:
//! `cargo bench --bench decoding`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make undocumented functions; a failed unwrap is a failed bench"
)]

#[path = "../tests/golden/utterances.rs"]
mod utterances;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use sori::decode::{BeamSearch, Fusion};
use utterances::{USUAL, Utterances, fusion};

fn decoding(c: &mut Criterion) {
    let utterances = Utterances::read();
    let words = fusion(&utterances.alphabet);
    let space = utterances.alphabet.index(' ');
    let all = |fusion: Option<Arc<Fusion>>| {
        for log_probs in &utterances.log_probs {
            let mut search = BeamSearch::new(USUAL, space, fusion.clone()).unwrap();
            for step in log_probs {
                search.push(step);
            }
            black_box(search.finish(1));
        }
    };
    let mut group = c.benchmark_group("decoding");
    group.sample_size(10);
    group.bench_function("none", |b| b.iter(|| all(None)));
    group.bench_function("words", |b| b.iter(|| all(Some(words.clone()))));
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
