//! A training step of each preset of `sori bench` on every backend compiled in, CPU beside GPU:
//! `cargo bench --bench train_step --features wgpu`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the result; what is left out is named"
)]

use sori::BackendName;
use sori::bench::{Work, presets};

const WARM_UP: usize = 3;
const STEPS: usize = 10;

fn main() {
    for preset in presets().into_iter().filter(|p| p.work != Work::Features) {
        for backend in BackendName::compiled() {
            let (name, backend_name) = (preset.name, backend.as_str());
            match preset.time(backend, WARM_UP, STEPS) {
                Ok(timing) => println!(
                    "{name} on {backend_name}: {:.2} ms (median of {STEPS})",
                    timing.median_ms
                ),
                Err(error) => eprintln!("{name} on {backend_name} left out: {error}"),
            }
        }
    }
}
