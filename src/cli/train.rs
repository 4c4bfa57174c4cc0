use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use clap::Args;
use serde_json::json;
use sori_datasets::{Corpus, OpenOptions, Spec};
use sori_models::catalogue;

use super::{Common, SettingArgs, print_json};
use crate::train::{RunResult, Show, fit, fresh_folder, resume, stop_on_interrupt, time};
use crate::{Error, Result, RunFolder, Settings};

/// The corpus a model trains on when none is named: sound scenes for those made for tags, Morse code
/// for those that write transcripts.
fn embedded(model: &str) -> &'static str {
    let entry = catalogue().iter().find(|entry| entry.name == model);
    match entry.map(|entry| entry.task) {
        Some("tag") => "synth:scenes",
        Some("transcribe") => "synth:morse",
        _ => "synth:dtmf",
    }
}

#[derive(Args)]
#[command(override_usage = "sori train [OPTIONS] MODEL\n       sori train [OPTIONS] --resume RUN")]
pub(super) struct TrainArgs {
    /// The architecture, as in `sori models`
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub(super) model: Option<String>,
    #[command(flatten)]
    pub(super) recipe: Recipe,
    /// The run folder to make [default: runs/MODEL-CORPUS-N]
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Train once for each of these folds of the corpus, which is tested on and the others trained
    /// on, and report mean and deviation: 1,2,3,4,5. Folds that have been trained are kept, so that
    /// the same command goes on after an interruption
    #[arg(
        long,
        value_name = "K,…",
        value_delimiter = ',',
        conflicts_with_all = ["resume", "test_data"],
        requires = "out"
    )]
    folds: Vec<u32>,
    /// Go on with this run to the end it was given
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "data", "valid_data", "test_data", "config", "set", "epochs", "max_minutes", "unk", "seed", "from",
    ])]
    resume: Option<PathBuf>,
}

/// What a run is made of.
#[derive(Args)]
pub(super) struct Recipe {
    /// What to train on, such as fsdd:DIR, folder:DIR or manifest:FILE.jsonl [default: synth:dtmf,
    /// synth:scenes for models made for tags, synth:morse for those that transcribe]
    #[arg(long, value_name = "SPEC")]
    pub(super) data: Option<String>,
    /// What to choose the best checkpoint on [default: part of the training data]
    #[arg(long, value_name = "SPEC")]
    pub(super) valid_data: Option<String>,
    /// What to test on [default: the corpus's own test part]
    #[arg(long, value_name = "SPEC")]
    pub(super) test_data: Option<String>,
    #[command(flatten)]
    settings: SettingArgs,
    /// Passes over the training data
    #[arg(long)]
    epochs: Option<usize>,
    /// Stop after so many minutes of training
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    max_minutes: Option<f64>,
    /// Take symbols that the alphabet of transcripts does not have for one of their own, rather than
    /// refuse them
    #[arg(long)]
    unk: bool,
    /// Where all randomness starts from
    #[arg(long)]
    seed: Option<u64>,
    /// Start from the weights of this run, where names and shapes agree
    #[arg(long, value_name = "RUN")]
    from: Option<PathBuf>,
}

pub(super) fn run(common: &Common, args: TrainArgs) -> Result<()> {
    let show = if common.json {
        Show::Json
    } else if common.quiet {
        Show::Quiet
    } else {
        Show::Auto
    };
    if !args.folds.is_empty() {
        return folds(common, &args, show);
    }
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
        let settings = args
            .recipe
            .resolve(common, args.model.as_deref().unwrap_or_default())?;
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
        task,
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
    let path = trained.run.path().display();
    common.tell(&if task.generates() {
        format!("see what it makes: sori generate {path}")
    } else {
        format!("use it: sori predict {path} AUDIO…")
    })
}

/// Trains a run for each fold, in a folder of its own below `--out`, and sums them up.
fn folds(common: &Common, args: &TrainArgs, show: Show) -> Result<()> {
    let settings = args
        .recipe
        .resolve(common, args.model.as_deref().unwrap_or_default())?;
    let backend = common.backend_for(None);
    let parent = args.out.clone().unwrap_or_default();
    let mut runs = Vec::new();
    for (index, &fold) in args.folds.iter().enumerate() {
        if args.folds[..index].contains(&fold) {
            return Err(Error::Input(format!(
                "--folds: {fold} is there twice; each fold is trained once"
            )));
        }
        let path = parent.join(format!("fold-{fold}"));
        let mut spec: Spec = settings.data.train.parse()?;
        spec.query.insert("folds".to_string(), fold.to_string());
        let mut settings = settings.clone();
        settings.data.train = spec.to_string();
        let begun = path.join("run.json").is_file();
        if begun && !settings.begins_same_run(&RunFolder::open(&path)?.settings()?)? {
            return Err(Error::Input(format!(
                "{} holds a run of other settings (its config.toml says which); name another --out, \
                 or give the command that began it",
                path.display()
            )));
        }
        runs.push((fold, path, settings, begun));
    }
    let interrupted = || Error::Interrupted {
        again: "the same command".to_string(),
    };
    let mut results: Vec<(u32, RunResult)> = Vec::new();
    for (fold, path, settings, begun) in runs {
        common.tell(&format!("fold {fold}:"))?;
        let trained = if begun {
            resume(&path, backend, show)
        } else {
            fit(&settings, &path, backend, show)
        };
        let trained = trained.map_err(|error| match error {
            Error::Interrupted { .. } => interrupted(),
            error => error,
        })?;
        common.tell(&format!(
            "fold {fold}: {} {:.4}",
            trained.result.metric, trained.result.value
        ))?;
        results.push((fold, trained.result));
        // Ctrl-C after the last step of a fold lets it end.
        if results.len() < args.folds.len() && stop_on_interrupt().load(Ordering::Relaxed) {
            return Err(interrupted());
        }
    }
    let Some((_, first)) = results.first() else {
        return Ok(());
    };
    let values: Vec<f64> = results.iter().map(|(_, result)| result.value).collect();
    let (mean, deviation) = mean_and_deviation(&values);
    if common.json {
        let folds: serde_json::Map<_, _> = results
            .iter()
            .map(|(fold, result)| (fold.to_string(), json!(result.value)))
            .collect();
        return print_json(&json!({
            "task": first.task, "model": first.model, "metric": first.metric, "split": first.split,
            "value": mean, "deviation": deviation, "folds": folds, "params": first.params,
            "seconds": results.iter().map(|(_, result)| result.seconds).sum::<f64>(),
            "epochs": first.epochs, "backend": first.backend, "seed": first.seed,
        }));
    }
    super::print(&format!(
        "{} {mean:.4} ± {deviation:.4} on the {} part (mean and deviation over {} folds)",
        first.metric,
        first.split,
        results.len()
    ))
}

/// The mean, and the deviation of a sample (divided by one less than its size; 0 of one value).
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
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

impl Recipe {
    /// The settings of a run of this model, at the sample rate of its corpus.
    pub(super) fn resolve(&self, common: &Common, model: &str) -> Result<Settings> {
        // A file or a --set may name the data too.
        let named = self.settings.apply(Settings::new(
            model,
            self.data.as_deref().unwrap_or(embedded(model)),
            16_000,
        )?)?;
        let spec = self.data.clone().unwrap_or(named.data.train);
        let options = OpenOptions {
            skip_bad: common.skip_bad || named.data.skip_bad,
            labels: None,
        };
        let corpus = Corpus::open_with(&spec.parse::<Spec>()?, &options)?;
        if let Some(from) = &self.from {
            RunFolder::open(from)?.best_checkpoint()?;
        }
        // Features at the rate of the corpus, unless a setting says otherwise.
        self.settings_of(common, model, &spec, corpus.native_rate_hz)
    }

    /// The settings of a run of this model on this corpus, at this rate. Neither the corpus nor
    /// another run is looked at.
    pub(super) fn settings_of(
        &self,
        common: &Common,
        model: &str,
        spec: &str,
        sample_rate_hz: u32,
    ) -> Result<Settings> {
        let mut settings = self
            .settings
            .apply(Settings::new(model, spec, sample_rate_hz)?)?;
        settings.data.train = spec.to_string();
        let data = &mut settings.data;
        data.skip_bad |= common.skip_bad;
        if let Some(spec) = &self.valid_data {
            data.valid.clone_from(spec);
        }
        if let Some(spec) = &self.test_data {
            data.test.clone_from(spec);
        }
        if let Some(from) = &self.from {
            data.from = from.display().to_string();
        }
        let train = &mut settings.train;
        train.epochs = self.epochs.unwrap_or(train.epochs);
        train.max_minutes = self.max_minutes.unwrap_or(train.max_minutes);
        train.seed = self.seed.unwrap_or(train.seed);
        match &mut settings.text {
            Some(text) => text.unk |= self.unk,
            None if self.unk => {
                return Err(Error::Input(format!(
                    "--unk is for models that write transcripts; {model} does not"
                )));
            }
            None => {}
        }
        settings.check()?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_summed_up_by_mean_and_sample_deviation() {
        let (mean, deviation) = mean_and_deviation(&[0.8, 0.9, 1.0]);
        assert!((mean - 0.9).abs() < 1e-12 && (deviation - 0.1).abs() < 1e-12);
        assert_eq!(mean_and_deviation(&[0.7]), (0.7, 0.0));
    }
}
