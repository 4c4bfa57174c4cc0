//! A resumed run, even after many kills, is bit-identical to an uninterrupted one.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod sound;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use safetensors::SafeTensors;
use serde_json::Value;

use sound::write_wav;

/// Models of the zoo, one with an adversary beside it, and one that comes to learn from its validation part.
const MODELS: [&str; 9] = [
    "mlp",
    "cnn1d",
    "gru",
    "deep_speech2",
    "las",
    "vae",
    "gan",
    "adversary",
    "joined",
];

/// Everything else that a later step may depend on.
const VARIED: [&str; 7] = [
    "train.accumulate=2",
    "train.ema_decay=0.9",
    "train.balance=true",
    "train.label_smoothing=0.1",
    "train.schedule=plateau",
    "augment.noise.probability=0.5",
    "augment.mix.probability=0.5",
];

fn sori() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sori"))
}

/// Training small enough to end in seconds, with dropout, momentum state and checkpoints in the
/// middle of epochs.
fn train(model: &str, out: &Path) -> Child {
    let data = match model {
        "deep_speech2" | "las" => "synth:morse?size=40".to_string(),
        "adversary" | "joined" => speakers(out.parent().unwrap()),
        _ => "synth:dtmf?size=480".to_string(),
    };
    let size = match model {
        "deep_speech2" => "model.channels=[2]",
        "las" => "model.d_listener=8",
        "mlp" | "adversary" | "joined" => "model.d_hidden=[48]",
        "gru" => "model.d_hidden=12",
        "vae" => "model.d_hidden=[48]",
        "gan" => "model.channels=[4, 8]",
        _ => "model.channels=[16, 16]",
    };
    let varied = match model {
        "cnn1d" => &VARIED[..],
        "adversary" => &["train.adversary_weight=0.5", "train.batch_size=8"],
        "joined" => &[
            "train.best_by=last",
            "train.join_valid=0.5",
            "valid_fraction=0.3",
            "train.batch_size=8",
            "augment.noise.probability=0.5",
        ],
        // L-BFGS keeps a history of steps and their gradients.
        "gru" => &["train.optimizer=lbfgs", "train.learning_rate=0.3"],
        "deep_speech2" => &["model.d_hidden=8", "train.batch_size=8", "text.unk=true"],
        "las" => &[
            "model.d_speller=16",
            "model.d_embedding=4",
            "model.num_pyramid_layers=1",
            "model.ctc_weight=0.3",
            "train.batch_size=8",
            "text.unk=true",
        ],
        _ => &[],
    };
    // Random draws in each step, or state that changes from one to the next.
    let chance = match model {
        "vae" => "model.kl_annealing_epochs=3",
        "gan" => "model.d_latent=8",
        _ => "model.dropout=0.3",
    };
    let model = match model {
        "adversary" | "joined" => "mlp",
        model => model,
    };
    // Recordings that are made have small networks by the best recipe, files by the paper's.
    let recipe = match data.starts_with("synth:") {
        true => "best",
        false => "paper",
    };
    sori()
        .args(["train", model, "--data", &data, "--recipe", recipe])
        .args(varied.iter().flat_map(|set| ["--set", set]))
        .args(["--epochs", "4", "--seed", "5", "--quiet"])
        .args(["--set", "checkpoint_steps=2", "--set", size])
        .args(["--set", chance, "--out"])
        .arg(out)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A manifest of two labels by two speakers, in noise.
fn speakers(folder: &Path) -> String {
    let mut lines = String::new();
    for index in 0..120 {
        let (label, speaker) = (index % 2, index / 2 % 2);
        let path = folder.join(format!("{index}.wav"));
        let samples = (0..1600).map(|n| {
            let seconds = n as f32 / 8000.0;
            let tone = |hertz: usize| (std::f32::consts::TAU * hertz as f32 * seconds).sin();
            let noise = ((n * 7919 + index * 104_729) % 1009) as f32 / 1009.0 - 0.5;
            let sum = tone(400 + 400 * label) + tone(1600 + 800 * speaker) + noise;
            (sum * 8000.0) as i16
        });
        write_wav(&path, 8000, samples);
        let part = if index % 5 == 0 { "test" } else { "train" };
        lines.push_str(&format!(
            "{{\"audio\": \"{index}.wav\", \"label\": \"l{label}\", \"domain\": \"s{speaker}\", \
             \"split\": \"{part}\"}}\n"
        ));
    }
    let path = folder.join("speakers.jsonl");
    fs::write(&path, lines).unwrap();
    format!("manifest:{}", path.display())
}

fn resume(out: &Path) -> Child {
    sori()
        .args(["train", "--quiet", "--resume"])
        .arg(out)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The run's numbers, without times.
fn numbers(run: &Path) -> (Vec<Value>, Value) {
    let without_clock = |mut value: Value| {
        for key in ["seconds", "items_per_second", "waited"] {
            value.as_object_mut().unwrap().remove(key);
        }
        value
    };
    let epochs = fs::read_to_string(run.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|line| without_clock(serde_json::from_str(line).unwrap()))
        .collect();
    let result = fs::read_to_string(run.join("result.json")).unwrap();
    (
        epochs,
        without_clock(serde_json::from_str(&result).unwrap()),
    )
}

fn assert_same_tensors(file: &str, run: &Path, other: &Path) {
    let read = |run: &Path| fs::read(run.join("checkpoints").join(file)).unwrap();
    let (bytes, other_bytes) = (read(run), read(other));
    let (tensors, others) = (
        SafeTensors::deserialize(&bytes).unwrap(),
        SafeTensors::deserialize(&other_bytes).unwrap(),
    );
    assert_eq!(tensors.len(), others.len());
    for (name, tensor) in tensors.iter() {
        assert_eq!(
            tensor.data(),
            others.tensor(name).unwrap().data(),
            "{file}: {name}"
        );
    }
}

fn assert_same_run(run: &Path, other: &Path) {
    assert_eq!(numbers(run), numbers(other));
    for file in ["best.safetensors", "last.safetensors"] {
        assert_same_tensors(file, run, other);
    }
    for file in ["config.toml", "run.json", "splits.json"] {
        assert_eq!(
            fs::read(run.join(file)).unwrap(),
            fs::read(other.join(file)).unwrap(),
            "{file}"
        );
    }
    // One run has the first file, the other both others.
    for file in ["confusion.csv", "alphabet.json", "transcripts.csv"] {
        assert_eq!(
            fs::read(run.join(file)).ok(),
            fs::read(other.join(file)).ok(),
            "{file}"
        );
    }
}

/// The time of the last checkpoint of a run that has begun, to see that training moves.
fn modified(run: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(run.join("run.json")).ok()?;
    fs::metadata(run.join("checkpoints/last.safetensors"))
        .ok()?
        .modified()
        .ok()
}

#[test]
fn a_killed_run_reaches_the_numbers_of_an_uninterrupted_one() {
    for model in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
        assert!(train(model, &whole).wait().unwrap().success());

        let mut child = train(model, &broken);
        let mut kills = 0;
        // The first kill comes before the first step.
        for extra_ms in [0, 7, 23, 41, 3, 60] {
            // Until a checkpoint of this session exists, then a little longer.
            let before = modified(&broken);
            let start = Instant::now();
            while modified(&broken) == before && start.elapsed() < Duration::from_secs(60) {
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(extra_ms));
            if child.try_wait().unwrap().is_some() {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            child = resume(&broken);
        }
        assert!(child.wait().unwrap().success());
        assert!(kills >= 3, "{model}: only {kills} kills hit the run");
        assert_same_run(&whole, &broken);
    }
}

#[test]
fn the_validation_part_forecasts_and_is_then_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    assert!(train("joined", &run).wait().unwrap().success());
    let (epochs, result) = numbers(&run);
    let splits: Value =
        serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    let [alone, valid] = ["train", "valid"].map(|part| splits["splits"][part].as_u64().unwrap());
    let [short, long] = [alone, alone + valid].map(|count| count.div_ceil(8));
    assert!(short < long);
    let steps: Vec<_> = epochs
        .iter()
        .map(|epoch| epoch["step"].as_u64().unwrap())
        .collect();
    assert_eq!(
        steps,
        [short, 2 * short, 2 * short + long, 2 * short + 2 * long]
    );
    let joined: Vec<_> = epochs.iter().map(|epoch| epoch["joined"] == true).collect();
    assert_eq!(joined, [false, false, true, true]);
    assert_ne!(epochs[0]["valid_loss"], epochs[1]["valid_loss"]);
    assert_eq!(epochs[1]["valid_loss"], epochs[3]["valid_loss"]);
    assert_eq!(result["valid"], epochs[1]["valid"]);
    assert_eq!(
        (&result["split"], &result["best_epoch"]),
        (&"test".into(), &4.into())
    );
}

#[test]
fn recordings_that_are_not_what_they_were_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (speakers(folder.path()), folder.path().join("run"));
    let tried = |command: &mut Command| {
        let done = command.args(["--quiet"]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success(), said)
    };
    let train = ["train", "mlp", "--epochs", "1", "--data", &data, "--out"];
    assert!(tried(sori().args(train).arg(&run)).0);
    let eval = || tried(sori().arg("eval").arg(&run));
    assert!(eval().0);

    let manifest = folder.path().join("speakers.jsonl");
    let text = fs::read_to_string(&manifest).unwrap();
    let line = r#"{"audio": "7.wav", "label": "l1""#;
    assert!(text.contains(line));
    fs::write(&manifest, text.replace(line, &line.replace("l1", "l0"))).unwrap();
    let (is_done, said) = eval();
    assert!(!is_done && said.contains("recording 7.wav"), "{said}");
    fs::write(&manifest, text).unwrap();
    assert!(eval().0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_a_checkpoint_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    assert!(train("mlp", &whole).wait().unwrap().success());

    let child = sori()
        .args(["train", "mlp", "--data", "synth:dtmf?size=480"])
        .args(["--epochs", "4", "--seed", "5"])
        .args([
            "--set",
            "checkpoint_steps=2",
            "--set",
            "model.d_hidden=[48]",
        ])
        .args(["--set", "model.dropout=0.3", "--out"])
        .arg(&broken)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while modified(&broken).is_none() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("sori train --resume"), "{error}");

    assert!(resume(&broken).wait().unwrap().success());
    assert_same_run(&whole, &broken);
}

#[test]
fn the_same_seed_gives_the_same_run_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Vec<_> = ["1", "2", "3"]
        .iter()
        .map(|threads| {
            let out = folder.path().join(threads);
            let status = sori()
                .args(["train", "cnn1d", "--data", "synth:dtmf?size=96"])
                .args(["--epochs", "2", "--quiet", "--threads", threads])
                .args(["--set", "model.channels=[32, 32]", "--out"])
                .arg(&out)
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
            out
        })
        .collect();
    assert_same_run(&runs[0], &runs[1]);
    assert_same_run(&runs[0], &runs[2]);
}

#[test]
fn two_processes_do_not_train_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut first = train("mlp", &run);
    let start = Instant::now();
    while modified(&run).is_none() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = sori()
        .args(["train", "--quiet", "--resume"])
        .arg(&run)
        .output()
        .unwrap();
    let still_training = first.try_wait().unwrap().is_none();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(still_training, "the first run ended too soon to tell");
    assert!(!second.status.success());
    let error = String::from_utf8_lossy(&second.stderr);
    assert!(error.contains("another process"), "{error}");
}

/// `sgd` once had momentum.
#[test]
fn momentum_is_not_dropped_silently() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let status = sori()
        .args(["train", "mlp", "--data", "synth:dtmf?size=64", "--quiet"])
        .args(["--epochs", "1", "--set", "optimizer=momentum", "--out"])
        .arg(&run)
        .status()
        .unwrap();
    assert!(status.success());
    fs::remove_file(run.join("result.json")).unwrap();
    let config = run.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("optimizer = \"momentum\"", "optimizer = \"sgd\"");
    fs::write(&config, text.replace("epochs = 1\n", "epochs = 2\n")).unwrap();
    let output = sori()
        .args(["train", "--quiet", "--resume"])
        .arg(&run)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("optimizer = \"momentum\""), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_named_and_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    assert!(train("mlp", &run).wait().unwrap().success());
    fs::remove_file(run.join("result.json")).unwrap();
    let last = run.join("checkpoints/last.safetensors");
    let whole = fs::read(&last).unwrap();
    for damage in [&whole[..whole.len() / 2], b"", b"not a checkpoint at all"] {
        fs::write(&last, damage).unwrap();
        let output = sori()
            .args(["train", "--quiet", "--resume"])
            .arg(&run)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("last.safetensors"), "{error}");
        assert_eq!(fs::read(&last).unwrap(), damage);
    }
}
