//! Trains a network of gated dilated convolutions to tell the sixteen keys of a telephone by their tones,
//! in noise.
//!
//! `cargo run --release --example dilated_cnn`

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use sori::train::fresh_folder;
use sori::{BackendName, Settings, Show, fit, guesses};

fn main() -> sori::Result<()> {
    let settings = Settings::for_data("dilated_cnn", "synth:dtmf")?
        .with_override("channels=32")?
        .with_override("skip_channels=64")?
        .with_override("num_layers_per_cycle=4")?
        .with_override("epochs=10")?;
    let backend = BackendName::default();
    let folder = fresh_folder("runs".as_ref(), "example-dilated_cnn")?;
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
