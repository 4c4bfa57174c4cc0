//! The `sori` command: one file per subcommand.

mod bench;
mod compare;
mod data;
mod decode;
mod eval;
mod features;
mod fetch;
mod generate;
mod lm;
#[cfg(feature = "mic")]
mod microphone;
mod models;
mod predict;
mod report;
mod stream;
mod train;

use std::io::{self, Write};
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use serde::Serialize;

use crate::{BackendName, Error, Result, Settings};

/// Train, evaluate and use audio models.
#[derive(Parser)]
#[command(name = "sori", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Where to compute: ndarray (CPU), wgpu, vulkan, metal or cuda, as compiled in
    #[arg(long, global = true, value_name = "NAME")]
    backend: Option<BackendName>,
    /// Threads to compute with [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Leave out recordings that cannot be used instead of stopping at the first
    #[arg(long, global = true)]
    skip_bad: bool,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Print JSON lines on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// List the zoo: name, task, paper, parameters
    Models(models::ModelsArgs),
    /// Train a model, or go on with an interrupted run
    Train(train::TrainArgs),
    /// Train one model in several ways, with repeated seeds, and compare them
    Compare(compare::CompareArgs),
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
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has had enough of it.
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            match error {
                Error::Interrupted { .. } => ExitCode::from(130),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let common = &cli.common;
    use_threads(common)?;
    match cli.command {
        Command::Models(args) => models::run(common, &args),
        Command::Train(args) => train::run(common, args),
        Command::Compare(args) => compare::run(common, &args),
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

/// Makes `--threads` hold everywhere: rayon's pool, and the matrix products of ndarray, which read
/// their count from the environment before `main`'s arguments are known; so the process starts
/// itself anew with it.
fn use_threads(common: &Common) -> Result<()> {
    const MATRIX_THREADS: &str = "MATMUL_NUM_THREADS";
    let Some(threads) = common.threads else {
        return Ok(());
    };
    let threads = threads.to_string();
    if std::env::var(MATRIX_THREADS).is_ok_and(|set| set == threads) {
        return rayon::ThreadPoolBuilder::new()
            .num_threads(usize::from(common.threads.unwrap_or(1)))
            .build_global()
            .map_err(|e| Error::Input(format!("--threads {threads}: {e}")));
    }
    let failed = |e: io::Error| Error::Input(format!("--threads {threads}: {e}"));
    let mut again = std::process::Command::new(std::env::current_exe().map_err(failed)?);
    again
        .args(std::env::args_os().skip(1))
        .env(MATRIX_THREADS, &threads);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(failed(again.exec()))
    }
    #[cfg(not(unix))]
    {
        let status = again.status().map_err(failed)?;
        std::process::exit(status.code().unwrap_or(1))
    }
}

impl Common {
    /// The backend asked for, or the one a run was trained on if it is compiled in, or the default.
    fn backend_for(&self, trained_on: Option<&str>) -> BackendName {
        self.backend.unwrap_or_else(|| {
            trained_on
                .and_then(|name| name.parse().ok())
                .filter(|name| BackendName::compiled().any(|compiled| compiled == *name))
                .unwrap_or_default()
        })
    }

    /// Prints a line for a person, unless programs read or nobody does.
    fn tell(&self, text: &str) -> Result<()> {
        if self.json || self.quiet {
            return Ok(());
        }
        print(text)
    }
}

/// Refuses the name of another file than a picture, which `option` is to write.
fn require_png(option: &str, path: &Path) -> Result<()> {
    match path.extension() {
        Some(extension) if extension == "png" => Ok(()),
        _ => Err(Error::Input(format!(
            "{option} {}: its name must end in .png (a picture)",
            path.display()
        ))),
    }
}

/// Refuses what can be known beforehand of an output that could not be written.
fn require_folder_of(out: &Path) -> Result<()> {
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(Error::Input(format!(
                "cannot write {}: there is no folder {}; make it first",
                out.display(),
                folder.display()
            )))
        }
        _ => Ok(()),
    }
}

/// Prints a line on standard output.
fn print(text: &str) -> Result<()> {
    print_bytes(format!("{text}\n").as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(Error::io("cannot write", "standard output".as_ref()))
}

/// Prints a JSON line on standard output.
fn print_json<T: Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string(value)
        .map_err(|e| Error::Input(format!("the result cannot be written as JSON: {e}")))?;
    print(&text)
}

/// Prints a remark on standard error, where it disturbs no program.
fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Options that change settings.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SettingArgs {
    /// TOML file of settings, as a run's config.toml; may be given several times
    #[arg(long, value_name = "FILE.toml")]
    config: Vec<PathBuf>,
    /// One setting, such as train.learning_rate=0.01 (or learning_rate=0.01); may be given several
    /// times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl SettingArgs {
    fn apply(&self, mut settings: Settings) -> Result<Settings> {
        for path in &self.config {
            settings = settings.with_file(path)?;
        }
        for assignment in &self.set {
            settings = settings.with_override(assignment)?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use std::path::Path;

    use sori_datasets::Spec;

    use super::*;

    /// The `sori` commands of a page: those of its blocks of shell commands, variables put in, and
    /// those between backquotes.
    fn commands(page: &str) -> Vec<Vec<String>> {
        let mut lines = Vec::new();
        let mut variables = Vec::new();
        for (index, part) in page.split("```").enumerate() {
            if index % 2 == 0 {
                let quoted = part.split('`').skip(1).step_by(2);
                lines.extend(quoted.map(|code| code.replace('\n', " ")));
            } else if let Some(block) = part.strip_prefix("sh\n") {
                lines.extend(block.replace("\\\n", " ").lines().map(String::from));
            }
        }
        let mut commands = Vec::new();
        for mut line in lines {
            if let Some((name, value)) = line.split_once("='")
                && name.chars().all(char::is_alphabetic)
            {
                variables.push((format!("${name}"), value.trim_end_matches('\'').to_owned()));
                continue;
            }
            for (name, value) in &variables {
                line = line.replace(name, value);
            }
            let words = shlex::split(&line).unwrap_or_default();
            let parts = words.split(|word| ["|", "&&", ";"].contains(&word.as_str()));
            commands.extend(
                parts
                    .filter(|part| part.len() > 1 && part[0] == "sori")
                    .map(<[String]>::to_vec),
            );
        }
        commands
    }

    /// Whether a command can be run, given the recordings and runs it names.
    fn check(words: &[String]) -> Result<()> {
        let cli = Cli::try_parse_from(words).map_err(|error| Error::Input(error.to_string()))?;
        let settings = |model: &str, recipe: &train::Recipe| {
            let specs = [&recipe.data, &recipe.valid_data, &recipe.test_data];
            for spec in specs.into_iter().flatten() {
                spec.parse::<Spec>()?;
            }
            let data = recipe.data.as_deref().unwrap_or("synth:dtmf");
            recipe.settings_of(&cli.common, model, data, 16_000)
        };
        match &cli.command {
            Command::Train(args) => match &args.model {
                Some(model) => settings(model, &args.recipe).map(drop),
                None => Ok(()),
            },
            Command::Compare(args) => {
                let base = settings(&args.model, &args.recipe)?;
                args.ways(&base).map(drop)
            }
            _ => Ok(()),
        }
    }

    #[test]
    fn the_commands_of_the_pages_can_be_run() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut checked = 0;
        for page in ["README.md", "docs/lectures.md"] {
            let text = std::fs::read_to_string(root.join(page)).unwrap();
            for words in commands(&text) {
                // Named, without what they need.
                if words.len() == 2 || words[2..] == ["train"] || words[2..] == ["RUN"] {
                    continue;
                }
                if words.iter().any(|word| word == "x=1") {
                    // It is there to be refused, with the names of all settings.
                    assert!(check(&words).is_err());
                    continue;
                }
                if let Err(error) = check(&words) {
                    panic!("{page}: {}: {error}", words.join(" "));
                }
                checked += 1;
            }
        }
        assert!(checked > 70, "{checked}");
    }

    #[test]
    fn a_wrong_command_is_found() {
        let page = "```sh\nX='--set epochs=3'\nsori train cnn1d $X \\\n  --set hop=3 # so\n```\n`sori train cnn1d`";
        let found = commands(page);
        assert_eq!(found[0][3..], ["--set", "epochs=3", "--set", "hop=3"]);
        assert!(check(&found[0]).unwrap_err().to_string().contains("hop"));
        check(&found[1]).unwrap();
    }
}
