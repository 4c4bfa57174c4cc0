//! `sori export`: a run's weights for other programs.

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::options::Common;
use super::output::{print_json, require_folder_of};
use crate::export::{Export, export};
use crate::run::folder::best_checkpoint_in;
use crate::show::text::thousands;
use crate::{Error, Result, RunFolder};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Safetensors with Sori's own names and layouts
    Safetensors,
    /// Safetensors with the names and layouts of the PyTorch twin
    PytorchNames,
    /// ONNX
    Onnx,
    /// A run folder with only what its use needs
    Run,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The run folder
    run: PathBuf,
    /// What to write (docs/weights.md)
    #[arg(long, value_enum)]
    format: Format,
    /// The file to write; what is there is replaced. Of a run, the new folder. Of `las` and `vae`, ONNX is two
    /// files, such as x.listen.onnx and x.spell.onnx for x.onnx
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Compute the features inside of the ONNX graph, which then takes waveforms at the run's sample rate
    #[arg(long)]
    features: bool,
    /// Halve the size of a run: its weights are rounded to half precision
    #[arg(long)]
    half: bool,
}

pub(super) fn run(common: &Common, args: &ExportArgs) -> Result<()> {
    if args.half && args.format != Format::Run {
        return Err(Error::Input(
            "--half is for --format run; other programs are given full precision".to_string(),
        ));
    }
    let format = match args.format {
        Format::Onnx => Export::Onnx {
            with_features: args.features,
        },
        _ if args.features => {
            return Err(Error::Input(
                "--features is for --format onnx; weights alone compute no features".to_string(),
            ));
        }
        Format::Run => return pack(common, args),
        Format::Safetensors => Export::Safetensors,
        Format::PytorchNames => Export::PytorchNames,
    };
    require_folder_of(&args.out)?;
    if args.out.is_dir() {
        return Err(Error::Input(format!(
            "--out {}: this is a folder; name a file",
            args.out.display()
        )));
    }
    let run = RunFolder::open(&args.run)?;
    let backend = common.backend_for(Some(&run.info().backend));
    let written = export(&run, format, &args.out, backend)?;
    let info = run.info();
    if common.json {
        let name = args.format.to_possible_value();
        return print_json(&json!({
            "run": args.run.display().to_string(), "model": info.model,
            "format": name.as_ref().map(|it| it.get_name()), "features": args.features, "files": written,
        }));
    }
    let unit = match args.format {
        Format::Onnx => "nodes",
        _ => "tensors",
    };
    for file in written {
        let mut line = format!(
            "{}: {} {unit}, {} bytes",
            file.file.display(),
            thousands(file.parts),
            thousands(file.bytes)
        );
        if args.format == Format::Onnx {
            let [inputs, outputs] = [file.inputs, file.outputs].map(|names| names.join(", "));
            line.push_str(&format!("; {inputs} → {outputs}"));
        }
        common.tell(&line)?;
    }
    Ok(())
}

/// Writes a run folder for use elsewhere.
fn pack(common: &Common, args: &ExportArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    run.pack(&args.out, args.half)?;
    let weights = best_checkpoint_in(&args.out)?;
    let bytes = fs::metadata(&weights).map_err(Error::io("cannot read", &weights))?;
    let bytes = bytes.len() as usize;
    if common.json {
        return print_json(&json!({
            "event": "export", "run": args.run.display().to_string(), "model": run.info().model,
            "format": "run", "features": false, "files": [{"file": weights, "bytes": bytes}],
        }));
    }
    common.tell(&format!(
        "{}: a run with {} bytes of weights",
        args.out.display(),
        thousands(bytes)
    ))
}
