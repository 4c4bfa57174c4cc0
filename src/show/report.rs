//! The report of a run on one self-contained page: its settings, learning curves and metrics, and its
//! worst recordings, to see and to hear.

use std::path::Path;

use sori_datasets::FeatureKind;

use super::answers;
use super::curves::{Curve, curves_picture};
use super::filters::filters_picture;
use super::group::{self, BackendChoice};
use super::page::Page;
use super::text::{thousands, time};
use crate::backend::BackendName;
use crate::error::Result;
use crate::infer::gallery::generate;
use crate::infer::judge::judge;
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::RunFolder;
use crate::task::metrics::title;

/// Writes the report of a run folder, of a comparison or of the folds of a run as HTML, with the `most`
/// recordings of the test part on which it did worst. They are predicted on `backend`, or, without one, on
/// the one that a run was trained on.
///
/// # Errors
/// When the folder holds none of these, or cannot be read.
pub fn report_folder(path: &Path, most: usize, backend: BackendChoice<'_>) -> Result<String> {
    match group::runs_below(path)? {
        Some(group) => group::report(&group, most, backend),
        None => {
            let run = RunFolder::open(path)?;
            let backend = backend(&run.info().backend);
            report(&run, most, backend)
        }
    }
}

/// Writes the report of `run` as HTML, with the `most` recordings of the test part on which its best
/// checkpoint did worst. The whole test part is predicted again on `backend`.
///
/// # Errors
/// When the run or its data cannot be read.
pub fn report(run: &RunFolder, most: usize, backend: BackendName) -> Result<String> {
    let (info, settings) = (run.info(), run.settings());
    // An imported run has no recordings of its own.
    let judged = match run.task().generates() || info.imported.is_some() {
        true => None,
        false => Some(judge(run, most, backend)?),
    };
    let epochs = run.metrics()?;
    let result = run.result()?;

    let mut page = Page::default();
    let name = run.path().file_name().map_or_else(
        || run.path().display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    page.begin(&match &info.imported {
        Some(imported) => format!("{}, imported from {}", info.model, imported.file),
        None => format!("{} on {}", info.model, settings.data.train),
    });
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
    if let Some(imported) = &info.imported {
        facts.push(("SHA-256", imported.sha256.clone()));
    }
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
        None if info.imported.is_some() => facts.push(("trained", "elsewhere".to_string())),
        None => facts.push(("trained", format!("{} epochs so far", epochs.len()))),
    }
    page.facts(facts.iter().map(|(name, value)| [*name, value]));

    let split = match info.splits.test {
        0 => "valid",
        _ => "test",
    };
    page.heading(&format!("On the {split} part"));
    match &result {
        Some(result) => {
            let rows: Vec<_> = result.metrics.named(run.task().headline().metric).collect();
            page.facts(
                rows.iter()
                    .map(|(name, value)| [name.as_str(), value.as_str()]),
            );
        }
        None if info.imported.is_some() => page.text(
            "It has no recordings of its own, and nothing was measured here; `sori eval` with data measures it.",
        ),
        None => page.text("Training has not ended, and nothing was measured on it yet."),
    }
    if judged.as_ref().is_some_and(|judged| judged.by_windows) {
        page.text(
            "Of recordings longer than any that it learned from, the metrics are of the whole and what \
             follows is of their windows, as `sori predict` has them.",
        );
    }
    if let Some(judged) = &judged {
        answers::labels(&mut page, judged)?;
    }
    if !epochs.is_empty() {
        page.heading("How it learned");
        let metric = run.task().headline().metric;
        let curve = [Curve::mean(
            &info.model,
            std::slice::from_ref(&epochs),
            metric,
        )];
        page.picture("Learning curves", |theme| {
            curves_picture(&curve, title(metric), theme)
        })?;
    }
    if let Some(filters) = waveform_filters(run)? {
        page.heading("What its first layer hears");
        let rate = f64::from(settings.features.sample_rate_hz);
        page.picture("Frequency responses of the first convolution", |theme| {
            filters_picture(&filters, rate, theme)
        })?;
    }
    match &judged {
        Some(judged) => answers::worst(&mut page, judged)?,
        None if !run.task().generates() => {}
        None => {
            page.heading("What it makes");
            let gallery = generate(run, MADE, 0, backend)?;
            page.picture("Patches", |theme| gallery.picture(theme))?;
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
