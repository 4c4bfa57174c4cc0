//! `sori eval`: evaluates a run's best checkpoint on a whole set.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use burn::tensor::TensorData;
use burn::tensor::backend::AutodiffBackend;
use clap::Args;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use sori_datasets::{Item, Rejected, scan};
use sori_models::{Architecture, Role};

use super::certainty::{certainty, interval};
use super::decode::DecodeArgs;
use super::options::Common;
use super::output::{print, print_json, remark};
use crate::backend::{Job, run_on};
use crate::data::Data;
use crate::data::pipeline::pipeline;
use crate::data::specs::to_measure_on;
use crate::decode::Beam;
use crate::file::write_atomically;
use crate::infer::evaluate::{Measured, emissions, measure};
use crate::show::table::table;
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
    /// Also write the answer for each recording beside the right one
    #[arg(long, value_name = "OUT.csv")]
    csv: Option<PathBuf>,
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
    type Output = Result<Measured>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let best = self.run.best::<B::InnerBackend>(device)?;
        if let Some(path) = self.emissions {
            let found = emissions(self.run, &best, &self.items, device)?;
            write_emissions(path, self.run, &self.items, &found)?;
        }
        measure(self.run, &best, &self.items, self.beam, device)
    }
}

pub(super) fn run(common: &Common, args: &EvalArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    let info = run.info();
    run.best_checkpoint()?;
    let beam = args.decode.beam(&run)?;
    let (mut items, split) = match &args.data {
        Some(spec) => (given(common, &run, spec)?, "all"),
        None => {
            let data = Data::of_run(&run)?;
            // With --skip-bad a recording may be missing.
            if !common.skip_bad {
                let parts = [data.held_out_part()];
                data.check_unchanged(&run, &parts, &AtomicBool::new(false), &mut |_, _| ())?;
            }
            let (items, split) = data.held_out();
            (items.into_iter().cloned().collect(), split)
        }
    };
    if let Some(path) = &args.emissions {
        if run.settings().model.role() != Role::Emitter {
            return Err(Error::Input(
                "--emissions is for deep_speech2, which says something at each step".to_string(),
            ));
        }
        super::output::require_folder_of(path)?;
    }
    if let Some(path) = &args.csv {
        super::output::require_folder_of(path)?;
    }
    if common.skip_bad {
        items = usable(&run, &items)?;
    }
    let backend = common.backend_for(Some(&info.backend));
    let measured = run_on(
        backend,
        Eval {
            run: &run,
            items: items.iter().collect(),
            beam,
            emissions: args.emissions.as_deref(),
        },
    )??;
    if !measured.loss.is_finite() {
        return Err(Error::run(
            run.path(),
            format!(
                "its loss on these recordings is {}, so that its metrics mean nothing; a recording's level \
                 may be far outside of what it was trained on",
                measured.loss
            ),
        ));
    }
    let headline = run.task().headline().metric;
    let Measured {
        loss,
        metrics,
        labels_left_out,
        worst,
        csv: (_, csv),
        answers,
        per_label,
    } = measured;
    if let Some(path) = &args.csv {
        write_atomically(path, answers.unwrap_or(csv).as_bytes())?;
    }
    if common.json {
        let records = run.metrics()?;
        let last = records.last();
        return print_json(&json!({
            "task": info.task, "model": info.model, "metric": headline, "split": split,
            "data": args.data, "items": items.len(), "value": metrics.get(headline),
            "metrics": metrics, "loss": loss, "params": info.params,
            "seconds": last.map_or(0.0, |record| record.seconds),
            "epochs": last.map_or(0, |record| record.epoch),
            "backend": backend.as_str(), "seed": info.seed, "labels_left_out": labels_left_out,
            "interval": interval(headline, metrics.get(headline), items.len()),
        }));
    }
    print(&format!(
        "{} recordings ({}): {}  loss {:.4}",
        items.len(),
        args.data.as_deref().unwrap_or(split),
        metrics.text(headline),
        loss
    ))?;
    if !labels_left_out.is_empty() {
        common.tell(&format!(
            "no recording has {}: left out of the means",
            labels_left_out.join(", ")
        ))?;
    }
    for line in certainty(headline, metrics.get(headline), items.len()) {
        common.tell(&line)?;
    }
    for line in table(&per_label) {
        common.tell(&format!("  {line}"))?;
    }
    if !worst.is_empty() {
        common.tell("worst:")?;
    }
    worst.iter().try_for_each(|line| common.tell(line))
}

/// Writes the emissions of each recording, with the alphabet (JSON) in the file's header.
fn write_emissions(
    path: &Path,
    run: &RunFolder,
    items: &[&Item],
    emissions: &[Vec<Vec<f32>>],
) -> Result<()> {
    let bad = |error: safetensors::SafeTensorError| {
        Error::Input(format!("cannot write {}: {error}", path.display()))
    };
    let Some(alphabet) = run.task().alphabet() else {
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
    let alphabet = json!(alphabet.as_ref()).to_string();
    let header = HashMap::from([("alphabet".to_string(), alphabet)]);
    write_atomically(
        path,
        &safetensors::serialize(views, Some(header)).map_err(bad)?,
    )
}

/// All recordings of `spec`, with the labels of the run.
fn given(common: &Common, run: &RunFolder, spec: &str) -> Result<Vec<Item>> {
    let (items, rejected) = to_measure_on(spec, common.skip_bad, run.task())?;
    left_out(&rejected);
    if items.is_empty() {
        return Err(Error::Input(format!(
            "{spec}: there is no recording to measure on"
        )));
    }
    Ok(items)
}

/// The readable ones of `items`.
fn usable(run: &RunFolder, items: &[Item]) -> Result<Vec<Item>> {
    let settings = run.settings();
    let pipeline = pipeline(&settings.features, run.info().stats.as_ref())?;
    let on_progress = |_| ControlFlow::Continue(());
    let (items, scanned) = scan(
        items,
        &pipeline,
        settings.train.num_workers(),
        true,
        on_progress,
    )?;
    left_out(&scanned.bad);
    Ok(items)
}

fn left_out(rejected: &[Rejected]) {
    for rejected in rejected {
        remark(&format!("left out: {}", rejected.reason));
    }
}
