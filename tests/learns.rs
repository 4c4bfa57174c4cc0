//! Models learn: the embedded telephone keys, and, where `SORI_DATA` names a folder with the
//! corpus, spoken digits to the accuracy that the README states.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed unwrap is a failed test; what is skipped is named"
)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};

use serde_json::Value;

/// A model, its data and epochs.
type Training<'a> = (&'a str, &'a str, &'a str);

/// The accuracies of trainings, each on one thread in a process of its own, as many at once as there are
/// cores.
fn accuracies<const N: usize>(trainings: [Training<'_>; N]) -> [f64; N] {
    let (next, found) = (AtomicUsize::new(0), Mutex::new([f64::NAN; N]));
    let work = || {
        while let Some(&training) = trainings.get(next.fetch_add(1, Ordering::Relaxed)) {
            let reached = accuracy(training);
            println!("{training:?}: {reached}");
            let index = trainings.iter().position(|it| *it == training).unwrap();
            found.lock().unwrap()[index] = reached;
        }
    };
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap()
}

fn accuracy((model, data, epochs): Training<'_>) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(["train", model, "--data", data, "--recipe", "paper"])
        .args(["--epochs", epochs, "--threads", "1", "--json", "--out"])
        .arg(folder.path().join("run"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let result = said.lines().last().unwrap_or_default();
    let result: Value = serde_json::from_str(result)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    result["value"].as_f64().unwrap()
}

#[test]
fn a_convolution_finds_keys_better_than_a_perceptron_and_tags_scenes() {
    let [scenes, cnn, mlp] = accuracies([
        ("cnn2d", "synth:scenes?size=600", "8"),
        ("cnn1d", "synth:dtmf", "6"),
        ("mlp", "synth:dtmf", "6"),
    ]);
    assert!(scenes > 0.75, "cnn2d reaches {scenes}");
    assert!(cnn > 0.9, "cnn1d reaches {cnn}");
    assert!(mlp < cnn - 0.04, "mlp reaches {mlp}, cnn1d {cnn}");
}

/// The accuracy of PyTorch's networks. The larger one needs half the epochs.
#[test]
fn spoken_digits_reach_their_bars() {
    let Some(data) = std::env::var_os("SORI_DATA") else {
        println!("skipped: spoken_digits_reach_their_bars (SORI_DATA is not set)");
        return;
    };
    let fsdd = format!("fsdd:{}", PathBuf::from(data).join("fsdd").display());
    let [cnn2d, cnn1d, mlp] = accuracies([
        ("cnn2d", &fsdd, "7"),
        ("cnn1d", &fsdd, "15"),
        ("mlp", &fsdd, "15"),
    ]);
    for (reached, bar) in [(cnn2d, 0.987), (cnn1d, 0.99), (mlp, 0.942)] {
        assert!(reached >= bar, "{reached} is below {bar}");
    }
}
