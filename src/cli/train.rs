//! `sori train`: begins or resumes a run, or trains folds.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use clap::Args;
use serde_json::json;
use sori_datasets::Spec;
use sori_models::Architecture;

use super::deviation::mean_and_deviation;
use super::options::Common;
use super::output::print_json;
use super::run_args::RunArgs;
use crate::run::RunResult;
use crate::run::folder::has_begun;
use crate::show::advice::advice;
use crate::show::dashboard::Show;
use crate::show::text::time;
use crate::train::fit::{fit, fit_corpus, resume_run};
use crate::train::interrupt::stop_with_stdin;
use crate::train::{fresh_folder, stop_on_interrupt};
use crate::{Error, Result, RunFolder};

#[derive(Args)]
#[command(override_usage = "sori train [OPTIONS] MODEL\n       sori train [OPTIONS] --resume RUN")]
pub(super) struct TrainArgs {
    /// The architecture, as in `sori models`
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub(super) model: Option<String>,
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// The run folder to make [default: runs/MODEL-CORPUS-N]
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Train once for each of these folds of the corpus, which is tested on and the others trained
    /// on, and report mean and deviation: 1,2,3,4,5. Folds that have been trained are kept, so that
    /// the same command goes on after an interruption
    #[arg(
        long,
        value_name = "K,…",
        value_delimiter = ',',
        conflicts_with_all = ["resume", "test_data"],
        requires = "out"
    )]
    folds: Vec<u32>,
    /// Go on with this run to the end it was given
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "data", "valid_data", "test_data", "config", "set", "epochs", "max_minutes", "unk", "seed", "from", "recipe",
    ])]
    resume: Option<PathBuf>,
    /// Stop with a checkpoint when standard input ends
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

pub(super) fn run(common: &Common, args: TrainArgs) -> Result<()> {
    if args.stop_with_stdin {
        stop_with_stdin();
    }
    let show = if common.json {
        Show::Json
    } else if common.quiet {
        Show::Quiet
    } else {
        Show::Auto
    };
    if !args.folds.is_empty() {
        return folds(common, &args, show);
    }
    let trained = if let Some(path) = &args.resume {
        let run = RunFolder::open(path)?;
        if common.skip_bad {
            return Err(Error::Input(
                "--skip-bad: a resumed run keeps the recordings it began with".to_string(),
            ));
        }
        if run.result()?.is_some() {
            common.tell(&format!("run {} has already ended", path.display()))?;
        }
        let backend = common.backend_for(Some(&run.info().backend));
        resume_run(run, backend, show)?
    } else {
        let model = args.model.as_deref().unwrap_or_default();
        let (settings, corpus) = args.run.resolve(common, model)?;
        let path = match &args.out {
            Some(path) => path.clone(),
            None => {
                let corpus = short_name(&settings.data.train);
                let name = format!("{}-{corpus}", settings.model.card().name);
                fresh_folder(Path::new("runs"), &name)?
            }
        };
        let backend = common.backend_for(None);
        fit_corpus(&settings, Some(corpus), &path, backend, show)?
    };
    if common.json {
        return print_json(&trained.result);
    }
    let RunResult {
        metric,
        split,
        value,
        metrics,
        seconds,
        epochs,
        best_epoch,
        labels_left_out,
        valid,
        valid_worst,
        ..
    } = &trained.result;
    let mut others = metrics.clone();
    others.0.remove(metric);
    let epoch = match best_epoch == epochs {
        true if *epochs == 1 => "after 1 epoch".to_string(),
        true => format!("after {epochs} epochs"),
        false => format!("by the best of {epochs} epochs ({best_epoch})"),
    };
    super::output::print(&format!(
        "{metric} {value:.4} on the {split} part ({}), {epoch}; {} of training",
        others.text(""),
        time(std::time::Duration::from_secs_f64(*seconds)),
    ))?;
    if split != "valid" {
        let forecast = valid.get(metric);
        let what = match trained.run.info().joins_at {
            Some(_) => "the validation part's forecast was",
            None => "on the validation part",
        };
        common.tell(&format!("{what} {forecast:.4}"))?;
    }
    if !valid_worst.is_empty() {
        common.tell("worst on the validation part:")?;
    }
    for line in valid_worst.iter().take(3) {
        common.tell(line)?;
    }
    let headline = trained.run.task().headline();
    let num_valid = trained.run.info().splits.valid;
    let train = &trained.run.settings().train;
    let planned = (train.epochs, train.max_minutes);
    for line in advice(&trained.run.metrics()?, headline, planned, num_valid) {
        common.tell(&line)?;
    }
    if !labels_left_out.is_empty() {
        common.tell(&format!(
            "no recording there has {}: left out of the means",
            labels_left_out.join(", ")
        ))?;
    }
    let path = trained.run.path().display();
    common.tell(&if trained.run.task().generates() {
        format!("see what it makes: sori generate {path}")
    } else {
        format!("use it: sori predict {path} AUDIO…")
    })
}

/// Trains a run for each fold, in its own folder below `--out`, and summarises them.
fn folds(common: &Common, args: &TrainArgs, show: Show) -> Result<()> {
    let model = args.model.as_deref().unwrap_or_default();
    let (settings, _) = args.run.resolve(common, model)?;
    let backend = common.backend_for(None);
    let parent = args.out.clone().unwrap_or_default();
    let mut runs = Vec::new();
    for (index, &fold) in args.folds.iter().enumerate() {
        if args.folds[..index].contains(&fold) {
            return Err(Error::Input(format!(
                "--folds: {fold} is there twice; each fold is trained once"
            )));
        }
        let path = parent.join(format!("fold-{fold}"));
        let mut spec: Spec = settings.data.train.parse()?;
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
        if results.len() < args.folds.len() && stop_on_interrupt().load(Ordering::Relaxed) {
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
    super::output::print(&format!(
        "{} {mean:.4} ± {deviation:.4} on the {} part (mean and deviation over {} folds)",
        first.metric,
        first.split,
        results.len()
    ))
}

/// The name of a corpus in run folders: `fsdd` for `fsdd:DIR`, `dtmf` for `synth:dtmf`, or the
/// name of the folder or file if that tells more.
fn short_name(spec: &str) -> String {
    let (corpus, location) = spec.split_once(':').unwrap_or((spec, ""));
    let location = location.split('?').next().unwrap_or_default();
    match corpus {
        "synth" | "folder" | "manifest" => Path::new(location).file_stem().map_or_else(
            || corpus.to_string(),
            |name| name.to_string_lossy().into_owned(),
        ),
        _ => corpus.to_string(),
    }
}
