//! Kernel launches of one training step of each preset, which is what a step costs at least on a GPU.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Distribution, Tensor};
use sori::backend::{BackendName, Job, run_on};
use sori::bench::Preset;

/// The variable that tells the process that counts where its log is.
const LOG: &str = "SORI_LAUNCHES";

/// The file to which CubeCL writes a line for each launch.
fn log() -> PathBuf {
    env::var_os(LOG).unwrap().into()
}

/// A launch that nothing else makes.
struct Mark;

impl Job for Mark {
    type Output = ();

    fn run<B: AutodiffBackend>(self, device: &B::Device) {
        let mark = Distribution::Bernoulli(0.5);
        let _ = Tensor::<B::InnerBackend, 1>::random([1], mark, device).into_data();
    }
}

/// The launches logged so far. The log is written by a thread of its own: waits for a mark's line.
fn launches() -> usize {
    run_on(BackendName::Wgpu, Mark).unwrap();
    static MARKS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let marks = 1 + MARKS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(log()).unwrap_or_default();
        let is_mark = |line: &&str| line.contains("Bernoulli");
        if text.lines().filter(is_mark).count() >= marks {
            return text
                .lines()
                .filter(|line| line.starts_with("Executing") && !is_mark(line))
                .count();
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "no mark in the log"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Launches of one training step: what a second adds to a first.
fn of_one_step(preset: &Preset) -> usize {
    if cfg!(feature = "wgpu") {
        // Tuning launches kernels as well.
        preset.time(BackendName::Wgpu, 0, 1).unwrap();
    }
    let mut after = [1, 2].map(|steps| {
        let before = launches();
        preset.time(BackendName::Wgpu, 0, steps).unwrap();
        launches() - before
    });
    after.sort_unstable();
    after[1] - after[0]
}

/// The most launches of a step of each preset whose network fits in a test.
const MOST: [(&str, usize); 10] = [
    ("mlp", 40),
    ("cnn1d", 100),
    ("cnn2d", 130),
    ("rnn", 80),
    ("lstm", 80),
    ("gru", 80),
    ("attention", 100),
    ("ctc", 12),
    ("deep_speech2", 1600),
    ("las", 6000),
];

/// CubeCL reads its settings from the working folder when a device is first used, so that the launches are counted
/// in a process of their own.
#[test]
fn a_training_step_launches_few_kernels() {
    if env::var_os(LOG).is_some() {
        return count();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("launches.log");
    let settings = format!(
        "[profiling]\nlogger = {{ level = \"minimal\", file = {:?} }}\n",
        file.display().to_string()
    );
    std::fs::write(folder.path().join("cubecl.toml"), settings).unwrap();
    let name = "launches::a_training_step_launches_few_kernels";
    let counted = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(LOG, &file)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&counted.stdout);
    println!("{said}");
    let failed = String::from_utf8_lossy(&counted.stderr);
    assert!(counted.status.success(), "{said}{failed}");
    assert!(said.contains("ctc:"), "{said}");
}

fn count() {
    for (name, most) in MOST {
        // Each product of the tuned build is tuned first, for minutes.
        if cfg!(feature = "wgpu") && name != "ctc" {
            continue;
        }
        // As many as with more rows, but for convolutions whose windows are made in parts.
        let preset = Preset {
            batch: 1,
            ..Preset::find(name).unwrap()
        };
        let found = of_one_step(&preset);
        println!("{name}: {found} launches");
        assert!(
            found > 0 && found <= most,
            "{name}: {found} launches, not {most}"
        );
    }
}
