use std::path::PathBuf;

use burn::tensor::backend::AutodiffBackend;
use clap::Args;
use serde_json::json;

use super::{Common, print, print_json, remark};
use crate::backend::{Job, run_on};
use crate::predict::{Prediction, Predictor, Windows};
use crate::{Error, Result, RunFolder};

#[derive(Args)]
pub(super) struct PredictArgs {
    /// The run folder
    run: PathBuf,
    /// The audio files
    #[arg(required = true)]
    audio: Vec<PathBuf>,
    /// Seconds of a window, into which longer recordings are cut [default: the run's longest
    /// training recording]
    #[arg(long, value_name = "S")]
    window: Option<f64>,
    /// Seconds from one window to the next [default: half a window]
    #[arg(long, value_name = "S")]
    hop: Option<f64>,
}

struct Predict<'a> {
    common: &'a Common,
    args: &'a PredictArgs,
    run: &'a RunFolder,
}

impl Job for Predict<'_> {
    type Output = Result<()>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<()> {
        let Self { common, args, run } = self;
        let mut predictor = Predictor::<B::InnerBackend>::open(run, device)?;
        let mut windows = predictor.default_windows();
        if let Some(window_s) = args.window {
            windows = Windows {
                window_s: seconds("--window", window_s)?,
                hop_s: window_s / 2.0,
            };
        }
        if let Some(hop_s) = args.hop {
            windows.hop_s = seconds("--hop", hop_s)?;
        }
        let labels = predictor.labels().to_vec();
        let mut skipped = 0;
        for audio in &args.audio {
            match predictor.predict_file(audio, windows) {
                Ok(prediction) if common.json => {
                    let scores: serde_json::Map<_, _> = labels
                        .iter()
                        .zip(&prediction.scores)
                        .map(|(label, score)| (label.clone(), json!(score)))
                        .collect();
                    let mut line = json!({
                        "audio": audio, "label": prediction.label, "scores": scores,
                    });
                    if !prediction.windows.is_empty() {
                        line["windows"] = json!(prediction.windows);
                    }
                    print_json(&line)?;
                }
                Ok(prediction) => print(&text(audio, &labels, &prediction))?,
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

fn seconds(option: &str, value: f64) -> Result<f64> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(Error::Input(format!(
        "{option} {value}: it must be above 0 seconds"
    )))
}

fn text(audio: &std::path::Path, labels: &[String], prediction: &Prediction) -> String {
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
        prediction.label,
        scores.join(", ")
    );
    for window in &prediction.windows {
        text.push_str(&format!(
            "\n  {:>8.2} – {:>8.2} s  {} {:.3}",
            window.start_s, window.end_s, window.label, window.score
        ));
    }
    text
}

pub(super) fn run(common: &Common, args: &PredictArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    let backend = common.backend_for(Some(&run.info()?.backend));
    run_on(
        backend,
        Predict {
            common,
            args,
            run: &run,
        },
    )?
}
