//! `sori embed`: the embeddings of recordings, and how alike two of them are.

use std::path::{Path, PathBuf};

use burn::tensor::backend::AutodiffBackend;
use clap::Args;
use serde_json::json;

use super::each::each;
use super::given::{Recording, recordings};
use super::npy::write_array;
use super::options::Common;
use super::output::{print, print_bytes, print_json, require_folder_of};
use crate::backend::{Job, run_on};
use crate::file::write_atomically;
use crate::infer::{Predictor, similarity};
use crate::metric::csv_cell;
use crate::{Error, Result, RunFolder};

#[derive(Args)]
pub(super) struct EmbedArgs {
    /// The run folder: of a classifier, or of weights for voices
    run: PathBuf,
    /// The recordings: audio files, folders, patterns such as 'rec/*.wav', or - for a file on standard input
    #[arg(required_unless_present = "compare")]
    audio: Vec<PathBuf>,
    /// Write the embeddings as an array [recordings, size]
    #[arg(long, value_name = "x.npy")]
    out: Option<PathBuf>,
    /// Write a table with a row for each recording; - for standard output
    #[arg(long, value_name = "OUT.csv")]
    csv: Option<PathBuf>,
    /// Print how alike two recordings are: the cosine of the angle between their embeddings, at most 1
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["audio", "out", "csv"])]
    compare: Option<Vec<PathBuf>>,
}

pub(super) fn run(common: &Common, args: &EmbedArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    if args.compare.is_none() && args.out.is_none() && args.csv.is_none() && !common.json {
        return Err(Error::Input(
            "the embeddings go nowhere: give --out x.npy, --csv x.csv or --json, or compare two recordings by \
             --compare A B"
                .to_string(),
        ));
    }
    if let Some(out) = &args.out
        && out.extension().is_none_or(|extension| extension != "npy")
    {
        return Err(Error::Input(format!(
            "--out {}: its name must end in .npy (numbers)",
            out.display()
        )));
    }
    if common.json && args.csv.as_deref().is_some_and(is_output) {
        return Err(Error::Input(
            "standard output takes one of --csv - and --json".to_string(),
        ));
    }
    for path in args.out.iter().chain(&args.csv) {
        require_folder_of(path)?;
    }
    let given = recordings(args.compare.as_ref().unwrap_or(&args.audio))?;
    let work = Embed {
        common,
        args,
        run: &run,
        given,
    };
    run_on(common.backend_for(Some(&run.info().backend)), work)?
}

struct Embed<'a> {
    common: &'a Common,
    args: &'a EmbedArgs,
    run: &'a RunFolder,
    given: Vec<Recording>,
}

impl Job for Embed<'_> {
    type Output = Result<()>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<()> {
        let Self {
            common,
            args,
            run,
            given,
        } = self;
        let predictor = Predictor::<B::InnerBackend>::open(run, device)?;
        let windows = predictor.default_windows();
        let embed = |recording: &Recording| predictor.embed_file(recording.path(), windows);
        if args.compare.is_some() {
            let [a, b] = &given[..] else {
                return Err(Error::Input(format!(
                    "--compare takes two recordings, and these are {}",
                    given.len()
                )));
            };
            let vector = |it: &Recording| embed(it).map_err(|e| Error::Input(it.said(&e)));
            let similarity = similarity(&vector(a)?, &vector(b)?);
            return match common.json {
                true => print_json(&json!({
                    "event": "similarity", "a": a.name(), "b": b.name(), "similarity": similarity,
                })),
                false => print(&format!("{similarity:.4}")),
            };
        }
        let mut found: Vec<(String, Vec<f32>)> = Vec::new();
        let tell = |recording: &Recording, embedding: Vec<f32>| {
            if common.json {
                print_json(&json!({"audio": recording.name(), "embedding": embedding}))?;
            }
            found.push((recording.name(), embedding));
            Ok(())
        };
        let ended = each(common, &given, |recording, _| embed(recording), tell);
        if found.is_empty() {
            return ended;
        }
        let size = found.first().map_or(0, |(_, embedding)| embedding.len());
        if let Some(out) = &args.out {
            let values = found
                .iter()
                .flat_map(|(_, embedding)| embedding.iter().copied());
            write_array(&[found.len(), size], values, out)?;
            common.tell(&format!("{}: [{}, {size}]", out.display(), found.len()))?;
        }
        if let Some(csv) = &args.csv {
            let table = table(&found, size);
            match is_output(csv) {
                true => print_bytes(table.as_bytes())?,
                false => write_atomically(csv, table.as_bytes())?,
            }
        }
        ended
    }
}

fn is_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn table(found: &[(String, Vec<f32>)], size: usize) -> String {
    let columns: String = (0..size).map(|index| format!(",{index}")).collect();
    let mut text = format!("audio{columns}\n");
    for (name, embedding) in found {
        text.push_str(&csv_cell(name));
        for value in embedding {
            text.push_str(&format!(",{value}"));
        }
        text.push('\n');
    }
    text
}
