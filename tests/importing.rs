//! Weights from elsewhere become runs that predict, are measured, reported and trained from; runs go out, and come
//! back the same.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test; what is skipped is named"
)]

mod pretrained;
mod published;
mod sound;

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use sound::write_wav;

fn run(args: &[&str]) -> Output {
    let sori = Command::new(env!("CARGO_BIN_EXE_sori")).args(args).output();
    sori.unwrap()
}

/// The lines that a command prints as JSON.
fn sori(args: &[&str]) -> Vec<Value> {
    let output = run(&[args, &["--json"]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {text}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What a command that fails says.
fn refusal(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

const SIZES: [&str; 8] = [
    "--set",
    "features.num_mels=6",
    "--set",
    "model.channels=[8, 5]",
    "--set",
    "model.kernel_size=3",
    "--set",
    "model.pool_size=2",
];

/// A folder of four classes of tones, ten recordings of each.
fn tones(folder: &Path) -> String {
    for (class, hz) in [("a", 300.0), ("b", 700.0), ("c", 1500.0), ("d", 3000.0)] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for index in 0..10 {
            let samples = (0..4000).map(move |n| {
                let t = f64::from(n + 7 * index) / 8000.0;
                ((TAU * hz * t).sin() * 8000.0) as i16
            });
            write_wav(
                &folder.join(class).join(format!("{index}.wav")),
                8000,
                samples,
            );
        }
    }
    format!("folder:{}", folder.display())
}

#[test]
fn an_imported_run_predicts_is_measured_reported_and_trained_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let data = tones(&folder.path().join("tones"));
    fs::write(path("labels.txt"), "a\nb\nc\nd\n").unwrap();
    let (out, labels) = (path("run"), path("labels.txt"));
    let import = [
        "import",
        "cnn1d",
        "tests/golden/weights/cnn1d.pt",
        "--labels",
        &labels,
    ];
    let import = [&import[..], &SIZES[..]].concat();

    let planned = sori(&[&import[..], &["--dry-run"]].concat());
    let weight = planned
        .iter()
        .find(|line| line["parameter"] == "blocks.0.conv.weight");
    assert_eq!(weight.unwrap()["tensor"], "convs.0.weight");
    assert_eq!(weight.unwrap()["steps"], "axes [2, 1, 0]");

    let made = sori(&[&import[..], &["--out", out.as_str()]].concat());
    assert_eq!(made[0]["format"], "PyTorch");
    let audio = path("tones/a/0.wav");
    let answer = &sori(&["predict", &out, &audio])[0];
    assert_eq!(answer["scores"].as_object().unwrap().len(), 4);
    let measured = &sori(&["eval", &out, "--data", &data])[0];
    assert_eq!(measured["items"], 40);
    let report = path("report.html");
    sori(&["report", &out, "--out", &report]);
    assert!(
        fs::read_to_string(report)
            .unwrap()
            .contains("imported from tests/golden/weights/cnn1d.pt")
    );
    let fine = path("fine");
    let train = [
        "train", "cnn1d", "--recipe", "paper", "--data", &data, "--from", &out, "--epochs", "1",
    ];
    sori(&[&train[..], &SIZES[..], &["--out", fine.as_str()]].concat());

    for args in [vec!["eval", &out], vec!["train", "--resume", &out]] {
        let message = refusal(&args);
        assert!(
            message.contains("has no recordings of its own"),
            "{message}"
        );
    }
    let message = refusal(&[&import[..], &["--out", out.as_str()]].concat());
    assert!(message.contains("there is a run already"), "{message}");
}

#[test]
fn nothing_is_written_if_a_tensor_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.txt");
    fs::write(&labels, "a\nb\nc\n").unwrap();
    let out = folder.path().join("run");
    let (out, labels) = (out.to_str().unwrap(), labels.to_str().unwrap());
    let args = [
        "import",
        "cnn1d",
        "tests/golden/weights/cnn1d.pt",
        "--out",
        out,
        "--labels",
        labels,
    ];
    let message = refusal(&[&args[..], &SIZES[..]].concat());
    assert!(
        message.contains("parameter classifier.bias: its shape is [3]"),
        "{message}"
    );
    assert!(!Path::new(out).exists());
    let message = refusal(&args[..5]);
    assert!(message.contains("--labels FILE"), "{message}");
    let message = refusal(&["import", "musicnn_mtt", "Cargo.toml", "--out", out]);
    assert!(
        message.contains("this is not musicnn-0.1.0-py3-none-any.whl"),
        "{message}"
    );
    assert!(!Path::new(out).exists());
}

/// A run of the twin of `tests/golden/models/NAME.safetensors`: its model and the folder.
fn run_of_twin(name: &str, folder: &Path) -> (String, PathBuf) {
    let golden = format!("tests/golden/models/{name}.safetensors");
    let bytes = fs::read(golden).unwrap();
    let header: Value = serde_json::from_slice(&bytes[8..8 + length_of(&bytes)]).unwrap();
    let config = header["__metadata__"]["config"].as_str().unwrap();
    let mut config: serde_json::Map<String, Value> = serde_json::from_str(config).unwrap();
    let model = match config.remove("name") {
        Some(model) => model.as_str().unwrap().to_string(),
        None => ["deep_speech2", "las", "vae", "gan"]
            .into_iter()
            .find(|model| name.starts_with(model))
            .unwrap()
            .to_string(),
    };
    let bins = config["num_bins"].as_u64().unwrap();
    let kind = if bins == 1 { "waveform" } else { "log-mel" };
    let mut settings = format!("features.kind = \"{kind}\"\nfeatures.num_mels = {bins}\n");
    for (key, value) in &config {
        settings.push_str(&format!("model.{key} = {value}\n"));
    }
    let count = |key: &str| config.get(key).and_then(Value::as_u64);
    let labels = count("num_classes").or(count("num_symbols").map(|it| it - 1));
    let labels: String = ('a'..='z')
        .take(labels.unwrap_or(0) as usize)
        .flat_map(|label| [label, '\n'])
        .collect();
    let path = |end: &str| folder.join(format!("{name}.{end}"));
    fs::write(path("toml"), settings).unwrap();
    fs::write(path("txt"), &labels).unwrap();
    let (config, list, out) = (path("toml"), path("txt"), path("run"));
    let twin = format!("tests/golden/weights/{name}.pt");
    let mut args = vec!["import", &model, &twin, "--out", out.to_str().unwrap()];
    args.extend(["--config", config.to_str().unwrap()]);
    if !labels.is_empty() {
        args.extend(["--labels", list.to_str().unwrap()]);
    }
    sori(&args);
    (model, out)
}

/// The twins of `tests/golden/weights`, of which there is one or more of every architecture.
fn twins() -> Vec<String> {
    let files = fs::read_dir("tests/golden/weights").unwrap();
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_string();
    let mut names: Vec<String> = files.map(|it| name(it.unwrap().path())).collect();
    names.sort();
    names
}

#[test]
fn every_architecture_goes_out_and_comes_back_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let mut models = Vec::new();
    for name in twins() {
        let (model, run) = run_of_twin(&name, folder.path());
        let best = |run: &Path| fs::read(run.join("checkpoints/best.safetensors")).unwrap();
        let run_text = run.to_str().unwrap();
        for format in ["safetensors", "pytorch-names"] {
            let file = folder.path().join(format!("{name}.{format}"));
            let again = folder.path().join(format!("{name}.{format}.run"));
            let (file, out) = (file.to_str().unwrap(), again.to_str().unwrap());
            sori(&["export", run_text, "--format", format, "--out", file]);
            sori(&["import", &model, file, "--out", out]);
            assert_eq!(best(&run), best(&again), "{name} {format}");
            let config = |run: &Path| fs::read_to_string(run.join("config.toml")).unwrap();
            assert_eq!(config(&run), config(&again), "{name} {format}");
        }
        models.push(model);
    }
    models.sort();
    models.dedup();
    let zoo = sori(&["models"]);
    let mut zoo: Vec<&str> = zoo.iter().map(|it| it["name"].as_str().unwrap()).collect();
    zoo.sort_unstable();
    assert_eq!(models, zoo);
}

/// The tensors of the twins themselves are compared by `src/export`'s tests, and their values in ONNX by
/// `tests/golden/exported.py`.
#[test]
fn every_architecture_becomes_onnx_and_the_same_file_each_time() {
    let folder = tempfile::tempdir().unwrap();
    for name in twins() {
        let (model, run) = run_of_twin(&name, folder.path());
        let run = run.to_str().unwrap();
        let out = folder.path().join(format!("{name}.onnx"));
        let out = out.to_str().unwrap();
        let export = |more: &[&str]| {
            let lines = sori(&[&["export", run, "--format", "onnx", "--out", out], more].concat());
            let files = lines[0]["files"].as_array().unwrap().clone();
            let bytes = files
                .iter()
                .map(|it| fs::read(it["file"].as_str().unwrap()).unwrap());
            let bytes: Vec<Vec<u8>> = bytes.collect();
            (files, bytes)
        };
        let (files, bytes) = export(&[]);
        let count = if ["las", "vae"].contains(&model.as_str()) {
            2
        } else {
            1
        };
        assert_eq!(files.len(), count, "{name}");
        assert_eq!(export(&[]).1, bytes, "{name}");
        if model == "gan" {
            let args = [
                "export",
                run,
                "--format",
                "onnx",
                "--features",
                "--out",
                out,
            ];
            let message = refusal(&args);
            assert!(message.contains("takes no sound"), "{message}");
            continue;
        }
        let (files, _) = export(&["--features"]);
        assert_eq!(files[0]["inputs"][0], "waveforms", "{name}");
        assert_eq!(files[0]["inputs"][1], "lengths", "{name}");
    }
}

#[test]
fn an_export_that_cannot_be_says_why_and_leaves_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = run_of_twin("mlp_tanh", folder.path());
    let run = run.to_str().unwrap();
    let file = folder.path().join("x.safetensors");
    let out = file.to_str().unwrap();
    fs::write(&file, "before").unwrap();
    let nowhere = folder.path().join("no/x.onnx");
    for (args, expected) in [
        (
            vec!["safetensors", "--out", out, "--features"],
            "--features is for --format onnx",
        ),
        (
            vec!["onnx", "--out", nowhere.to_str().unwrap()],
            "there is no folder",
        ),
        (vec!["onnx", "--out", run], "this is a folder"),
    ] {
        let message = refusal(&[&["export", run, "--format"], &args[..]].concat());
        assert!(message.contains(expected), "{message}");
    }
    let unknown = self::run(&["export", run, "--format", "keras", "--out", out]);
    assert_eq!(unknown.status.code(), Some(2));
    let none = folder.path().join("none");
    let message = refusal(&[
        "export",
        none.to_str().unwrap(),
        "--format",
        "onnx",
        "--out",
        out,
    ]);
    assert!(message.contains("there is no such folder"), "{message}");
    assert_eq!(fs::read(&file).unwrap(), b"before");

    sori(&["export", run, "--format", "safetensors", "--out", out]);
    let again = folder.path().join("again");
    let message = refusal(&["import", "cnn1d", out, "--out", again.to_str().unwrap()]);
    assert!(
        message.contains("Sori wrote it of mlp, not of cnn1d"),
        "{message}"
    );
    assert!(!again.exists());
}

/// A file of Sori says of its run what may have been changed.
#[test]
fn what_a_file_says_of_its_run_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = run_of_twin("mlp_tanh", folder.path());
    let whole = folder.path().join("whole.safetensors");
    let whole = whole.to_str().unwrap();
    let run = run.to_str().unwrap();
    sori(&["export", run, "--format", "safetensors", "--out", whole]);
    let bytes = fs::read(whole).unwrap();
    let header: Value = serde_json::from_slice(&bytes[8..8 + length_of(&bytes)]).unwrap();
    let facts = header["__metadata__"]["sori"].as_str().unwrap();
    let facts: Value = serde_json::from_str(facts).unwrap();
    let changed = folder.path().join("changed.safetensors");
    let (file, out) = (changed.to_str().unwrap(), folder.path().join("again"));
    for (key, value, expected) in [
        ("window_s", json!(-1.0), "window_s is -1"),
        ("labels", json!(["a", "a", "b"]), "a label is there twice"),
        ("thresholds", json!([0.5]), "one threshold for each label"),
        ("stats", json!({"mean": [0.0], "std": [1.0]}), "are not of"),
        ("task", json!("generate"), "its task is generate"),
        (
            "names",
            json!("keras"),
            "what it says of its run is damaged",
        ),
        (
            "settings",
            json!({"model": {"d_hidden": [1, 2]}}),
            "does not fit mlp",
        ),
    ] {
        let mut facts = facts.clone();
        facts[key] = value;
        let mut header = header.clone();
        header["__metadata__"]["sori"] = facts.to_string().into();
        let header = header.to_string();
        let length = (header.len() as u64).to_le_bytes();
        let parts = [
            &length[..],
            header.as_bytes(),
            &bytes[8 + length_of(&bytes)..],
        ];
        fs::write(&changed, parts.concat()).unwrap();
        let message = refusal(&["import", "mlp", file, "--out", out.to_str().unwrap()]);
        assert!(message.contains(expected), "{key}: {message}");
        assert!(!out.exists(), "{key}");
    }
}

/// The length of the header of a safetensors file.
fn length_of(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}
