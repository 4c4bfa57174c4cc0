//! Trains a generator and a discriminator on patches of telephone key tones, until generated patches
//! are hard to tell from recorded ones.
//!
//! `cargo run --release --example gan`

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use sori::train::fresh_folder;
use sori::{BackendName, Settings, Show, Theme, fit, generate};

fn main() -> sori::Result<()> {
    let settings = Settings::for_data("gan", "synth:dtmf")?.with_override("epochs=20")?;
    let backend = BackendName::default();
    let folder = fresh_folder("runs".as_ref(), "example-gan")?;
    let trained = fit(&settings, &folder, backend, Show::Auto)?;

    println!(
        "\non {} recordings it has not seen: {}",
        trained.run.info().splits.test,
        trained.result.metrics.text(&trained.result.metric)
    );
    let picture = folder.join("patches.png");
    generate(&trained.run, 16, 0, backend)?.draw(Theme::Light, &picture)?;
    println!("what it makes, beside recordings: {}", picture.display());
    Ok(())
}
