//! The lecture notebook's printed figures, computed by `examples/lecture_notebook`, which compares them
//! with `notebook.json`. `notebook.py` beside this file wrote that.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::Command;

/// The notebook printed eight decimals, of its input too.
const TOLERANCE: f64 = 1.5e-8;

#[test]
fn the_notebooks_figures_come_out() {
    // `cargo test` has built it already. It computes in double precision, which takes as long to compile
    // as a model: once is enough.
    let example = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--locked",
            "--example",
            "lecture_notebook",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(example.stdout).unwrap();
    assert!(
        example.status.success(),
        "{}",
        String::from_utf8_lossy(&example.stderr)
    );
    assert_eq!(text.matches("    found  ").count(), 18, "{text}");
    let (_, largest) = text.rsplit_once("the largest difference of all: ").unwrap();
    assert!(largest.trim().parse::<f64>().unwrap() < TOLERANCE, "{text}");
}
