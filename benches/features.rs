//! Features per second of sound, on one thread: `cargo bench --bench features`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make undocumented functions; a failed unwrap is a failed bench"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sori::datasets::{FeatureConfig, FeatureExtractor, FeatureKind, Waveform};

const SECONDS: u64 = 10;

fn features(c: &mut Criterion) {
    let mut group = c.benchmark_group("features of 10 s at 16 kHz");
    // Read the rate as seconds of sound per second.
    group.throughput(Throughput::Elements(SECONDS));
    let waveform = Waveform {
        samples: (0..16_000 * SECONDS)
            .map(|t| ((t * t) as f32 * 1e-5).sin() * 0.5)
            .collect(),
        sample_rate_hz: 16_000,
    };
    for kind in [
        FeatureKind::LogMel,
        FeatureKind::Mfcc,
        FeatureKind::Log1pSpectrogram,
    ] {
        let config = FeatureConfig {
            kind,
            num_mels: 80,
            ..FeatureConfig::default()
        };
        let mut extractor = FeatureExtractor::new(&config).unwrap();
        group.bench_function(kind.name(), |b| {
            b.iter(|| extractor.extract(black_box(&waveform)).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, features);
criterion_main!(benches);
