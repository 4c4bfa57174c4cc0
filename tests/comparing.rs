//! `sori compare` trains each way with each seed, once, and `sori report` writes a self-contained page
//! for a run.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod sound;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use sound::write_wav;

fn sori(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sori"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Three ways, two seeds.
fn compare(out: &Path, epochs: &str) -> Output {
    command(out, epochs).output().unwrap()
}

fn command(out: &Path, epochs: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sori"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).args([
        "compare",
        "cnn1d",
        "--data",
        "synth:dtmf?size=64",
        "--epochs",
        epochs,
        "--set",
        "channels=[8]",
        "--seeds",
        "2",
        "--seed",
        "5",
        "--try",
        "optimizer=adam; learning_rate=0.01",
        "--try",
        "optimizer=lbfgs; learning_rate=0.5",
        "--try",
        "optimizer=sgd; learning_rate=1e30; clip_norm=0",
        "--out",
        out.to_str().unwrap(),
        "--json",
    ]);
    command
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn each_way_is_trained_with_each_seed_once() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("compared");
    let first = compare(&out, "2");
    // The last way diverges.
    assert_eq!(first.status.code(), Some(1), "{first:?}");
    let table = lines(&first);
    assert_eq!(table.len(), 3);
    for way in &table[..2] {
        assert_eq!(way["seeds"].as_object().unwrap().len(), 2, "{way}");
        assert!(way["seeds"]["5"].is_number() && way["seeds"]["6"].is_number());
        let seeds = way["seeds"].as_object().unwrap().values();
        let mean = seeds.map(|value| value.as_f64().unwrap()).sum::<f64>() / 2.0;
        assert!((way["value"].as_f64().unwrap() - mean).abs() < 1e-12);
    }
    // A way that diverges is reported, and the others are kept.
    assert!(table[2]["value"].is_null());
    let reason = table[2]["failed"][0].as_str().unwrap();
    assert!(reason.contains("diverged"), "{reason}");
    let csv = std::fs::read_to_string(out.join("compare.csv")).unwrap();
    assert_eq!(csv.lines().count(), 4, "{csv}");
    let png = std::fs::read(out.join("curves.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"));

    // Run again: existing runs stay, and missing ones are retrained to the same numbers.
    let kept = out.join("1-seed-5/checkpoints/last.safetensors");
    let before = std::fs::metadata(&kept).unwrap().modified().unwrap();
    std::fs::remove_dir_all(out.join("2-seed-6")).unwrap();
    let again = lines(&compare(&out, "2"));
    for (one, other) in table.iter().zip(&again) {
        assert_eq!(one["seeds"], other["seeds"]);
    }
    assert_eq!(
        std::fs::metadata(&kept).unwrap().modified().unwrap(),
        before
    );

    // An interrupted comparison resumes to the same numbers.
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let broken = folder.path().join("broken");
        let mut child = command(&broken, "2").process_group(0).spawn().unwrap();
        let begun = broken.join("1-seed-5/run.json");
        while !begun.is_file() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        // As with Ctrl-C in a terminal: all processes of the group.
        let group = format!("-{}", child.id());
        let sent = Command::new("kill").args(["-INT", "--", &group]).status();
        assert!(sent.unwrap().success());
        assert!(
            !child.wait().unwrap().success(),
            "it ended too soon to tell"
        );
        let gone_on = lines(&compare(&broken, "2"));
        assert_eq!(gone_on.len(), table.len());
        for (one, other) in table.iter().zip(&gone_on) {
            assert_eq!(one["seeds"], other["seeds"]);
        }
    }

    // A different comparison is refused in the same folder.
    let other = compare(&out, "3");
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(!other.status.success());
    assert!(said.contains("holds another comparison"), "{said}");

    // The page of the comparison: all ways, and the test figure of the best alone.
    let reported = sori(&["report", out.to_str().unwrap()]);
    assert!(reported.status.success(), "{reported:?}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(page.matches("<img").count(), 1);
    assert!(page.contains("accuracy in validation"));
    assert_eq!(page.matches("on the test part is").count(), 1);
    std::fs::remove_file(out.join("report.html")).unwrap();

    // Runs left behind by a lost plan do not count for another.
    std::fs::remove_file(out.join("compare.json")).unwrap();
    let other = compare(&out, "3");
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(said.contains("holds something else"), "{said}");

    // The page of one of its runs.
    let run = out.join("1-seed-5");
    let reported = sori(&["report", run.to_str().unwrap(), "--worst", "2"]);
    assert!(reported.status.success(), "{reported:?}");
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert_eq!(page.matches("<audio").count(), 2);
    // The confusion matrix, the reliability diagram, the curves, and a spectrogram for each, all for light and
    // for dark screens.
    assert_eq!(page.matches("<img").count(), 5);
    assert_eq!(page.matches("prefers-color-scheme: dark").count(), 5);
    let sources = page.matches("src=\"").count();
    assert_eq!(page.matches("src=\"data:").count(), sources);
    assert!(!page.contains("href=") && !page.contains("<script"));
    for part in [
        "accuracy",
        "Learning curves",
        "Expected calibration error",
        "<th class=\"number\">recall</th>",
        "optimizer = &quot;adam&quot;",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_wrong_setting_is_refused_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("compared");
    for (wrong, reasons) in [
        ("optimizer=magic", ["magic", "lbfgs"]),
        ("seed=7", ["seed", "--seeds"]),
    ] {
        let (mlp, out) = ("mlp", out.to_str().unwrap());
        let output = sori(&[
            "compare",
            mlp,
            "--try",
            "learning_rate=0.1",
            "--try",
            wrong,
            "--out",
            out,
        ]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(reasons.iter().all(|reason| said.contains(reason)), "{said}");
    }
    assert!(!out.exists());
}

/// A fifth of a second of a tone.
fn tone(path: &Path, hertz: f32) {
    let samples = (0..1600).map(|n| {
        let phase = hertz * n as f32 / 8000.0;
        ((std::f32::consts::TAU * phase).sin() * 8000.0) as i16
    });
    write_wav(path, 8000, samples);
}

#[test]
fn folds_are_trained_once_and_only_with_the_same_settings() {
    let folder = tempfile::tempdir().unwrap();
    let (clips, out) = (folder.path().join("esc"), folder.path().join("cv"));
    // Four clips of each class in each fold.
    for (class, hertz) in [("001 - Low", 300.0), ("002 - High", 1500.0)] {
        std::fs::create_dir_all(clips.join(class)).unwrap();
        for index in 0..20 {
            let name = format!("{}-{index}-A.wav", index % 5 + 1);
            tone(&clips.join(class).join(name), hertz + 3.0 * index as f32);
        }
    }
    let data = format!("esc:{}", clips.display());
    let train = |model: &str, folds: &str, epochs: &str| {
        let (data, out) = (data.as_str(), out.to_str().unwrap());
        sori(&[
            "train", model, "--data", data, "--folds", folds, "--epochs", epochs, "--out", out,
            "--json",
        ])
    };
    let sum = |output: Output| {
        assert!(output.status.success(), "{output:?}");
        lines(&output).pop().unwrap()
    };
    let first = sum(train("cnn1d", "1,2", "1"));
    let values = ["1", "2"].map(|fold| first["folds"][fold].as_f64().unwrap());
    let mean = (values[0] + values[1]) / 2.0;
    assert!((first["value"].as_f64().unwrap() - mean).abs() < 1e-12);

    // The same command finds both folds trained, and a command with more folds resumes.
    assert_eq!(sum(train("cnn1d", "1,2", "1")), first);
    let more = sum(train("cnn1d", "1,2,3", "1"));
    assert_eq!(more["folds"]["2"], first["folds"]["2"]);
    assert!(more["folds"]["3"].is_number());

    let other = "fold-1 holds a run of other settings";
    for (output, said) in [
        (train("cnn1d", "4,1", "2"), other),
        (train("mlp", "1,2", "1"), other),
        (train("cnn1d", "1,1", "1"), "1 is there twice"),
    ] {
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(said), "{error}");
    }
    assert!(!out.join("fold-4").exists());
}

#[test]
fn what_only_training_needs_is_looked_for_first_and_not_missed_later() {
    let folder = tempfile::tempdir().unwrap();
    let [noise, cache, run] = ["noise", "cache", "run"].map(|name| folder.path().join(name));
    let set_noise = format!("augment.noise.folder={}", noise.display());
    let set_cache = format!("data.cache={}", cache.display());
    let out = run.to_str().unwrap();
    let train = || {
        sori(&[
            "train",
            "mlp",
            "--data",
            "synth:dtmf?size=64",
            "--epochs",
            "1",
            "--out",
            out,
            "--set",
            "augment.noise.probability=1",
            "--set",
            &set_noise,
            "--set",
            &set_cache,
        ])
    };
    let refused = train();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && error.contains("/noise"),
        "{error}"
    );
    assert!(!run.exists() && !cache.exists());

    std::fs::create_dir(&noise).unwrap();
    tone(&noise.join("hum.wav"), 100.0);
    let trained = train();
    assert!(trained.status.success(), "{trained:?}");
    for used in [noise, cache] {
        std::fs::remove_dir_all(used).unwrap();
    }
    let measured = sori(&["eval", out]);
    assert!(measured.status.success(), "{measured:?}");
}

#[test]
fn a_search_goes_on_where_it_was_and_gives_settings_to_train_with() {
    let folder = tempfile::tempdir().unwrap();
    let (out, run) = (folder.path().join("tune"), folder.path().join("run"));
    let [out_text, run_text] = [&out, &run].map(|path| path.to_str().unwrap());
    let tune = || {
        let data = [
            "tune",
            "mlp",
            "--data",
            "synth:dtmf?size=64",
            "--epochs",
            "9",
        ];
        let size = [
            "--set",
            "model.d_hidden=[16]",
            "--minutes",
            "0.00001",
            "--json",
        ];
        let done = sori(&[&data[..], &size, &["--out", out_text]].concat());
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        lines(&done)
    };
    let first = tune();
    // Three candidates in so little time, one of them to the end.
    let epochs: Vec<_> = first
        .iter()
        .map(|line| line["epochs"].as_u64().unwrap())
        .collect();
    assert_eq!(epochs, [9, 3, 1, 1, 1]);
    assert!(
        first
            .iter()
            .all(|line| line["metric"] == "accuracy" && line["valid"].is_number())
    );
    let best = first[2..]
        .iter()
        .map(|line| line["valid"].as_f64().unwrap());
    let best = best.fold(0.0, f64::max);
    let went_on = first[2..]
        .iter()
        .find(|line| line["settings"] == first[0]["settings"]);
    assert_eq!(went_on.unwrap()["valid"].as_f64().unwrap(), best);
    assert_eq!(tune(), first);

    let config = out.join("config.toml");
    let done = sori(&[
        "train",
        "mlp",
        "--config",
        config.to_str().unwrap(),
        "--quiet",
        "--out",
        run_text,
    ]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let other = sori(&[
        "tune",
        "mlp",
        "--data",
        "synth:dtmf?size=32",
        "--out",
        out_text,
    ]);
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(
        !other.status.success() && said.contains("another search"),
        "{said}"
    );
}
