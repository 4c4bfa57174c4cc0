//! Tags from a manifest to a prediction, and folds, by the command line alone.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const RATE: u32 = 8000;
const TAGS: [(&str, f32); 3] = [("low", 300.0), ("middle", 900.0), ("high", 2700.0)];

/// The last line that a command prints.
fn sori(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(args)
        .arg("--json")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {text}");
    let lines = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(lines.lines().last().unwrap()).unwrap()
}

/// Half a second of the tones of some tags, at phases of its own, in a little noise.
fn write_chord(path: &Path, tags: &[usize], index: usize) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..RATE as usize / 2 {
        let noise = ((n * 7919 + index * 104_729) % 1009) as f32 / 1009.0 - 0.5;
        let phase = index as f32;
        let tones: f32 = tags
            .iter()
            .map(|&tag| (TAU * TAGS[tag].1 * n as f32 / RATE as f32 + phase).sin())
            .sum();
        let sample = 0.02 * noise + 0.2 * tones;
        writer.write_sample((sample * 32_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
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
        write_chord(&folder.join(&name), &tags, index);
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

    let chord = folder.path().join("new.wav");
    write_chord(&chord, &[0, 2], 1234);
    let heard = sori(&["predict", run, chord.to_str().unwrap()]);
    let mut tags: Vec<String> = serde_json::from_value(heard["tags"].clone()).unwrap();
    tags.sort();
    assert_eq!(tags, ["high", "low"], "{heard}");
    assert!(heard.get("label").is_none());
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
