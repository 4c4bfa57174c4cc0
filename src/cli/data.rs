//! `sori data`: inspects, caches or downloads a corpus.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use sori_datasets::{Corpus, Item, OpenOptions, Part, Rejected, Scan, Spec, Target, scan};

use super::fetch::{self, FetchArgs};
use super::groups;
use super::options::{Common, SettingArgs};
use super::output::{print, print_json, remark};
use crate::data::pipeline::{pipeline, with_cache};
use crate::show::dashboard::{Dashboard, Show};
use crate::show::text::{rounded, time};
use crate::train::Event;
use crate::{Result, Settings};

#[derive(Subcommand)]
pub(super) enum DataCommand {
    /// Say what a corpus holds, after reading all of it once
    Info {
        /// The corpus, such as fsdd:DIR
        spec: String,
    },
    /// Compute the features of a corpus once and keep them; train with --set cache=DIR to use them
    Prepare {
        /// The corpus, such as fsdd:DIR
        spec: String,
        /// Where to keep them
        #[arg(long, value_name = "DIR")]
        cache: PathBuf,
        #[command(flatten)]
        settings: SettingArgs,
    },
    /// Download a public corpus, or go on with its download
    Fetch(FetchArgs),
}

pub(super) fn run(common: &Common, command: &DataCommand) -> Result<()> {
    match command {
        DataCommand::Info { spec } => info(common, spec),
        DataCommand::Prepare {
            spec,
            cache,
            settings,
        } => prepare(common, spec, cache, settings),
        DataCommand::Fetch(args) => fetch::run(common, args),
    }
}

/// Reads every recording of `spec` once.
fn read(
    common: &Common,
    spec: &str,
    change: impl FnOnce(Settings) -> Result<Settings>,
) -> Result<(Corpus, Settings, Vec<Item>, Scan)> {
    let options = OpenOptions {
        skip_bad: common.skip_bad,
        labels: None,
    };
    let corpus = Corpus::open_with(&spec.parse::<Spec>()?, &options)?;
    // As the features of a run. Any model gives access to their settings.
    let settings = change(Settings::new("mlp", spec, corpus.native_rate_hz)?)?;
    settings.check()?;
    let pipeline = with_cache(pipeline(&settings.features, None)?, &settings.data)?;
    let show = if common.json || common.quiet {
        Show::Quiet
    } else {
        Show::Auto
    };
    let mut dashboard = Dashboard::new(show);
    let total = corpus.items.len();
    let scanned = scan(
        &corpus.items,
        &pipeline,
        settings.train.num_workers(),
        common.skip_bad,
        |done| {
            dashboard.show(&Event::Scan { done, total });
            ControlFlow::Continue(())
        },
    );
    drop(dashboard);
    let (items, scanned) = scanned?;
    for Rejected { reason, .. } in corpus.rejected.iter().chain(&scanned.bad) {
        remark(&format!("left out: {reason}"));
    }
    Ok((corpus, settings, items, scanned))
}

fn info(common: &Common, spec: &str) -> Result<()> {
    let (corpus, _, items, scanned) = read(common, spec, Ok)?;
    let seconds: f64 = scanned.durations_s.iter().sum();
    let shortest = scanned
        .durations_s
        .iter()
        .copied()
        .fold(f64::INFINITY, f64::min);
    let longest = scanned.durations_s.iter().copied().fold(0.0, f64::max);
    let count = |part| items.iter().filter(|item| item.part == part).count();
    let parts = (count(Part::Train), count(Part::Valid), count(Part::Test));
    let mut labels: BTreeMap<usize, usize> = BTreeMap::new();
    let mut values = Vec::new();
    for item in &items {
        let classes = match &item.target {
            Target::Class(class) => vec![*class],
            Target::Tags(tags) => tags.clone(),
            Target::Text(_) => Vec::new(),
            Target::Value(value) => {
                values.push(*value);
                Vec::new()
            }
        };
        for class in classes {
            *labels.entry(class).or_default() += 1;
        }
    }
    let labels: Vec<(&String, usize)> = corpus
        .labels
        .iter()
        .enumerate()
        // The quantity of numbers is not a label.
        .filter(|_| values.is_empty())
        .map(|(class, name)| (name, labels.get(&class).copied().unwrap_or(0)))
        .collect();
    let skipped = corpus.rejected.len() + scanned.bad.len();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    if common.json {
        let labels: serde_json::Map<_, _> = labels
            .into_iter()
            .map(|(name, count)| (name.clone(), json!(count)))
            .collect();
        let mut line = json!({
            "data": spec, "task": corpus.task, "items": items.len(), "skipped": skipped,
            "ignored_files": corpus.ignored_files,
            "splits": {"train": parts.0, "valid": parts.1, "test": parts.2},
            "seconds": seconds, "shortest_s": shortest, "longest_s": longest,
            "sample_rate_hz": corpus.native_rate_hz, "labels": labels,
        });
        if !values.is_empty() {
            line["values"] = json!({"min": least, "mean": mean, "max": most});
        }
        return print_json(&line);
    }
    print(&format!(
        "{spec}: {} recordings, {} of audio at {} Hz (each {shortest:.2} to {longest:.2} s)\n\
         train {}, valid {}, test {}{}",
        items.len(),
        time(std::time::Duration::from_secs_f64(seconds)),
        corpus.native_rate_hz,
        parts.0,
        parts.1,
        parts.2,
        match (skipped, corpus.ignored_files) {
            (0, 0) => String::new(),
            (skipped, ignored) => {
                format!("; {skipped} left out, {ignored} other files not looked at")
            }
        }
    ))?;
    if !values.is_empty() {
        let [least, mean, most] = [least, mean, most].map(rounded);
        let quantity = corpus.labels.join(" ");
        return print(&format!(
            "{least} to {most} {quantity}, {mean} on the average"
        ));
    }
    for (name, count) in labels {
        print(&format!("{count:>7}  {name}"))?;
    }
    match groups::proposal(&corpus) {
        Some(line) => print(&line),
        None => Ok(()),
    }
}

fn prepare(
    common: &Common,
    spec: &str,
    cache: &std::path::Path,
    changes: &SettingArgs,
) -> Result<()> {
    let folder = cache.display().to_string();
    let (corpus, settings, items, scanned) = read(common, spec, |settings| {
        let mut settings = changes.apply(settings)?;
        settings.data.cache.clone_from(&folder);
        Ok(settings)
    })?;
    let frames: usize = scanned.frames.iter().sum();
    if common.json {
        return print_json(&json!({
            "data": spec, "cache": cache, "items": items.len(), "frames": frames,
            "bins": settings.features.num_bins(), "skipped": corpus.rejected.len() + scanned.bad.len(),
        }));
    }
    print(&format!(
        "{} recordings, {frames} frames × {} bins of {} kept in {folder}; train with \
         --set cache={folder}",
        items.len(),
        settings.features.num_bins(),
        settings.features.kind,
    ))
}
