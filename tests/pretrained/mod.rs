//! Networks that Sori has trained: `zoo:NAME`.

use std::env;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sori::run::pretrained;

use crate::{refusal, sori};

#[test]
fn each_network_of_the_zoo_has_the_figures_of_its_card() {
    let corpora = env::var_os("SORI_DATA");
    for card in pretrained() {
        for figure in &card.figures {
            let folder = match (&corpora, figure.data.starts_with("synth:")) {
                (_, true) => Path::new("."),
                (Some(folder), false) => Path::new(folder),
                (None, false) => {
                    println!(
                        "skipped: zoo:{} on {}; SORI_DATA is not set",
                        card.name, figure.data
                    );
                    continue;
                }
            };
            let run = format!("zoo:{}", card.name);
            let output = Command::new(env!("CARGO_BIN_EXE_sori"))
                .args(["eval", &run, "--data", &figure.data, "--json"])
                .current_dir(folder)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{run}: {text}");
            let lines = String::from_utf8(output.stdout).unwrap();
            let found: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
            assert_eq!(found["items"], figure.items, "{run} on {}", figure.data);
            let off = (found["value"].as_f64().unwrap() - figure.value).abs();
            // Another processor may decide otherwise on a recording that is near the border of two answers.
            let bound = 1.0 / figure.items as f64;
            assert!(
                off <= bound,
                "{run} on {}: {} for {}",
                figure.data,
                found["value"],
                figure.value
            );
        }
    }
}

#[test]
fn a_network_of_the_zoo_is_used_and_started_from_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let sounds = path("sounds");
    sori(&[
        "data",
        "export",
        "synth:dtmf",
        "--count",
        "3",
        "--into",
        &sounds,
    ]);
    let answers = sori(&["predict", "zoo:keys", &sounds]);
    assert_eq!(
        answers
            .iter()
            .filter(|line| line["event"] == "prediction")
            .count(),
        3
    );

    let again = path("again");
    sori(&[
        "train", "cnn1d", "--from", "zoo:keys", "--epochs", "1", "--recipe", "quick", "--out",
        &again,
    ]);
    let refused = refusal(&["train", "--resume", "zoo:keys"]);
    assert!(refused.contains("stays as it is"), "{refused}");
    let unknown = refusal(&["predict", "zoo:kyes", &sounds]);
    assert!(unknown.contains("Did you mean zoo:keys?"), "{unknown}");

    // A run that is packed predicts as before; in half precision its weights are rounded.
    let scores = |run: &str| -> Vec<f64> {
        let answer = &sori(&["predict", run, &sounds])[0];
        let scores = answer["scores"].as_object().unwrap();
        scores
            .values()
            .map(|score| score.as_f64().unwrap())
            .collect()
    };
    let before = scores(&again);
    for (half, bound) in [(false, 0.0), (true, 5e-3)] {
        let packed = path(&format!("packed-{half}"));
        let pack = ["export", &again, "--format", "run", "--out", &packed];
        sori(&[&pack[..], if half { &["--half"] } else { &[] }].concat());
        let after = scores(&packed);
        let off = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f64::max) <= bound, "{before:?} {after:?}");
        assert!(refusal(&pack).contains("holds something"));
    }
}

#[test]
fn weights_elsewhere_are_named_by_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(["predict", "zoo:keys", "x.wav"])
        .env("SORI_WEIGHTS", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("its weights are not here"), "{text}");
    assert!(text.contains("SORI_WEIGHTS"), "{text}");
}
