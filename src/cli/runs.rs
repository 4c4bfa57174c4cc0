//! `sori runs`: a table of the runs in a folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::{Value, json};

use super::options::Common;
use super::output::{print, print_json};
use crate::run::claim::is_locked;
use crate::run::folder::has_begun;
use crate::show::table::table;
use crate::{Error, Result, RunFolder};

/// Folders are looked into so deep: a comparison or folds have their runs one below.
const DEPTH: usize = 3;

#[derive(Args)]
pub(super) struct RunsArgs {
    /// The folder to look for runs in, and in the folders in it
    #[arg(default_value = "runs")]
    folder: PathBuf,
}

/// What is told of a run.
struct Row {
    name: String,
    model: String,
    data: String,
    epochs: usize,
    planned: usize,
    state: &'static str,
    metric: String,
    valid: Option<f64>,
    test: Option<f64>,
    changed: Option<SystemTime>,
}

pub(super) fn run(common: &Common, args: &RunsArgs) -> Result<()> {
    let mut paths = Vec::new();
    if args.folder.exists() {
        look_into(&args.folder, DEPTH, &mut paths)?;
    }
    if paths.is_empty() {
        return Err(Error::Input(format!(
            "{} holds no runs; `sori train` makes them in runs, or in the folder that --out names",
            args.folder.display()
        )));
    }
    let mut rows = Vec::new();
    let mut broken = Vec::new();
    for path in &paths {
        match row(&args.folder, path) {
            Ok(row) => rows.push(row),
            Err(error) => broken.push(error),
        }
    }
    rows.sort_by_key(|row| row.changed);
    if common.json {
        rows.iter()
            .try_for_each(|row| print_json(&as_json(&args.folder, row)))?;
    } else if !rows.is_empty() {
        table(&as_text(&rows))
            .iter()
            .try_for_each(|line| print(line))?;
    }
    match broken.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Adds the runs in a folder, which may be one itself.
fn look_into(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if has_begun(folder) {
        found.push(folder.to_path_buf());
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).map_err(Error::io("cannot read the folder", folder))?;
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
        .iter()
        .try_for_each(|folder| look_into(folder, depth - 1, found))
}

fn row(folder: &Path, path: &Path) -> Result<Row> {
    let run = RunFolder::open(path)?;
    let (result, records) = (run.result()?, run.metrics()?);
    let metric = run.task().headline().metric;
    let best = records.iter().rev().find(|record| record.best);
    let valid = match &result {
        Some(result) => Some(result.valid.get(metric)),
        None => best.map(|record| record.valid.get(metric)),
    };
    let tested = result.as_ref().filter(|result| result.split == "test");
    let name = match path.strip_prefix(folder) {
        Ok(below) if !below.as_os_str().is_empty() => below.display().to_string(),
        _ => path.display().to_string(),
    };
    let last = ["result.json", "metrics.jsonl", "run.json"]
        .iter()
        .filter_map(|file| path.join(file).metadata().ok()?.modified().ok())
        .max();
    Ok(Row {
        name,
        model: run.info().model.clone(),
        data: run.settings().data.train.clone(),
        epochs: records.last().map_or(0, |record| record.epoch),
        planned: run.settings().train.epochs,
        state: match (&result, is_locked(path)) {
            (_, true) => "running",
            (Some(_), false) => "finished",
            (None, false) => "interrupted",
        },
        metric: metric.to_string(),
        valid,
        test: tested.map(|result| result.value),
        changed: last,
    })
}

fn as_json(folder: &Path, row: &Row) -> Value {
    let since = row
        .changed
        .and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    json!({
        "run": folder.join(&row.name), "model": row.model, "data": row.data, "epochs": row.epochs,
        "epochs_planned": row.planned, "state": row.state, "metric": row.metric, "valid": row.valid,
        "test": row.test, "changed_s": since.map(|since| since.as_secs()),
    })
}

fn as_text(rows: &[Row]) -> Vec<Vec<String>> {
    let header = [
        "run", "model", "data", "epochs", "state", "metric", "valid", "test", "changed",
    ];
    let figure = |value: Option<f64>| value.map_or_else(String::new, |it| format!("{it:.4}"));
    let here = std::env::current_dir()
        .map(|it| format!("{}/", it.display()))
        .unwrap_or_default();
    let of = |row: &Row| {
        // SPECs of runs have whole paths.
        let data = match here.is_empty() {
            true => row.data.clone(),
            false => row.data.replace(&here, ""),
        };
        vec![
            row.name.clone(),
            row.model.clone(),
            data,
            format!("{}/{}", row.epochs, row.planned),
            row.state.to_string(),
            row.metric.clone(),
            figure(row.valid),
            figure(row.test),
            row.changed.map_or_else(String::new, ago),
        ]
    };
    let header = header.map(String::from).to_vec();
    [header].into_iter().chain(rows.iter().map(of)).collect()
}

/// The time since then, in its largest unit.
fn ago(then: SystemTime) -> String {
    let passed = SystemTime::now()
        .duration_since(then)
        .unwrap_or(Duration::ZERO);
    let seconds = passed.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..86_400 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_ago_is_told_in_its_largest_unit() {
        for (seconds, told) in [
            (5, "5 s ago"),
            (300, "5 min ago"),
            (7300, "2 h ago"),
            (200_000, "2 d ago"),
        ] {
            assert_eq!(ago(SystemTime::now() - Duration::from_secs(seconds)), told);
        }
    }
}
