//! Transcripts from a corpus to a prediction, by the command line alone.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod sound;

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use sound::write_wav;

const RATE: u32 = 8000;
/// Each letter has its own tone.
const LETTERS: [(char, f32); 3] = [('a', 500.0), ('b', 1100.0), ('c', 2300.0)];
const SMALL: [&str; 18] = [
    "--set",
    "augment.spec_augment.probability=0",
    "--set",
    "augment.noise.probability=0",
    "--set",
    "augment.pitch.probability=0",
    "--set",
    "model.channels=[4, 4]",
    "--set",
    "model.d_hidden=32",
    "--set",
    "model.num_layers=1",
    "--set",
    "model.dropout=0",
    "--set",
    "train.batch_size=4",
    "--seed",
    "1",
];

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(args)
        .output()
        .unwrap()
}

/// The lines that a command prints.
fn sori(args: &[&str]) -> Vec<Value> {
    let output = run(&[args, &["--json"]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {text}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn error(args: &[&str]) -> String {
    let output = run(args);
    assert!(!output.status.success(), "{args:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

/// A tone of a fifth of a second for each letter, silence for each space, with a little noise.
fn write_tones(path: &Path, text: &str, index: usize) {
    let mut samples = Vec::new();
    for (place, letter) in text.chars().enumerate() {
        let pitch = LETTERS.iter().find(|(known, _)| *known == letter);
        for n in 0..RATE as usize / 5 {
            let noise = ((n * 7919 + index * 104_729 + place) % 1009) as f32 / 1009.0 - 0.5;
            let swell = (TAU * n as f32 / (RATE as f32 / 2.5)).sin();
            let tone = pitch.map_or(0.0, |(_, hz)| (TAU * hz * n as f32 / RATE as f32).sin());
            samples.push(((0.01 * noise + 0.5 * swell * tone) * 32_000.0) as i16);
        }
    }
    write_wav(path, RATE, samples);
}

/// A manifest of recordings of these texts.
fn manifest(folder: &Path, name: &str, texts: &[(String, &str)]) -> String {
    let mut lines = String::new();
    for (index, (text, split)) in texts.iter().enumerate() {
        let audio = format!("{name}-{index}.wav");
        write_tones(&folder.join(&audio), text, index);
        let line = json!({"audio": audio, "text": text, "split": split});
        lines.push_str(&format!("{line}\n"));
    }
    let path = folder.join(format!("{name}.jsonl"));
    fs::write(&path, lines).unwrap();
    format!("manifest:{}", path.display())
}

/// One to five letters and spaces each, never a space at an end or two in a row.
fn texts() -> Vec<(String, &'static str)> {
    let mut state = 7u32;
    let mut draw = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    let parts = [("train", 64), ("valid", 8), ("test", 8)];
    let parts = parts
        .iter()
        .flat_map(|&(part, count)| std::iter::repeat_n(part, count));
    parts
        .map(|part| {
            let mut text = String::new();
            for place in 0..3 + draw(3) {
                if place % 2 == 1 && draw(2) == 0 {
                    text.push(' ');
                }
                text.push(LETTERS[draw(3) as usize].0);
            }
            (text, part)
        })
        .collect()
}

#[test]
fn a_recogniser_learns_measures_and_writes_down_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let texts = texts();
    let data = manifest(folder.path(), "tones", &texts);
    let run_folder = folder.path().join("run");
    let out = run_folder.to_str().unwrap();
    let train = [
        "train",
        "deep_speech2",
        "--data",
        &data,
        "--epochs",
        "24",
        "--out",
        out,
    ];
    let lines = sori(&[&train[..], &SMALL].concat());
    let (epoch, result) = (&lines[lines.len() - 2], &lines[lines.len() - 1]);
    assert_eq!(result["metric"], "wer");
    assert!(result["value"].as_f64().unwrap() < 0.3, "{result}");
    assert!(result["metrics"]["cer"].as_f64().unwrap() <= result["value"].as_f64().unwrap());
    // A tone takes several steps, and one or two of them emit its letter.
    let blank = epoch["train_blank"].as_f64().unwrap();
    assert!((0.2..0.95).contains(&blank), "{epoch}");
    // The best checkpoint is the one with the fewest errors.
    let rates = lines.iter().filter(|line| line["event"] == "epoch");
    let rates: Vec<f64> = rates.map(|e| e["valid"]["wer"].as_f64().unwrap()).collect();
    let best = rates[result["best_epoch"].as_u64().unwrap() as usize - 1];
    assert!(rates.iter().all(|rate| *rate >= best));

    let evaluated = sori(&["eval", out]);
    assert_eq!(evaluated[0]["value"], result["value"]);
    let csv = fs::read_to_string(run_folder.join("transcripts.csv")).unwrap();
    assert_eq!(csv.lines().count(), 9);
    assert!(csv.contains(&texts[79].0), "{csv}");

    let audio = folder.path().join("tones-79.wav");
    let audio = audio.to_str().unwrap();
    let found = &sori(&["predict", out, audio])[0];
    assert!(found.get("scores").is_none());
    let words: Vec<&str> = found["text"].as_str().unwrap().split(' ').collect();
    let timed = found["words"].as_array().unwrap();
    assert_eq!(words.len(), timed.len());
    let mut before = 0.0;
    for (word, timed) in words.iter().zip(timed) {
        assert_eq!(timed["word"], *word);
        let times = [&timed["start_s"], &timed["end_s"]].map(|time| time.as_f64().unwrap());
        assert!(
            before <= times[0] && times[0] < times[1] && times[1] < 2.0,
            "{found}"
        );
        before = times[1];
    }
    let shown = String::from_utf8(run(&["predict", out, audio, "--times"]).stdout).unwrap();
    assert_eq!(shown.lines().count(), 1 + words.len());
    assert!(error(&["predict", out, audio, "--window", "1"]).contains("of the whole recording"));

    let png = folder.path().join("emissions.png");
    sori(&["predict", out, audio, "--emissions", png.to_str().unwrap()]);
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
    sori(&["report", out, "--worst", "1"]);
    let page = fs::read_to_string(run_folder.join("report.html")).unwrap();
    assert!(page.contains("Probabilities of symbols") && page.contains("class=\"difference\""));
    assert!(page.contains("WER"));

    a_search_takes_a_language_model(folder.path(), out, audio);
}

fn a_search_takes_a_language_model(folder: &Path, run: &str, audio: &str) {
    let model = folder.join("tones.arpa");
    let model = model.to_str().unwrap();
    let lm = |kind| {
        let train = ["lm", "train", "--run", run, "--order", "2", "--kind", kind];
        sori(&[&train[..], &["--out", model]].concat());
    };
    let value = |metrics: &Value| metrics["value"].as_f64().unwrap();
    let searched = sori(&["eval", run, "--beam", "20"]);
    assert!(value(&searched[0]) < 0.4, "{searched:?}");
    for kind in ["words", "characters"] {
        lm(kind);
        let helped = sori(&["eval", run, "--lm", model, "--beta", "0"]);
        assert!(value(&helped[0]) < 0.4, "{helped:?}");
    }

    let nbest = ["predict", run, audio, "--beam", "20", "--nbest", "3"];
    let found = &sori(&nbest)[0];
    let best = found["nbest"].as_array().unwrap();
    assert!((1..=3).contains(&best.len()));
    assert_eq!(best[0]["text"], found["text"]);
    let scores: Vec<f64> = best.iter().map(|best| value_of(best, "score")).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] <= 0.0);
    assert!(
        found["words"]
            .as_array()
            .is_some_and(|words| !words.is_empty())
    );

    let emissions = folder.join("emissions.safetensors");
    sori(&["eval", run, "--emissions", emissions.to_str().unwrap()]);
    let bytes = fs::read(&emissions).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), 8);
    for (id, view) in tensors.iter() {
        // The blank, the space and three letters, or fewer.
        assert!(view.shape()[1] <= 5, "{id}");
        let values = view.data().chunks_exact(4);
        let values: Vec<f32> = values
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        for step in values.chunks_exact(view.shape()[1]) {
            let total: f32 = step.iter().map(|value| value.exp()).sum();
            assert!((total - 1.0).abs() < 1e-4);
        }
    }

    let broken = folder.join("broken.arpa");
    fs::write(&broken, "\\data\\\nngram 1=2\n").unwrap();
    let broken = broken.to_str().unwrap();
    for (options, part) in [
        (&["--beam", "0"][..], "--beam 0: it must be from 1 to 10000"),
        (&["--beam", "8", "--alpha", "1"], "--lm <FILE.arpa>"),
        (&["--nbest", "2"], "give --beam N too"),
        (&["--beam-threshold", "3"], "give --beam N too"),
        (
            &["--lm", model, "--alpha", "-1"],
            "--alpha -1: it must be from 0",
        ),
        (&["--lm", broken], "broken.arpa"),
        (&["--lm", "nowhere.arpa"], "nowhere.arpa"),
        (&["--beam", "8", "--coverage", "1"], "--coverage is for las"),
    ] {
        let message = error(&[&["predict", run, audio], options].concat());
        assert!(message.contains(part), "{message}");
    }
}

fn value_of(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap()
}

#[test]
fn a_speller_learns_and_shows_what_it_attends_to() {
    let folder = tempfile::tempdir().unwrap();
    let data = manifest(folder.path(), "tones", &texts());
    let run_folder = folder.path().join("run");
    let out = run_folder.to_str().unwrap();
    let small = [
        "model.d_listener=24",
        "model.d_speller=48",
        "model.d_embedding=8",
        "model.dropout=0",
        "train.batch_size=4",
        "train.learning_rate=0.004",
        "augment.pitch.probability=0",
        "augment.spec_augment.probability=0",
        "augment.noise.probability=0",
    ];
    let mut train = vec![
        "train", "las", "--data", &data, "--epochs", "40", "--out", out,
    ];
    train.extend(small.iter().flat_map(|set| ["--set", set]));
    let lines = sori(&train);
    let (epoch, result) = (&lines[lines.len() - 2], &lines[lines.len() - 1]);
    assert!(result["value"].as_f64().unwrap() < 0.3, "{result}");
    assert!(epoch.get("train_blank").is_none() && result["metrics"].get("blank").is_none());

    let audio = folder.path().join("tones-79.wav");
    let audio = audio.to_str().unwrap();
    let png = folder.path().join("alignment.png");
    let png = png.to_str().unwrap();
    let found = &sori(&["predict", out, audio, "--alignment", png])[0];
    assert!(!found["text"].as_str().unwrap().is_empty());
    let decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(png).unwrap()));
    assert!(decoder.read_info().unwrap().info().height > 500);
    let two = error(&["predict", out, audio, audio, "--alignment", png]);
    assert!(two.contains("one recording"), "{two}");
    let times = error(&["predict", out, audio, "--times"]);
    assert!(times.contains("--alignment"), "{times}");

    let greedy = value_of(&sori(&["eval", out])[0], "value");
    let beam = ["eval", out, "--beam", "4", "--length-penalty", "0.5"];
    let searched = sori(&[&beam[..], &["--ctc-weight", "0.2", "--coverage", "0.01"]].concat());
    assert!(
        value_of(&searched[0], "value") <= greedy + 0.1,
        "{searched:?}"
    );
    let found = &sori(&["predict", out, audio, "--beam", "4", "--nbest", "9"])[0];
    assert_eq!(found["nbest"][0]["text"], found["text"]);
    let wide = error(&["predict", out, audio, "--beam", "8", "--ctc-weight", "2"]);
    assert!(
        wide.contains("--ctc-weight 2: it must be from 0 to 1"),
        "{wide}"
    );
    let emissions = error(&["eval", out, "--emissions", png]);
    assert!(
        emissions.contains("--emissions is for deep_speech2"),
        "{emissions}"
    );
}

#[test]
fn what_cannot_be_learned_is_left_out_by_name_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let many = "abcabcabcabcabcabcabcabcabc";
    let mut texts = texts();
    texts.push((many.to_string(), "train"));
    let data = manifest(folder.path(), "long", &texts);
    // A recording of three letters.
    write_tones(&folder.path().join("long-80.wav"), "abc", 80);
    let run_folder = folder.path().join("run");
    let out = run_folder.to_str().unwrap();
    let train = [
        "train",
        "deep_speech2",
        "--data",
        &data,
        "--epochs",
        "1",
        "--out",
        out,
    ];
    let lines = sori(
        &[
            &train[..],
            &SMALL,
            &["--set", "model.strides=[[4, 2], [1, 2]]"],
        ]
        .concat(),
    );
    assert_eq!(lines[0]["skipped"], 1);
    assert_eq!(lines[0]["splits"]["train"], 64);
    let skipped = fs::read_to_string(run_folder.join("skipped.jsonl")).unwrap();
    assert!(
        skipped.contains("long-80") && skipped.contains("27"),
        "{skipped}"
    );
    let symbols: Value =
        serde_json::from_slice(&fs::read(run_folder.join("alphabet.json")).unwrap()).unwrap();
    assert_eq!(
        symbols["symbols"].as_array().map_or(4, Vec::len),
        4,
        "{symbols}"
    );

    // A symbol that is not in any training transcript.
    let strange = [
        ("ab", "train"),
        ("ba", "train"),
        ("a", "valid"),
        ("A% é!", "test"),
    ];
    let strange = strange.map(|(text, part)| (text.to_string(), part));
    let data = manifest(folder.path(), "strange", &strange);
    let train = ["train", "deep_speech2", "--data", &data, "--epochs", "1"];
    let message = error(&[&train[..], &SMALL].concat());
    assert!(
        message.contains("'é' (U+00E9)") && message.contains("text.unk"),
        "{message}"
    );
    let out = folder.path().join("unk");
    let unk = ["--unk", "--out", out.to_str().unwrap()];
    sori(&[&train[..], &SMALL, &unk].concat());
    // A language model learns from the training part alone, for a run as for its corpus.
    let arpa = folder.path().join("strange.arpa");
    let arpa = arpa.to_str().unwrap();
    let into = ["--kind", "characters", "--order", "2", "--out", arpa];
    for source in [["--run", unk[2]], ["--data", &data]] {
        let lines = sori(&[&["lm", "train"], &source[..], &into].concat());
        assert_eq!(lines[0]["sentences"], 2, "{source:?}");
        let arpa = fs::read_to_string(arpa).unwrap();
        assert!(arpa.contains("ngram 1=5\n"), "{source:?}: {arpa}");
    }

    for (set, part) in [
        ("train.label_smoothing=0.1", "where transcripts are learned"),
        (
            "augment.mix.probability=0.5",
            "where transcripts are learned",
        ),
        ("train.balance=true", "false"),
    ] {
        let message = error(&[&train[..], &["--set", set]].concat());
        assert!(message.contains(part), "{message}");
    }
    assert!(error(&["train", "cnn1d", "--data", &data]).contains("deep_speech2 and las do"));
    let keys = ["train", "deep_speech2", "--data", "synth:dtmf"];
    assert!(error(&keys).contains("writes transcripts"));
}
