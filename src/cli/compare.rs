//! `sori compare`: trains one model in several ways.

use std::collections::VecDeque;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::deviation::mean_and_deviation;
use super::options::{Common, of_set};
use super::output::{print, print_json};
use super::recipe::RunArgs;
use crate::file::{is_temporary, remove_temporary, write_atomically};
use crate::metric::csv_cell;
use crate::run::claim::is_locked;
use crate::run::folder::has_begun;
use crate::run::{EpochRecord, RunResult};
use crate::show::curves::{Curve, curves_picture};
use crate::show::text::time;
use crate::train::stop_on_interrupt;
use crate::{BackendName, Error, Result, RunFolder, Settings};

#[derive(Args)]
pub(super) struct CompareArgs {
    /// The architecture, as in `sori models`
    pub(super) model: String,
    #[command(flatten)]
    pub(super) recipe: RunArgs,
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

/// The time from one look at a process to the next.
const LOOK: Duration = Duration::from_millis(20);
/// The time that a process has for its last checkpoint.
const GRACE: Duration = Duration::from_secs(10);

/// The comparison, as in `compare.json`.
#[derive(PartialEq, Serialize, Deserialize)]
struct Plan {
    tries: Vec<String>,
    /// The settings of each way as TOML.
    settings: Vec<String>,
    seeds: Vec<u64>,
    backend: String,
}

/// A run to train: one way with one seed.
#[derive(Clone, Copy)]
struct Trial {
    way: usize,
    seed: u64,
}

impl Trial {
    fn folder(self, out: &Path) -> PathBuf {
        out.join(format!("{}-seed-{}", self.way + 1, self.seed))
    }
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
    let (base, _) = args.recipe.resolve(common, &args.model)?;
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
    begin(&plan, &args.out)?;

    let jobs: Vec<Trial> = plan
        .seeds
        .iter()
        .flat_map(|&seed| (0..plan.tries.len()).map(move |way| Trial { way, seed }))
        .collect();
    let cores = match common.threads {
        Some(threads) => usize::from(threads),
        None => available_parallelism().map_or(1, usize::from),
    };
    let at_once = args.jobs.map_or(cores, usize::from).min(jobs.len());
    let threads = (cores / at_once).max(1);
    let failures = train_all(
        common,
        &args.model,
        &plan,
        &args.out,
        jobs,
        [at_once, threads],
    )?;
    let outcomes = gather(&plan, &args.out, &failures)?;
    report(common, &plan, &args.out, &outcomes)
}

/// Writes the plan, or checks that the folder holds the same one.
fn begin(plan: &Plan, out: &Path) -> Result<()> {
    let path = out.join("compare.json");
    if path.is_file() {
        let text = std::fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
        if serde_json::from_str::<Plan>(&text).ok().as_ref() != Some(plan) {
            return Err(Error::Input(format!(
                "{} holds another comparison (its compare.json says which); name another --out, or \
                 give the command that began it",
                out.display()
            )));
        }
    } else {
        std::fs::create_dir_all(out).map_err(Error::io("cannot create", out))?;
        // A comparison that was killed while it wrote its plan leaves a temporary file.
        let entries = std::fs::read_dir(out).map_err(Error::io("cannot read", out))?;
        let names = entries.flatten().map(|entry| entry.file_name());
        if names
            .into_iter()
            .any(|name| !is_temporary(&name.to_string_lossy()))
        {
            return Err(Error::Input(format!(
                "{} holds something else; a comparison needs a folder of its own",
                out.display()
            )));
        }
        let text = serde_json::to_string_pretty(plan)
            .map_err(|e| Error::Input(format!("the comparison cannot be written as JSON: {e}")))?;
        write_atomically(&path, text.as_bytes())?;
        remove_temporary(out);
    }
    for (index, settings) in plan.settings.iter().enumerate() {
        write_atomically(&settings_path(out, index), settings.as_bytes())?;
    }
    Ok(())
}

fn settings_path(out: &Path, way: usize) -> PathBuf {
    out.join(format!("{}.toml", way + 1))
}

/// Trains the runs that are missing, each in its own process, because a process has a single
/// random state. Returns the reasons of failed runs.
fn train_all(
    common: &Common,
    model: &str,
    plan: &Plan,
    out: &Path,
    jobs: Vec<Trial>,
    [at_once, threads]: [usize; 2],
) -> Result<Vec<(Trial, String)>> {
    let stop = stop_on_interrupt();
    let total = jobs.len();
    let backend = common.backend_for(None);
    let queue = Mutex::new(VecDeque::from(jobs));
    let done = Mutex::new((0, Vec::new()));
    let work = || -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let job = queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(job) = job else {
                return Ok(());
            };
            let failure = match train(job, model, out, threads, backend, stop) {
                Ok(failure) => failure,
                Err(error) => Some(error.to_string()),
            };
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.0 += 1;
            let told = match &failure {
                None => String::new(),
                Some(reason) => format!(": {reason}"),
            };
            let (count, name) = (done.0, &plan.tries[job.way]);
            common.tell(&format!("{count}/{total}  {name}  seed {}{told}", job.seed))?;
            done.1.extend(failure.map(|reason| (job, reason)));
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Interrupted {
            again: "the same command".to_string(),
        });
    }
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner).1)
}

/// Trains one run to its end. Returns the reason if it failed.
fn train(
    job: Trial,
    model: &str,
    out: &Path,
    threads: usize,
    backend: BackendName,
    stop: &AtomicBool,
) -> Result<Option<String>> {
    let path = job.folder(out);
    // A run of a comparison that was killed stops by itself, after its step and a checkpoint.
    while is_locked(&path) && !stop.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
    }
    let begun = has_begun(&path);
    if begun && RunFolder::open(&path)?.result()?.is_some() {
        return Ok(None);
    }
    let sori = std::env::current_exe().map_err(Error::io("cannot find", "sori".as_ref()))?;
    let mut command = Command::new(&sori);
    command.args(["train", "--quiet", "--threads", &threads.to_string()]);
    // If this process is killed, the run's standard input ends, and it stops with a checkpoint.
    command.arg("--stop-with-stdin");
    command.args(["--backend", backend.as_str()]);
    if begun {
        command.arg("--resume").arg(&path);
    } else {
        let settings = settings_path(out, job.way);
        command.arg(model).arg("--config").arg(settings);
        command.args(["--seed", &job.seed.to_string()]);
        command.arg("--out").arg(&path);
    }
    let mut said = tempfile::tempfile().map_err(Error::io("cannot make", "a log".as_ref()))?;
    let log = said
        .try_clone()
        .map_err(Error::io("cannot open", "a log".as_ref()))?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(Error::io("cannot start", &sori))?;
    let status = wait(&mut child, stop).map_err(Error::io("cannot wait for", &sori))?;
    let mut text = Vec::new();
    // Without its output the run's failure has no reason, but stays one.
    let _ = said.rewind().and_then(|()| said.read_to_end(&mut text));
    if status.success() || stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&text);
    let reason = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("error: "));
    let panic = || text.lines().find(|line| line.contains("panicked"));
    Ok(Some(reason.or_else(panic).map_or_else(
        || format!("its process ended by {status}"),
        str::to_string,
    )))
}

/// Waits for a run to end. When this process is told to stop, so is the run, which writes a checkpoint. If
/// that takes too long, it is killed, which is safe at any moment.
fn wait(child: &mut Child, stop: &AtomicBool) -> std::io::Result<ExitStatus> {
    let mut stopped = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) {
            drop(child.stdin.take());
            if stopped.get_or_insert_with(Instant::now).elapsed() > GRACE {
                child.kill()?;
            }
        }
        thread::sleep(LOOK);
    }
}

/// Reads the results of each way.
fn gather(plan: &Plan, out: &Path, failures: &[(Trial, String)]) -> Result<Vec<Outcome>> {
    let ways = 0..plan.tries.len();
    ways.map(|way| {
        let mut outcome = Outcome {
            results: Vec::new(),
            failures: Vec::new(),
            epochs: Vec::new(),
            metric: None,
        };
        let mut unfinished = Vec::new();
        let failed = failures.iter().filter(|(trial, _)| trial.way == way);
        outcome
            .failures
            .extend(failed.map(|(_, reason)| reason.clone()));
        for &seed in &plan.seeds {
            let path = Trial { way, seed }.folder(out);
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
