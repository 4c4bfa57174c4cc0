//! From a manifest to a model's outputs, by the command line alone: tags, numbers, labels that do
//! not depend on a speaker, and patches.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod sound;

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use sound::write_wav;

const RATE: u32 = 8000;
const TAGS: [(&str, f32); 3] = [("low", 300.0), ("middle", 900.0), ("high", 2700.0)];

/// The plain settings, where a command takes a recipe.
fn plain(args: &[&str]) -> &'static [&'static str] {
    match args {
        ["train", "--resume", ..] => &[],
        ["train", ..] => &["--recipe", "paper"],
        _ => &[],
    }
}

/// The last line that a command prints.
fn sori(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(args)
        .args(plain(args))
        .arg("--json")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {text}");
    let lines = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(lines.lines().last().unwrap()).unwrap()
}

/// Noise between −½ and ½, different for each recording.
fn noise(n: usize, index: usize) -> f32 {
    ((n * 7919 + index * 104_729) % 1009) as f32 / 1009.0 - 0.5
}

/// Half a second of the tones of some tags, with its own phases and a little noise.
fn chord(tags: &[usize], index: usize) -> impl Iterator<Item = i16> {
    (0..RATE as usize / 2).map(move |n| {
        let phase = index as f32;
        let tones: f32 = tags
            .iter()
            .map(|&tag| (TAU * TAGS[tag].1 * n as f32 / RATE as f32 + phase).sin())
            .sum();
        let sample = 0.02 * noise(n, index) + 0.2 * tones;
        (sample * 32_000.0) as i16
    })
}

/// A manifest of chords; no recording of the test part is `high`.
fn manifest(folder: &Path) -> String {
    let mut lines = String::new();
    for index in 0..96 {
        let split = ["train", "train", "train", "valid", "test", "train"][index % 6];
        let all: Vec<usize> = (0..3)
            .filter(|tag| (index / 6 + index) >> tag & 1 == 1)
            .collect();
        let tags: Vec<usize> = all
            .into_iter()
            .filter(|&t| split != "test" || t < 2)
            .collect();
        let name = format!("{index}.wav");
        write_wav(&folder.join(&name), RATE, chord(&tags, index));
        let names: Vec<&str> = tags.iter().map(|&tag| TAGS[tag].0).collect();
        let line = json!({"audio": name, "tags": names, "split": split});
        lines.push_str(&format!("{line}\n"));
    }
    let path = folder.join("chords.jsonl");
    fs::write(&path, lines).unwrap();
    format!("manifest:{}", path.display())
}

#[test]
fn a_tagger_learns_measures_and_names_the_tags_of_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let data = manifest(folder.path());
    let run = folder.path().join("run");
    let run = run.to_str().unwrap();
    let result = sori(&[
        "train",
        "cnn1d",
        "--data",
        &data,
        "--out",
        run,
        "--epochs",
        "12",
        "--set",
        "model.channels=[16, 16]",
        "--set",
        "model.dropout=0.0",
        "--set",
        "train.batch_size=8",
        "--set",
        "train.class_weights=true",
    ]);
    assert_eq!(result["task"], "tag");
    assert_eq!(result["metric"], "map");
    assert_eq!(result["labels_left_out"], json!(["high"]));
    assert!(result["value"].as_f64().unwrap() > 0.99, "{result}");
    for metric in [
        "map",
        "map_micro",
        "roc_auc",
        "roc_auc_micro",
        "lwlrap",
        "macro_f1",
    ] {
        assert!(result["metrics"][metric].is_number(), "{metric}: {result}");
    }

    let again = sori(&["eval", run]);
    assert_eq!(again["metrics"], result["metrics"]);
    let csv = fs::read_to_string(Path::new(run).join("tags.csv")).unwrap();
    assert_eq!(csv.lines().count(), 4);
    assert!(csv.starts_with("tag,recordings,average_precision,roc_auc,threshold,f1\nhigh,0,,,"));

    let new = folder.path().join("new.wav");
    write_wav(&new, RATE, chord(&[0, 2], 1234));
    let heard = sori(&["predict", run, new.to_str().unwrap()]);
    let mut tags: Vec<String> = serde_json::from_value(heard["tags"].clone()).unwrap();
    tags.sort();
    assert_eq!(tags, ["high", "low"], "{heard}");
    assert!(heard.get("label").is_none());
}

/// The error message of a command that fails.
fn complaint(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(args)
        .args(plain(args))
        .output()
        .unwrap();
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A third of a second of one tone, with a little noise.
fn tone(hertz: f64, index: usize) -> impl Iterator<Item = i16> {
    (0..RATE as usize / 3).map(move |n| {
        let turn = TAU * hertz as f32 * n as f32 / RATE as f32;
        ((0.4 * turn.sin() + 0.02 * noise(n, index)) * 32_000.0) as i16
    })
}

/// A manifest of tones labelled by pitch, up to three octaves above 250 Hz.
fn octaves(folder: &Path, answer: impl Fn(f64) -> f64) -> String {
    let mut lines = String::new();
    for index in 0..120 {
        let split = ["train", "train", "train", "valid", "test", "train"][index % 6];
        let octave = 3.0 * ((index * 37 % 120) as f64 / 119.0);
        let name = format!("{index}.wav");
        write_wav(
            &folder.join(&name),
            RATE,
            tone(250.0 * octave.exp2(), index),
        );
        let line = json!({"audio": name, "value": answer(octave), "split": split});
        lines.push_str(&format!("{line}\n"));
    }
    let path = folder.join("tones.jsonl");
    fs::write(&path, lines).unwrap();
    format!("manifest:{}", path.display())
}

#[test]
fn a_number_is_learned_measured_and_said_with_its_deviation() {
    let folder = tempfile::tempdir().unwrap();
    let data = octaves(folder.path(), |octave| 1000.0 + 50.0 * octave);
    let train = |loss: &str| {
        let run = folder.path().join(loss);
        let run = run.to_str().unwrap().to_string();
        let regression = format!("regression_loss={loss}");
        let result = sori(&[
            "train",
            "cnn1d",
            "--data",
            &data,
            "--out",
            &run,
            "--epochs",
            "15",
            "--set",
            &regression,
            "--set",
            "model.channels=[16, 16]",
            "--set",
            "model.dropout=0.0",
            "--set",
            "batch_size=8",
            "--set",
            "learning_rate=0.01",
        ]);
        assert_eq!(result["task"], "regress");
        assert_eq!(result["metric"], "mae");
        // The values span 150.
        assert!(result["value"].as_f64().unwrap() < 8.0, "{result}");
        assert!(result["metrics"]["r2"].as_f64().unwrap() > 0.9, "{result}");
        (run, result)
    };
    let (run, result) = train("gaussian");
    assert!(result["metrics"]["nll"].is_number());
    let again = sori(&["eval", &run]);
    assert_eq!(again["metrics"], result["metrics"]);
    let csv = fs::read_to_string(Path::new(&run).join("values.csv")).unwrap();
    assert_eq!(csv.lines().count(), 21);

    let new = folder.path().join("new.wav");
    write_wav(&new, RATE, tone(250.0 * 1.5_f64.exp2(), 4321));
    let heard = sori(&["predict", &run, new.to_str().unwrap()]);
    let value = heard["value"].as_f64().unwrap();
    assert!((value - 1075.0).abs() < 20.0, "{heard}");
    assert!(heard["deviation"].as_f64().unwrap() > 0.0);
    assert!(heard.get("scores").is_none() && heard.get("label").is_none());

    for loss in ["l1", "l2"] {
        let (run, result) = train(loss);
        assert!(result["metrics"].get("nll").is_none());
        let heard = sori(&["predict", &run, new.to_str().unwrap()]);
        let value = heard["value"].as_f64().unwrap();
        assert!((value - 1075.0).abs() < 20.0, "{loss}: {heard}");
        assert!(heard.get("deviation").is_none());
    }

    let balance = ["--set", "balance=true"];
    let said = complaint(&[&["train", "cnn1d", "--data", &data], &balance[..]].concat());
    assert!(said.contains("train.balance is for labels"), "{said}");
    let same = octaves(folder.path(), |_| 0.1);
    let said = complaint(&["train", "cnn1d", "--data", &same]);
    assert!(said.contains("the same value"), "{said}");
    let said = complaint(&["train", "las", "--data", &same]);
    assert!(said.contains("las writes transcripts"), "{said}");
}

/// A manifest of two keys, from speakers who each hum their own note.
fn hummed(folder: &Path, named: bool) -> String {
    let mut lines = String::new();
    for index in 0..96 {
        let (key, speaker) = (index % 2, index / 2 % 4);
        let split = ["train", "train", "valid", "test"][index / 8 % 4];
        let name = format!("{index}.wav");
        let hertz = 1500.0 + 500.0 * speaker as f32;
        let keys = [key];
        let samples = chord(&keys, index).enumerate().map(|(n, sample)| {
            let note = (TAU * hertz * n as f32 / RATE as f32).sin() * 4000.0;
            sample / 2 + note as i16
        });
        write_wav(&folder.join(&name), RATE, samples);
        let mut line = json!({"audio": name, "label": TAGS[key].0, "split": split});
        if named {
            line["domain"] = json!(format!("speaker {speaker}"));
        }
        lines.push_str(&format!("{line}\n"));
    }
    let path = folder.join("hummed.jsonl");
    fs::write(&path, lines).unwrap();
    format!("manifest:{}", path.display())
}

#[test]
fn a_model_learns_not_to_tell_speakers_where_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let data = hummed(folder.path(), true);
    let told = |weight: &str| {
        let run = folder.path().join(weight);
        let adversary = format!("adversary_weight={weight}");
        let result = sori(&[
            "train",
            "cnn1d",
            "--data",
            &data,
            "--out",
            run.to_str().unwrap(),
            "--epochs",
            "40",
            "--set",
            &adversary,
            "--set",
            "model.channels=[16, 16]",
            "--set",
            "model.dropout=0.0",
            "--set",
            "batch_size=8",
            "--set",
            "learning_rate=0.01",
        ]);
        assert!(result["value"].as_f64().unwrap() > 0.95, "{result}");
        let lines = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        last["train_domain_accuracy"].as_f64()
    };
    let (open, hidden) = (told("0.000001").unwrap(), told("1").unwrap());
    // There are four speakers.
    assert!(open > 0.5 && hidden < 0.4, "{open}, {hidden}");
    assert_eq!(told("0"), None);

    let nameless = hummed(folder.path(), false);
    let ask = ["--set", "adversary_weight=0.1"];
    let said = complaint(&[&["train", "cnn1d", "--data", &nameless], &ask[..]].concat());
    assert!(said.contains("48 of 48 have none"), "{said}");
    for other in ["optimizer=lbfgs", "augment.mix.probability=0.5"] {
        let train = ["train", "cnn1d", "--data", &data, "--set", other];
        let said = complaint(&[&train[..], &ask].concat());
        assert!(said.contains("adversary_weight"), "{said}");
    }
    let morse = ["train", "las", "--data", "synth:morse?size=8"];
    let said = complaint(&[&morse[..], &ask].concat());
    assert!(said.contains("adversary_weight"), "{said}");
}

#[test]
fn patches_are_learned_measured_and_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let train = |model: &str, changes: &[&str]| {
        let run = path(model);
        let mut args = vec![
            "train",
            model,
            "--data",
            "synth:dtmf?size=320",
            "--out",
            &run,
        ];
        for change in changes {
            args.extend(["--set", change]);
        }
        let result = sori(&args);
        (run, result)
    };
    let epochs = |run: &str| -> Vec<Value> {
        let lines = fs::read_to_string(Path::new(run).join("metrics.jsonl")).unwrap();
        let lines = lines.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    };

    let small = [
        "d_hidden=[48]",
        "d_latent=8",
        "epochs=12",
        "kl_annealing_epochs=2",
        "learning_rate=0.003",
    ];
    let (run, result) = train("vae", &small);
    assert_eq!(result["task"], "autoencode");
    assert_eq!(result["metric"], "bound");
    let bounds: Vec<f64> = epochs(&run)
        .iter()
        .map(|epoch| epoch["valid"]["bound"].as_f64().unwrap())
        .collect();
    assert!(bounds[11] > bounds[0] + 0.1, "{bounds:?}");
    let metric = |name: &str| result["metrics"][name].as_f64().unwrap();
    // Up to the chance in eight samples for each patch.
    assert!(metric("importance_bound") > metric("bound") - 0.01);
    assert!(metric("kl") > 0.0 && metric("rmse") > 0.0 && metric("frechet") > 0.0);
    assert_eq!(sori(&["eval", &run])["metrics"], result["metrics"]);

    let (gan, result) = train("gan", &["channels=[4, 8]", "d_latent=8", "epochs=2"]);
    assert_eq!(result["task"], "generate");
    assert_eq!(result["metric"], "frechet");
    assert!(result["metrics"]["told_apart"].is_number());

    for run in [&run, &gan] {
        let png = path("made.png");
        sori(&["generate", run, "--out", &png, "--count", "3"]);
        assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
        let sounds = path("sounds");
        sori(&[
            "generate", run, "--out", &png, "--count", "2", "--sound", &sounds,
        ]);
        let sound = hound::WavReader::open(format!("{sounds}/2.wav")).unwrap();
        // 32 frames, of 10 ms each.
        assert!(sound.duration() > sound.spec().sample_rate / 4);
        let made = |seed: &str| {
            let npy = path("made.npy");
            let line = sori(&[
                "generate", run, "--out", &npy, "--count", "3", "--seed", seed,
            ]);
            assert_eq!(line["count"], 3);
            fs::read(&npy).unwrap()
        };
        assert!(made("1").windows(9).any(|part| part == b"3, 32, 40"));
        assert_eq!(made("1"), made("1"));
        assert_ne!(made("1"), made("2"));
        let said = complaint(&["predict", run, &path("none.wav")]);
        assert!(said.contains("sori generate"), "{said}");
    }

    // Any kind of answer will do.
    let numbers = path("numbers");
    let speed = "synth:morse?size=8&answer=speed";
    let small = ["--epochs", "1", "--set", "d_hidden=[8]"];
    let train = ["train", "vae", "--data", speed, "--out", &numbers];
    assert_eq!(sori(&[&train[..], &small].concat())["metric"], "bound");

    let data = manifest(folder.path());
    let said = complaint(&["eval", &run, "--data", &data, "--beam", "2"]);
    assert!(said.contains("for transcripts"), "{said}");
    let wrong = ["train", "gan", "--set", "optimizer=lbfgs"];
    assert!(complaint(&wrong).contains("train.optimizer"));
    let wrong = ["train", "vae", "--set", "label_smoothing=0.1"];
    assert!(complaint(&wrong).contains("patches are made"));
    let tags = path("tags");
    sori(&[
        "train",
        "mlp",
        "--data",
        "synth:dtmf?size=16",
        "--epochs",
        "1",
        "--out",
        &tags,
    ]);
    assert!(complaint(&["generate", &tags]).contains("mlp makes no patches"));
}

#[test]
fn labels_and_tags_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let data = manifest(folder.path());
    let output = Command::new(env!("CARGO_BIN_EXE_sori"))
        .args([
            "train",
            "mlp",
            "--data",
            &data,
            "--test-data",
            "synth:dtmf",
            "--out",
        ])
        .arg(folder.path().join("run"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && text.contains("to classify") && text.contains("to tag"),
        "{text}"
    );
}
