//! The `sori` command: one file per subcommand.

mod bench;
mod compare;
mod data;
mod decode;
mod deviation;
mod eval;
mod features;
mod fetch;
mod generate;
mod groups;
mod lm;
#[cfg(feature = "mic")]
mod microphone;
mod models;
mod npy;
mod options;
mod output;
mod predict;
mod report;
mod run_args;
mod sound;
mod stream;
#[cfg(test)]
mod tests;
mod threads;
mod train;
mod trials;
mod tune;
mod word_times;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use self::options::Common;
use self::output::print_bytes;
use crate::show::terminal::shown;
use crate::train::interrupt::{exit_status, fail_writes_beyond_the_size_limit};
use crate::{Error, Result};

/// Train, evaluate and use audio models.
#[derive(Parser)]
#[command(name = "sori", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the zoo: name, task, paper, parameters
    Models(models::ModelsArgs),
    /// Train a model, or go on with an interrupted run
    Train(train::TrainArgs),
    /// Train one model in several ways, with repeated seeds, and compare them
    Compare(compare::CompareArgs),
    /// Search settings on the validation part, for as long as you say
    Tune(tune::TuneArgs),
    /// Measure a run's best checkpoint on a whole set
    Eval(eval::EvalArgs),
    /// Put a run on one page: how it learned, how it did, what it did worst on
    Report(report::ReportArgs),
    /// Label, tag, write down or measure audio files by a run's best checkpoint
    Predict(predict::PredictArgs),
    /// Show what a run makes of noise, beside recordings (vae, gan)
    Generate(generate::GenerateArgs),
    /// Compute the features of an audio file, as numbers or as a picture
    Features(features::FeaturesArgs),
    /// Look at a corpus, download one, or cache its features
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Estimate and use language models
    #[command(subcommand)]
    Lm(lm::LmCommand),
    /// Time a training step of the zoo on this backend
    Bench(bench::BenchArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command of this process's arguments. Errors go to standard error and give exit code 1;
/// wrong usage gives 2.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    fail_writes_beyond_the_size_limit();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has closed it.
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", shown(&error.to_string()));
            match error {
                Error::Interrupted { .. } => ExitCode::from(exit_status()),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let common = &cli.common;
    threads::use_threads(common)?;
    match cli.command {
        Command::Models(args) => models::run(common, &args),
        Command::Train(args) => train::run(common, args),
        Command::Compare(args) => compare::run(common, &args),
        Command::Tune(args) => tune::run(common, &args),
        Command::Eval(args) => eval::run(common, &args),
        Command::Report(args) => report::run(common, &args),
        Command::Predict(args) => predict::run(common, &args),
        Command::Generate(args) => generate::run(common, &args),
        Command::Features(args) => features::run(common, &args),
        Command::Data(command) => data::run(common, &command),
        Command::Lm(command) => lm::run(common, &command),
        Command::Bench(args) => bench::run(common, &args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sori", &mut script);
            print_bytes(&script)
        }
    }
}
