//! `sori report`: a run, a comparison or the folds of a run on one page.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::options::Common;
use super::output::print_json;
use crate::Result;
use crate::file::write_atomically;
use crate::show::report_folder;

#[derive(Args)]
pub(super) struct ReportArgs {
    /// The run folder, or the folder of a comparison or of folds
    run: PathBuf,
    /// How many of the recordings it did worst on to show
    #[arg(long, value_name = "N", default_value_t = 6)]
    worst: u16,
    /// The file to write [default: report.html in that folder]
    #[arg(long, value_name = "OUT.html")]
    out: Option<PathBuf>,
}

pub(super) fn run(common: &Common, args: &ReportArgs) -> Result<()> {
    if let Some(out) = &args.out {
        super::output::require_folder_of(out)?;
    }
    let backend = |trained_on: &str| common.backend_for(Some(trained_on));
    let page = report_folder(&args.run, usize::from(args.worst), &backend)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => args.run.join("report.html"),
    };
    write_atomically(&out, page.as_bytes())?;
    if common.json {
        return print_json(&json!({
            "run": args.run.display().to_string(), "out": out.display().to_string(),
        }));
    }
    super::output::print(&format!("{}", out.display()))
}
