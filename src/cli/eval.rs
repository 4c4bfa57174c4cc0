use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use burn::tensor::backend::AutodiffBackend;
use clap::Args;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use sori_datasets::{Item, OpenOptions, Part, Rejected, scan};

use super::decode::DecodeArgs;
use super::{Common, print, print_json, remark};
use crate::backend::{Job, run_on};
use crate::batch::Coding;
use crate::decode::Beam;
use crate::file::write_atomically;
use crate::predict::rounded;
use crate::task::{Answers, Evaluation};
use crate::train::{Data, RunInfo, emissions_of_run, evaluate_run, pipeline, whole};
use crate::{Error, Result, RunFolder};

#[derive(Args)]
pub(super) struct EvalArgs {
    /// The run folder
    run: PathBuf,
    /// What to measure on, used whole [default: the run's own test part]
    #[arg(long, value_name = "SPEC")]
    data: Option<String>,
    /// Also write the log-probability of each symbol at each step, `[steps, symbols]` for each
    /// recording by its id, blank first (deep_speech2)
    #[arg(long, value_name = "OUT.safetensors")]
    emissions: Option<PathBuf>,
    #[command(flatten)]
    decode: DecodeArgs,
}

struct Eval<'a> {
    run: &'a RunFolder,
    items: Vec<&'a Item>,
    beam: Option<Beam>,
    emissions: Option<&'a Path>,
}

impl Job for Eval<'_> {
    type Output = Result<(Evaluation, Vec<f32>)>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        if let Some(path) = self.emissions {
            let found = emissions_of_run::<B::InnerBackend>(self.run, &self.items, device)?;
            write_emissions(path, self.run, &self.items, &found)?;
        }
        evaluate_run::<B::InnerBackend>(self.run, &self.items, self.beam, device)
    }
}

pub(super) fn run(common: &Common, args: &EvalArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    let info = run.info()?;
    run.best_checkpoint()?;
    let beam = args.decode.beam(&run)?;
    let (mut items, split) = match &args.data {
        Some(spec) => (given(common, &info, spec)?, "all"),
        None => {
            let data = Data::of_run(&run)?;
            let (items, split) = data.held_out();
            (items.into_iter().cloned().collect(), split)
        }
    };
    if let Some(path) = &args.emissions {
        super::require_folder_of(path)?;
    }
    if common.skip_bad {
        items = usable(&run, &info, &items)?;
    }
    let backend = common.backend_for(Some(&info.backend));
    let (evaluation, thresholds) = run_on(
        backend,
        Eval {
            run: &run,
            items: items.iter().collect(),
            beam,
            emissions: args.emissions.as_deref(),
        },
    )??;
    let metrics = evaluation.metrics(&thresholds);
    let headline = info.task.headline();
    let left_out = evaluation.labels_left_out(&info.labels);
    if common.json {
        let records = run.metrics()?;
        let last = records.last();
        return print_json(&json!({
            "task": info.task, "model": info.model, "metric": headline, "split": split,
            "data": args.data, "items": items.len(), "value": metrics.get(headline),
            "metrics": metrics, "loss": evaluation.loss, "params": info.params,
            "seconds": last.map_or(0.0, |record| record.seconds),
            "epochs": last.map_or(0, |record| record.epoch),
            "backend": backend.as_str(), "seed": info.seed, "labels_left_out": left_out,
        }));
    }
    print(&format!(
        "{} recordings ({}): {}  loss {:.4}",
        items.len(),
        args.data.as_deref().unwrap_or(split),
        metrics.text(headline),
        evaluation.loss
    ))?;
    if !left_out.is_empty() {
        common.tell(&format!(
            "no recording has {}: left out of the means",
            left_out.join(", ")
        ))?;
    }
    match &evaluation.answers {
        Answers::Classes(confusion) => {
            for (truth, predicted, count) in confusion.worst(5) {
                common.tell(&format!(
                    "{count:>6} × {} taken for {}",
                    info.labels[truth], info.labels[predicted]
                ))?;
            }
        }
        Answers::Tags(scores) => {
            let found = scores.average_precisions().into_iter().zip(&info.labels);
            let mut found: Vec<_> = found.filter_map(|(ap, label)| Some((ap?, label))).collect();
            found.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (average_precision, label) in found.iter().take(5) {
                common.tell(&format!("{average_precision:>8.4} {label}"))?;
            }
        }
        Answers::Patches(_) => {}
        Answers::Values(found) => {
            for each in found.worst_first().into_iter().take(5) {
                let [truth, value, error] = [each.truth, each.value, each.error()].map(rounded);
                common.tell(&format!(
                    "{error:>9} off: {}: {value}, not {truth}",
                    each.id
                ))?;
            }
        }
        Answers::Transcripts(found) => {
            let worst = found.errors.worst_first().into_iter().take(5);
            for transcript in worst.filter(|transcript| transcript.words.total() > 0) {
                common.tell(&format!(
                    "{:>3} words wrong in {}\n      said:  {}\n      heard: {}",
                    transcript.words.total(),
                    transcript.id,
                    transcript.reference,
                    transcript.hypothesis
                ))?;
            }
        }
    }
    Ok(())
}

/// Writes what was said of each recording, with the alphabet (JSON) in the file's header.
fn write_emissions(
    path: &Path,
    run: &RunFolder,
    items: &[&Item],
    emissions: &[Vec<Vec<f32>>],
) -> Result<()> {
    let bad = |error: safetensors::SafeTensorError| {
        Error::Input(format!("cannot write {}: {error}", path.display()))
    };
    let Coding::Symbols(alphabet) = run.coding(&run.info()?)? else {
        return Err(Error::Input(
            "--emissions is for transcripts; this run's model writes none".to_string(),
        ));
    };
    let symbols = alphabet.num_symbols() + 1;
    let tensors: Vec<(&str, TensorData)> = items
        .iter()
        .zip(emissions)
        .map(|(item, steps)| {
            (
                item.id.as_str(),
                TensorData::new(steps.concat(), [steps.len(), symbols]),
            )
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(id, data)| {
            let view = TensorView::new(Dtype::F32, data.shape.to_vec(), data.as_bytes());
            view.map(|view| (*id, view))
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(bad)?;
    let alphabet = json!(&*alphabet).to_string();
    let header = HashMap::from([("alphabet".to_string(), alphabet)]);
    write_atomically(
        path,
        &safetensors::serialize(views, Some(header)).map_err(bad)?,
    )
}

/// The recordings of `spec`, all of them, under the labels of the run.
fn given(common: &Common, info: &RunInfo, spec: &str) -> Result<Vec<Item>> {
    let options = OpenOptions {
        skip_bad: common.skip_bad,
        labels: info.task.has_labels().then(|| info.labels.clone()),
    };
    let (items, rejected) = whole(spec, &options, Part::Test, info.task)?;
    left_out(&rejected);
    if items.is_empty() {
        return Err(Error::Input(format!(
            "{spec}: there is no recording to measure on"
        )));
    }
    Ok(items)
}

/// Those of `items` that can be read.
fn usable(run: &RunFolder, info: &RunInfo, items: &[Item]) -> Result<Vec<Item>> {
    let settings = run.settings()?;
    let pipeline = pipeline(&settings.features, info.stats.as_ref())?;
    let on_progress = |_| ControlFlow::Continue(());
    let (items, scanned) = scan(items, &pipeline, settings.train.workers, true, on_progress)?;
    left_out(&scanned.bad);
    Ok(items)
}

fn left_out(rejected: &[Rejected]) {
    for rejected in rejected {
        remark(&format!("left out: {}", rejected.reason));
    }
}
