//! Features per second of sound, on one thread: `cargo bench --bench features`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed unwrap is a failed bench; the result"
)]

use std::hint::black_box;
use std::time::Instant;

use sori::datasets::{FeatureConfig, FeatureExtractor, FeatureKind, Waveform};

const SECONDS: u64 = 10;
const ROUNDS: usize = 30;

fn main() {
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
        extractor.extract(&waveform).unwrap();
        let mut ms: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let started = Instant::now();
                black_box(extractor.extract(black_box(&waveform)).unwrap());
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        ms.sort_by(f64::total_cmp);
        let median = ms[ROUNDS / 2];
        println!(
            "{}: {median:.2} ms for {SECONDS} s at 16 kHz, {:.0} times as fast as the sound (median of {ROUNDS}, \
             {:.2} to {:.2})",
            kind.name(),
            SECONDS as f64 * 1e3 / median,
            ms[0],
            ms[ROUNDS - 1]
        );
    }
}
