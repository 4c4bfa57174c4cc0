//! Measures and draws what the pages of `docs/course` show: what layers learned, how gradients vanish, the
//! table of CTC, where networks attend. `docs/course/pictures.sh` calls every part.
//!
//! `cargo run --release --example course -- gradients gradients.png`

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

mod attention;
mod convolution;
mod ctc;
mod draw;
mod epochs;
mod filters;
mod gradients;
mod heard;
mod peaks;
mod sounds;
mod spikes;
mod units;

use std::path::Path;

/// An error of any part.
type Error = Box<dyn std::error::Error>;

const USAGE: &str = "course sounds DIR
course units RUN OUT.png
course convolution AUDIO OUT.png
course filters RUN OUT.png
course gradients OUT.png
course attention RUN AUDIO OUT.png
course ctc OUT.png [TRANSCRIPT]
course peaks OUT.png
course spikes RUN AUDIO OUT.png
course epochs AUDIO OUT.png RUN…";

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let path = Path::new;
    match words[..] {
        ["sounds", folder] => sounds::write(path(folder)),
        ["units", run, out] => units::draw(path(run), path(out)),
        ["convolution", audio, out] => convolution::draw(path(audio), path(out)),
        ["filters", run, out] => filters::draw(path(run), path(out)),
        ["gradients", out] => gradients::draw(path(out)),
        ["attention", run, audio, out] => attention::draw(path(run), path(audio), path(out)),
        ["ctc", out] => ctc::draw(path(out), "ab"),
        ["ctc", out, transcript] => ctc::draw(path(out), transcript),
        ["peaks", out] => peaks::draw(path(out)),
        ["spikes", run, audio, out] => spikes::draw(path(run), path(audio), path(out)),
        ["epochs", audio, out, ref runs @ ..] if !runs.is_empty() => {
            epochs::draw(path(audio), path(out), runs)
        }
        _ => Err(format!("not understood; these are the parts:\n{USAGE}").into()),
    }
}
