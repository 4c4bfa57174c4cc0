//! `sori data fetch`: downloads of public corpora.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use sori_fetch::{CATALOGUE, FetchOptions, FetchProgress, PublicCorpus};

use super::options::Common;
use super::output::{print, print_json};
use crate::Result;
use crate::train::stop_on_interrupt;

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
    let corpus = sori_fetch::corpus(name)?;
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
    let folder = sori_fetch::fetch_corpus(corpus, &args.into, &options, &mut |progress| {
        show(&bar, progress);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    let folder = folder?;
    let spec = corpus.spec(&folder);
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
    // The template is a constant. The default style is a bar too.
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes}  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: FetchProgress<'_>) {
    match progress {
        FetchProgress::Downloading { file, bytes, total } => {
            bar.set_length(total.unwrap_or(bytes));
            bar.set_position(bytes);
            bar.set_message(format!("downloading {file}"));
        }
        FetchProgress::Waiting {
            file,
            retry,
            retries,
            remaining,
            reason,
        } => bar.set_message(format!(
            "{file}: {reason}; attempt {retry} of {retries} in {} s",
            remaining.max(Duration::from_secs(1)).as_secs()
        )),
        FetchProgress::Verifying { file, bytes, total } => {
            bar.set_length(total);
            bar.set_position(bytes);
            bar.set_message(format!("checking {file}"));
        }
        FetchProgress::Unpacking { file, files, bytes } => {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sori_datasets::Spec;

    use super::*;

    #[test]
    fn every_corpus_that_can_be_fetched_can_be_named() {
        for corpus in CATALOGUE {
            for folder in ["data/x", "why?", "a=b&c%"] {
                let text = corpus.spec(Path::new(folder));
                let spec: Spec = text.parse().unwrap();
                assert_eq!(
                    (spec.corpus.as_str(), spec.location.as_str()),
                    (corpus.corpus, folder)
                );
                assert_eq!(spec.to_string(), text);
            }
        }
    }
}
