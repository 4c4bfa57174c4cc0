//! A forward-only recogniser, from a corpus to the transcript of sound through a pipe.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod sound;

use std::f32::consts::TAU;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use burn_ndarray::NdArray;
use serde_json::{Value, json};
use sori::datasets::audio;
use sori::{Predictor, RunFolder, Transcriber};

use sound::write_wav;

const RATE: u32 = 8000;
/// Each letter has its own tone.
const LETTERS: [(char, f32); 2] = [('a', 500.0), ('b', 1700.0)];
const STREAMABLE: [&str; 3] = [
    "model.bidirectional=false",
    "model.lookahead=2",
    "features.normalize=corpus",
];
const SMALL: [&str; 12] = [
    "augment.spec_augment.probability=0",
    "augment.noise.probability=0",
    "augment.pitch.probability=0",
    "augment.gain.probability=0",
    "model.channels=[4]",
    "model.kernels=[[5, 11]]",
    "model.strides=[[2, 4]]",
    "model.d_hidden=24",
    "model.num_layers=1",
    "model.dropout=0",
    "train.batch_size=4",
    "train.learning_rate=0.01",
];

fn sori(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sori"));
    command.args(args);
    command
}

fn error(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// The standard output of a command with `bytes` as input, and whether it succeeded.
fn fed(args: &[&str], bytes: &[u8]) -> Output {
    let mut child = sori(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || {
        // Pieces that cut samples in two.
        for piece in bytes.chunks(1237) {
            if pipe.write_all(piece).is_err() {
                return;
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A tone of a fifth of a second for each letter, with a little noise.
fn tones(text: &str, index: usize) -> Vec<i16> {
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
    samples
}

fn raw(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

/// Trains a small recogniser of tones with these settings for `epochs`.
fn train(folder: &Path, name: &str, epochs: &str, settings: &[&str]) -> String {
    let manifest = folder.join("tones.jsonl");
    if !manifest.exists() {
        let mut text = String::new();
        let mut state = 7u32;
        for index in 0..56 {
            let mut said = String::new();
            for _ in 0..3 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                said.push(LETTERS[(state >> 20) as usize % 2].0);
            }
            let audio = format!("{index}.wav");
            write_wav(&folder.join(&audio), RATE, tones(&said, index));
            let split = if index < 48 { "train" } else { "valid" };
            let line = json!({"audio": audio, "text": said, "split": split});
            text.push_str(&format!("{line}\n"));
        }
        fs::write(&manifest, text).unwrap();
    }
    let out = folder.join(name).to_str().unwrap().to_string();
    let data = format!("manifest:{}", manifest.display());
    let mut args = vec!["train", "deep_speech2", "--data", &data, "--epochs", epochs];
    args.extend(["--out", &out, "--seed", "1", "--quiet", "--recipe", "paper"]);
    args.extend(["--set", "batch_size=16", "--set", "learning_rate=0.002"]);
    args.extend(settings.iter().flat_map(|set| ["--set", set]));
    let output = sori(&args).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    out
}

#[test]
fn sound_through_a_pipe_is_written_down_as_the_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(
        folder.path(),
        "run",
        "40",
        &[&STREAMABLE[..], &SMALL].concat(),
    );
    let samples = tones("abbaababba", 99);
    let file = folder.path().join("new.wav");
    write_wav(&file, RATE, samples.iter().copied());
    let file_text = file.to_str().unwrap();
    let whole = sori(&["predict", &run, file_text, "--json"])
        .output()
        .unwrap();
    let whole = &lines(&whole)[0];
    let text = whole["text"].as_str().unwrap();
    assert!(text.len() > 4, "{whole}");

    for chunk in ["7", "100", "60000"] {
        let args = ["predict", &run, "--stream", "--chunk-ms", chunk, "--json"];
        let found = lines(&fed(&args, &raw(&samples)));
        let (last, partial) = found.split_last().unwrap();
        assert_eq!(last["text"], text, "{chunk}");
        assert_eq!(last["words"], whole["words"]);
        assert_eq!(last["time_s"], 2.0);
        assert_eq!(last["partial"], false);
        let mut before = String::new();
        for line in partial {
            let now = line["text"].as_str().unwrap();
            assert!(line["partial"] == true && now.starts_with(&before) && now != before);
            before = now.to_string();
        }
        assert!(
            text.starts_with(&before) && (chunk == "60000" || partial.len() > 3),
            "{chunk}"
        );
    }

    let search = ["--beam", "8", "--json"];
    let mut whole = sori(&[&["predict", &run, file_text][..], &search].concat());
    let whole = &lines(&whole.output().unwrap())[0];
    let args = [&["predict", &run, "--stream"][..], &search].concat();
    let found = lines(&fed(&args, &raw(&samples)));
    let last = found.last().unwrap();
    assert_eq!(
        (&last["text"], &last["words"]),
        (&whole["text"], &whole["words"])
    );

    // As lines, and with `--quiet`.
    let shown = fed(&["predict", &run, "--stream", "--times"], &raw(&samples));
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&format!("\n{text}\n")) && shown.ends_with(&format!("s  {text}\n")));
    let quiet = fed(&["predict", &run, "--stream", "--quiet"], &raw(&samples));
    assert_eq!(
        String::from_utf8(quiet.stdout).unwrap(),
        format!("{text}\n")
    );
    assert!(quiet.stderr.is_empty());

    // Logits too, bit by bit, and at another rate.
    let run_folder = RunFolder::open(Path::new(&run)).unwrap();
    let device = Default::default();
    let predictor = Predictor::<NdArray>::open(&run_folder, &device).unwrap();
    for rate in [RATE, 11_025] {
        write_wav(&file, rate, samples.iter().copied());
        let expected = predictor
            .logits(&audio::load(&file, RATE).unwrap())
            .unwrap();
        let sound = audio::decode(&file).unwrap().samples;
        let transcriber = Transcriber::<NdArray>::open(&run_folder, &device).unwrap();
        let mut transcriber = transcriber.with_rate(rate).unwrap();
        let mut found = Vec::new();
        for stretch in sound.chunks(777) {
            found.extend(transcriber.push(stretch).unwrap());
        }
        found.extend(transcriber.finish().unwrap().0);
        assert!(found == expected, "at {rate} Hz");
    }

    what_cannot_be_streamed_is_said(&run, file_text, &samples, text);
    sound_is_written_down_while_the_pipe_is_open(&run, &samples);
}

fn what_cannot_be_streamed_is_said(run: &str, file: &str, samples: &[i16], text: &str) {
    let mut cut = raw(samples);
    cut.push(1);
    let output = fed(&["predict", run, "--stream"], &cut);
    assert!(error(&output, 1).contains("ends within a sample, after 32001 bytes"));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.lines().last(), Some(text));
    let nothing = fed(&["predict", run, "--stream"], b"");
    assert!(error(&nothing, 1).contains("standard input is empty"));
    let short = fed(&["predict", run, "--stream", "--json"], b"RI");
    assert_eq!(lines(&short).last().unwrap()["partial"], false);
    let header = fs::read(file).unwrap();
    assert!(error(&fed(&["predict", run, "--stream"], &header), 1).contains("a wav file"));
    for usage in [
        &["predict", run, file, "--stream"][..],
        &["predict", run],
        &["predict", run, file, "--rate", "8000"],
        &["predict", run, "--stream", "--window", "1"],
    ] {
        error(&fed(usage, b""), 2);
    }
}

fn sound_is_written_down_while_the_pipe_is_open(run: &str, samples: &[i16]) {
    let mut child = sori(&["predict", run, "--stream", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&raw(samples)).unwrap();
    pipe.flush().unwrap();
    let output = child.stdout.take().unwrap();
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let _ = to.send(line.unwrap());
        }
    });
    // The pipe stays open.
    let first = lines.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(first.contains("\"partial\":true"), "{first}");
    #[cfg(unix)]
    {
        let id = child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(status.success());
        let last = lines.iter().last().unwrap();
        assert!(last.contains("\"partial\":false"), "{last}");
        assert!(child.wait().unwrap().success());
    }
    drop(pipe);
}

#[test]
fn a_run_that_needs_whole_recordings_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let backward = ["features.normalize=corpus"];
    let run = train(
        folder.path(),
        "backward",
        "1",
        &[&backward[..], &SMALL].concat(),
    );
    let message = error(&fed(&["predict", &run, "--stream"], &[0, 0]), 1);
    assert!(message.contains("`bidirectional` is true"), "{message}");
    assert!(message.contains("model.bidirectional=false"), "{message}");
    let by_itself = ["model.bidirectional=false"];
    let run = train(
        folder.path(),
        "by_itself",
        "1",
        &[&by_itself[..], &SMALL].concat(),
    );
    let message = error(&fed(&["predict", &run, "--stream"], &[0, 0]), 1);
    assert!(
        message.contains("features.normalize = utterance"),
        "{message}"
    );
}
