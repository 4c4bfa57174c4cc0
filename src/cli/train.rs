//! `sori train`: begins, resumes or extends a run.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sori_datasets::{Item, Part, Source, Spec};
use sori_models::Architecture;

use super::certainty::{certainty, interval};
use super::folds::folds;
use super::groups::word;
use super::options::Common;
use super::output::print_json;
use super::run_args::{RunArgs, short_name};
use crate::data::Data;
use crate::run::RunResult;
use crate::show::advice::advice;
use crate::show::dashboard::Show;
use crate::show::text::time;
use crate::train::extend::extend;
use crate::train::fit::{fit_corpus, resume_run};
use crate::train::fresh_folder;
use crate::train::interrupt::stop_with_stdin;
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
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with = "resume",
        help_heading = "Output"
    )]
    out: Option<PathBuf>,
    /// Train once for each fold of the corpus, which is tested on and the others trained on, and report
    /// mean and deviation: 5 divides folders and manifests into five folds, 1,2,3 names some. Folds that
    /// have been trained are kept, so that the same command goes on after an interruption
    #[arg(
        long,
        help_heading = "Data",
        value_name = "N|K,…",
        value_delimiter = ',',
        conflicts_with_all = ["resume", "test_data"]
    )]
    folds: Vec<u32>,
    /// Go on with this run to the end it was given; with --epochs N of a run that has ended, to another
    /// end
    #[arg(long, value_name = "RUN", help_heading = "Training", conflicts_with_all = [
        "data", "valid_data", "test_data", "config", "set", "learning_rate", "batch_size", "max_minutes",
        "unk", "seed", "from", "recipe", "tensorboard",
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
        let model = args.model.as_deref().unwrap_or_default();
        let (numbers, out) = (&args.folds, args.out.as_deref());
        return folds(common, (model, &args.run), numbers, out, show);
    }
    let mut to_try = None;
    let trained = if let Some(path) = &args.resume {
        let mut run = RunFolder::open(path)?;
        if common.skip_bad {
            return Err(Error::Input(
                "--skip-bad: a resumed run keeps the recordings it began with".to_string(),
            ));
        }
        if let Some(epochs) = args.run.epochs {
            let (longer, said) = extend(run, epochs)?;
            common.tell(&said)?;
            run = longer;
        } else if run.result()?.is_some() {
            common.tell(&format!(
                "run {} has already ended; --epochs N gives it more",
                path.display()
            ))?;
        }
        let backend = common.backend_for(Some(&run.info().backend));
        let trained = resume_run(run, backend, show)?;
        if !common.json && !trained.run.task().generates() {
            // A hint alone: recordings that are gone do not matter here.
            let data = Data::of_run(&trained.run).ok();
            to_try = data.and_then(|data| recording_to_try(&data.items));
        }
        trained
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
        to_try = recording_to_try(&corpus.items);
        fit_corpus(&settings, Some(corpus), &path, backend, show)?
    };
    let splits = trained.run.info().splits;
    let count = match trained.result.split.as_str() {
        "test" => splits.test,
        _ => splits.valid,
    };
    if common.json {
        let RunResult { metric, value, .. } = &trained.result;
        let mut line = json!(trained.result);
        line["interval"] = json!(interval(metric, *value, count));
        return print_json(&line);
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
    if !trained.run.task().generates() {
        for line in certainty(metric, *value, count) {
            common.tell(&line)?;
        }
    }
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
    let path = word(&trained.run.path().display().to_string());
    if trained.run.task().generates() {
        return common.tell(&format!("see what it makes: sori generate {path}"));
    }
    let spec: Spec = trained.run.settings().data.train.parse()?;
    if spec.corpus == "synth" {
        common.tell(&format!(
            "recordings to try it on: sori data export {} --count 5 --into DIR",
            word(&spec.to_string())
        ))?;
    }
    let audio = to_try.map_or("AUDIO…".to_string(), |file| word(&file));
    common.tell(&format!("use it: sori predict {path} {audio}"))
}

/// A file of the test part, or any, if there are files.
fn recording_to_try(items: &[Item]) -> Option<String> {
    let tested = items.iter().filter(|item| item.part == Part::Test);
    let mut all = tested.chain(items);
    all.find_map(|item| match &item.source {
        Source::File(path) => Some(path.display().to_string()),
        _ => None,
    })
}
