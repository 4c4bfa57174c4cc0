use std::path::{Path, PathBuf};

use clap::Args;
use sori_datasets::{Corpus, OpenOptions, Spec};

use super::{Common, SettingArgs, print_json};
use crate::train::{RunResult, Show, fit, fresh_folder, resume, time};
use crate::{Error, Result, RunFolder, Settings};

/// The corpus a model trains on when none is named.
const EMBEDDED: &str = "synth:dtmf";

#[derive(Args)]
#[command(override_usage = "sori train [OPTIONS] MODEL\n       sori train [OPTIONS] --resume RUN")]
pub(super) struct TrainArgs {
    /// The architecture, as in `sori models`
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    model: Option<String>,
    /// What to train on, such as fsdd:DIR, folder:DIR or manifest:FILE.jsonl [default: synth:dtmf]
    #[arg(long, value_name = "SPEC", conflicts_with = "resume")]
    data: Option<String>,
    /// What to choose the best checkpoint on [default: part of the training data]
    #[arg(long, value_name = "SPEC", conflicts_with = "resume")]
    valid_data: Option<String>,
    /// What to test on [default: the corpus's own test part]
    #[arg(long, value_name = "SPEC", conflicts_with = "resume")]
    test_data: Option<String>,
    #[command(flatten)]
    settings: SettingArgs,
    /// Passes over the training data
    #[arg(long, conflicts_with = "resume")]
    epochs: Option<usize>,
    /// Stop after so many minutes of training
    #[arg(
        long,
        value_name = "M",
        conflicts_with = "resume",
        allow_negative_numbers = true
    )]
    max_minutes: Option<f64>,
    /// Where all randomness starts from
    #[arg(long, conflicts_with = "resume")]
    seed: Option<u64>,
    /// Start from the weights of this run, where names and shapes agree
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    from: Option<PathBuf>,
    /// The run folder to make [default: runs/MODEL-CORPUS-N]
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Go on with this run to the end it was given
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "set"])]
    resume: Option<PathBuf>,
}

pub(super) fn run(common: &Common, args: TrainArgs) -> Result<()> {
    let show = if common.json {
        Show::Json
    } else if common.quiet {
        Show::Quiet
    } else {
        Show::Auto
    };
    let trained = if let Some(path) = &args.resume {
        let run = RunFolder::open(path)?;
        if common.skip_bad {
            return Err(Error::Input(
                "--skip-bad: a resumed run keeps the recordings it began with".to_string(),
            ));
        }
        if run.result()?.is_some() {
            common.tell(&format!("run {} has already ended", path.display()))?;
        }
        let backend = common.backend_for(Some(&run.info()?.backend));
        resume(path, backend, show)?
    } else {
        let settings = resolve(common, &args)?;
        let path = match &args.out {
            Some(path) => path.clone(),
            None => {
                let corpus = short_name(&settings.data.train);
                let name = format!("{}-{corpus}", settings.model.name());
                fresh_folder(Path::new("runs"), &name)?
            }
        };
        fit(&settings, &path, common.backend_for(None), show)?
    };
    if common.json {
        return print_json(&trained.result);
    }
    let RunResult {
        metric,
        split,
        value,
        metrics,
        seconds,
        epochs,
        best_epoch,
        labels_left_out,
        ..
    } = &trained.result;
    let mut others = metrics.clone();
    others.0.remove(metric);
    super::print(&format!(
        "{metric} {value:.4} on the {split} part ({}), by the best of {epochs} epochs \
         ({best_epoch}); {} of training",
        others.text(""),
        time(std::time::Duration::from_secs_f64(*seconds)),
    ))?;
    if !labels_left_out.is_empty() {
        common.tell(&format!(
            "no recording there has {}: left out of the means",
            labels_left_out.join(", ")
        ))?;
    }
    common.tell(&format!(
        "use it: sori predict {} AUDIO…",
        trained.run.path().display()
    ))
}

/// What a run folder calls its corpus: `fsdd` for `fsdd:DIR`, `dtmf` for `synth:dtmf`, the name of
/// the folder or file where that says more.
fn short_name(spec: &str) -> String {
    let (corpus, location) = spec.split_once(':').unwrap_or((spec, ""));
    let location = location.split('?').next().unwrap_or_default();
    match corpus {
        "synth" | "folder" | "manifest" => Path::new(location).file_stem().map_or_else(
            || corpus.to_string(),
            |name| name.to_string_lossy().into_owned(),
        ),
        _ => corpus.to_string(),
    }
}

fn resolve(common: &Common, args: &TrainArgs) -> Result<Settings> {
    let model = args.model.as_deref().unwrap_or_default();
    // A file or a --set may name the data too.
    let named = args.settings.apply(Settings::new(
        model,
        args.data.as_deref().unwrap_or(EMBEDDED),
        16_000,
    )?)?;
    let spec = args.data.clone().unwrap_or(named.data.train);
    let options = OpenOptions {
        skip_bad: common.skip_bad || named.data.skip_bad,
        labels: None,
    };
    let corpus = Corpus::open_with(&spec.parse::<Spec>()?, &options)?;
    // Features at the rate of the corpus, unless a setting says otherwise.
    let mut settings = args
        .settings
        .apply(Settings::new(model, &spec, corpus.native_rate_hz)?)?;
    settings.data.train = spec;
    let data = &mut settings.data;
    data.skip_bad |= common.skip_bad;
    if let Some(spec) = &args.valid_data {
        data.valid.clone_from(spec);
    }
    if let Some(spec) = &args.test_data {
        data.test.clone_from(spec);
    }
    if let Some(from) = &args.from {
        RunFolder::open(from)?.best_checkpoint()?;
        data.from = from.display().to_string();
    }
    let train = &mut settings.train;
    train.epochs = args.epochs.unwrap_or(train.epochs);
    train.max_minutes = args.max_minutes.unwrap_or(train.max_minutes);
    train.seed = args.seed.unwrap_or(train.seed);
    settings.check()?;
    Ok(settings)
}
