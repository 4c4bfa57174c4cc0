//! Repeats the computations of the lecture notebook: a network 5-4-3-1 with its backward pass and
//! its update, zero padding, a convolution, pooling, and a recurrent network. Shows each figure beside
//! the notebook's. Then it goes on by hand: every gradient of that network, the gates of an LSTM and of a
//! GRU, attention, and CTC, each beside what Sori computes.
//!
//! `cargo run --release --example lecture_notebook`

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

mod walk;

fn main() -> serde_json::Result<()> {
    let notebook = include_str!("../../tests/golden/notebook.json");
    let mut largest: f64 = 0.0;
    for (chapter, figures) in walk::in_double_precision(notebook)? {
        println!("{chapter}\n");
        for figure in figures {
            let error = figure.error();
            largest = largest.max(error);
            println!("  {}, {} values", figure.name, figure.expected.len());
            println!("    expected  {}", shown(&figure.expected));
            println!("    found     {}", shown(&figure.found));
            assert!(error < figure.tolerance, "{}: off by {error}", figure.name);
        }
        println!();
    }
    println!("the largest difference of all: {largest:.1e}");
    Ok(())
}

/// The first twelve values.
fn shown(values: &[f64]) -> String {
    let first: Vec<String> = values.iter().take(12).map(|v| format!("{v:.8}")).collect();
    let more = if values.len() > 12 { " …" } else { "" };
    first.join("  ") + more
}
