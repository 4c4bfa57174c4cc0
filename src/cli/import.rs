//! `sori import`: a run of weights from elsewhere.

use std::path::{Path, PathBuf};

use burn::tensor::backend::AutodiffBackend;
use clap::{Args, ValueEnum};
use serde_json::json;
use sori_datasets::Alphabet;
use sori_datasets::features::Normalize;
use sori_models::{Architecture, ModelConfig, Purpose, Role};

use super::options::{Common, SettingArgs};
use super::output::{print, print_json};
use crate::backend::{Job, run_on};
use crate::run::claim::INFO;
use crate::show::text::thousands;
use crate::task::name::TaskName;
use crate::task::reading::Reading;
use crate::weights::facts::Facts;
use crate::weights::import::{Fitted, Import};
use crate::weights::published::{PUBLISHED, Published};
use crate::weights::{Names, WeightFile};
use crate::{Error, Result, Settings};

/// The length of sound that goes through a network at once unless it is said, in seconds.
const WINDOW_S: f64 = 10.0;

/// The answer of a classifier that is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Asked {
    /// One label
    Classify,
    /// Any number of labels
    Tag,
    /// The pitch over time, from 360 scores as CREPE has them
    Pitch,
    /// The stretches of speech, from one score over time
    Speech,
    /// The vector of a voice
    Voice,
}

impl Asked {
    fn reading(self) -> Option<Reading> {
        match self {
            Self::Classify | Self::Tag => None,
            Self::Pitch => Some(Reading::Pitch),
            Self::Speech => Some(Reading::Speech),
            Self::Voice => Some(Reading::Voice),
        }
    }
}

#[derive(Args)]
#[command(override_usage = "sori import [OPTIONS] MODEL FILE --out RUN\n       sori import --list")]
pub(super) struct ImportArgs {
    /// An architecture as in `sori models`, or a published model as in `sori import --list`
    #[arg(required_unless_present = "list", requires = "file")]
    model: Option<String>,
    /// The weights: PyTorch's .pt or .pth, safetensors, the .index of a TensorFlow 2 checkpoint, or ONNX;
    /// also within a wheel or zip, as ARCHIVE#MEMBER. Of a published model, the archive that carries it
    file: Option<PathBuf>,
    /// The run folder to make
    #[arg(long, value_name = "RUN", required_unless_present_any = ["list", "dry_run"])]
    out: Option<PathBuf>,
    /// Names of the tensors, where they are not those of PyTorch (docs/weights.md)
    #[arg(long, value_name = "FILE.toml")]
    map: Option<PathBuf>,
    /// The labels, one per line, in the order of the outputs; for transcripts the symbols
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// What a classifier is asked for [default: as in `sori models`]
    #[arg(long, value_enum)]
    task: Option<Asked>,
    /// The length of sound that the network was trained on, in seconds; longer recordings are predicted
    /// window by window [default: 10]
    #[arg(long, value_name = "S")]
    window: Option<f64>,
    #[command(flatten)]
    settings: SettingArgs,
    /// Print which tensor would become which parameter, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// List the published models
    #[arg(long, conflicts_with_all = ["model", "file", "out", "map", "labels", "task", "window", "config", "set", "dry_run"])]
    list: bool,
}

pub(super) fn run(common: &Common, args: &ImportArgs) -> Result<()> {
    let (Some(model), Some(file)) = (&args.model, &args.file) else {
        return list(common);
    };
    if let Some(out) = &args.out
        && out.join(INFO).exists()
    {
        return Err(Error::run(
            out,
            "there is a run already; name another folder",
        ));
    }
    let published = Published::named(model);
    let source = match published {
        Some(published) => published.member_of(file)?,
        None => file.clone(),
    };
    let opened = || WeightFile::open(&source);
    let (import, file) = match published {
        Some(published) => (of_published(args, published)?, opened()?),
        None => {
            known(model)?;
            let file = opened()?;
            (of_architecture(args, model, &file)?, file)
        }
    };
    let work = Work {
        common,
        import,
        file,
        source,
        out: args.out.as_deref(),
        dry_run: args.dry_run,
    };
    run_on(common.backend_for(None), work)?
}

fn list(common: &Common) -> Result<()> {
    for model in PUBLISHED {
        if common.json {
            print_json(&json!({
                "name": model.name, "model": model.model, "task": model.task, "reading": model.reading, "summary": model.summary,
                "package": model.package, "archive": model.archive, "sha256": model.sha256,
                "licence": model.licence, "get": model.how,
            }))?;
            continue;
        }
        print(&format!(
            "{:<12} {}\n{:>13}from {} ({}): {}",
            model.name, model.summary, "", model.package, model.licence, model.how
        ))?;
    }
    common.tell("\nmodels/cards/ has a card for each: where it is from, what was changed, how it was checked.")
}

fn window(args: &ImportArgs, default: f64) -> Result<f64> {
    match args.window {
        Some(window_s) if !(window_s.is_finite() && window_s > 0.0) => Err(Error::Input(format!(
            "--window {window_s}: it must be above 0 seconds"
        ))),
        given => Ok(given.unwrap_or(default)),
    }
}

/// Settings of the architecture `model` whose features are not normalised by a corpus.
fn settings_of(model: &str, text: &str, args: &ImportArgs) -> Result<Settings> {
    let mut settings = Settings::of(ModelConfig::from_name(model)?, "", 16_000)?;
    settings.features.normalize = Normalize::None;
    let settings = settings.with_toml(text, model)?;
    args.settings.apply(settings)
}

fn of_published(args: &ImportArgs, published: &Published) -> Result<Import> {
    let given = [
        (args.map.is_some(), "--map"),
        (args.labels.is_some(), "--labels"),
        (args.task.is_some(), "--task"),
    ];
    if let Some((_, option)) = given.iter().find(|(given, _)| *given) {
        return Err(Error::Input(format!(
            "{option} is for an architecture; {} has its own",
            published.name
        )));
    }
    Ok(Import {
        settings: settings_of(published.model, published.settings, args)?,
        task: published.task,
        labels: published.labels(),
        alphabet: None,
        window_s: window(args, published.window_s)?,
        mean_over_windows: published.mean_over_windows,
        stats: None,
        thresholds: Vec::new(),
        reading: published.reading,
        names: published.names()?,
        published: Some(published.name.to_string()),
    })
}

/// Checks that there is an architecture of this name.
fn known(model: &str) -> Result<()> {
    let names = PUBLISHED.iter().map(|it| it.name).collect::<Vec<_>>();
    match ModelConfig::from_name(model) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::Input(format!(
            "{error}; published models are {}",
            names.join(", ")
        ))),
    }
}

fn of_architecture(args: &ImportArgs, model: &str, file: &WeightFile) -> Result<Import> {
    let facts = file.facts.as_ref();
    if let Some(facts) = facts.filter(|facts| facts.model != model) {
        return Err(Error::Input(format!(
            "{}: Sori wrote it of {}, not of {model}",
            file.name(),
            facts.model
        )));
    }
    let mut settings = settings_of(model, "", args)?;
    if let Some(facts) = facts {
        settings = args.settings.apply(facts.apply(settings, file.name())?)?;
    }
    let role = settings.model.role();
    if args.task.is_some() && role != Role::Classifier {
        return Err(Error::Input(format!(
            "--task is for classifiers; {model} is none"
        )));
    }
    let reading = match args.task {
        Some(asked) => asked.reading(),
        None => facts.and_then(|facts| facts.reading),
    };
    let task = match (role, args.task) {
        (Role::Autoencoder, _) => TaskName::Autoencode,
        (Role::Adversarial, _) => TaskName::Generate,
        (Role::Emitter | Role::Speller, _) => TaskName::Transcribe,
        (Role::Classifier, Some(Asked::Tag)) => TaskName::Tag,
        (Role::Classifier, Some(asked)) => {
            asked.reading().map_or(TaskName::Classify, Reading::task)
        }
        (Role::Classifier, None) => match (facts, settings.model.card().purpose) {
            (Some(facts), _) => match facts.task {
                task @ (TaskName::Classify | TaskName::Tag) => task,
                other => {
                    return Err(Error::Input(format!(
                        "{}: its task is {other}; of classifiers, those for classes and tags are imported",
                        file.name()
                    )));
                }
            },
            (None, Purpose::Tag) => TaskName::Tag,
            (None, _) => TaskName::Classify,
        },
    };
    let (mut labels, mut alphabet) = (Vec::new(), None);
    match (reading, task, &args.labels, facts) {
        (Some(reading), _, Some(_), _) => {
            return Err(Error::Input(format!(
                "--labels: what is read as {reading} has labels of its own"
            )));
        }
        (Some(reading), _, None, _) => labels = reading.labels(),
        (None, TaskName::Autoencode | TaskName::Generate, None, _) => {}
        (None, TaskName::Autoencode | TaskName::Generate, Some(_), _) => {
            return Err(Error::Input(format!(
                "--labels: {model} generates, and has none"
            )));
        }
        (None, _, None, Some(facts)) => {
            labels = facts.labels.clone();
            alphabet = facts.alphabet.clone();
        }
        (None, _, None, None) => {
            let what = match task {
                TaskName::Transcribe => "the symbols of its alphabet but the blank",
                _ => "its labels",
            };
            return Err(Error::Input(format!(
                "{model} needs {what}, which a file of weights does not have; give --labels FILE, one per \
                 line in the order of the outputs"
            )));
        }
        (None, TaskName::Transcribe, Some(path), _) => {
            let text = settings.text.clone().unwrap_or_default();
            alphabet = Some(Alphabet::read(text.kind, text.normalization, path)?);
        }
        (None, _, Some(path), _) => labels = read_labels(path)?,
    }
    let same_labels = |facts: &&Facts| facts.task == task && facts.labels == labels;
    Ok(Import {
        settings,
        task,
        window_s: window(args, facts.map_or(WINDOW_S, |facts| facts.window_s))?,
        mean_over_windows: facts.is_some_and(|facts| facts.mean_over_windows),
        stats: facts.and_then(|facts| facts.stats.clone()),
        thresholds: facts
            .filter(same_labels)
            .map_or_else(Vec::new, |facts| facts.thresholds.clone()),
        labels,
        alphabet,
        reading,
        names: match &args.map {
            Some(map) => Names::read(map)?,
            None => Names::default(),
        },
        published: None,
    })
}

fn read_labels(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
    let mut labels: Vec<String> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let label = line.trim();
        let reason = match label {
            "" => "a label is empty".to_string(),
            label if labels.iter().any(|known| known == label) => {
                format!("the label {label} is there twice")
            }
            _ => {
                labels.push(label.to_string());
                continue;
            }
        };
        return Err(Error::line(path, index + 1, reason));
    }
    if labels.is_empty() {
        return Err(Error::Input(format!(
            "{}: there is no label in it",
            path.display()
        )));
    }
    Ok(labels)
}

/// The import itself.
struct Work<'a> {
    common: &'a Common,
    import: Import,
    file: WeightFile,
    source: PathBuf,
    out: Option<&'a Path>,
    dry_run: bool,
}

impl Job for Work<'_> {
    type Output = Result<()>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<()> {
        let fitted = self.import.fit::<B::InnerBackend>(&self.file, device)?;
        let model = self.import.settings.model.card().name;
        if self.dry_run {
            table(self.common, &fitted)?;
            fitted.plan.check(&format!("{model} with these settings"))?;
        }
        let Some(out) = self.out.filter(|_| !self.dry_run) else {
            return Ok(());
        };
        let tensors = fitted.plan.rows.len();
        let backend = self.common.backend_for(None).as_str();
        let run = self
            .import
            .write(&self.file, &self.source, fitted, backend, out)?;
        let info = run.info();
        if self.common.json {
            return print_json(&json!({
                "run": out.display().to_string(), "model": info.model, "task": info.task,
                "format": self.file.format.to_string(), "tensors": tensors, "params": info.params,
                "labels": info.labels.len(), "imported": info.imported,
            }));
        }
        self.common.tell(&format!(
            "{model}: {tensors} tensors of {}, {} parameters → {}",
            self.file.format,
            thousands(info.params),
            out.display()
        ))?;
        self.common.tell(&if run.task().generates() {
            format!("see what it makes: sori generate {}", out.display())
        } else if info.reading == Some(Reading::Voice) {
            format!("use it: sori embed {} AUDIO…", out.display())
        } else {
            format!("use it: sori predict {} AUDIO…", out.display())
        })
    }
}

/// Prints which tensor becomes which parameter.
fn table(common: &Common, fitted: &Fitted) -> Result<()> {
    for row in &fitted.plan.rows {
        let tensor = row.origin.as_ref().map(|origin| origin.tensor.as_str());
        let steps = row.origin.as_ref().map(|origin| {
            let mut words = origin.layout.words();
            if origin.lengths.is_some() {
                words = format!(
                    "weight norm{}{words}",
                    if words.is_empty() { "" } else { ", " }
                );
            }
            words
        });
        let steps = steps.unwrap_or_default();
        if common.json {
            print_json(&json!({
                "parameter": row.parameter, "shape": row.shape, "tensor": tensor, "tensor_shape": row.found,
                "steps": steps, "problem": row.problem,
            }))?;
            continue;
        }
        let from = match (tensor, &row.found) {
            (Some(tensor), Some(shape)) => format!("{tensor} {shape:?}"),
            (Some(tensor), None) => format!("{tensor} (missing)"),
            (None, _) => "(no rule)".to_string(),
        };
        let mut line = format!("{} {:?} ← {from}", row.parameter, row.shape);
        if !steps.is_empty() {
            line.push_str(&format!("  {steps}"));
        }
        print(&line)?;
    }
    for name in &fitted.plan.superfluous {
        match common.json {
            true => print_json(&json!({"superfluous": name}))?,
            false => print(&format!("(nothing) ← {name}"))?,
        }
    }
    Ok(())
}
