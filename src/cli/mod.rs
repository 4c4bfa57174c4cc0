//! The `sori` command: one file per subcommand.

mod answers;
mod bar;
mod bench;
mod certainty;
mod command;
mod compare;
mod completion;
mod data;
mod data_export;
mod data_info;
mod decode;
mod each;
mod embed;
mod eval;
mod examples;
mod export;
mod features;
mod fetch;
mod folds;
mod generate;
mod given;
mod groups;
mod histogram;
mod home;
mod import;
mod lm;
#[cfg(feature = "mic")]
mod microphone;
mod model_card;
mod models;
mod npy;
mod oddities;
mod options;
mod output;
mod picture;
mod pitch;
mod predict;
mod report;
mod run_args;
mod runs;
mod settings;
mod sound;
mod speech;
mod stream;
#[cfg(test)]
mod tests;
mod threads;
mod train;
mod trials;
mod tune;
mod wav;
mod word_times;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::CompleteEnv;

use self::options::Common;
use self::output::{name_lines, print_bytes};
use crate::show::terminal::shown;
use crate::train::interrupt::{exit_status, fail_writes_beyond_the_size_limit};
use crate::{Error, Result};

/// Train, evaluate and use audio models.
#[derive(Parser)]
#[command(name = "sori", version, arg_required_else_help = true, after_help = examples::SORI)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the architectures, or show one: layers, paper, recipe
    #[command(after_help = examples::MODELS)]
    Models(models::ModelsArgs),
    /// List what can be set, with meaning, value, range and source
    #[command(after_help = examples::SETTINGS)]
    Settings(settings::SettingsArgs),
    /// Train a model, or go on with an interrupted run
    #[command(after_help = examples::TRAIN)]
    Train(train::TrainArgs),
    /// Train one model in several ways, with repeated seeds, and compare them
    #[command(after_help = examples::COMPARE)]
    Compare(compare::CompareArgs),
    /// Search settings on the validation part, for as long as you say
    #[command(after_help = examples::TUNE)]
    Tune(tune::TuneArgs),
    /// List the runs of a folder: model, data, epochs, state, figures
    Runs(runs::RunsArgs),
    /// Measure a run's best checkpoint on a whole set
    #[command(after_help = examples::EVAL)]
    Eval(eval::EvalArgs),
    /// Put a run on one page: how it learned, how it did, what it did worst on
    #[command(after_help = examples::REPORT)]
    Report(report::ReportArgs),
    /// Label, tag, write down or measure audio files by a run's best checkpoint
    #[command(after_help = examples::PREDICT)]
    Predict(predict::PredictArgs),
    /// Write what a run's last layer sees of audio files, or the vector of a voice; compare two
    #[command(after_help = examples::EMBED)]
    Embed(embed::EmbedArgs),
    /// Show what a run makes of noise, beside recordings (vae, gan)
    #[command(after_help = examples::GENERATE)]
    Generate(generate::GenerateArgs),
    /// Make a run of weights from elsewhere: PyTorch, safetensors, TensorFlow, ONNX
    #[command(after_help = examples::IMPORT)]
    Import(import::ImportArgs),
    /// Write a run's weights for other programs: safetensors, PyTorch's names, ONNX
    #[command(after_help = examples::EXPORT)]
    Export(export::ExportArgs),
    /// Compute the features of an audio file, as numbers or as a picture
    #[command(after_help = examples::FEATURES)]
    Features(features::FeaturesArgs),
    /// Look at a corpus, download one, or cache its features
    #[command(subcommand, after_help = examples::DATA)]
    Data(data::DataCommand),
    /// Estimate and use language models
    #[command(subcommand, after_help = examples::LM)]
    Lm(lm::LmCommand),
    /// Time a training step of the zoo on this backend
    #[command(after_help = examples::BENCH)]
    Bench(bench::BenchArgs),
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
        shell: String,
    },
}

impl Command {
    /// What its JSON lines are, unless they say it themselves.
    fn event(&self) -> &'static str {
        match self {
            Self::Models(_) => "model",
            Self::Settings(_) => "setting",
            Self::Compare(_) => "way",
            Self::Tune(_) => "candidate",
            Self::Runs(_) => "run",
            Self::Report(_) => "report",
            Self::Import(_) => "import",
            Self::Export(_) => "export",
            Self::Predict(_) => "prediction",
            Self::Embed(_) => "embedding",
            Self::Generate(_) => "patches",
            Self::Features(_) => "features",
            Self::Data(data::DataCommand::Info { .. }) => "corpus",
            Self::Data(data::DataCommand::Export(_)) => "recording",
            Self::Data(data::DataCommand::Prepare { .. }) => "cache",
            Self::Data(data::DataCommand::Fetch(_)) => "download",
            Self::Lm(lm::LmCommand::Train(_)) => "language_model",
            _ => "result",
        }
    }
}

/// The command line, as it is parsed, shown and completed.
fn whole_command() -> clap::Command {
    command::whole(Cli::command())
}

/// Runs the command of this process's arguments. Errors go to standard error and give exit code 1;
/// wrong usage gives 2.
pub fn main() -> ExitCode {
    let arguments = std::env::args_os().map(home::expanded);
    CompleteEnv::with_factory(whole_command)
        .var(completion::ASKED_BY)
        .complete();
    let parsed = command::parse(whole_command(), arguments);
    let cli = parsed
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .unwrap_or_else(|error| error.exit());
    name_lines(cli.command.event());
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
        Command::Settings(args) => settings::run(common, &args),
        Command::Train(args) => train::run(common, args),
        Command::Compare(args) => compare::run(common, &args),
        Command::Tune(args) => tune::run(common, &args),
        Command::Runs(args) => runs::run(common, &args),
        Command::Eval(args) => eval::run(common, &args),
        Command::Report(args) => report::run(common, &args),
        Command::Predict(args) => predict::run(common, &args),
        Command::Embed(args) => embed::run(common, &args),
        Command::Generate(args) => generate::run(common, &args),
        Command::Import(args) => import::run(common, &args),
        Command::Export(args) => export::run(common, &args),
        Command::Features(args) => features::run(common, &args),
        Command::Data(command) => data::run(common, &command),
        Command::Lm(command) => lm::run(common, &command),
        Command::Bench(args) => bench::run(common, &args),
        Command::Completions { shell } => print_bytes(&completion::script(&shell)?),
    }
}
