//! `sori data info`: all that is in a corpus, and all that is wrong or odd with it, in one pass.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, json};
use sori_datasets::features::Normalize;
use sori_datasets::{
    Corpus, Item, OpenOptions, Part, Rejected, Spec, Target, TargetKind, prefetch_with,
};

use super::groups;
use super::histogram::{bars, ranges};
use super::oddities::{Heard, oddities};
use super::options::Common;
use super::output::{print, print_json};
use crate::data::pipeline::pipeline;
use crate::show::dashboard::{Dashboard, Show};
use crate::show::text::{rounded, time};
use crate::train::Event;
use crate::{Error, Result, Settings};

/// What a corpus holds.
struct Found {
    corpus: Corpus,
    /// The recordings that can be used.
    items: Vec<Item>,
    heard: Vec<Heard>,
    bad: Vec<Rejected>,
}

pub(super) fn info(common: &Common, spec: &str) -> Result<()> {
    let found = read(common, spec)?;
    let odd = oddities(&found.corpus, &found.items, &found.heard);
    match common.json {
        true => print_json(&as_json(spec, &found, &odd))?,
        false => as_text(spec, &found, &odd)?,
    }
    match found.bad.len() {
        0 => Ok(()),
        _ if common.skip_bad => Ok(()),
        bad => Err(Error::Input(format!(
            "{bad} of {} recordings cannot be used; --skip-bad leaves them out",
            bad + found.items.len()
        ))),
    }
}

/// Reads every recording of `spec` once, and makes features of it as a run would.
fn read(common: &Common, spec: &str) -> Result<Found> {
    let options = OpenOptions {
        skip_bad: true,
        labels: None,
    };
    let mut corpus = Corpus::open_with(&spec.parse::<Spec>()?, &options)?;
    // Any model gives access to the settings of features.
    let mut settings = Settings::new("mlp", spec, corpus.native_rate_hz)?;
    settings.features.normalize = Normalize::None;
    let loader = pipeline(&settings.features, None)?.loader()?;
    let show = match common.json || common.quiet {
        true => Show::Quiet,
        false => Show::Auto,
    };
    let mut dashboard = Dashboard::new(show);
    let (total, workers) = (corpus.items.len(), settings.train.num_workers());
    let rate_hz = corpus.native_rate_hz;
    let loaded = prefetch_with(
        corpus.items.clone(),
        workers,
        2 * workers,
        move || loader.clone(),
        move |loader, item: Item| -> sori_datasets::Result<Heard> {
            let waveform = item.waveform(rate_hz)?;
            let features = loader.load_waveform(&waveform);
            features.map_err(|error| error.at(item.place()))?;
            Ok(Heard::of(&waveform))
        },
    );
    let (mut items, mut heard) = (Vec::new(), Vec::new());
    let mut bad = std::mem::take(&mut corpus.rejected);
    for (index, (item, loaded)) in corpus.items.iter().zip(loaded).enumerate() {
        match loaded {
            Ok(found) => {
                items.push(item.clone());
                heard.push(found);
            }
            Err(error) => bad.push(Rejected {
                place: item.place(),
                reason: error.to_string(),
            }),
        }
        dashboard.show(&Event::Scan {
            done: index + 1,
            total,
        });
    }
    Ok(Found {
        corpus,
        items,
        heard,
        bad,
    })
}

impl Found {
    /// The number of recordings in each part.
    fn parts(&self) -> [usize; 3] {
        [Part::Train, Part::Valid, Part::Test]
            .map(|part| self.items.iter().filter(|item| item.part == part).count())
    }

    fn seconds(&self) -> Vec<f64> {
        self.heard.iter().map(|heard| heard.seconds).collect()
    }

    fn values(&self) -> Vec<f64> {
        let values = self.items.iter().filter_map(|item| item.target.value());
        values.collect()
    }

    /// The number of recordings of each class or tag.
    fn labels(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for item in &self.items {
            let classes = match &item.target {
                Target::Class(class) => std::slice::from_ref(class),
                Target::Tags(tags) => tags,
                // The quantity of numbers is not a label.
                Target::Text(_) | Target::Value(_) => return Vec::new(),
            };
            for &class in classes {
                *counts.entry(class).or_default() += 1;
            }
        }
        let labels = self.corpus.labels.iter().enumerate();
        labels
            .map(|(class, name)| (name.clone(), counts.get(&class).copied().unwrap_or(0)))
            .collect()
    }
}

/// The smallest, the mean and the largest of some numbers.
fn spread(values: &[f64]) -> [f64; 3] {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    [least, mean, most]
}

fn as_json(spec: &str, found: &Found, odd: &[String]) -> serde_json::Value {
    let corpus = &found.corpus;
    let labels: Map<_, _> = found
        .labels()
        .into_iter()
        .map(|(name, count)| (name, json!(count)))
        .collect();
    let rates: Map<_, _> = corpus
        .rates_hz
        .iter()
        .map(|(rate_hz, count)| (rate_hz.to_string(), json!(count)))
        .collect();
    let bad = found.bad.iter();
    let bad: Vec<_> = bad
        .map(|it| json!({"audio": it.place, "reason": it.reason}))
        .collect();
    let [train, valid, test] = found.parts();
    let seconds = found.seconds();
    let [shortest, _, longest] = spread(&seconds);
    let mut line = json!({
        "data": spec, "task": corpus.task, "items": found.items.len(), "skipped": found.bad.len(),
        "ignored_files": corpus.ignored_files, "unread_sounds": corpus.unread_sounds,
        "splits": {"train": train, "valid": valid, "test": test},
        "seconds": seconds.iter().sum::<f64>(), "shortest_s": shortest, "longest_s": longest,
        "sample_rate_hz": corpus.native_rate_hz, "rates_hz": rates, "labels": labels,
        "bad": bad, "odd": odd,
    });
    let values = found.values();
    if !values.is_empty() {
        let [least, mean, most] = spread(&values);
        line["values"] = json!({"min": least, "mean": mean, "max": most});
    }
    line
}

fn as_text(spec: &str, found: &Found, odd: &[String]) -> Result<()> {
    let corpus = &found.corpus;
    let seconds = found.seconds();
    let [shortest, _, longest] = spread(&seconds);
    let [train, valid, test] = found.parts();
    let between = match seconds.is_empty() {
        true => String::new(),
        false => format!(" (each {shortest:.2} to {longest:.2} s)"),
    };
    let recordings = match found.items.len() {
        1 => "recording",
        _ => "recordings",
    };
    print(&format!(
        "{spec}: {} {recordings}, {} of audio at {} Hz{between}\ntrain {train}, valid {valid}, test {test}",
        found.items.len(),
        time(Duration::from_secs_f64(seconds.iter().sum())),
        corpus.native_rate_hz,
    ))?;
    let list = |title: &str, lines: &[String]| -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        print(&format!("\n{title}:"))?;
        lines
            .iter()
            .try_for_each(|line| print(&format!("  {line}")))
    };
    let bad: Vec<String> = found.bad.iter().map(|it| it.reason.clone()).collect();
    list("cannot be used", &bad)?;
    let sounds = corpus.unread_sounds.iter();
    let mut ignored: Vec<String> = sounds
        .map(|(extension, count)| format!("{count} .{extension}, sound of a kind that is not read"))
        .collect();
    let unread: usize = corpus.unread_sounds.values().sum();
    let others = corpus.ignored_files.saturating_sub(unread);
    if others > 0 {
        ignored.push(format!("{others} other files"));
    }
    list("not looked at", &ignored)?;
    list("odd", odd)?;
    if corpus.rates_hz.len() > 1 {
        let rates = corpus.rates_hz.iter();
        let rates: Vec<_> = rates
            .map(|(rate_hz, count)| (format!("{rate_hz} Hz"), *count))
            .collect();
        list("sample rates", &bars(&rates))?;
    }
    if shortest < longest {
        list("lengths", &bars(&ranges(&seconds, "s")))?;
    }
    let values = found.values();
    if !values.is_empty() {
        let quantity = corpus.labels.join(" ");
        let [least, mean, most] = spread(&values).map(rounded);
        list(
            &format!("{quantity}, {least} to {most}, {mean} on the average"),
            &bars(&ranges(&values, "")),
        )?;
    }
    let title = match corpus.task {
        TargetKind::Tag => "tags",
        _ => "classes",
    };
    list(title, &bars(&found.labels()))?;
    match groups::proposal(corpus) {
        Some(line) => print(&format!("\n{line}")),
        None => Ok(()),
    }
}
