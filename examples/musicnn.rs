//! Trains filters shaped for music to tell the sixteen keys of a telephone by their tones, in noise:
//! tall ones for the tones of a moment, long ones for the course of a band over time.
//!
//! `cargo run --release --example musicnn`

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use sori::train::fresh_folder;
use sori::{BackendName, Settings, Show, fit, guesses};

fn main() -> sori::Result<()> {
    let settings = Settings::for_data("musicnn", "synth:dtmf")?
        .with_override("timbral_channels=32")?
        .with_override("temporal_sizes=[33, 17]")?
        .with_override("temporal_channels=8")?
        .with_override("dropout=0.2")?
        .with_override("epochs=4")?;
    let backend = BackendName::default();
    let folder = fresh_folder("runs".as_ref(), "example-musicnn")?;
    let trained = fit(&settings, &folder, backend, Show::Auto)?;

    println!(
        "\naccuracy on {} recordings it has not seen: {:.3}; some of them:",
        trained.run.info().splits.test,
        trained.result.value
    );
    for guess in guesses(&trained.run, 8, backend)? {
        println!("key {} heard as {}", guess.truth, guess.prediction.answer);
    }
    println!(
        "use it: sori predict {} AUDIO…",
        trained.run.path().display()
    );
    Ok(())
}
