//! `sori data`: inspects, caches, exports or downloads a corpus.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use sori_datasets::{Corpus, Item, OpenOptions, Rejected, Scan, Spec, scan};

use super::data_export::{self, ExportArgs};
use super::data_info;
use super::fetch::{self, FetchArgs};
use super::options::{Common, SettingArgs};
use super::output::{print, print_json, remark};
use crate::data::pipeline::{pipeline, with_cache};
use crate::show::dashboard::{Dashboard, Show};
use crate::train::Event;
use crate::{Result, Settings};

#[derive(Subcommand)]
pub(super) enum DataCommand {
    /// Say what a corpus holds, and what of it is bad, ignored or odd, after reading all of it once
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
    /// Write recordings of a corpus as sound files, to try a model on
    Export(ExportArgs),
    /// Download a public corpus, or go on with its download
    Fetch(FetchArgs),
}

pub(super) fn run(common: &Common, command: &DataCommand) -> Result<()> {
    match command {
        DataCommand::Info { spec } => data_info::info(common, spec),
        DataCommand::Prepare {
            spec,
            cache,
            settings,
        } => prepare(common, spec, cache, settings),
        DataCommand::Export(args) => data_export::run(common, args),
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
