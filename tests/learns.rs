//! Models learn: the embedded telephone keys, and, where `SORI_DATA` names a folder with the
//! corpus, spoken digits to the accuracy that the README states.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed unwrap is a failed test; what is skipped is named"
)]

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use sori::{BackendName, Settings, Show, fit};

/// A process has a single random state, so one training at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn accuracy(model: &str, data: &str, changes: &[&str]) -> f64 {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(model, data, 8000).unwrap();
    for change in changes {
        settings = settings.with_override(change).unwrap();
    }
    let run = folder.path().join("run");
    fit(&settings, &run, BackendName::Ndarray, Show::Quiet)
        .unwrap()
        .result
        .value
}

#[test]
fn a_convolution_finds_keys_better_than_a_perceptron() {
    let keys = ["epochs=6"];
    let cnn = accuracy("cnn1d", "synth:dtmf", &keys);
    let mlp = accuracy("mlp", "synth:dtmf", &keys);
    assert!(cnn > 0.9, "cnn1d reaches {cnn}");
    assert!(mlp < cnn - 0.04, "mlp reaches {mlp}, cnn1d {cnn}");
}

#[test]
fn a_tagger_hears_which_sounds_are_in_a_scene() {
    let reached = accuracy("cnn2d", "synth:scenes?size=600", &["epochs=8"]);
    println!("cnn2d on scenes: mean average precision {reached}");
    assert!(reached > 0.75, "cnn2d reaches {reached}");
}

#[test]
fn spoken_digits_reach_their_bars() {
    let Some(data) = std::env::var_os("SORI_DATA") else {
        println!("skipped: spoken_digits_reach_their_bars (SORI_DATA is not set)");
        return;
    };
    let fsdd = format!("fsdd:{}", PathBuf::from(data).join("fsdd").display());
    // The accuracy of PyTorch's networks. The larger one needs half the epochs.
    let short = ["epochs=7"];
    for (model, changes, bar) in [
        ("mlp", &[][..], 0.942),
        ("cnn1d", &[], 0.99),
        ("cnn2d", &short, 0.987),
    ] {
        let reached = accuracy(model, &fsdd, changes);
        println!("{model}: {reached}");
        assert!(reached >= bar, "{model} reaches {reached}, not {bar}");
    }
}
