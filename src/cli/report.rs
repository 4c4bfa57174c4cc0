//! `sori report`: a run on one page.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::options::Common;
use super::output::print_json;
use crate::file::write_atomically;
use crate::show::report::report;
use crate::{Result, RunFolder};

#[derive(Args)]
pub(super) struct ReportArgs {
    /// The run folder
    run: PathBuf,
    /// How many of the recordings it did worst on to show
    #[arg(long, value_name = "N", default_value_t = 6)]
    worst: u16,
    /// The file to write [default: report.html in the run folder]
    #[arg(long, value_name = "OUT.html")]
    out: Option<PathBuf>,
}

pub(super) fn run(common: &Common, args: &ReportArgs) -> Result<()> {
    if let Some(out) = &args.out {
        super::output::require_folder_of(out)?;
    }
    let run = RunFolder::open(&args.run)?;
    let backend = common.backend_for(Some(&run.info().backend));
    let page = report(&run, usize::from(args.worst), backend)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => run.path().join("report.html"),
    };
    write_atomically(&out, page.as_bytes())?;
    if common.json {
        return print_json(&json!({
            "run": args.run.display().to_string(), "out": out.display().to_string(),
        }));
    }
    super::output::print(&format!("{}", out.display()))
}
