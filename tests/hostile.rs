//! Damaged run folders, changed recordings and impossible sizes are refused by name, and never panic.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed unwrap is a failed test; what is skipped is named"
)]

mod sound;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use sori::RunFolder;
use sori::decode::NgramModel;
use tempfile::TempDir;

use sound::write_wav;

fn sori(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sori"));
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

/// The message of a command that must fail without a panic.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let output = sori(args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[track_caller]
fn assert_refused(args: &[&str], parts: &[&str]) {
    let text = refused(args);
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

/// Twelve recordings of two classes, and a run on them that was stopped after its second epoch of
/// three.
struct Made {
    folder: TempDir,
}

impl Made {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let made = Made {
        folder: TempDir::new().unwrap(),
    };
    for (class, period) in [("high", 8), ("low", 32)] {
        let folder = made.data().join(class);
        fs::create_dir_all(&folder).unwrap();
        for index in 0..6 {
            let wave = |n: usize| ((n % period) * (900 + index * 50)) as i16;
            write_wav(
                &folder.join(format!("{index}.wav")),
                8000,
                (0..2000).map(wave),
            );
        }
    }
    let data = format!("folder:{}", made.data().display());
    let run = made.run().display().to_string();
    let output = sori(&[
        "train",
        "mlp",
        "--data",
        &data,
        "--out",
        &run,
        "--epochs",
        "2",
        "--quiet",
        "--set",
        "model.d_hidden=[8]",
        "--set",
        "train.workers=0",
    ]);
    assert!(output.status.success(), "{output:?}");
    // As if it were stopped on its way to a third epoch.
    let config = fs::read_to_string(made.run().join("config.toml")).unwrap();
    fs::write(
        made.run().join("config.toml"),
        config.replace("epochs = 2", "epochs = 3"),
    )
    .unwrap();
    fs::remove_file(made.run().join("result.json")).unwrap();
    made
});

/// A copy of the run, on a copy of its recordings if they are to be changed.
struct Copied {
    folder: TempDir,
}

impl Copied {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        copy(&MADE.run(), &folder.path().join("run"));
        Self { folder }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.run().join(name)
    }

    fn path(&self) -> String {
        self.run().display().to_string()
    }

    /// Changes the tensors of a checkpoint, whose state stays.
    fn change(&self, name: &str, change: impl FnOnce(&mut HashMap<String, (Vec<usize>, Vec<u8>)>)) {
        let path = self.file(name);
        let bytes = fs::read(&path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let header = metadata.metadata().clone();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: HashMap<_, _> = file
            .iter()
            .map(|(name, view)| {
                let values = (view.shape().to_vec(), view.data().to_vec());
                (name.to_string(), values)
            })
            .collect();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, (shape, bytes))| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
            (name.clone(), view)
        });
        fs::write(&path, safetensors::serialize(views, header).unwrap()).unwrap();
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.file(name)).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(self.file(name), text.replacen(from, to, 1)).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

const BEST: &str = "checkpoints/best.safetensors";
const LAST: &str = "checkpoints/last.safetensors";

/// The first of the names with this prefix.
fn first(tensors: &HashMap<String, (Vec<usize>, Vec<u8>)>, prefix: &str) -> String {
    let names = tensors.keys().filter(|name| name.starts_with(prefix));
    names.min().unwrap().clone()
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    let nan = |tensors: &mut HashMap<String, (Vec<usize>, Vec<u8>)>| {
        let name = first(tensors, "model.");
        tensors.get_mut(&name).unwrap().1[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    };
    let copied = Copied::new();
    copied.change(BEST, nan);
    let recording = MADE.data().join("low/0.wav").display().to_string();
    let wanted = ["best.safetensors", "model.", "NaN"];
    assert_refused(&["eval", &copied.path()], &wanted);
    assert_refused(&["predict", &copied.path(), &recording], &wanted);
    let copied = Copied::new();
    copied.change(LAST, nan);
    let wanted = ["last.safetensors", "model.", "NaN"];
    assert_refused(&["train", "--resume", &copied.path()], &wanted);
}

#[test]
fn a_state_of_the_optimizer_that_is_not_whole_is_refused() {
    let copied = Copied::new();
    copied.change(LAST, |tensors| {
        let name = first(tensors, "optimizer.second.");
        tensors.remove(&name);
    });
    assert_refused(
        &["train", "--resume", &copied.path()],
        &["tensors are there"],
    );
    let copied = Copied::new();
    copied.change(LAST, |tensors| {
        let name = first(tensors, "optimizer.first.");
        tensors.insert(name, (vec![1], vec![0; 4]));
    });
    let wanted = ["optimizer.first.", "does not have the shape of model."];
    assert_refused(&["train", "--resume", &copied.path()], &wanted);
}

#[test]
fn a_recording_that_changed_is_refused_by_name() {
    let copied = Copied::new();
    let data = copied.folder.path().join("data");
    copy(&MADE.data(), &data);
    let (old, new) = (
        MADE.data().display().to_string(),
        data.display().to_string(),
    );
    copied.replace("config.toml", &old, &new);
    let changed = data.join("low/3.wav");
    // As long as it was, and as old.
    let modified = fs::metadata(&changed).unwrap().modified().unwrap();
    write_wav(&changed, 8000, (0..2000).map(|n| (n % 7) as i16));
    let file = fs::File::options().append(true).open(&changed).unwrap();
    file.set_modified(modified).unwrap();
    let wanted = ["low/3.wav", "not the file it was"];
    assert_refused(&["train", "--resume", &copied.path()], &wanted);
}

#[test]
fn a_run_folder_that_does_not_hold_together_is_refused() {
    let resume = |copied: &Copied, parts: &[&str]| {
        assert_refused(&["train", "--resume", &copied.path()], parts);
    };
    let copied = Copied::new();
    copied.replace("run.json", "\"high\"", "\"low\"");
    resume(&copied, &["run.json", "the label low twice"]);

    let copied = Copied::new();
    fs::write(copied.file("metrics.jsonl"), "").unwrap();
    resume(&copied, &["metrics.jsonl", "lines of the 2 epochs"]);

    // The first epoch was the best, whose checkpoint cannot be made again.
    let copied = Copied::new();
    let last = fs::read(copied.file(LAST)).unwrap();
    let [best, other] =
        [1, 2].map(|epoch| format!(r#"\"best\":{{\"epoch\":{epoch},"#).into_bytes());
    let is = |wanted: &[u8]| last.windows(wanted.len()).position(|bytes| bytes == wanted);
    let at = is(&best).or_else(|| is(&other)).unwrap();
    let mut changed = last.clone();
    changed[at..at + best.len()].copy_from_slice(&best);
    fs::write(copied.file(LAST), changed).unwrap();
    fs::remove_file(copied.file(BEST)).unwrap();
    resume(&copied, &["best.safetensors", "best epoch is missing"]);
}

#[test]
fn a_run_whose_measurements_were_removed_goes_on() {
    let copied = Copied::new();
    fs::remove_file(copied.file("metrics.jsonl")).unwrap();
    let output = sori(&["train", "--resume", &copied.path(), "--quiet"]);
    assert!(output.status.success(), "{output:?}");
    let lines = || {
        fs::read_to_string(copied.file("metrics.jsonl"))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(lines(), 1);
    // And on.
    fs::remove_file(copied.file("result.json")).unwrap();
    copied.replace("config.toml", "epochs = 3", "epochs = 4");
    let output = sori(&["train", "--resume", &copied.path(), "--quiet"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines(), 2);
}

#[test]
fn a_name_does_not_steer_the_terminal() {
    let text = refused(&["features", "a\u{1b}[31m\u{202e}.wav"]);
    assert!(text.contains(r"a\u{1b}[31m\u{202e}.wav"), "{text}");
    let hidden = |character: char| character.is_control() && character != '\n';
    assert!(!text.contains(hidden), "{text:?}");
}

#[test]
fn what_was_measured_can_be_kept() {
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("answers.csv");
    let run = MADE.run().display().to_string();
    let output = sori(&["eval", &run, "--csv", csv.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let rows = fs::read_to_string(csv).unwrap();
    assert!(rows.starts_with("id,truth,answer,probability\n"), "{rows}");
    assert!(rows.lines().count() > 1, "{rows}");
}

#[test]
fn another_programs_folder_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("config.toml"), "mine = true\n").unwrap();
    fs::write(path("lock"), "").unwrap();
    let out = folder.path().display().to_string();
    let args = [
        "train",
        "mlp",
        "--data",
        "synth:dtmf?size=40",
        "--out",
        &out,
    ];
    assert_refused(&args, &["holds something else"]);
    assert_eq!(
        fs::read_to_string(path("config.toml")).unwrap(),
        "mine = true\n"
    );
}

#[cfg(unix)]
#[test]
fn a_lock_that_leads_elsewhere_is_not_followed() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().join("target");
    fs::write(&target, "").unwrap();
    let copied = Copied::new();
    fs::remove_file(copied.file("lock")).unwrap();
    std::os::unix::fs::symlink(&target, copied.file("lock")).unwrap();
    assert_refused(
        &["train", "--resume", &copied.path()],
        &["not a regular file"],
    );
    assert_eq!(fs::read_to_string(target).unwrap(), "");
}

#[test]
fn what_cannot_be_made_is_refused_with_its_size() {
    let with = |model: &str, setting: &str| {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("run").display().to_string();
        refused(&[
            "train",
            model,
            "--data",
            "synth:dtmf?size=40",
            "--out",
            &out,
            "--set",
            setting,
        ])
    };
    let text = with("cnn1d", "model.channels=[1000000,1000000]");
    assert!(text.contains("parameters by these settings"), "{text}");
    let text = with("cnn1d", "model.pool_size=1000");
    assert!(text.contains("needs 1000000000 frames"), "{text}");
    let text = with("cnn2d", "augment.spec_augment.num_bands=1000000000");
    assert!(text.contains("num_bands"), "{text}");
}

#[test]
fn a_setting_is_given_once() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run").display().to_string();
    let with = |more: &[&str], parts: &[&str]| {
        let start = [
            "train",
            "mlp",
            "--data",
            "synth:dtmf?size=40",
            "--out",
            &out,
        ];
        assert_refused(&[&start[..], more].concat(), parts);
    };
    with(
        &["--set", "data.train=synth:scenes"],
        &["--data and --set data.train"],
    );
    let twice = ["--epochs", "2", "--set", "train.epochs=3"];
    with(&twice, &["--epochs and --set train.epochs"]);
    with(
        &["--set", "train.epochs=3\ntrain.seed=7"],
        &["several lines"],
    );
}

/// A process that a signal stops says so by its exit status, after a checkpoint.
#[cfg(unix)]
#[test]
fn the_exit_status_tells_the_signal() {
    let ignored = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        if signal == "HUP" && ignored & 1 == 1 {
            println!(
                "skipped: SIGHUP is ignored here, as below nohup, and so it is by what is started"
            );
            continue;
        }
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("run");
        let mut child = Command::new(env!("CARGO_BIN_EXE_sori"))
            .args([
                "train",
                "mlp",
                "--data",
                "synth:dtmf?size=400",
                "--epochs",
                "100000",
                "--quiet",
            ])
            .arg("--out")
            .arg(&out)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&out.join("metrics.jsonl"), 1);
        let kill = Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let asked = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if asked.elapsed() > Duration::from_secs(120) {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(child.wait().unwrap().code(), Some(status), "{signal}");
    }
}

/// A file that may not grow so large is an error of its write, and the process says so.
#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let train = format!(
        "ulimit -f 40; exec {} train mlp --data 'synth:dtmf?size=40' --epochs 1 --quiet --out {}",
        env!("CARGO_BIN_EXE_sori"),
        out.display(),
    );
    let output = Command::new("bash").args(["-c", &train]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot write"), "{text}");
}

/// A comparison that is killed leaves no process training, and the same command goes on.
#[cfg(unix)]
#[test]
fn a_killed_comparison_leaves_nothing_running() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("compared");
    fs::create_dir(&out).unwrap();
    // As if it had been killed once already, while it wrote its plan.
    fs::write(out.join(".sori-x1"), "{").unwrap();
    let compare = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sori"));
        command
            .args([
                "compare",
                "mlp",
                "--data",
                "synth:dtmf?size=400",
                "--max-minutes",
                "0.08",
            ])
            .args([
                "--epochs",
                "100000",
                "--try",
                "optimizer=adam",
                "--jobs",
                "1",
                "--quiet",
            ])
            .arg("--out")
            .arg(&out)
            .stdout(Stdio::null());
        command
    };
    let mut child = compare().spawn().unwrap();
    let run = out.join("1-seed-0");
    wait_for(&run.join("metrics.jsonl"), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let lock = fs::File::open(run.join("lock")).unwrap();
    let asked = Instant::now();
    while lock.try_lock_shared().is_err() {
        assert!(asked.elapsed() < Duration::from_secs(20), "it still trains");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(lock);
    assert!(!run.join("result.json").exists(), "it trained to its end");
    assert!(compare().status().unwrap().success());
    assert!(run.join("result.json").exists());
}

/// Waits until the file has so many lines.
fn wait_for(path: &Path, lines: usize) {
    let asked = Instant::now();
    while fs::read_to_string(path).map_or(0, |text| text.lines().count()) < lines {
        assert!(
            asked.elapsed() < Duration::from_secs(120),
            "{}",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_line_without_end_is_refused() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.txt");
    fs::write(&text, "a ".repeat(1 << 20)).unwrap();
    let text = text.display().to_string();
    let out = folder.path().join("lm.arpa").display().to_string();
    let train = [
        "lm", "train", "--order", "2", "--kind", "words", "--text", &text, "--out", &out,
    ];
    assert_refused(&train, &["text.txt:1", "longer than"]);
}

/// Random damage of a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Drop(Index, u8),
    Double(Index, u8),
    Insert(Index, Vec<u8>),
    /// A digit becomes many.
    Grow(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), 1_u8..).prop_map(|(at, count)| Damage::Drop(at, count)),
        (any::<Index>(), 1_u8..).prop_map(|(at, count)| Damage::Double(at, count)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        any::<Index>().prop_map(Damage::Grow),
    ]
}

fn damaged(mut bytes: Vec<u8>, damage: &Damage) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    let length = bytes.len();
    let range = |at: &Index, count: u8| {
        let start = at.index(length);
        start..(start + usize::from(count)).min(length)
    };
    match damage {
        Damage::Flip(at, bits) => bytes[at.index(length)] ^= bits,
        Damage::Cut(at) => bytes.truncate(at.index(length)),
        Damage::Drop(at, count) => drop(bytes.drain(range(at, *count))),
        Damage::Double(at, count) => {
            let again = bytes[range(at, *count)].to_vec();
            let start = at.index(length);
            bytes.splice(start..start, again);
        }
        Damage::Insert(at, new) => {
            let start = at.index(length);
            bytes.splice(start..start, new.iter().copied());
        }
        Damage::Grow(at) => {
            let digits: Vec<usize> = (0..length).filter(|&i| bytes[i].is_ascii_digit()).collect();
            if !digits.is_empty() {
                let start = digits[at.index(digits.len())];
                bytes.splice(start..start, *b"99999999999");
            }
        }
    }
    bytes
}

/// Cases of the random tests: 48, or as many as `SORI_FUZZ_CASES` says.
fn cases() -> ProptestConfig {
    let cases = std::env::var("SORI_FUZZ_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

const FILES: [&str; 6] = [
    "run.json",
    "config.toml",
    "splits.json",
    "metrics.jsonl",
    BEST,
    LAST,
];

const ARPA: &str = r"\data\
ngram 1=6
ngram 2=5
ngram 3=2

\1-grams:
-1.2	<unk>	0
-inf	<s>	-0.3
-0.9	</s>	0
-0.7	one	-0.4
-0.8	two	-0.2
-1.0	three	-0.1

\2-grams:
-0.3	<s> one	-0.2
-0.5	one two	-0.15
-0.6	two three	-0.1
-0.4	three </s>
-0.7	two one	0

\3-grams:
-0.2	<s> one two
-0.25	one two three

\end\
";

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_damaged_run_never_panics(file in 0..FILES.len(), damages in prop::collection::vec(damage(), 1..4)) {
        let copied = Copied::new();
        let path = copied.file(FILES[file]);
        let bytes = fs::read(&path).unwrap();
        let bytes = damages.iter().fold(bytes, damaged);
        fs::write(&path, bytes).unwrap();
        // Opened, measured and used, or refused.
        if let Ok(run) = RunFolder::open(&copied.run()) {
            let _ = run.metrics();
            let backend = sori::BackendName::default();
            let _ = sori::guesses(&run, 1, backend);
        }
    }

    #[test]
    fn a_damaged_language_model_never_panics(damages in prop::collection::vec(damage(), 1..4)) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("lm.arpa");
        let bytes = damages.iter().fold(ARPA.as_bytes().to_vec(), damaged);
        fs::write(&path, bytes).unwrap();
        let _ = NgramModel::read(&path);
    }
}

#[test]
fn a_probability_of_zero_is_read_as_kenlm_does() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("lm.arpa");
    fs::write(&path, ARPA).unwrap();
    let model = NgramModel::read(&path).unwrap();
    let mut context = model.start();
    let mut sum = 0.0;
    for word in ["one", "two", "three"] {
        let (score, next) = model.score(context, model.token(word).unwrap());
        (sum, context) = (sum + score, next);
    }
    // KenLM's score of the sentence.
    let sum = sum + model.end(context);
    assert!((sum + 1.25).abs() < 1e-6, "{sum}");
}
