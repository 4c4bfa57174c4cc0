//! The report of a run on one self-contained page: its settings, learning curves and metrics, and its
//! worst recordings, to see and to hear.

use std::sync::atomic::AtomicBool;

use burn::tensor::backend::AutodiffBackend;
use sori_datasets::{
    FeatureConfig, FeatureExtractor, FeatureKind, Item, Target, Waveform, text::words,
};

use super::confusion::confusion_picture;
use super::curves::{Curve, curves_picture};
use super::features::features_picture;
use super::filters::filters_picture;
use super::page::Page;
use super::text::{thousands, time};
use crate::backend::{BackendName, Job, run_on};
use crate::data::parts::Data;
use crate::error::Result;
use crate::infer::gallery::generate;
use crate::infer::predictor::Predictor;
use crate::metric::confusion::ConfusionMatrix;
use crate::metric::errors::Edits;
use crate::numbers::argmax;
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::RunFolder;
use crate::task::answer::{Answer, Prediction};

/// Writes the report of `run` as HTML, with the `most` recordings of the test part on which its best
/// checkpoint did worst. The whole test part is predicted again on `backend`.
///
/// # Errors
/// When the run or its data cannot be read.
pub fn report(run: &RunFolder, most: usize, backend: BackendName) -> Result<String> {
    let (info, settings) = (run.info(), run.settings());
    let judged = match run.task().generates() {
        true => None,
        false => Some(run_on(backend, Judge { run, most })??),
    };
    let epochs = run.metrics()?;
    let result = run.result()?;

    let mut page = Page::default();
    let name = run.path().file_name().map_or_else(
        || run.path().display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    page.begin(&format!("{} on {}", info.model, settings.data.train));
    let mut facts = vec![
        ("run", name),
        (
            "model",
            format!("{}, {} parameters", info.model, thousands(info.params)),
        ),
        (
            "recordings",
            format!(
                "{} to train on, {} to validate, {} to test",
                info.splits.train, info.splits.valid, info.splits.test
            ),
        ),
        ("seed", info.seed.to_string()),
        ("backend", info.backend.clone()),
    ];
    match &result {
        Some(result) => {
            let took = std::time::Duration::from_secs_f64(result.seconds);
            facts.push((
                "trained",
                match result.epochs {
                    1 => format!("1 epoch, {}", time(took)),
                    epochs => format!("{epochs} epochs, {}", time(took)),
                },
            ));
            facts.push(("best checkpoint", format!("of epoch {}", result.best_epoch)));
        }
        None => facts.push(("trained", format!("{} epochs so far", epochs.len()))),
    }
    page.table(facts.iter().map(|(name, value)| [*name, value]));

    let split = match info.splits.test {
        0 => "valid",
        _ => "test",
    };
    page.heading(&format!("On the {split} part"));
    match &result {
        Some(result) => {
            let rows: Vec<_> = result.metrics.named(run.task().headline().metric).collect();
            page.table(
                rows.iter()
                    .map(|(name, value)| [name.as_str(), value.as_str()]),
            );
        }
        None => page.text("Training has not ended, and nothing was measured on it yet."),
    }
    if judged.as_ref().is_some_and(|judged| judged.by_windows) {
        page.text(
            "Of recordings longer than any that it learned from, the metrics are of the whole and what \
             follows is of their windows, as `sori predict` has them.",
        );
    }
    if let Some(confusion) = judged.as_ref().and_then(|judged| judged.confusion.as_ref()) {
        match confusion_picture(confusion, &info.labels)? {
            Some(png) => page.picture("Confusion matrix", &png),
            None => page.text("There are too many classes to draw which was taken for which."),
        }
    }
    if !epochs.is_empty() {
        page.heading("How it learned");
        let metric = run.task().headline().metric;
        let curve = Curve {
            name: info.model.clone(),
            train_loss: epochs.iter().map(|epoch| epoch.train_loss).collect(),
            valid: epochs.iter().map(|epoch| epoch.valid.get(metric)).collect(),
        };
        page.picture("Learning curves", &curves_picture(&[curve], metric)?);
    }
    if let Some(filters) = waveform_filters(run)? {
        page.heading("What its first layer hears");
        page.picture(
            "Frequency responses of the first convolution",
            &filters_picture(&filters, f64::from(settings.features.sample_rate_hz))?,
        );
    }
    match &judged {
        Some(judged) => {
            page.heading(&format!("What it did worst on, of {}", judged.total));
            for worst in &judged.worst {
                example(&mut page, worst)?;
            }
        }
        None => {
            page.heading("What it makes");
            let gallery = generate(run, MADE, 0, backend)?;
            page.picture("Patches", &gallery.picture()?);
        }
    }
    page.heading("Its settings");
    page.settings(&settings.to_toml()?);
    Ok(page.end())
}

/// The number of generated patches in a report.
const MADE: usize = 16;

/// The filters of the first convolution over a waveform, if the model has one: its kernel
/// `[taps, channels]`, channel by channel.
fn waveform_filters(run: &RunFolder) -> Result<Option<Vec<Vec<f32>>>> {
    if run.settings().features.kind != FeatureKind::Waveform {
        return Ok(None);
    }
    let checkpoint = Checkpoint::read(&run.best_checkpoint()?)?;
    let Some(weight) = checkpoint.first_kernel() else {
        return Ok(None);
    };
    let channels = weight.shape[2];
    let values: Vec<f32> = weight.iter::<f32>().collect();
    let filter = |channel| {
        values
            .iter()
            .skip(channel)
            .step_by(channels)
            .copied()
            .collect()
    };
    Ok(Some((0..channels).map(filter).collect()))
}

/// The results of a run on its test part.
struct Judged {
    total: usize,
    confusion: Option<ConfusionMatrix>,
    /// Whether some recordings were predicted window by window.
    by_windows: bool,
    worst: Vec<Worst>,
}

/// A badly predicted recording.
struct Worst {
    id: String,
    truth: String,
    prediction: Prediction,
    labels: Vec<String>,
    waveform: Waveform,
}

/// The job that predicts the test part.
struct Judge<'a> {
    run: &'a RunFolder,
    most: usize,
}

impl Job for Judge<'_> {
    type Output = Result<Judged>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let data = Data::of_run(self.run)?;
        let parts = [data.held_out_part()];
        data.check_unchanged(self.run, &parts, &AtomicBool::new(false), &mut |_, _| ())?;
        let (items, _) = data.held_out();
        let predictor = Predictor::<B::InnerBackend>::open(self.run, device)?;
        let windows = predictor.default_windows();
        let rate = self.run.settings().features.sample_rate_hz;
        let labels = predictor.labels().to_vec();
        let classes = items
            .iter()
            .all(|item| matches!(item.target, Target::Class(_)));
        let mut confusion =
            (classes && labels.len() > 1).then(|| ConfusionMatrix::new(labels.len()));
        let mut by_windows = false;
        let mut judged: Vec<(f64, &Item)> = Vec::with_capacity(items.len());
        for item in &items {
            let prediction = predictor.predict(&item.waveform(rate)?, windows)?;
            if let (Some(confusion), Target::Class(truth)) = (&mut confusion, &item.target) {
                confusion.add(*truth, argmax(&prediction.scores));
            }
            let badness = badness(&item.target, &prediction, &predictor.truth(&item.target)?);
            by_windows |= !prediction.windows.is_empty();
            judged.push((badness, item));
        }
        // The sort is stable: equally bad ones stay in order.
        judged.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        judged.truncate(self.most);
        let worst = judged.into_iter().map(|(_, item)| {
            let waveform = item.waveform(rate)?;
            Ok(Worst {
                id: item.id.clone(),
                truth: predictor.truth(&item.target)?.to_string(),
                prediction: predictor.predict(&waveform, windows)?,
                labels: labels.clone(),
                waveform,
            })
        });
        Ok(Judged {
            total: items.len(),
            worst: worst.collect::<Result<_>>()?,
            by_windows,
            confusion,
        })
    }
}

/// The distance of an answer from the truth: the cross entropy of its scores, the absolute error of a
/// value, or the word error rate of a transcript.
fn badness(target: &Target, prediction: &Prediction, truth: &Answer) -> f64 {
    let surprise = |probability: f32| -f64::from(probability.max(1e-12)).ln();
    let scores = &prediction.scores;
    match target {
        Target::Class(class) => surprise(scores[*class]),
        Target::Tags(tags) => {
            let each = scores.iter().enumerate().map(|(tag, &score)| {
                surprise(if tags.contains(&tag) {
                    score
                } else {
                    1.0 - score
                })
            });
            each.sum::<f64>() / scores.len().max(1) as f64
        }
        Target::Value(truth) => match prediction.answer {
            Answer::Value(value) => (value - truth).abs(),
            _ => f64::INFINITY,
        },
        Target::Text(_) => {
            let [truth, heard] = [truth, &prediction.answer].map(Answer::to_string);
            Edits::between(&words(&truth), &words(&heard)).rate()
        }
    }
}

/// The longest sound in a report, in seconds, which keeps the page small enough for a browser.
const LONGEST_S: f64 = 30.0;

/// Adds a recording to the page: the truth, the answer, the sound and its spectrogram.
fn example(page: &mut Page, worst: &Worst) -> Result<()> {
    page.begin_section();
    let mut rows = vec![
        ("is", worst.truth.clone()),
        ("heard as", worst.prediction.text(&worst.labels)),
    ];
    let mut scores: Vec<_> = worst.labels.iter().zip(&worst.prediction.scores).collect();
    scores.sort_by(|a, b| b.1.total_cmp(a.1));
    let best = scores
        .iter()
        .take(3)
        .map(|(label, score)| format!("{label} {score:.2}"));
    let best: Vec<String> = best.collect();
    if !best.is_empty() {
        rows.push(("scores", best.join(", ")));
    }
    page.table(rows.iter().map(|(name, value)| [*name, value]));
    page.id(&worst.id);
    let mut waveform = worst.waveform.clone();
    let longest = (LONGEST_S * f64::from(waveform.sample_rate_hz)) as usize;
    if waveform.samples.len() > longest {
        waveform.samples.truncate(longest);
        page.text(&format!("Here are the first {LONGEST_S} s of it."));
    }
    page.sound(&waveform)?;
    let config = FeatureConfig {
        sample_rate_hz: waveform.sample_rate_hz,
        ..FeatureConfig::default()
    };
    let features = FeatureExtractor::new(&config)?.extract(&waveform)?;
    page.picture(
        "Its spectrogram",
        &features_picture(&features, &config, "")?,
    );
    page.end_section();
    Ok(())
}
