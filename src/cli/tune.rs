//! `sori tune`: searches a recipe's settings on the validation part, by successive halving
//! ([Jamieson and Talwalkar 2016](https://arxiv.org/abs/1502.07943)).

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::options::Common;
use super::output::{print, print_json};
use super::run_args::RunArgs;
use super::trials::{Share, Trial, begin, train_all};
use crate::file::write_atomically;
use crate::metric::csv_cell;
use crate::run::RunResult;
use crate::run::folder::has_begun;
use crate::show::text::time;
use crate::{Error, Result, RunFolder, Settings};

/// One candidate of so many goes on, for so many times the epochs.
const KEPT: usize = 3;
/// The most candidates.
const MOST: usize = 27;
/// The share of a candidate's settings that stay as in the recipe.
const UNCHANGED: f64 = 0.5;

/// Factors of the learning rate that are tried.
const FACTORS: [f64; 4] = [0.3, 0.6, 1.7, 3.0];
/// Other settings that are searched, where model and task have them.
const VALUES: [(&str, &[f64]); 7] = [
    ("model.dropout", &[0.0, 0.1, 0.2, 0.3, 0.5]),
    ("augment.speed.probability", &[0.0, 0.5, 1.0]),
    ("augment.pitch.probability", &[0.0, 0.3, 0.6]),
    ("augment.noise.probability", &[0.0, 0.3, 0.7]),
    ("augment.equalizer.probability", &[0.0, 0.5, 1.0]),
    ("augment.spec_augment.probability", &[0.0, 0.5, 1.0]),
    ("augment.mix.probability", &[0.0, 0.3, 0.6]),
];

#[derive(Args)]
pub(super) struct TuneArgs {
    /// The architecture, as in `sori models`
    pub(super) model: String,
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Minutes to search for, about
    #[arg(long, value_name = "M", help_heading = "Training", default_value_t = 60.0, value_parser = minutes)]
    minutes: f64,
    /// Runs at a time [default: one for each core]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// The folder to make: a run for each candidate and rung, tune.csv and config.toml, the best settings.
    /// The same command goes on where it was interrupted
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: PathBuf,
}

fn minutes(text: &str) -> std::result::Result<f64, String> {
    let parsed = text.parse().ok();
    let positive = parsed.filter(|minutes: &f64| minutes.is_finite() && *minutes > 0.0);
    positive.ok_or_else(|| "it must be above 0, such as 30".to_string())
}

/// The search, as in `tune.json`.
#[derive(PartialEq, Serialize, Deserialize)]
struct Plan {
    /// The recipe's settings as TOML.
    base: String,
    minutes: f64,
    /// The changes of each candidate, as for `--set`, parted by semicolons; the recipe itself is first.
    candidates: Vec<String>,
}

/// What a candidate reached on the validation part.
struct Found {
    candidate: usize,
    epochs: usize,
    /// The headline metric on the validation part.
    valid: f64,
    /// The same, so that larger is better.
    score: f64,
    metric: &'static str,
    seconds: f64,
}

/// A search under way.
struct Search<'a> {
    common: &'a Common,
    args: &'a TuneArgs,
    base: Settings,
    plan: Plan,
}

pub(super) fn run(common: &Common, args: &TuneArgs) -> Result<()> {
    let (base, _) = args.run.resolve(common, &args.model)?;
    let plan = Plan {
        base: base.absolute()?.to_toml()?,
        minutes: args.minutes,
        candidates: candidates(&base),
    };
    begin(&plan, &args.out, "tune.json", "search")?;
    let search = Search {
        common,
        args,
        base,
        plan,
    };
    let found = search.search()?;
    search.finish(&found)
}

/// The recipe, and random changes to it: each setting that can be searched stays or gets another value.
fn candidates(base: &Settings) -> Vec<String> {
    let rates = FACTORS.map(|factor| factor * base.train.learning_rate);
    let knobs = std::iter::once(("train.learning_rate", &rates[..])).chain(VALUES);
    // Those that the model and the task have.
    let knobs: Vec<Vec<String>> = knobs
        .map(|(key, values)| {
            let assignments = values.iter().map(|value| format!("{key}={value:?}"));
            let makes_sense = |assignment: &String| {
                let changed = base.with_override(assignment);
                changed.is_ok_and(|changed| changed != *base && changed.check().is_ok())
            };
            assignments.filter(makes_sense).collect()
        })
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(base.train.seed);
    let mut made = vec![String::new()];
    // There may be fewer than wanted.
    for _ in 0..10 * MOST {
        let mut changes = Vec::new();
        for assignments in &knobs {
            if !rng.random_bool(UNCHANGED) {
                changes.extend(assignments.choose(&mut rng).cloned());
            }
        }
        let changes = changes.join("; ");
        if made.len() < MOST && !made.contains(&changes) {
            made.push(changes);
        }
    }
    made
}

/// Settings with changes parted by semicolons.
fn with_changes(base: &Settings, changes: &str) -> Result<Settings> {
    let mut changes = changes.split("; ").filter(|change| !change.is_empty());
    changes.try_fold(base.clone(), |settings, change| {
        settings.with_override(change)
    })
}

impl Search<'_> {
    /// Trains candidates for a ninth of the epochs, the best third of them for a third, and the best third
    /// of these for all. Returns what all of them reached, the best last.
    fn search(&self) -> Result<Vec<Found>> {
        let epochs = self.base.train.epochs;
        let mut rungs = [9, 3, 1].map(|part| epochs.div_ceil(part)).to_vec();
        rungs.dedup();
        let (mut found, reasons) = self.train(&[0], rungs[0])?;
        let Some(first) = found.first() else {
            let reason = reasons.first().map_or("it has no result", String::as_str);
            return Err(Error::Input(format!(
                "the recipe itself cannot be trained: {reason}"
            )));
        };
        // All rungs of n candidates take n/3 times the epochs of one run.
        let run = first.seconds / first.epochs as f64 * epochs as f64;
        let at_once = Share::of(self.common, self.args.jobs, MOST).at_once;
        let runs = self.plan.minutes * 60.0 * at_once as f64 / run.max(1e-3);
        let count = (runs * KEPT as f64) as usize;
        let count = count.max(KEPT).min(self.plan.candidates.len());
        self.common.tell(&format!(
            "{count} candidates; a run of {epochs} epochs takes about {}",
            time(Duration::from_secs_f64(run))
        ))?;
        let mut left: Vec<usize> = (0..count).collect();
        for epochs in rungs {
            let (mut rung, _) = self.train(&left, epochs)?;
            rung.sort_by(|a, b| a.score.total_cmp(&b.score));
            let kept = rung.iter().rev().take(left.len().div_ceil(KEPT));
            left = kept.map(|it| it.candidate).collect();
            found.retain(|it| it.epochs != epochs);
            found.extend(rung);
        }
        Ok(found)
    }

    /// Trains these candidates for so many epochs. Returns what they reached, and why others failed.
    fn train(&self, candidates: &[usize], epochs: usize) -> Result<(Vec<Found>, Vec<String>)> {
        let out = &self.args.out;
        let mut trials = Vec::new();
        for &candidate in candidates {
            let mut settings = with_changes(&self.base, &self.plan.candidates[candidate])?;
            settings.train.shorten(epochs);
            // The validation part is what is measured on, to the end.
            settings.train.join_valid = 1.0;
            let path = out.join(format!("{}-epochs-{epochs}", candidate + 1));
            let file = path.with_extension("toml");
            write_atomically(&file, settings.absolute()?.to_toml()?.as_bytes())?;
            trials.push(Trial {
                name: format!("{epochs} epochs  {}", self.name(candidate)),
                settings: file,
                seed: self.base.train.seed,
                folder: path,
            });
        }
        let share = Share::of(self.common, self.args.jobs, trials.len());
        let failures = train_all(self.common, &self.args.model, &trials, share)?;
        let (mut found, mut reasons) = (Vec::new(), Vec::new());
        for ((&candidate, trial), failure) in candidates.iter().zip(&trials).zip(failures) {
            if failure.is_some() || !has_begun(&trial.folder) {
                reasons.extend(failure);
                continue;
            }
            let run = RunFolder::open(&trial.folder)?;
            let headline = run.task().headline();
            let Some(RunResult { valid, seconds, .. }) = run.result()? else {
                continue;
            };
            let valid = valid.get(headline.metric);
            found.push(Found {
                candidate,
                epochs,
                valid,
                score: match headline.lower_is_better {
                    _ if valid.is_nan() => f64::NEG_INFINITY,
                    true => -valid,
                    false => valid,
                },
                metric: headline.metric,
                seconds,
            });
        }
        Ok((found, reasons))
    }

    fn name(&self, candidate: usize) -> &str {
        match self.plan.candidates[candidate].as_str() {
            "" => "as the recipe",
            changes => changes,
        }
    }

    /// Writes the best settings and the table, and prints it.
    fn finish(&self, found: &[Found]) -> Result<()> {
        let out = &self.args.out;
        let Some(best) = found.last() else {
            return Err(Error::Input("no candidate could be trained".to_string()));
        };
        let settings = with_changes(&self.base, &self.plan.candidates[best.candidate])?;
        let config = out.join("config.toml");
        write_atomically(&config, settings.absolute()?.to_toml()?.as_bytes())?;
        let mut csv = String::from("settings,epochs,metric,valid,seconds\n");
        self.common
            .tell(&format!("\n{} on the validation part:", best.metric))?;
        for one in found.iter().rev() {
            let (name, value) = (self.name(one.candidate), one.valid);
            csv.push_str(&format!(
                "{},{},{},{value:.4},{:.1}\n",
                csv_cell(name),
                one.epochs,
                one.metric,
                one.seconds
            ));
            if self.common.json {
                print_json(&json!({
                    "settings": self.plan.candidates[one.candidate], "epochs": one.epochs, "metric": one.metric,
                    "valid": value, "seconds": one.seconds,
                }))?;
            } else {
                print(&format!("{value:<8.4}  {:>4} epochs  {name}", one.epochs))?;
            }
        }
        write_atomically(&out.join("tune.csv"), csv.as_bytes())?;
        self.common.tell(&format!(
            "train with the best: sori train {} --config {}",
            self.args.model,
            config.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_the_recipe_and_changes_that_fit() {
        for model in ["cnn1d", "deep_speech2", "vae"] {
            let base = Settings::new(model, "synth:dtmf", 8000).unwrap();
            let made = candidates(&base);
            assert_eq!((made.len(), made[0].as_str()), (MOST, ""));
            for changes in &made {
                with_changes(&base, changes).unwrap().check().unwrap();
            }
            let mixes = made.iter().any(|changes| changes.contains("augment.mix"));
            assert_eq!(mixes, model == "cnn1d");
            assert_eq!(made, candidates(&base));
        }
    }
}
