//! `sori compare`: trains one model in several ways.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::deviation::mean_and_deviation;
use super::options::{Common, of_set};
use super::output::{print, print_json};
use super::run_args::RunArgs;
use super::trials::{Share, Trial, begin, train_all};
use crate::file::write_atomically;
use crate::metric::csv_cell;
use crate::run::folder::has_begun;
use crate::run::{EpochRecord, RunResult};
use crate::show::curves::{Curve, curves_picture};
use crate::show::text::time;
use crate::{Error, Result, RunFolder, Settings};

#[derive(Args)]
pub(super) struct CompareArgs {
    /// The architecture, as in `sori models`
    pub(super) model: String,
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// One way to train: settings parted by semicolons, such as 'optimizer=sgd; learning_rate=0.1'.
    /// Given once for each way
    #[arg(long = "try", value_name = "KEY=VALUE;…", required = true)]
    tries: Vec<String>,
    /// Train each way with so many seeds, from --seed on
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    seeds: u16,
    /// Runs at a time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// The folder to make: a run for each way and seed, compare.csv and curves.png. The same command
    /// goes on where it was interrupted
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl CompareArgs {
    /// The settings of each way: the common ones with its own.
    pub(super) fn ways(&self, base: &Settings) -> Result<Vec<Settings>> {
        let way = |way: &String| {
            let mut changed = base.clone();
            for assignment in way.split(';').filter(|part| !part.trim().is_empty()) {
                changed = changed.with_override(assignment.trim()).map_err(of_set)?;
            }
            changed.check()?;
            if changed.train.seed != base.train.seed {
                return Err(Error::Input(format!(
                    "--try '{way}': the seed is not a way to train; --seed and --seeds say with \
                     which seeds each way is trained"
                )));
            }
            Ok(changed)
        };
        self.tries.iter().map(way).collect()
    }
}

/// The comparison, as in `compare.json`.
#[derive(PartialEq, Serialize, Deserialize)]
struct Plan {
    tries: Vec<String>,
    /// The settings of each way as TOML.
    settings: Vec<String>,
    seeds: Vec<u64>,
    backend: String,
}

/// The folder of the run of one way with one seed.
fn folder(out: &Path, way: usize, seed: u64) -> PathBuf {
    out.join(format!("{}-seed-{seed}", way + 1))
}

/// The results of a way.
struct Outcome {
    results: Vec<RunResult>,
    /// The reasons of failed runs.
    failures: Vec<String>,
    /// The epochs of each run.
    epochs: Vec<Vec<EpochRecord>>,
    /// The task's headline metric, if a run has begun.
    metric: Option<&'static str>,
}

pub(super) fn run(common: &Common, args: &CompareArgs) -> Result<()> {
    let (base, _) = args.run.resolve(common, &args.model)?;
    let settings = args.ways(&base)?;
    let plan = Plan {
        tries: args.tries.clone(),
        settings: settings
            .iter()
            .map(|settings| settings.absolute()?.to_toml())
            .collect::<Result<_>>()?,
        seeds: (0..u64::from(args.seeds))
            .map(|seed| base.train.seed + seed)
            .collect(),
        backend: common.backend_for(None).as_str().to_string(),
    };
    begin(&plan, &args.out, "compare.json", "comparison")?;
    for (index, settings) in plan.settings.iter().enumerate() {
        write_atomically(&settings_path(&args.out, index), settings.as_bytes())?;
    }

    let ways = || 0..plan.tries.len();
    let pairs: Vec<(usize, u64)> = plan
        .seeds
        .iter()
        .flat_map(|&seed| ways().map(move |way| (way, seed)))
        .collect();
    let trials: Vec<Trial> = pairs
        .iter()
        .map(|&(way, seed)| Trial {
            name: format!("{}  seed {seed}", plan.tries[way]),
            settings: settings_path(&args.out, way),
            seed,
            folder: folder(&args.out, way, seed),
        })
        .collect();
    let share = Share::of(common, args.jobs, trials.len());
    let failures = train_all(common, &args.model, &trials, share)?;
    let mut reasons = vec![Vec::new(); plan.tries.len()];
    for (&(way, _), failure) in pairs.iter().zip(failures) {
        reasons[way].extend(failure);
    }
    let outcomes = gather(&plan, &args.out, reasons)?;
    report(common, &plan, &args.out, &outcomes)
}

fn settings_path(out: &Path, way: usize) -> PathBuf {
    out.join(format!("{}.toml", way + 1))
}

/// Reads the results of each way.
fn gather(plan: &Plan, out: &Path, reasons: Vec<Vec<String>>) -> Result<Vec<Outcome>> {
    let ways = reasons.into_iter().enumerate();
    ways.map(|(way, failures)| {
        let mut outcome = Outcome {
            results: Vec::new(),
            failures,
            epochs: Vec::new(),
            metric: None,
        };
        let mut unfinished = Vec::new();
        for &seed in &plan.seeds {
            let path = folder(out, way, seed);
            if !has_begun(&path) {
                continue;
            }
            let run = match RunFolder::open(&path) {
                Ok(run) => run,
                Err(error) => {
                    outcome.failures.push(error.to_string());
                    continue;
                }
            };
            outcome.metric = Some(run.task().headline().metric);
            match run.result()? {
                Some(result) => {
                    outcome.epochs.push(run.metrics()?);
                    outcome.results.push(result);
                }
                None => unfinished.push(run.metrics()?),
            }
        }
        if outcome.epochs.is_empty() {
            outcome.epochs = unfinished;
        }
        Ok(outcome)
    })
    .collect()
}

/// Reports the table as text, JSON and `compare.csv`, and draws the curves.
fn report(common: &Common, plan: &Plan, out: &Path, outcomes: &[Outcome]) -> Result<()> {
    let mut csv =
        String::from("settings,metric,split,mean,deviation,seeds,failed,seconds,reason\n");
    let headline = outcomes.iter().find_map(|outcome| outcome.results.first());
    if let Some(first) = headline {
        let text = match plan.seeds.len() {
            1 => String::new(),
            seeds => format!(", mean and deviation over {seeds} seeds"),
        };
        common.tell(&format!(
            "\n{} on the {} part{text}:",
            first.metric, first.split
        ))?;
    }
    for (way, outcome) in plan.tries.iter().zip(outcomes) {
        let values: Vec<f64> = outcome.results.iter().map(|result| result.value).collect();
        let (mean, deviation) = mean_and_deviation(&values);
        let seconds: f64 = outcome.results.iter().map(|result| result.seconds).sum();
        let failed = outcome.failures.len();
        let reason = outcome.failures.first().map_or("", String::as_str);
        let first = outcome.results.first();
        let [metric, split] = [
            first.map_or("", |result| result.metric.as_str()),
            first.map_or("", |result| result.split.as_str()),
        ];
        let number = |value: f64| {
            if first.is_some() {
                format!("{value:.4}")
            } else {
                String::new()
            }
        };
        csv.push_str(&format!(
            "{},{metric},{split},{},{},{},{failed},{seconds:.1},{}\n",
            csv_cell(way),
            number(mean),
            number(deviation),
            values.len(),
            csv_cell(reason),
        ));
        if common.json {
            let seeds: serde_json::Map<_, _> = outcome
                .results
                .iter()
                .map(|result| (result.seed.to_string(), json!(result.value)))
                .collect();
            print_json(&json!({
                "settings": way, "metric": metric, "split": split,
                "value": first.map(|_| mean), "deviation": first.map(|_| deviation),
                "seeds": seeds, "failed": outcome.failures, "seconds": seconds,
            }))?;
            continue;
        }
        let value = match (first, plan.seeds.len()) {
            (None, _) => "failed".to_string(),
            (Some(_), 1) => format!("{mean:.4}"),
            (Some(_), _) => format!("{mean:.4} ± {deviation:.4}"),
        };
        let some = match (first, failed) {
            (_, 0) => String::new(),
            (_, failed) => format!("  ({failed} failed: {reason})"),
        };
        let took = time(Duration::from_secs_f64(seconds));
        print(&format!("{value:<16}  {took:>6}  {way}{some}"))?;
    }
    write_atomically(&out.join("compare.csv"), csv.as_bytes())?;

    let metric = outcomes.iter().find_map(|outcome| outcome.metric);
    let metric = metric.unwrap_or("metric");
    let curves: Vec<Curve> = plan
        .tries
        .iter()
        .zip(outcomes)
        .map(|(way, outcome)| Curve {
            name: way.clone(),
            train_loss: mean_curve(&outcome.epochs, |epoch| epoch.train_loss),
            valid: mean_curve(&outcome.epochs, |epoch| epoch.valid.get(metric)),
        })
        .collect();
    let picture = out.join("curves.png");
    write_atomically(&picture, &curves_picture(&curves, metric)?)?;
    common.tell(&format!("learning curves: {}", picture.display()))?;
    let failed: usize = outcomes.iter().map(|way| way.failures.len()).sum();
    let runs = plan.tries.len() * plan.seeds.len();
    match failed {
        0 => Ok(()),
        _ => Err(Error::Input(format!(
            "{failed} of {runs} runs failed; compare.csv says why, and the same command tries them again"
        ))),
    }
}

/// The mean over the runs at each epoch that all of them have.
fn mean_curve(runs: &[Vec<EpochRecord>], of: impl Fn(&EpochRecord) -> f64) -> Vec<f64> {
    let epochs = runs.iter().map(Vec::len).min().unwrap_or(0);
    (0..epochs)
        .map(|epoch| runs.iter().map(|run| of(&run[epoch])).sum::<f64>() / runs.len() as f64)
        .collect()
}
