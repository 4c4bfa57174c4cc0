//! `sori bench`: times of training steps.

use clap::Args;
use serde_json::{Map, Value, json};

use super::options::Common;
use super::output::{print, print_json};
use crate::bench::{Preset, presets};
use crate::show::text::thousands;
use crate::{Error, Result};

#[derive(Args)]
pub(super) struct BenchArgs {
    /// The presets to time [default: all]
    preset: Vec<String>,
    /// Timed training steps, after two that are not
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
}

const WARM_UP: usize = 2;

pub(super) fn run(common: &Common, args: &BenchArgs) -> Result<()> {
    let presets: Vec<Preset> = if args.preset.is_empty() {
        presets()
    } else {
        args.preset
            .iter()
            .map(|name| Preset::find(name))
            .collect::<Result<_>>()?
    };
    let backend = common.backend_for(None);
    let mut workloads = Map::new();
    for preset in &presets {
        // Each preset runs in its own process, so that its peak memory is its own.
        let timing = if presets.len() == 1 {
            json!(preset.time(backend, WARM_UP, args.steps as usize)?)
        } else {
            in_own_process(common, preset, args.steps)?
        };
        if !common.json {
            print(&format!(
                "{:<12} {:>9.1} ms a step  {:>11} parameters  {}",
                preset.name,
                timing["median_ms"].as_f64().unwrap_or(f64::NAN),
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

fn in_own_process(common: &Common, preset: &Preset, steps: u32) -> Result<Value> {
    let failed = |reason: String| Error::Input(format!("preset {}: {reason}", preset.name));
    let mut command =
        std::process::Command::new(std::env::current_exe().map_err(|e| failed(e.to_string()))?);
    command
        .args([
            "bench",
            preset.name,
            "--json",
            "--steps",
            &steps.to_string(),
        ])
        .args(["--backend", common.backend_for(None).as_str()]);
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
