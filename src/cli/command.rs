//! The command line as a whole: what the subcommands declare, with what is the same for several of them.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::completion::with_completions;
use super::options::GENERAL;
use crate::settings::listing::all_keys;

/// The general options that do nothing for a command. They are accepted, and its help leaves them out.
const IDLE: &[(&[&str], &[&str])] = &[
    (&["models"], &["backend", "threads", "skip_bad"]),
    (&["settings"], &["backend", "threads"]),
    (&["runs"], &["backend", "threads", "skip_bad", "quiet"]),
    (&["import"], &["threads", "skip_bad", "quiet"]),
    (&["export"], &["threads", "skip_bad"]),
    (&["report"], &["skip_bad", "quiet"]),
    (&["generate"], &["skip_bad", "quiet"]),
    (&["features"], &["backend", "threads", "skip_bad", "quiet"]),
    (&["data", "info"], &["backend"]),
    (&["data", "export"], &["backend", "threads"]),
    (&["data", "prepare"], &["backend"]),
    (&["data", "fetch"], &["backend", "threads", "skip_bad"]),
    (&["lm", "train"], &["backend", "threads", "quiet"]),
    (&["lm", "score"], &["backend", "threads", "skip_bad"]),
    (&["bench"], &["skip_bad", "quiet"]),
    (
        &["completions"],
        &["backend", "threads", "skip_bad", "quiet", "json"],
    ),
];

/// The command line, as it is parsed, shown and completed, from what is declared.
pub(super) fn whole(declared: Command) -> Command {
    let general: Vec<Arg> = declared.get_arguments().cloned().collect();
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .help("Print help")
        .action(ArgAction::Help)
        .global(true);
    let version = Arg::new("version")
        .short('V')
        .long("version")
        .help("Print version")
        .action(ArgAction::Version);
    // Among the general options, and not in a section of their own.
    let mut command = declared
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args([help, version].map(|arg| arg.help_heading(GENERAL)));
    for (path, options) in IDLE {
        let hidden = general
            .iter()
            .filter(|arg| options.contains(&arg.get_id().as_str()));
        let hidden: Vec<Arg> = hidden.map(|arg| arg.clone().hide(true)).collect();
        command = at(command, path, |command| command.args(hidden));
    }
    with_completions(command)
}

/// Changes the subcommand at this path.
fn at(command: Command, path: &[&str], change: impl FnOnce(Command) -> Command) -> Command {
    match path.split_first() {
        None => change(command),
        Some((first, rest)) => command.mut_subcommand(first, |command| at(command, rest, change)),
    }
}

/// Parses the words of a command line.
///
/// # Errors
/// When they are wrong. An option that is a setting is said to be one.
pub(super) fn parse(
    command: Command,
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<ArgMatches, clap::Error> {
    command.try_get_matches_from(words).map_err(|mut error| {
        if let Some(tip) = setting_tip(&error) {
            // Instead of what is spelled a little like it.
            error.remove(ContextKind::SuggestedArg);
            let tip = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
            error.insert(ContextKind::Suggested, tip);
        }
        error
    })
}

/// For an unknown option with the name of a setting, such as `--dropout`: how the setting is given.
fn setting_tip(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let name = option.strip_prefix("--")?.split('=').next()?;
    let name = name.replace('-', "_");
    let keys = all_keys().ok()?;
    let means = |key: &&String| key.rsplit('.').next() == Some(&name);
    let keys: Vec<String> = keys
        .iter()
        .filter(means)
        .map(|key| format!("'--set {key}=…'"))
        .collect();
    match keys.is_empty() {
        true => None,
        false => Some(format!("this is a setting: {}", keys.join(" or "))),
    }
}
