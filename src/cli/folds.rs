//! `sori train --folds`: a run for each fold of a corpus.

use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::json;
use sori_datasets::Spec;
use sori_models::Architecture;

use super::options::Common;
use super::output::{print, print_json};
use super::run_args::{RunArgs, short_name};
use crate::metric::mean_and_deviation;
use crate::run::RunResult;
use crate::run::folder::has_begun;
use crate::show::dashboard::Show;
use crate::train::fit::{fit, resume_run};
use crate::train::stop_on_interrupt;
use crate::{Error, Result, RunFolder};

/// The number of folds of a folder or manifest whose SPEC names none.
const USUAL: u32 = 5;

/// The folds to train, and the corpus divided into as many as are asked for: a number alone is how many
/// there are, and several are some of them.
fn numbered(asked: &[u32], mut spec: Spec) -> Result<(Vec<u32>, Spec)> {
    let count = match asked {
        [count] if *count > 1 => *count,
        _ => return Ok((asked.to_vec(), spec)),
    };
    let is_own = ["folder", "manifest"].contains(&spec.corpus.as_str());
    match spec.query.get("of") {
        Some(of) if *of != count.to_string() => {
            return Err(Error::Input(format!(
                "--folds {count} asks for {count} folds, and the SPEC for of={of}; give one of them"
            )));
        }
        None if is_own && count != USUAL => {
            spec.query.insert("of".to_string(), count.to_string());
        }
        _ => {}
    }
    Ok(((1..=count).collect(), spec))
}

/// Trains a run of a model for each of the folds that are asked for, in its own folder below `out`, and
/// summarises them.
pub(super) fn folds(
    common: &Common,
    (model, run): (&str, &RunArgs),
    asked: &[u32],
    out: Option<&Path>,
    show: Show,
) -> Result<()> {
    let (settings, _) = run.resolve(common, model)?;
    let backend = common.backend_for(None);
    let name = settings.model.card().name;
    let parent = out.map_or_else(
        || {
            let corpus = short_name(&settings.data.train);
            Path::new("runs").join(format!("{name}-{corpus}-folds"))
        },
        Path::to_path_buf,
    );
    let spec = settings.data.train.parse()?;
    let (numbers, spec) = numbered(asked, spec)?;
    let mut runs = Vec::new();
    for (index, &fold) in numbers.iter().enumerate() {
        if numbers[..index].contains(&fold) {
            return Err(Error::Input(format!(
                "--folds: {fold} is there twice; each fold is trained once"
            )));
        }
        let path = parent.join(format!("fold-{fold}"));
        let mut spec = spec.clone();
        spec.query.insert("folds".to_string(), fold.to_string());
        let mut settings = settings.clone();
        settings.data.train = spec.to_string();
        let begun = match has_begun(&path) {
            true => Some(RunFolder::open(&path)?),
            false => None,
        };
        if let Some(run) = &begun
            && !settings.begins_same_run(run.settings())?
        {
            return Err(Error::Input(format!(
                "{} holds a run of other settings (its config.toml says which); name another --out, \
                 or give the command that began it",
                path.display()
            )));
        }
        runs.push((fold, path, settings, begun));
    }
    let interrupted = || Error::Interrupted {
        again: "the same command".to_string(),
    };
    let mut results: Vec<(u32, RunResult)> = Vec::new();
    for (fold, path, settings, begun) in runs {
        common.tell(&format!("fold {fold}:"))?;
        let trained = match begun {
            Some(run) => resume_run(run, backend, show),
            None => fit(&settings, &path, backend, show),
        };
        let trained = trained.map_err(|error| match error {
            Error::Interrupted { .. } => interrupted(),
            error => error,
        })?;
        common.tell(&format!(
            "fold {fold}: {} {:.4}",
            trained.result.metric, trained.result.value
        ))?;
        results.push((fold, trained.result));
        // After the last step of a fold, Ctrl-C lets it end.
        if results.len() < numbers.len() && stop_on_interrupt().load(Ordering::Relaxed) {
            return Err(interrupted());
        }
    }
    let Some((_, first)) = results.first() else {
        return Ok(());
    };
    let values: Vec<f64> = results.iter().map(|(_, result)| result.value).collect();
    let (mean, deviation) = mean_and_deviation(&values);
    if common.json {
        let folds: serde_json::Map<_, _> = results
            .iter()
            .map(|(fold, result)| (fold.to_string(), json!(result.value)))
            .collect();
        return print_json(&json!({
            "task": first.task, "model": first.model, "metric": first.metric, "split": first.split,
            "value": mean, "deviation": deviation, "folds": folds, "params": first.params,
            "seconds": results.iter().map(|(_, result)| result.seconds).sum::<f64>(),
            "epochs": first.epochs, "backend": first.backend, "seed": first.seed,
        }));
    }
    print(&format!(
        "{} {mean:.4} ± {deviation:.4} on the {} part (mean and deviation over {} folds)",
        first.metric,
        first.split,
        results.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_how_many_folds_there_are() {
        let found = |asked: &[u32], spec: &str| {
            let (numbers, spec) = numbered(asked, spec.parse().unwrap())?;
            Ok::<_, Error>((numbers, spec.to_string()))
        };
        let three = (vec![1, 2, 3], "folder:rec?of=3".to_string());
        assert_eq!(found(&[3], "folder:rec").unwrap(), three);
        assert_eq!(found(&[3], "folder:rec?of=3").unwrap(), three);
        let some = (vec![1, 4], "manifest:a.csv".to_string());
        assert_eq!(found(&[1, 4], "manifest:a.csv").unwrap(), some);
        assert_eq!(found(&[1], "folder:rec").unwrap().0, [1]);
        // Published folds are as many as they are.
        let esc = (vec![1, 2, 3, 4, 5], "esc:DIR".to_string());
        assert_eq!(found(&[5], "esc:DIR").unwrap(), esc);
        assert_eq!(found(&[5], "folder:rec").unwrap().1, "folder:rec");
        let error = found(&[5], "folder:rec?of=10").unwrap_err().to_string();
        assert!(error.contains("of=10"), "{error}");
    }
}
