//! `sori predict`: predicts audio files by a run's best checkpoint.

use std::path::PathBuf;

use burn::tensor::backend::AutodiffBackend;
use clap::Args;
use serde_json::json;

use super::decode::DecodeArgs;
use super::options::Common;
use super::output::{print, print_json, remark};
use super::stream::{self, StreamArgs};
use super::word_times::times_of;
use crate::backend::{Job, run_on};
use crate::decode::Beam;
use crate::infer::Predictor;
use crate::show::alignment::draw_prediction;
use crate::task::{Prediction, Window};
use crate::{Error, Result, RunFolder};

#[derive(Args)]
pub(super) struct PredictArgs {
    /// The run folder
    run: PathBuf,
    /// The audio files
    #[arg(required_unless_present_any = ["stream", "mic"], conflicts_with_all = ["stream", "mic"])]
    audio: Vec<PathBuf>,
    /// Seconds of a window, into which longer recordings are cut [default: the run's longest
    /// recording]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    window: Option<f64>,
    /// Seconds from one window to the next [default: half a window]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    hop: Option<f64>,
    /// Say below each transcript when its words are said (deep_speech2)
    #[arg(long)]
    times: bool,
    /// Draw where a speller attended while it wrote each symbol, over the spectrogram, of the one AUDIO
    #[arg(long, value_name = "OUT.png")]
    alignment: Option<PathBuf>,
    /// Say below each transcript the N best ones and their scores; needs --beam
    #[arg(long, value_name = "N")]
    nbest: Option<usize>,
    #[command(flatten)]
    decode: DecodeArgs,
    #[command(flatten)]
    live: StreamArgs,
}

struct Predict<'a> {
    common: &'a Common,
    args: &'a PredictArgs,
    run: &'a RunFolder,
    beam: Option<Beam>,
}

impl Job for Predict<'_> {
    type Output = Result<()>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<()> {
        let Self {
            common,
            args,
            run,
            beam,
        } = self;
        let mut predictor = Predictor::<B::InnerBackend>::open(run, device)?;
        if args.nbest.is_some() && beam.is_none() {
            return Err(Error::Input(
                "--nbest is of a search: give --beam N too, such as --beam 8".to_string(),
            ));
        }
        if let Some(beam) = beam {
            predictor = predictor.with_beam(beam);
        }
        if let (true, Some(_)) = (predictor.transcribes(), args.window.or(args.hop)) {
            return Err(Error::Input(
                "--window and --hop are for labels and numbers; a transcript is of the whole recording"
                    .to_string(),
            ));
        }
        if let Some(png) = &args.alignment {
            if args.audio.len() != 1 {
                return Err(Error::Input(format!(
                    "--alignment draws one recording, and {} are given",
                    args.audio.len()
                )));
            }
            super::output::require_png("--alignment", png)?;
            super::output::require_folder_of(png)?;
        }
        if args.times && !predictor.transcribes() {
            return Err(Error::Input(
                "--times is for transcripts; this run's model writes none".to_string(),
            ));
        }
        if args.times && !predictor.times_words() {
            return Err(Error::Input(
                "--times is for deep_speech2: las does not know when a word is said; --alignment OUT.png \
                 shows what it attended to"
                    .to_string(),
            ));
        }
        let mut windows = predictor.default_windows();
        if let Some(window_s) = args.window {
            windows.window_s = window_s;
            windows.hop_s = window_s / 2.0;
        }
        windows.hop_s = args.hop.unwrap_or(windows.hop_s);
        let least = predictor.least_window_s();
        if !(windows.window_s >= least && windows.window_s.is_finite()) {
            return Err(Error::Input(format!(
                "--window {}: it must be at least {least} seconds, which these features need",
                windows.window_s
            )));
        }
        if !(windows.hop_s >= least.min(windows.window_s) && windows.hop_s <= windows.window_s) {
            return Err(Error::Input(format!(
                "--hop {}: it must be from {least} seconds to the length of a window ({})",
                windows.hop_s, windows.window_s
            )));
        }
        let labels = predictor.labels().to_vec();
        let mut skipped = 0;
        for audio in &args.audio {
            let mut found = predictor.predict_file(audio, windows);
            if let Ok(prediction) = &found
                && predictor.transcribes()
                && !prediction.windows.is_empty()
                && (args.alignment.is_some() || args.nbest.is_some())
            {
                found = Err(Error::Input(format!(
                    "{}: it is transcribed in {} pieces, because it is longer than {:.0} s; --alignment and \
                     --nbest are for recordings of one piece",
                    audio.display(),
                    prediction.windows.len(),
                    predictor.longest_piece_s(),
                )));
            }
            if let Ok(prediction) = &mut found {
                prediction.nbest.truncate(args.nbest.unwrap_or(0));
            }
            if let (Ok(prediction), Some(png)) = (&found, &args.alignment) {
                draw_prediction(audio, predictor.sample_rate_hz(), prediction, png)?;
            }
            match found {
                Ok(prediction) if common.json => {
                    let scores: serde_json::Map<_, _> = labels
                        .iter()
                        .zip(&prediction.scores)
                        .map(|(label, score)| (label.clone(), json!(score)))
                        .collect();
                    let mut line = json!(prediction);
                    line["audio"] = json!(audio.display().to_string());
                    if !scores.is_empty() {
                        line["scores"] = json!(scores);
                    }
                    print_json(&line)?;
                }
                Ok(prediction) => print(&text(audio, &labels, &prediction, args.times))?,
                Err(error) if common.skip_bad => {
                    skipped += 1;
                    remark(&format!("left out: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        if skipped == args.audio.len() {
            return Err(Error::Input(
                "none of the files could be read as audio".to_string(),
            ));
        }
        Ok(())
    }
}

fn text(
    audio: &std::path::Path,
    labels: &[String],
    prediction: &Prediction,
    times: bool,
) -> String {
    if prediction.scores.is_empty() {
        let mut text = format!("{}: {}", audio.display(), prediction.text(labels));
        if times {
            text.push_str(&times_of(&prediction.words));
        }
        for transcript in &prediction.nbest {
            text.push_str(&format!(
                "\n  {:>9.3}  {}",
                transcript.score, transcript.text
            ));
        }
        text.push_str(&windows_of(&prediction.windows));
        return text;
    }
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| prediction.scores[b].total_cmp(&prediction.scores[a]));
    let scores: Vec<String> = order
        .iter()
        .take(3)
        .map(|&i| format!("{} {:.3}", labels[i], prediction.scores[i]))
        .collect();
    let mut text = format!(
        "{}: {} ({})",
        audio.display(),
        prediction.answer,
        scores.join(", ")
    );
    text.push_str(&windows_of(&prediction.windows));
    text
}

/// A line for each window with its answer.
fn windows_of(windows: &[Window]) -> String {
    let line = |window: &Window| {
        let score = window.score.map(|score| format!(" {score:.3}"));
        format!(
            "\n  {:>8.2} – {:>8.2} s  {}{}",
            window.start_s,
            window.end_s,
            window.answer,
            score.unwrap_or_default()
        )
    };
    windows.iter().map(line).collect()
}

pub(super) fn run(common: &Common, args: &PredictArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    let beam = args.decode.beam(&run)?;
    let backend = common.backend_for(Some(&run.info().backend));
    if args.live.is_asked_for() {
        return stream::run(common, &args.live, args.times, &run, beam, backend);
    }
    run_on(
        backend,
        Predict {
            common,
            args,
            run: &run,
            beam,
        },
    )?
}
