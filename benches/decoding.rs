//! Time to decode a recogniser's outputs for 120 recordings, on one thread:
//! `cargo bench --bench decoding`, or with the name of one search after `--`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed unwrap is a failed bench; the result"
)]

#[path = "../tests/golden/utterances.rs"]
mod utterances;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use sori::decode::{BeamSearch, Fusion};
use utterances::{USUAL, Utterances, fusion};

const ROUNDS: usize = 10;

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let utterances = Utterances::read();
    let words = fusion(&utterances.alphabet);
    let space = utterances.alphabet.index(' ');
    let all = |fusion: Option<&Arc<Fusion>>| {
        for log_probs in &utterances.log_probs {
            let mut search = BeamSearch::new(USUAL, space, fusion.cloned()).unwrap();
            for step in log_probs {
                search.push(step);
            }
            black_box(search.finish(1));
        }
    };
    for (name, fusion) in [("none", None), ("words", Some(&words))] {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == name) {
            continue;
        }
        all(fusion);
        let mut ms: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let started = Instant::now();
                all(fusion);
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        ms.sort_by(f64::total_cmp);
        println!(
            "{name}: {:.2} ms (median of {ROUNDS}, {:.2} to {:.2})",
            ms[ROUNDS / 2],
            ms[0],
            ms[ROUNDS - 1]
        );
    }
}
