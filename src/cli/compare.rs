//! `sori compare`: trains one model in several ways.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::options::{Common, of_set};
use super::output::{print, print_json};
use super::picture::PictureArgs;
use super::run_args::RunArgs;
use super::trials::{Share, Trial, begin, train_all};
use crate::file::write_atomically;
use crate::metric::csv_cell;
use crate::metric::mean_and_deviation;
use crate::run::folder::has_begun;
use crate::run::{EpochRecord, RunResult};
use crate::show::curves::{Curve, curves_picture};
use crate::show::text::time;
use crate::task::metrics::title as metric_title;
use crate::{Error, Result, RunFolder, Settings};

#[derive(Args)]
pub(super) struct CompareArgs {
    /// The architecture, as in `sori models`
    pub(super) model: String,
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// One way to train: settings parted by semicolons, such as 'optimizer=sgd; learning_rate=0.1'.
    /// Given once for each way
    #[arg(
        long = "try",
        help_heading = "Training",
        value_name = "KEY=VALUE;…",
        required = true
    )]
    tries: Vec<String>,
    /// Train each way with so many seeds, from --seed on
    #[arg(long, value_name = "N", help_heading = "Training", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    seeds: u16,
    /// Runs at a time [default: one for each core]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// The folder to make: a run for each way and seed, compare.csv and curves.png. The same command
    /// goes on where it was interrupted
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: PathBuf,
    #[command(flatten)]
    picture: PictureArgs,
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
    lower_is_better: bool,
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
    report(common, &plan, args, &outcomes)
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
            lower_is_better: false,
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
            let headline = run.task().headline();
            outcome.metric = Some(headline.metric);
            outcome.lower_is_better = headline.lower_is_better;
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

impl Outcome {
    /// The headline metric of each run on the validation part.
    fn valid(&self) -> Vec<f64> {
        let results = self.results.iter();
        results
            .map(|result| result.valid.get(&result.metric))
            .collect()
    }

    /// Mean and deviation of the headline metric on the test part, if there is one.
    fn tested(&self) -> Option<(f64, f64)> {
        let tested = self.results.iter().filter(|result| result.split == "test");
        let values: Vec<f64> = tested.map(|result| result.value).collect();
        (!values.is_empty()).then(|| mean_and_deviation(&values))
    }
}

/// The ways by their means on the validation part, the best first, and those that failed last.
fn ranked(outcomes: &[Outcome]) -> Vec<usize> {
    let mean = |way: &usize| mean_and_deviation(&outcomes[*way].valid()).0;
    let lower = outcomes.iter().any(|outcome| outcome.lower_is_better);
    let (mut some, none): (Vec<usize>, Vec<usize>) =
        (0..outcomes.len()).partition(|&way| !outcomes[way].results.is_empty());
    some.sort_by(|a, b| match lower {
        true => mean(a).total_cmp(&mean(b)),
        false => mean(b).total_cmp(&mean(a)),
    });
    some.into_iter().chain(none).collect()
}

/// Reports the table as text, JSON and `compare.csv`, and draws the curves.
fn report(common: &Common, plan: &Plan, args: &CompareArgs, outcomes: &[Outcome]) -> Result<()> {
    let (out, theme) = (&args.out, args.picture.theme);
    let mut csv =
        String::from("settings,metric,split,mean,deviation,seeds,failed,seconds,reason,test\n");
    let headline = outcomes.iter().find_map(|outcome| outcome.results.first());
    if let Some(first) = headline {
        let text = match plan.seeds.len() {
            1 => String::new(),
            seeds => format!(", mean and deviation over {seeds} seeds"),
        };
        let metric = &first.metric;
        common.tell(&format!("\n{metric} on the validation part{text}:"))?;
    }
    let order = ranked(outcomes);
    // Nothing is chosen on the test part: only the best way's figure there is shown.
    let tested = order.first().and_then(|&way| outcomes[way].tested());
    for &index in &order {
        let (way, outcome) = (&plan.tries[index], &outcomes[index]);
        let values = outcome.valid();
        let (mean, deviation) = mean_and_deviation(&values);
        let test = tested.filter(|_| Some(&index) == order.first());
        let seconds: f64 = outcome.results.iter().map(|result| result.seconds).sum();
        let failed = outcome.failures.len();
        let reason = outcome.failures.first().map_or("", String::as_str);
        let first = outcome.results.first();
        let metric = first.map_or("", |result| result.metric.as_str());
        let split = if first.is_some() { "valid" } else { "" };
        let number = |value: f64| {
            if first.is_some() {
                format!("{value:.4}")
            } else {
                String::new()
            }
        };
        csv.push_str(&format!(
            "{},{metric},{split},{},{},{},{failed},{seconds:.1},{},{}\n",
            csv_cell(way),
            number(mean),
            number(deviation),
            values.len(),
            csv_cell(reason),
            test.map_or_else(String::new, |(mean, _)| number(mean)),
        ));
        if common.json {
            let seeds: serde_json::Map<_, _> = outcome
                .results
                .iter()
                .zip(&values)
                .map(|(result, value)| (result.seed.to_string(), json!(value)))
                .collect();
            print_json(&json!({
                "settings": way, "metric": metric, "split": split,
                "test": test.map(|(mean, _)| mean), "test_deviation": test.map(|(_, deviation)| deviation),
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
    if let (Some((mean, deviation)), Some(first), Some(&best)) = (tested, headline, order.first()) {
        let value = match plan.seeds.len() {
            1 => format!("{mean:.4}"),
            _ => format!("{mean:.4} ± {deviation:.4}"),
        };
        let (metric, way) = (&first.metric, &plan.tries[best]);
        common.tell(&format!(
            "the best of them, {way}, has {metric} {value} on the test part, which chose nothing"
        ))?;
    }

    let metric = outcomes.iter().find_map(|outcome| outcome.metric);
    let metric = metric.unwrap_or("metric");
    let curves: Vec<Curve> = plan
        .tries
        .iter()
        .zip(outcomes)
        .map(|(way, outcome)| Curve::mean(way, &outcome.epochs, metric))
        .collect();
    let picture = out.join("curves.png");
    write_atomically(
        &picture,
        &curves_picture(&curves, metric_title(metric), theme)?,
    )?;
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
