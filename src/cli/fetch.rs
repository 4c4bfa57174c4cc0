use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use sori_datasets::fetch::{self, CATALOGUE, FetchOptions, Progress, PublicCorpus};

use super::{Common, print, print_json};
use crate::train::stop_on_interrupt;
use crate::{Error, Result};

#[derive(Args)]
pub(super) struct FetchArgs {
    /// The corpus; none lists what there is
    corpus: Option<String>,
    /// The folder to make its folder in
    #[arg(long, value_name = "DIR", default_value = "data")]
    into: PathBuf,
    /// Download from here instead of the published address: a folder that holds the archives under
    /// their names, such as a mirror; the published checksum still has to be met
    #[arg(long, value_name = "URL", requires = "corpus")]
    from: Option<String>,
}

pub(super) fn run(common: &Common, args: &FetchArgs) -> Result<()> {
    let Some(name) = &args.corpus else {
        return CATALOGUE.iter().try_for_each(|corpus| list(common, corpus));
    };
    let corpus = fetch::corpus(name).map_err(|e| Error::Input(e.to_string()))?;
    common.tell(&format!(
        "{}, {}: {} ({})",
        corpus.title,
        size(corpus.bytes()),
        corpus.licence,
        corpus.licence_url
    ))?;
    let options = FetchOptions {
        from: args.from.clone(),
        ..FetchOptions::default()
    };
    let stop = stop_on_interrupt();
    stop.store(false, Ordering::Relaxed);
    let bar = bar(common);
    let folder = fetch::fetch_corpus(corpus, &args.into, &options, &mut |progress| {
        show(&bar, progress);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    let folder = folder.map_err(|e| Error::Input(e.to_string()))?;
    let spec = corpus.spec(&folder).to_string();
    if common.json {
        return print_json(&json!({
            "corpus": corpus.name, "folder": folder, "data": spec, "licence": corpus.licence,
        }));
    }
    print(&format!("{} is in {}", corpus.name, folder.display()))?;
    common.tell(&format!("look at it: sori data info {spec}"))
}

fn list(common: &Common, corpus: &PublicCorpus) -> Result<()> {
    if common.json {
        return print_json(&json!({
            "corpus": corpus.name, "title": corpus.title, "bytes": corpus.bytes(),
            "licence": corpus.licence, "licence_url": corpus.licence_url,
            "homepage": corpus.homepage,
        }));
    }
    print(&format!(
        "{:<26} {:>9}  {} ({})",
        corpus.name,
        size(corpus.bytes()),
        corpus.title,
        corpus.licence
    ))
}

fn bar(common: &Common) -> ProgressBar {
    let target = if common.json || common.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    // A template is wrong or right whatever the data; the default style is a bar too.
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes}  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    match progress {
        Progress::Downloading { file, bytes, total } => {
            bar.set_length(total.unwrap_or(bytes));
            bar.set_position(bytes);
            bar.set_message(format!("downloading {file}"));
        }
        Progress::Waiting {
            file,
            retry,
            retries,
            remaining,
            reason,
        } => bar.set_message(format!(
            "{file}: {reason}; attempt {retry} of {retries} in {} s",
            remaining.max(Duration::from_secs(1)).as_secs()
        )),
        Progress::Verifying { file, bytes, total } => {
            bar.set_length(total);
            bar.set_position(bytes);
            bar.set_message(format!("checking {file}"));
        }
        Progress::Unpacking { file, files, bytes } => {
            bar.set_length(bytes);
            bar.set_position(bytes);
            bar.set_message(format!("unpacking {file}: {files} files"));
        }
    }
}

fn size(bytes: u64) -> String {
    let mb = bytes as f64 / 1e6;
    if mb >= 1e3 {
        format!("{:.1} GB", mb / 1e3)
    } else {
        format!("{mb:.0} MB")
    }
}
