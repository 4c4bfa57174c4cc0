//! Completions: `sori` itself is asked for models, settings and run folders while a command is typed.

use std::ffi::OsStr;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command};
use clap_complete::env::Shells;
use clap_complete::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use sori_datasets::corpus::{CORPORA, Location};
use sori_models::catalogue;

use crate::run::folder::has_begun;
use crate::run::pretrained;
use crate::settings::{Setting, Source, listing, shared_listing};
use crate::{Error, Result, Settings};

/// The environment variable by which a shell asks.
pub(super) const ASKED_BY: &str = "SORI_COMPLETE";

/// The script by which `shell` asks `sori` for completions.
///
/// # Errors
/// When there is no such shell.
pub(super) fn script(shell: &str) -> Result<Vec<u8>> {
    let shells = Shells::builtins();
    let known: Vec<&str> = shells.names().collect();
    let completer = shells.completer(shell).ok_or_else(|| {
        Error::Input(format!(
            "there are no completions for {shell}; there are for {}",
            known.join(", ")
        ))
    })?;
    let mut script = Vec::new();
    completer
        .write_registration(ASKED_BY, "sori", "sori", "sori", &mut script)
        .map_err(Error::io("cannot write", "the completion script".as_ref()))?;
    Ok(script)
}

/// The command with what its arguments may be. Files are completed without more.
pub(super) fn with_completions(command: Command) -> Command {
    command
        .mut_args(|arg| match arg.get_id().as_str() {
            "model" if names_a_model(&arg) => arg.add(ArgValueCandidates::new(models)),
            "set" | "tries" => arg.add(ArgValueCompleter::new(assignments)),
            "resume" => arg.add(ArgValueCompleter::new(runs)),
            "run" | "from" => arg.add(ArgValueCompleter::new(runs_and_zoo)),
            "data" | "valid_data" | "test_data" | "spec" => arg.add(ArgValueCompleter::new(specs)),
            _ => arg,
        })
        .mut_subcommands(with_completions)
}

/// Whether a model of the zoo is asked for, and not a file.
fn names_a_model(arg: &Arg) -> bool {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().all(|name| name == "MODEL")
}

/// A completion with its explanation.
fn candidate(value: impl Into<std::ffi::OsString>, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(StyledStr::from(help.to_string())))
}

fn models() -> Vec<CompletionCandidate> {
    let cards = catalogue().iter();
    cards.map(|card| candidate(card.name, card.title)).collect()
}

/// `KEY=VALUE` of any model; after `;` of several.
fn assignments(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else {
        return Vec::new();
    };
    // Of `--try` the last one.
    let last = typed.rfind(';').map_or(0, |at| at + 1);
    let last = last + typed[last..].len() - typed[last..].trim_start().len();
    let (before, typed) = typed.split_at(last);
    let mut found = Vec::new();
    for setting in settings() {
        // The last part of a name is enough.
        let short = setting.key.rsplit('.').next().unwrap_or_default();
        let name = match setting.key.starts_with(typed) || typed.starts_with(&setting.key) {
            true => &setting.key,
            false => short,
        };
        let begun = typed.split_once('=').is_some_and(|(key, _)| key == name);
        let values: Vec<String> = match (begun, setting.value.is_bool()) {
            (false, _) => vec![format!("{name}=")],
            (true, true) => ["true", "false"]
                .map(|value| format!("{name}={value}"))
                .to_vec(),
            (true, false) => {
                let choices = setting.choices.iter();
                choices.map(|value| format!("{name}={value}")).collect()
            }
        };
        let values = values.into_iter().filter(|value| value.starts_with(typed));
        found.extend(values.map(|value| candidate(format!("{before}{value}"), &setting.meaning)));
    }
    found
}

/// The settings of all models; of several that have one, the first's.
fn settings() -> Vec<Setting> {
    let mut settings = shared_listing().unwrap_or_default();
    for card in catalogue() {
        let of = Settings::new(card.name, "", 16_000);
        let of = of.and_then(|settings| listing(&[(Source::Default, settings)]));
        for setting in of.unwrap_or_default() {
            if !settings.iter().any(|known| known.key == setting.key) {
                settings.push(setting);
            }
        }
    }
    settings
}

/// The run folders below what is typed, and the folders that may have some.
fn runs(current: &OsStr) -> Vec<CompletionCandidate> {
    let folders = below(&current.to_string_lossy(), true).into_iter();
    let runs = folders.map(|folder| match has_begun(Path::new(&folder)) {
        true => candidate(folder, "a run"),
        false => CompletionCandidate::new(folder + "/"),
    });
    runs.collect()
}

/// The same, and the networks that Sori has trained.
fn runs_and_zoo(current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    let names = pretrained().map(|card| (format!("zoo:{}", card.name), &card.summary));
    let names = names.filter(|(name, _)| name.starts_with(typed.as_ref()));
    let mut found = runs(current);
    found.extend(names.map(|(name, summary)| candidate(name, summary)));
    found
}

/// Corpora; after `NAME:` the folders and files below what is typed.
fn specs(current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    let Some((corpus, location)) = typed.split_once(':').filter(|(name, _)| *name != "synth")
    else {
        let known = CORPORA.iter().map(|corpus| match corpus.location {
            Location::Word(word) => format!("{}:{word}", corpus.name),
            Location::Folder | Location::List => format!("{}:", corpus.name),
        });
        let known = known.filter(|spec| spec.starts_with(typed.as_ref()));
        return known.map(CompletionCandidate::new).collect();
    };
    let found = below(location, corpus != "manifest").into_iter();
    let found = found.map(|path| match Path::new(&path).is_dir() {
        true => format!("{corpus}:{path}/"),
        false => format!("{corpus}:{path}"),
    });
    found.map(CompletionCandidate::new).collect()
}

/// The folders whose path begins as `typed`, and the files unless `folders_only`.
fn below(typed: &str, folders_only: bool) -> Vec<String> {
    let (folder, begin) = match typed.rfind('/') {
        Some(at) => typed.split_at(at + 1),
        None => ("", typed),
    };
    let place = if folder.is_empty() { "." } else { folder };
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let names = entries
        .filter(|entry| !folders_only || entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(begin) && (!begin.is_empty() || !name.starts_with('.')));
    let mut paths: Vec<String> = names.map(|name| format!("{folder}{name}")).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(found: Vec<CompletionCandidate>) -> Vec<String> {
        let values = found.iter().map(|it| it.get_value().to_string_lossy());
        values.map(|value| value.into_owned()).collect()
    }

    #[test]
    fn settings_are_completed_with_their_values() {
        let completed = |typed: &str| values(assignments(OsStr::new(typed)));
        assert_eq!(completed("train.learn"), ["train.learning_rate="]);
        assert_eq!(completed("learn"), ["learning_rate="]);
        assert_eq!(
            completed("train.best_by="),
            ["metric", "loss", "last"].map(|value| format!("train.best_by={value}"))
        );
        assert_eq!(completed("balance=t"), ["balance=true"]);
        assert_eq!(
            completed("epochs=3; model.graph_s"),
            ["epochs=3; model.graph_seed="]
        );
        assert!(completed("colour").is_empty());
    }

    #[test]
    fn runs_and_corpora_are_completed() {
        let folder = tempfile::tempdir().unwrap();
        for (name, file) in [("mine", "run.json"), ("more", "x.txt")] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join(file), "{}").unwrap();
        }
        let typed = format!("{}/m", folder.path().display());
        let found = values(runs(OsStr::new(&typed)));
        assert_eq!(found, [format!("{typed}ine"), format!("{typed}ore/")]);
        let found = values(specs(OsStr::new(&format!("folder:{typed}i"))));
        assert_eq!(found, [format!("folder:{typed}ine/")]);
        let found = values(runs_and_zoo(OsStr::new("zoo:di")));
        assert_eq!(found, ["zoo:digits"]);
        assert_eq!(values(specs(OsStr::new("synth:d"))), ["synth:dtmf"]);
        assert_eq!(values(specs(OsStr::new("fsdd"))), ["fsdd:"]);
    }
}
