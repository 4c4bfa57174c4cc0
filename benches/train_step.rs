//! A training step of each preset of `sori bench` on every backend compiled in, CPU beside GPU:
//! `cargo bench --bench train_step --features wgpu`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "criterion's macros make undocumented functions; a failed unwrap is a failed bench; \
              what is left out is named"
)]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sori::BackendName;
use sori::bench::{PRESETS, Work};

fn train_step(c: &mut Criterion) {
    for preset in PRESETS.iter().filter(|p| p.work != Work::Features) {
        let mut group = c.benchmark_group(preset.name);
        group.sample_size(10);
        for backend in BackendName::compiled() {
            if let Err(error) = preset.time(backend, 0, 1) {
                eprintln!("{} left out: {error}", backend.as_str());
                continue;
            }
            group.bench_function(backend.as_str(), |b| {
                b.iter_custom(|steps| {
                    let timing = preset.time(backend, 1, steps as usize).unwrap();
                    Duration::from_secs_f64(timing.median_ms * steps as f64 / 1e3)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, train_step);
criterion_main!(benches);
