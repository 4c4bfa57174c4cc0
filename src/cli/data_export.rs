//! `sori data export`: recordings of a corpus as sound files, to try a model on.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use sori_datasets::{Corpus, Item, OpenOptions, Part, Spec, Target};

use super::options::Common;
use super::output::{print, print_json};
use super::wav::write_wav_16;
use crate::file::write_atomically;
use crate::{Error, Result};

/// The list beside the sound files.
const MANIFEST: &str = "manifest.jsonl";

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The corpus, such as synth:morse or fsdd:DIR
    spec: String,
    /// Recordings to write, spread over the test part, or over the whole corpus if it has none
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// The folder to make, with a wav of 16 bits for each recording, and manifest.jsonl with the right
    /// answers
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

pub(super) fn run(common: &Common, args: &ExportArgs) -> Result<()> {
    let options = OpenOptions {
        skip_bad: common.skip_bad,
        labels: None,
    };
    let corpus = Corpus::open_with(&args.spec.parse::<Spec>()?, &options)?;
    let items = chosen(&corpus, args.count as usize);
    let folder = &args.into;
    std::fs::create_dir_all(folder).map_err(Error::io("cannot create", folder))?;
    let mut entries = std::fs::read_dir(folder).map_err(Error::io("cannot read", folder))?;
    if entries.next().is_some() {
        return Err(Error::Input(format!(
            "{} holds something already; the recordings need a folder of their own",
            folder.display()
        )));
    }
    let mut names = HashSet::new();
    let mut manifest = String::new();
    for item in items {
        let name = file_name(&item.id, &mut names);
        let waveform = item.waveform(corpus.native_rate_hz)?;
        write_wav_16(&waveform, &folder.join(&name))?;
        let mut line = json!({"audio": name, "id": item.id});
        let (key, answer) = answer(&corpus, item);
        line[key] = answer;
        manifest.push_str(&format!("{line}\n"));
        if common.json {
            line["audio"] = json!(folder.join(&name).display().to_string());
            print_json(&line)?;
        } else {
            let said = said(&line[key]);
            print(&format!("{}: {said}", folder.join(&name).display()))?;
        }
    }
    write_atomically(&folder.join(MANIFEST), manifest.as_bytes())
}

/// So many recordings, spread over the test part if there is one.
fn chosen(corpus: &Corpus, count: usize) -> Vec<&Item> {
    let tested = corpus.part(Part::Test);
    let items = match tested.is_empty() {
        true => corpus.items.iter().collect(),
        false => tested,
    };
    let count = count.min(items.len());
    (0..count)
        .map(|index| items[index * items.len() / count])
        .collect()
}

/// The field of a manifest's line with the right answer.
fn answer(corpus: &Corpus, item: &Item) -> (&'static str, Value) {
    let label = |label: &usize| json!(corpus.labels.get(*label));
    match &item.target {
        Target::Class(class) => ("label", label(class)),
        Target::Tags(tags) => ("tags", tags.iter().map(label).collect()),
        Target::Text(text) => ("text", json!(text)),
        Target::Value(value) => ("value", json!(value)),
    }
}

/// A right answer as text.
fn said(answer: &Value) -> String {
    match answer {
        Value::String(text) => text.clone(),
        Value::Array(tags) => tags.iter().map(said).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A file's name from an id, which no earlier one has.
fn file_name(id: &str, names: &mut HashSet<String>) -> String {
    let stem = match id.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains(['/', '\\']) => stem,
        _ => id,
    };
    let plain: String = stem
        .chars()
        .map(|c| match c.is_alphanumeric() || "-_.".contains(c) {
            true => c,
            false => '_',
        })
        .collect();
    let mut name = format!("{plain}.wav");
    let mut number = 2;
    while !names.insert(name.clone()) {
        name = format!("{plain}-{number}.wav");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_names_of_files_that_differ() {
        let mut names = HashSet::new();
        let made = ["dog/a b.flac", "dog/a b.wav", "test-1", "개/..wav"];
        let made = made.map(|id| file_name(id, &mut names));
        assert_eq!(
            made,
            ["dog_a_b.wav", "dog_a_b-2.wav", "test-1.wav", "개_..wav"]
        );
    }
}
