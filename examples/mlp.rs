//! Trains a multilayer perceptron to tell the sixteen keys of a telephone by their tones, in noise.
//! It reads the whole second at once and must learn every key at every position, so it is less
//! accurate than the convolutions of `cnn1d`.
//!
//! `cargo run --release --example mlp`

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use sori::train::fresh_folder;
use sori::{BackendName, Settings, Show, fit, guesses};

fn main() -> sori::Result<()> {
    let settings = Settings::for_data("mlp", "synth:dtmf")?.with_override("epochs=12")?;
    let backend = BackendName::default();
    let folder = fresh_folder("runs".as_ref(), "example-mlp")?;
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
