//! Under `--json`, standard output holds only JSON lines, with the fields that the design
//! promises.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod sound;

use std::process::Command;

use serde_json::Value;

use sound::write_wav;

/// The lines that `sori ARGUMENTS --json` prints.
fn lines(arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .inspect(|line: &Value| assert!(line["event"].is_string(), "{line}"))
        .collect()
}

fn assert_has(line: &Value, keys: &[&str]) {
    for key in keys {
        assert!(!line[key].is_null(), "{key} is missing in {line}");
    }
}

const RESULT: &[&str] = &[
    "task", "model", "metric", "split", "value", "metrics", "params", "seconds", "epochs",
    "backend", "seed",
];

#[test]
fn a_run_is_json_from_training_to_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let run = run.to_str().unwrap();
    let trained = lines(&[
        "train",
        "mlp",
        "--data",
        "synth:dtmf?size=48",
        "--epochs",
        "2",
        "--seed",
        "3",
        "--set",
        "model.d_hidden=[8]",
        "--out",
        run,
    ]);
    assert_eq!(trained.len(), 4);
    assert_eq!(trained[0]["event"], "begin");
    for (epoch, line) in trained[1..3].iter().enumerate() {
        assert_eq!(line["event"], "epoch");
        assert_eq!(line["epoch"], epoch + 1);
    }
    assert_has(&trained[3], RESULT);
    assert_eq!(trained[3]["event"], "result");
    assert_eq!(trained[3]["split"], "test");
    assert_eq!(trained[3]["metric"], "accuracy");

    let evaluated = lines(&["eval", run]);
    assert_eq!(evaluated.len(), 1);
    assert_has(&evaluated[0], RESULT);
    assert_eq!(evaluated[0]["value"], trained[3]["value"]);

    let again = lines(&["train", "--resume", run]);
    assert_eq!(again.last().unwrap(), &trained[3]);

    let audio = "tests/command_line/run.in/long.wav";
    let predicted = lines(&["predict", run, audio]);
    assert_eq!(predicted.len(), 1);
    assert_has(&predicted[0], &["audio", "label", "scores", "windows"]);
    let scores = predicted[0]["scores"].as_object().unwrap();
    assert_eq!(scores.len(), 16);
    let sum: f64 = scores.values().map(|score| score.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "probabilities sum to {sum}");
}

#[test]
fn every_other_command_speaks_json() {
    let models = lines(&["models"]);
    assert!(models.len() >= 6);
    for model in &models {
        assert_has(model, &["name", "task", "paper", "params"]);
    }
    let card = lines(&["models", "cnn2d"]);
    assert_has(&card[0], &["contract", "layers", "recipe", "example"]);
    let layers = card[0]["layers"].as_array().unwrap();
    let counts = layers.iter().map(|layer| layer["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), card[0]["params"].as_u64().unwrap());
    let settings = lines(&["settings", "cnn2d", "--lr", "0.5"]);
    assert!(settings.len() > 100, "{}", settings.len());
    for setting in &settings {
        assert_has(setting, &["key", "value", "meaning", "allowed", "source"]);
    }
    let rate = settings
        .iter()
        .find(|it| it["key"] == "train.learning_rate");
    assert_eq!(rate.unwrap()["value"], 0.5);
    assert_eq!(rate.unwrap()["source"], "given");

    let info = lines(&["data", "info", "synth:dtmf?size=48"]);
    assert_has(&info[0], &["splits", "labels", "seconds", "items"]);
    assert_eq!(info[0]["splits"]["train"], 48);

    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let cache = cache.to_str().unwrap();
    let prepared = lines(&["data", "prepare", "synth:dtmf?size=48", "--cache", cache]);
    assert_has(&prepared[0], &["items", "frames", "bins"]);

    let arpa = folder.path().join("digits.arpa");
    let arpa = arpa.to_str().unwrap();
    let text = "tests/command_line/lm.in/digits.txt";
    let estimated = lines(&[
        "lm", "train", "--text", text, "--kind", "words", "--order", "2", "--out", arpa,
    ]);
    assert_has(
        &estimated[0],
        &["out", "kind", "order", "ngrams", "discounts", "fallback"],
    );
    assert_eq!(
        (estimated.len(), &estimated[0]["sentences"]),
        (1, &Value::from(12))
    );
    let scored = lines(&["lm", "score", arpa, "--text", text]);
    assert_eq!(scored.len(), 13);
    assert_has(&scored[0], &["text", "log10", "tokens", "unknown"]);
    assert_has(
        &scored[12],
        &[
            "sentences",
            "tokens",
            "log10",
            "perplexity",
            "perplexity_known",
        ],
    );

    let bench = lines(&["bench", "mlp", "--steps", "1"]);
    let bench = bench.last().unwrap();
    assert_has(bench, &["backend", "threads"]);
    assert_has(&bench["workloads"]["mlp"], &["median_ms", "params"]);
    assert_eq!(bench["workloads"]["mlp"]["params"], 2_182_410);
}

#[test]
fn bad_recordings_are_counted_and_listed_under_skip_bad_only() {
    let folder = tempfile::tempdir().unwrap();
    for (class, hz) in [("low", 300.0_f32), ("high", 900.0)] {
        let class = folder.path().join("data").join(class);
        std::fs::create_dir_all(&class).unwrap();
        for i in 0..12 {
            let samples = (0..2400).map(|t| {
                let phase = (hz + 10.0 * i as f32) * t as f32 / 8000.0;
                ((phase * std::f32::consts::TAU).sin() * 8000.0) as i16
            });
            write_wav(&class.join(format!("{i}.wav")), 8000, samples);
        }
    }
    std::fs::write(folder.path().join("data/low/bad.wav"), "no wav").unwrap();
    std::fs::write(folder.path().join("data/high/cut.flac"), b"fLaC\0\0").unwrap();
    let spec = format!("folder:{}", folder.path().join("data").display());
    let run = folder.path().join("run");
    let arguments = [
        "train",
        "cnn1d",
        "--data",
        &spec,
        "--epochs",
        "10",
        "--set",
        "batch_size=4",
        "--set",
        "learning_rate=0.01",
        "--set",
        "model.channels=[8]",
        "--out",
        run.to_str().unwrap(),
    ];
    let refused = Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(
        error.contains("bad.wav") || error.contains("cut.flac"),
        "{error}"
    );

    let mut skipping = arguments.to_vec();
    skipping.push("--skip-bad");
    let trained = lines(&skipping);
    assert_eq!(trained[0]["skipped"], 2);
    let listed = std::fs::read_to_string(run.join("skipped.jsonl")).unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(
        listed.contains("bad.wav") && listed.contains("cut.flac"),
        "{listed}"
    );
    assert_eq!(trained.last().unwrap()["value"], 1.0);
}
