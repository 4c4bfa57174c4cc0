//! `sori bench`: times of training steps and predictions.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Map, Value, json};

use super::options::Common;
use super::output::{print, print_json};
use crate::bench::{Preset, presets};
use crate::settings::Precision;
use crate::show::text::thousands;
use crate::{Error, Result};

#[derive(Args)]
pub(super) struct BenchArgs {
    /// The presets to time [default: all]
    preset: Vec<String>,
    /// Timed training steps, after two that are not
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Time predictions for a single recording instead: the forward pass of one row
    #[arg(long)]
    prediction: bool,
    /// The precision of training steps: f32, or f16 or bf16 on a GPU that has it
    #[arg(long, default_value_t, conflicts_with = "prediction", value_parser = PossibleValuesParser::new(["f32", "f16", "bf16"]).map(|it| it.parse::<Precision>().unwrap_or_default()))]
    precision: Precision,
}

const WARM_UP: usize = 2;

pub(super) fn run(common: &Common, args: &BenchArgs) -> Result<()> {
    let presets: Vec<Preset> = if args.preset.is_empty() {
        let all = presets().into_iter();
        all.filter(|preset| !args.prediction || preset.has_prediction())
            .collect()
    } else {
        args.preset
            .iter()
            .map(|name| Preset::find(name))
            .collect::<Result<_>>()?
    };
    let of_precision = |preset| Preset {
        precision: args.precision,
        ..preset
    };
    let presets: Vec<_> = presets.into_iter().map(of_precision).collect();
    let backend = common.backend_for(None);
    let mut workloads = Map::new();
    for preset in &presets {
        // Each preset runs in its own process, so that its peak memory is its own.
        let timing = if presets.len() == 1 {
            let steps = args.steps as usize;
            json!(match args.prediction {
                true => preset.time_prediction(backend, WARM_UP, steps)?,
                false => preset.time(backend, WARM_UP, steps)?,
            })
        } else {
            in_own_process(common, preset, args)?
        };
        if !common.json {
            print(&format!(
                "{:<12} {:>9.1} ms a {}  {:>11} parameters  {}",
                preset.name,
                timing["median_ms"].as_f64().unwrap_or(f64::NAN),
                if args.prediction {
                    "prediction"
                } else {
                    "step"
                },
                thousands(timing["params"].as_u64().unwrap_or(0) as usize),
                timing["peak_mib"]
                    .as_f64()
                    .map_or_else(String::new, |mib| format!("{mib:>7.0} MiB")),
            ))?;
        }
        workloads.insert(preset.name.to_string(), timing);
    }
    if !common.json {
        return Ok(());
    }
    let threads = common
        .threads
        .map_or_else(rayon::current_num_threads, usize::from);
    print_json(&json!({
        "backend": backend.as_str(), "threads": threads, "workloads": workloads,
    }))
}

fn in_own_process(common: &Common, preset: &Preset, args: &BenchArgs) -> Result<Value> {
    let failed = |reason: String| Error::Input(format!("preset {}: {reason}", preset.name));
    let mut command =
        std::process::Command::new(std::env::current_exe().map_err(|e| failed(e.to_string()))?);
    command
        .args([
            "bench",
            preset.name,
            "--json",
            "--steps",
            &args.steps.to_string(),
        ])
        .args(["--backend", common.backend_for(None).as_str()]);
    match args.prediction {
        true => command.arg("--prediction"),
        false => command.args(["--precision", &args.precision.to_string()]),
    };
    if let Some(threads) = common.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    let output = command.output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_string(),
        ));
    }
    let line: Value = serde_json::from_slice(&output.stdout).map_err(|e| failed(e.to_string()))?;
    Ok(line["workloads"][preset.name].clone())
}
