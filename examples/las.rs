//! Trains Listen, Attend and Spell to transcribe Morse code letter by letter, attending to the part
//! of the recording that keys it.
//!
//! `cargo run --release --example las`

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use sori::train::fresh_folder;
use sori::{BackendName, Settings, Show, fit, guesses};

fn main() -> sori::Result<()> {
    let settings = Settings::for_data("las", "synth:morse")?;
    let backend = BackendName::default();
    let folder = fresh_folder("runs".as_ref(), "example-las")?;
    let trained = fit(&settings, &folder, backend, Show::Auto)?;

    println!(
        "\nword error rate on {} messages it has not heard: {:.3}; some of them:",
        trained.run.info().splits.test,
        trained.result.value
    );
    for guess in guesses(&trained.run, 6, backend)? {
        println!(
            "keyed: {}\nheard: {}\n",
            guess.truth, guess.prediction.answer
        );
    }
    println!(
        "use it: sori predict {} AUDIO…",
        trained.run.path().display()
    );
    Ok(())
}
