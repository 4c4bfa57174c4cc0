//! What an exported file says of its run, beside the weights.

use serde::Serialize;
use serde_json::json;
use sori_models::Architecture;

use crate::run::folder::RunFolder;
use crate::task::any::AnyTask;
use crate::{Error, Result};

/// The facts by name. Lists and objects are JSON.
///
/// # Errors
/// When the settings cannot be written as JSON.
pub(super) fn facts<A: Architecture>(
    run: &RunFolder<A>,
    task: &AnyTask,
) -> Result<Vec<(&'static str, String)>> {
    let (info, settings) = (run.info(), run.settings());
    let features = &settings.features;
    let others = match &settings.text {
        Some(text) => json!({"model": settings.model, "text": text}),
        None => json!({"model": settings.model}),
    };
    let mut facts = vec![
        ("sori_version", env!("CARGO_PKG_VERSION").to_string()),
        ("model", info.model.clone()),
        ("task", info.task.to_string()),
        ("labels", written(&info.labels)?),
        ("sample_rate_hz", features.sample_rate_hz.to_string()),
        ("features", written(features)?),
        ("settings", written(&others)?),
        ("window_s", info.window_s.to_string()),
        ("min_samples", features.min_samples().to_string()),
        ("min_frames", settings.model.min_frames().to_string()),
    ];
    if let Some(alphabet) = task.alphabet() {
        facts.push(("alphabet", written(alphabet.as_ref())?));
        let frames = settings.model.frames_per_step() as f64;
        facts.push(("step_s", (frames * features.frame_period_s()).to_string()));
    }
    if let AnyTask::Tag(tags) = task {
        let thresholds = (0..tags.labels.len()).map(|it| tags.threshold(it));
        facts.push(("thresholds", written(&thresholds.collect::<Vec<f32>>())?));
        facts.push(("mean_over_windows", tags.mean_over_windows.to_string()));
    }
    if let Some(reading) = info.reading {
        facts.push(("reading", reading.to_string()));
    }
    if let Some(stats) = &info.stats {
        facts.push(("stats", written(stats)?));
    }
    if let Some(scale) = &info.scale {
        facts.push(("scale", written(scale)?));
    }
    Ok(facts)
}

fn written(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::Input(format!("the settings cannot be written as JSON: {e}")))
}
