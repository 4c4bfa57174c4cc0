//! The report of several runs: a comparison of ways to train, or the folds of a corpus.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sori_datasets::Spec;

use super::answers;
use super::curves::{Curve, curves_picture};
use super::page::Page;
use crate::backend::BackendName;
use crate::error::{Error, Result};
use crate::infer::judge::{Judged, judge};
use crate::metric::mean_and_deviation;
use crate::run::folder::{RunFolder, has_begun};
use crate::run::records::EpochRecord;
use crate::task::metrics::title;

/// The backend to use for a run that was trained on the backend of this name.
pub type BackendChoice<'a> = &'a dyn Fn(&str) -> BackendName;

/// Runs that belong together.
pub(super) struct Group {
    path: PathBuf,
    kind: Kind,
    /// Name and runs of each way to train or fold, in order.
    ways: Vec<(String, Vec<RunFolder>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Comparison,
    Folds,
}

/// What a comparison's `compare.json` says that a report needs.
#[derive(Deserialize)]
struct Plan {
    tries: Vec<String>,
    seeds: Vec<u64>,
}

/// The runs of a comparison or of folds in the folder `path`, or none if it is another folder.
///
/// # Errors
/// When one of them cannot be read, or none has begun.
pub(super) fn runs_below(path: &Path) -> Result<Option<Group>> {
    let plan = path.join("compare.json");
    let (kind, folders) = if plan.is_file() {
        let text = std::fs::read_to_string(&plan).map_err(Error::io("cannot read", &plan))?;
        let plan: Plan = serde_json::from_str(&text)
            .map_err(|e| Error::Input(format!("{}: it is no comparison's: {e}", plan.display())))?;
        let folders = plan.tries.iter().enumerate().map(|(way, name)| {
            let runs = plan.seeds.iter();
            let runs = runs.map(|seed| path.join(format!("{}-seed-{seed}", way + 1)));
            (name.clone(), runs.collect())
        });
        (Kind::Comparison, folders.collect::<Vec<(String, Vec<_>)>>())
    } else {
        (Kind::Folds, folds(path))
    };
    if folders.is_empty() || has_begun(path) {
        return Ok(None);
    }
    let open = |runs: Vec<PathBuf>| {
        let begun = runs.into_iter().filter(|run| has_begun(run));
        begun
            .map(|run| RunFolder::open(&run))
            .collect::<Result<Vec<_>>>()
    };
    let ways = folders
        .into_iter()
        .map(|(name, runs)| Ok((name, open(runs)?)));
    let group = Group {
        path: path.to_path_buf(),
        kind,
        ways: ways.collect::<Result<_>>()?,
    };
    if group.runs().next().is_none() {
        return Err(Error::Input(format!(
            "{}: none of its runs has begun",
            path.display()
        )));
    }
    Ok(Some(group))
}

/// The folders `fold-N`, by number.
fn folds(path: &Path) -> Vec<(String, Vec<PathBuf>)> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut folds: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("fold-")?.parse().ok()?;
            has_begun(&entry.path()).then(|| (number, entry.path()))
        })
        .collect();
    folds.sort();
    let named = folds.into_iter();
    named
        .map(|(number, path)| (format!("fold {number}"), vec![path]))
        .collect()
}

impl Group {
    fn runs(&self) -> impl Iterator<Item = &RunFolder> {
        self.ways.iter().flat_map(|(_, runs)| runs)
    }
}

/// The results of one way.
struct Row<'a> {
    name: &'a str,
    /// The headline metric of each finished run in validation, and on the held-out part.
    valid: Vec<f64>,
    held_out: Vec<f64>,
    begun: usize,
    epochs: Vec<Vec<EpochRecord>>,
}

/// The report of a group as HTML.
///
/// # Errors
/// When a run or its data cannot be read.
pub(super) fn report(group: &Group, most: usize, backend: BackendChoice<'_>) -> Result<String> {
    let Some(first) = group.runs().next() else {
        return Err(Error::Input(format!("{} has no run", group.path.display())));
    };
    let headline = first.task().headline();
    let metric = title(headline.metric);
    let mut rows = Vec::new();
    for (name, runs) in &group.ways {
        let mut row = Row {
            name,
            valid: Vec::new(),
            held_out: Vec::new(),
            begun: runs.len(),
            epochs: Vec::new(),
        };
        for run in runs {
            row.epochs.push(run.metrics()?);
            if let Some(result) = run.result()? {
                row.valid.push(result.valid.get(headline.metric));
                row.held_out.push(result.value);
            }
        }
        rows.push(row);
    }
    let mut page = Page::default();
    let (info, data) = (first.info(), &first.settings().data.train);
    let split = if info.splits.test == 0 {
        "valid"
    } else {
        "test"
    };
    match group.kind {
        Kind::Comparison => {
            page.begin(&format!("{} on {data}, in {} ways", info.model, rows.len()));
            comparison(
                &mut page,
                &mut rows,
                metric,
                split,
                headline.lower_is_better,
            );
        }
        Kind::Folds => {
            let mut whole: Spec = data.parse()?;
            whole.query.retain(|key, _| key != "folds" && key != "of");
            page.begin(&format!("{} on {whole}, fold by fold", info.model));
            folds_table(&mut page, &rows, metric, split);
        }
    }
    page.heading("How they learned");
    let curves: Vec<Curve> = rows
        .iter()
        .map(|row| Curve::mean(row.name, &row.epochs, headline.metric))
        .collect();
    page.picture("Learning curves", |theme| {
        curves_picture(&curves, metric, theme)
    })?;
    if group.kind == Kind::Folds && !first.task().generates() {
        let mut all: Option<Judged> = None;
        for run in group.runs().filter(|run| run.best_checkpoint().is_ok()) {
            let judged = judge(run, most, backend(&run.info().backend))?;
            match &mut all {
                Some(all) => all.merge(judged, most),
                None => all = Some(judged),
            }
        }
        if let Some(judged) = &all {
            page.heading(&format!("On the {split} parts of all folds"));
            answers::labels(&mut page, judged)?;
            answers::worst(&mut page, judged)?;
        }
    }
    page.heading("The runs");
    page.note("A report of each alone: sori report with its folder.");
    let folders = group.runs().map(|run| {
        let path = run.path().strip_prefix(&group.path).unwrap_or(run.path());
        vec![path.display().to_string(), run.info().seed.to_string()]
    });
    page.table(&["folder", "seed"], folders);
    Ok(page.end())
}

/// Adds the ways, best in validation first, and what the first of them has on the test part.
fn comparison(
    page: &mut Page,
    rows: &mut [Row<'_>],
    metric: &str,
    split: &str,
    lower_is_better: bool,
) {
    let rank = |row: &Row<'_>| {
        let mean = mean_and_deviation(&row.valid).0;
        let sign = if lower_is_better { 1.0 } else { -1.0 };
        if mean.is_nan() {
            f64::INFINITY
        } else {
            sign * mean
        }
    };
    rows.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    let in_validation = format!("{metric} in validation");
    let lines = rows.iter().map(|row| {
        vec![
            row.name.to_string(),
            summary(&row.valid),
            row.valid.len().to_string(),
            (row.begun - row.valid.len()).to_string(),
        ]
    });
    page.heading("Which way is better");
    page.table(
        &["settings", &in_validation, "seeds", "not finished"],
        lines,
    );
    if let Some(best) = rows.first().filter(|row| !row.valid.is_empty())
        && split == "test"
    {
        page.text(&format!(
            "The best in validation is '{}'. Its {metric} on the test part is {}. That of the others is not \
             shown, since nothing is chosen on the test part.",
            best.name,
            summary(&best.held_out),
        ));
    }
}

fn folds_table(page: &mut Page, rows: &[Row<'_>], metric: &str, split: &str) {
    let all: Vec<f64> = rows.iter().flat_map(|row| row.held_out.clone()).collect();
    let lines = rows.iter().map(|row| {
        let values = [&row.valid, &row.held_out].map(|values| match values.as_slice() {
            [] => "not finished".to_string(),
            values => format!("{:.4}", mean_and_deviation(values).0),
        });
        [vec![row.name.to_string()], values.to_vec()].concat()
    });
    page.heading("Fold by fold");
    let names = [
        format!("{metric} in validation"),
        format!("{metric} on the {split} part"),
    ];
    page.table(&["fold", &names[0], &names[1]], lines);
    if !all.is_empty() {
        page.text(&format!(
            "{metric} on the {split} parts: {} (mean and deviation over {} folds).",
            summary(&all),
            all.len()
        ));
    }
}

/// The mean of values and, of several, their sample deviation.
fn summary(values: &[f64]) -> String {
    let (mean, deviation) = mean_and_deviation(values);
    match values.len() {
        0 => "–".to_string(),
        1 => format!("{mean:.4}"),
        _ => format!("{mean:.4} ± {deviation:.4}"),
    }
}
